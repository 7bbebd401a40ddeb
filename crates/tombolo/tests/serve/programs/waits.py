"""Writes once, says so, waits for a file beside the database, and writes again, with the patience
that was given in milliseconds. What it hears it prints, and how many rows it sees then."""
import os
import sqlite3
import sys
import time

from door import connect

path, patience_ms = sys.argv[1:3]
connection = connect("door", path)
connection.execute("PRAGMA busy_timeout = " + patience_ms)
connection.execute("INSERT INTO entry VALUES('waits', 1)")
print("ready", flush=True)
while not os.path.exists(path + ".go"):
    time.sleep(0.01)
try:
    connection.execute("INSERT INTO entry VALUES('waits', 2)")
    print("written", flush=True)
except sqlite3.OperationalError as error:
    print(error, flush=True)
print(connection.execute("SELECT count(*) FROM entry").fetchone()[0], flush=True)
