import platform
import sys

import apsw


def pause(stage):
    print(stage, flush=True)
    sys.stdin.readline()


def main():
    versions = f"apsw {apsw.apsw_version()}, SQLite {apsw.sqlite_lib_version()}"
    print(f"version Python {platform.python_version()}, {versions}")
    db = apsw.Connection(sys.argv[1])
    db.execute("PRAGMA journal_mode=@MODE@")
    db.execute("CREATE TABLE IF NOT EXISTS items(id INTEGER PRIMARY KEY, data)")
    db.execute("INSERT INTO items(data) VALUES(zeroblob(200000))")
    db.execute("SELECT count(*) FROM items").fetchall()
    pause("running")
    db.execute("INSERT INTO items(data) VALUES('second')")
    other = apsw.Connection(sys.argv[1])
    other.execute("SELECT count(*) FROM items").fetchall()
    other.close()
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO items(data) VALUES('third')")
    pause("transaction")
    db.execute("COMMIT")
    db.execute("DELETE FROM items")
    db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    db.close()


main()
