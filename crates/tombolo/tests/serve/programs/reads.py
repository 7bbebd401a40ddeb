"""Writes, then reads in a transaction what SQLite has at hand, says so, and stays in it until it is
ended."""
import sys
import time

from door import connect

connection = connect(sys.argv[2], sys.argv[1])
connection.execute("INSERT INTO entry VALUES('reader', 1)")
connection.execute("BEGIN")
connection.execute("SELECT count(*) FROM entry").fetchone()
print(1, flush=True)
time.sleep(60)
