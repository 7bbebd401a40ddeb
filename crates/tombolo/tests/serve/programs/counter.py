"""Inserts numbers and prints each that was acknowledged, until it is ended or told to stop."""
import sqlite3
import sys
import time

from door import connect

path, way, name, seconds = sys.argv[1:5]
connection = connect(way, path)
end = time.monotonic() + float(seconds)
number = 0
while time.monotonic() < end:
    number += 1
    try:
        connection.execute("INSERT INTO entry VALUES(?, ?)", (name, number))
    except sqlite3.OperationalError:
        # What became of it nobody said: it may be there or not.
        time.sleep(0.01)
        continue
    print(number, flush=True)
