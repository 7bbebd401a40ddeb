"""A connection that was opened before there was an owner, and one that was opened after: both write
in turn. Argument: the database. A line on standard input says that the owner is there."""
import sqlite3
import sys

database = sys.argv[1]
before = sqlite3.connect(database, timeout=60, isolation_level=None)
before.execute("CREATE TABLE t(x)")
print("ready", flush=True)
sys.stdin.readline()
after = sqlite3.connect(database, timeout=60, isolation_level=None)
for number in range(10):
    before.execute("INSERT INTO t VALUES (?)", (number,))
    after.execute("INSERT INTO t VALUES (?)", (number,))
    seen = [each.execute("SELECT count(*) FROM t").fetchone()[0] for each in (before, after)]
    assert seen == [2 * number + 2] * 2, seen
print(before.execute("PRAGMA integrity_check").fetchone()[0])
