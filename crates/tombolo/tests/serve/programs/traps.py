"""What SQLite does with a file whose owner is another process, and must not notice. Arguments: the
database, and which of the functions below. Each prints a line for each thing that it looked at."""
import os
import sqlite3
import sys
import threading
import time

from door import connect

path, what = sys.argv[1:3]


def uri(parameters):
    return "file:" + path + "?vfs=tombolo" + parameters


def one(connection, sql):
    return connection.execute(sql).fetchone()[0]


def refused(run):
    try:
        run()
        return "done"
    except sqlite3.Error as error:
        return f"{type(error).__name__} {error}"


def table(connection, rows=200):
    connection.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
    connection.executemany("INSERT INTO t VALUES(?, ?)", ((a, "x" * 300) for a in range(rows)))


def data_version():
    """Own commits leave SQLite's cache alone, those of others do not."""
    first, second = connect("door", path), connect("door", path)
    table(first, 3)
    before = one(first, "PRAGMA data_version")
    for number in range(5):
        first.execute("UPDATE t SET b = ? WHERE a = 0", (number,))
        one(first, "SELECT count(*) FROM t")
    print(one(first, "PRAGMA data_version") - before)
    second.execute("UPDATE t SET b = 'other' WHERE a = 0")
    print(one(first, "PRAGMA data_version") != before, one(first, "SELECT b FROM t WHERE a = 0"))
    sqlite3.connect(path).execute("DELETE FROM t").connection.commit()
    print(one(first, "SELECT count(*) FROM t"))


def backup():
    """From here, to here, and to here with pages of another size."""
    database = connect("door", path)
    table(database)
    copy = sqlite3.connect(path + ".copy")
    database.backup(copy, pages=2)
    print(one(copy, "SELECT count(*) FROM t"), one(copy, "PRAGMA integrity_check"))
    copy.close()
    with open(path + ".copy", "rb") as file:
        print(*file.read(20)[18:])
    plain = sqlite3.connect(path + ".copy", isolation_level=None)
    plain.execute("DELETE FROM t WHERE a >= 7")
    plain.backup(database, pages=3)
    print(one(database, "SELECT count(*) FROM t"), one(database, "PRAGMA integrity_check"))
    other = sqlite3.connect(path + ".other", isolation_level=None)
    other.execute("PRAGMA page_size = 1024")
    other.execute("CREATE TABLE other(a)")
    print(refused(lambda: other.backup(database)))
    print(one(database, "SELECT count(*) FROM t"))
    database.execute("INSERT INTO t VALUES(1000, 'more')")
    print(one(connect("door", path), "SELECT count(*) FROM t"))


def read_only():
    """One that only reads, and one that reads one version for as long as it is open."""
    writer = connect("door", path)
    table(writer, 3)
    reader = sqlite3.connect(uri("&mode=ro"), uri=True, isolation_level=None)
    still = sqlite3.connect(uri("&immutable=1"), uri=True, isolation_level=None)
    count = "SELECT count(*) FROM t"
    print(one(reader, count), one(still, count))
    writer.execute("DELETE FROM t WHERE a = 0")
    print(one(reader, count), one(still, count))
    print(refused(lambda: reader.execute("DELETE FROM t")))
    print(refused(lambda: still.execute("DELETE FROM t")))
    print(one(writer, count))


def twice():
    """The same database attached twice is two connections to it, as on a local disk."""
    database = connect("door", path)
    table(database, 3)
    database.execute("ATTACH ? AS again", (uri(""),))
    print(one(database, "SELECT count(*) FROM again.t"))
    database.execute("DELETE FROM again.t WHERE a = 0")
    print(one(database, "SELECT count(*) FROM main.t"))
    database.execute("PRAGMA busy_timeout = 0")
    database.execute("BEGIN")
    database.execute("DELETE FROM main.t WHERE a = 1")
    print(refused(lambda: database.execute("DELETE FROM again.t WHERE a = 2")))
    database.execute("COMMIT")
    print(one(database, "SELECT count(*) FROM again.t"))


