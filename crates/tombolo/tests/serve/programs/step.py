"""Goes through a transaction up to a step, says so, and waits to be killed."""
import sys
import time

from door import connect

path, way, last = sys.argv[1:4]
connection = connect(way, path)
connection.execute("PRAGMA cache_size = 10")
steps = [
    lambda: connection.execute("BEGIN"),
    lambda: connection.execute("SELECT count(*) FROM entry").fetchone(),
    lambda: connection.execute("INSERT INTO entry VALUES('killed', 1)"),
    # More than its cache holds: some of it goes to the owner before the commit.
    lambda: connection.executemany(
        "INSERT INTO entry VALUES(?, 2)", [(str(n) + "x" * 900,) for n in range(200)]
    ),
    lambda: connection.execute("SAVEPOINT s"),
    lambda: connection.execute("DELETE FROM entry WHERE number = 2"),
    lambda: connection.execute("ROLLBACK TO s"),
]
for step in steps[: int(last)]:
    step()
print(last, flush=True)
time.sleep(120)
