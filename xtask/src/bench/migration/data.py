"""Databases that `cargo xtask bench --migration` carries over, and what is in them."""
import json
import os
import random
import sqlite3
import struct
import sys

ROWS_OF_ODD_TABLE = 100


def made(path, work):
    """Makes a database whole, or not at all."""
    if os.path.exists(path):
        return
    half = path + ".half"
    if os.path.exists(half):
        os.remove(half)
    connection = sqlite3.connect(half)
    connection.execute("PRAGMA synchronous=OFF")
    work(connection)
    connection.commit()
    connection.close()
    os.rename(half, path)


def many(connection, rows):
    """Two tables as a media server has them, which refer to one another."""
    connection.executescript("""
        CREATE TABLE item (id INTEGER PRIMARY KEY, title TEXT NOT NULL, path TEXT,
            size_bytes INTEGER, rating REAL, added TEXT, mark BLOB);
        CREATE TABLE play (id INTEGER PRIMARY KEY, item_id INTEGER REFERENCES item (id),
            position_ms INTEGER, watched INTEGER, at TEXT);
        CREATE INDEX play_item ON play (item_id);""")
    chance = random.Random(1)
    day = lambda: "20%02d-%02d-%02d 12:00:00" % tuple(
        chance.randrange(low, high) for low, high in ((10, 24), (1, 13), (1, 29)))
    half = rows // 2
    connection.executemany("INSERT INTO item VALUES (?, ?, ?, ?, ?, ?, ?)", (
        (row, "Title %d" % row, "/media/%03d/%d.mkv" % (row % 500, row),
         chance.randrange(1 << 40), chance.random() * 10, day(), chance.randbytes(16))
        for row in range(1, half + 1)))
    connection.executemany("INSERT INTO play VALUES (?, ?, ?, ?, ?)", (
        (row, chance.randrange(1, half + 1), chance.randrange(1 << 23), row % 2, day())
        for row in range(1, rows - half + 1)))


def large(connection, bytes_wanted):
    """One table whose rows are longer than a page."""
    connection.execute(
        "CREATE TABLE document (id INTEGER PRIMARY KEY, name TEXT, body TEXT, packed BLOB)")
    chance = random.Random(2)
    rows = bytes_wanted // 8192
    connection.executemany("INSERT INTO document VALUES (?, ?, ?, ?)", (
        (row, "document %d" % row, chance.randbytes(2048).hex(), chance.randbytes(4096))
        for row in range(1, rows + 1)))


def odd_tables():
    """Tables of values that are allowed in SQLite; each has some that are seldom thought of."""
    text = lambda row: "value %d" % row
    day = lambda row: "2024-01-%02d 12:00:00" % (row % 28 + 1)
    return [
        ("plain", "v TEXT", "", text, {7: "tab\tline\n\\", 8: "\\N", 9: "\\.", 10: ""}),
        ("narrow_integer", "v TINYINT", "", int, {50: 70000}),
        ("wide_integer", "v INTEGER", "", int, {50: 2**63 - 1, 51: -(2**63), 52: 1e20}),
        ("reals", "v REAL", "", float,
         {50: float("inf"), 51: float("-inf"), 52: 5e-324, 53: 1.7976931348623157e308, 54: 0.1}),
        ("dates", "v DATETIME", "", day, {50: "last tuesday", 51: "0000-00-00", 52: ""}),
        ("nul_in_text", "v TEXT", "", text, {50: "a\0b"}),
        ("invalid_utf8", "v TEXT", "", text, {}),
        ("checked", "v INTEGER CHECK (v > 0 AND typeof(v) = 'integer')", "", int, {}),
        ("strict", "v INT", "STRICT", int, {}),
        ("without_rowid", "v TEXT", "WITHOUT ROWID", text, {}),
        ("Odd name's [\"table\"]", '"select" TEXT', "", text, {}),
        ("mixed", "v INTEGER", "", int, {50: "four", 51: 5.5, 52: b"\x00\xff", 53: None}),
        ("switch", "v BOOLEAN", "", lambda row: row % 2, {50: 2}),
        ("bytes", "v BLOB", "", lambda row: bytes([row % 256, 0, 255]), {50: b""}),
    ]


def odd(connection, place):
    """The table at this place in the list, alone: what one does to a program harms no other."""
    name, column, options, usual, others = odd_tables()[place]
    quoted = '"%s"' % name.replace('"', '""')
    connection.execute(
        "CREATE TABLE %s (id INTEGER PRIMARY KEY, %s) %s" % (quoted, column, options))
    connection.executemany("INSERT INTO %s VALUES (?, ?)" % quoted, (
        (row, others.get(row, usual(row))) for row in range(1, ROWS_OF_ODD_TABLE + 1)))
    if name == "invalid_utf8":
        connection.execute("UPDATE invalid_utf8 SET v = CAST(x'ff41' AS TEXT) WHERE id = 50")


def plain(value, kind):
    """A value as its class and a text of ASCII that tells every bit of it."""
    if kind == "real":
        return [kind, struct.pack(">d", value).hex()]
    if kind == "integer":
        return [kind, str(value)]
    return [kind, "" if value is None else value.hex()]


def dump(connection):
    connection.text_factory = bytes
    names = [name.decode() for name, in connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid")]
    tables = []
    for name in names:
        quoted = '"%s"' % name.replace('"', '""')
        column = connection.execute("SELECT * FROM %s" % quoted).description[1][0]
        rows = connection.execute("SELECT id, \"%s\", typeof(\"%s\") FROM %s ORDER BY id"
                                  % (column, column, quoted))
        tables.append({"name": name, "rows": [
            [str(row)] + plain(value, kind.decode()) for row, value, kind in rows]})
    json.dump(tables, sys.stdout)


what, path = sys.argv[1:3]
if what == "many":
    made(path, lambda connection: many(connection, int(sys.argv[3])))
elif what == "large":
    made(path, lambda connection: large(connection, int(sys.argv[3])))
elif what == "odd":
    made(path, lambda connection: odd(connection, int(sys.argv[3])))
elif what == "count":
    print(len(odd_tables()))
elif what == "dump":
    dump(sqlite3.connect(path))
else:
    sys.exit("what is %s?" % what)