def upgrade():
    """Who began to read before another committed cannot write any more; who begins to write in a
    transaction of its own can."""
    first, second = connect("door", path), connect("door", path)
    table(first, 3)
    first.execute("BEGIN")
    print(one(first, "SELECT count(*) FROM t"))
    second.execute("DELETE FROM t WHERE a = 0")
    print(one(first, "SELECT count(*) FROM t"))
    try:
        first.execute("DELETE FROM t WHERE a = 1")
    except sqlite3.OperationalError as error:
        # Python before 3.11 does not know the code.
        print(getattr(error, "sqlite_errorcode", error))
    print(first.in_transaction)
    first.execute("ROLLBACK")
    first.execute("DELETE FROM t WHERE a = 1")
    print(one(second, "SELECT count(*) FROM t"))


def vacuum():
    """Pages are moved and cut at the end of a transaction, after SQLite has announced it."""
    database = connect("door", path)
    for mode in ("FULL", "INCREMENTAL"):
        database.execute(f"PRAGMA auto_vacuum = {mode}")
        database.execute("VACUUM")
        database.execute("DROP TABLE IF EXISTS t")
        table(database)
        before = one(database, "PRAGMA page_count")
        database.execute("DELETE FROM t WHERE a > 5")
        if mode == "INCREMENTAL":
            database.executescript("PRAGMA incremental_vacuum")
        small = one(database, "PRAGMA page_count")
        print(mode, small < before / 2, one(database, "PRAGMA integrity_check"))
        print(one(sqlite3.connect(path), "PRAGMA page_count") == small)


def levels():
    """Without a word about the disk it is a commit as well, and a checkpoint has three columns."""
    database = connect("door", path)
    database.execute("PRAGMA synchronous = OFF")
    table(database, 3)
    print(one(sqlite3.connect(path), "SELECT count(*) FROM t"))
    row = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    print(len(row), os.stat(path + "-wal").st_size)


def unqualified():
    """A PRAGMA without a name is shown to the main database alone, and done to all."""
    connect("door", path).close()
    database = sqlite3.connect(":memory:", isolation_level=None)
    database.execute("ATTACH ? AS d", (uri(""),))
    database.execute("CREATE TABLE d.t(a)")
    database.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
    insert = "INSERT INTO d.t VALUES(1)"
    for number in range(3):
        print(refused(lambda: database.execute(insert)))
    database.execute("PRAGMA journal_mode = WAL").fetchall()
    print(refused(lambda: database.execute(insert)))
    database.close()
    again = connect("door", path)
    print(one(again, "SELECT count(*) FROM t"), one(again, "PRAGMA integrity_check"))
    print(one(sqlite3.connect(path), "PRAGMA journal_mode"))


def never_open():
    """Whatever is done here, this process opens none of the files."""
    database = connect("door", path)
    table(database)
    database.execute("PRAGMA cache_size = 5")
    with database:
        database.execute("BEGIN")
        database.execute("UPDATE t SET b = b || 'y'")
    database.execute("VACUUM")
    print(one(database, "SELECT count(*) FROM t"))
    again = connect("door", path)
    print(one(again, "PRAGMA integrity_check"))


def forked():
    """A child that closes what its parent has opened says nothing to the owner."""
    database = connect("door", path)
    table(database, 3)
    database.execute("BEGIN IMMEDIATE")
    database.execute("DELETE FROM t WHERE a = 0")
    child = os.fork()
    if child == 0:
        print(refused(lambda: database.execute("COMMIT")))
        database.close()
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
    database.execute("COMMIT")
    print(one(database, "SELECT count(*) FROM t"))


def waits():
    """Who sleeps since it was told busy is served before one that takes the turn again at once."""
    holder = connect("door", path)
    table(holder, 3)
    holder.execute("PRAGMA busy_timeout = 0")
    # So that nobody finds the turn free while the log is synced.
    holder.execute("PRAGMA synchronous = NORMAL")
    holder.execute("BEGIN IMMEDIATE")

    def insert():
        connect("door", path).execute("INSERT INTO t VALUES(100, 'waited')")

    waiting = threading.Thread(target=insert)
    waiting.start()
    while '"queue_length":0' in one(holder, "PRAGMA tombolo_status"):
        pass
    rounds, served = 0, 0
    while rounds < 12 and not served:
        rounds += 1
        holder.execute("UPDATE t SET b = ? WHERE a = 0", (rounds,))
        time.sleep(0.02)
        holder.execute("COMMIT")
        while refused(lambda: holder.execute("BEGIN IMMEDIATE")) != "done":
            pass
        served = one(holder, "SELECT count(*) FROM t WHERE a = 100")
    print("served" if served else "passed over")
    holder.execute("COMMIT")
    waiting.join()


globals()[what]()
