import platform
import sqlite3
import sys


def pause(stage):
    print(stage, flush=True)
    sys.stdin.readline()


def connect():
    return sqlite3.connect(sys.argv[1], isolation_level=None)


def main():
    print(f"version Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    db = connect()
    db.execute("PRAGMA journal_mode=@MODE@")
    db.execute("CREATE TABLE IF NOT EXISTS items(id INTEGER PRIMARY KEY, data)")
    db.execute("INSERT INTO items(data) VALUES(zeroblob(200000))")
    db.execute("SELECT count(*) FROM items").fetchone()
    pause("running")
    db.execute("INSERT INTO items(data) VALUES('second')")
    other = connect()
    other.execute("SELECT count(*) FROM items").fetchone()
    other.close()
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO items(data) VALUES('third')")
    pause("transaction")
    db.execute("COMMIT")
    db.execute("DELETE FROM items")
    db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    db.close()


main()
