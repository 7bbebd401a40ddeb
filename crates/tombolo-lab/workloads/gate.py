"""What stands before a program that must begin together with another: it is loaded, says so, and
waits for a line of standard input."""

import sqlite3
import sys

# Loading SQLite is slow in an emulated kernel.
sqlite3.connect(":memory:").close()
print("ready", flush=True)
sys.stdin.readline()
