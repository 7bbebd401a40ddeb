"""Commits numbers, each in a transaction of its own, and prints each that was acknowledged. After
some of them the log is copied into the database. Whatever fails, it tries the next one."""
import sqlite3
import sys

from door import connect

path, way, count = sys.argv[1:4]
connection = None
for number in range(1, int(count) + 1):
    try:
        if connection is None:
            connection = connect(way, path)
            connection.execute("PRAGMA busy_timeout = 2000")
        connection.execute("INSERT INTO entry VALUES('tries', ?)", (number,))
        print(number, flush=True)
        if number % 3 == 0:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    except sqlite3.DatabaseError:
        pass
