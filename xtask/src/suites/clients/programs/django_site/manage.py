"""Migrates the app here to and fro on a file, and runs its tests on another."""

import sys

import django
from django.core.management import call_command

django.setup()
call_command("migrate", verbosity=0)
call_command("migrate", "shop", "0001", verbosity=0)
call_command("migrate", verbosity=0)
call_command("migrate", "shop", "zero", verbosity=0)
call_command("migrate", verbosity=0)
call_command("makemigrations", "--check", "--dry-run")
sys.argv = ["manage.py", "test", "shop", "--noinput"]
call_command("test", "shop", interactive=False)
