"""Takes the turn, writes, says so, and does not commit."""
import sys
import time

from door import connect

path, way = sys.argv[1:3]
connection = connect(way, path)
connection.execute("BEGIN IMMEDIATE")
connection.execute("INSERT INTO entry VALUES('frozen', 1)")
print(1, flush=True)
time.sleep(120)
