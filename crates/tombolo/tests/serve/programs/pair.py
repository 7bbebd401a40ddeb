"""Counts up in two databases, one transaction over both, and prints each count that was
acknowledged, until the time is over. Arguments: the first database, the second, seconds."""
import sqlite3
import sys
import time

from door import connect

first, second, seconds = sys.argv[1:4]
connection = connect("door", first)
connection.execute("ATTACH ? AS other", ("file:" + second + "?vfs=tombolo",))
end = time.monotonic() + float(seconds)
while time.monotonic() < end:
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE main.counter SET n = n + 1")
        connection.execute("UPDATE other.counter SET n = n + 1")
        connection.execute("COMMIT")
        print(connection.execute("SELECT n FROM main.counter").fetchone()[0], flush=True)
    except sqlite3.OperationalError:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        time.sleep(0.01)
