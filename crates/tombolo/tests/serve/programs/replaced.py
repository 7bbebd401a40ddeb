"""One transaction over two databases, of which the second is replaced by a copy before the end.
Prints what the commit said, what the same connection sees then, and what another one sees.
Arguments: both databases."""
import os
import sqlite3
import sys

from door import connect

first, second = sys.argv[1:3]
COUNTS = "SELECT (SELECT n FROM main.counter), (SELECT n FROM other.counter)"


def both():
    connection = connect("door", first)
    connection.execute("ATTACH ? AS other", ("file:" + second + "?vfs=tombolo",))
    return connection


connection = both()
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE main.counter SET n = n + 1")
connection.execute("UPDATE other.counter SET n = n + 1")
copy = sqlite3.connect(second + ".copy")
connect("door", second).backup(copy)
copy.close()
os.replace(second + ".copy", second)
connect("door", second).execute("SELECT n FROM counter").fetchone()
try:
    connection.execute("COMMIT")
    print("committed")
except sqlite3.OperationalError as error:
    print(error)
if connection.in_transaction:
    connection.execute("ROLLBACK")
print(*connection.execute(COUNTS).fetchone())
print(*both().execute(COUNTS).fetchone())
connection.execute("UPDATE main.counter SET n = n + 1")
print(*both().execute(COUNTS).fetchone())
