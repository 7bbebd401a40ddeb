"""A media server as users run it: stock SQLite, a schema as an object mapper makes it, WAL mode.

usage: media_server.py DATABASE [--vfs VFS] [--first STATEMENT]... [--add COUNT] [--folder NAME]
                       [--one-connection]

At its start it makes or checks its schema. Then it adds items, each in a transaction of its own
with all that belongs to it, and says "added PATH" when COMMIT has returned: what it has said must
be there. A second connection reads back, as the requests of users do; a program that may have only
one connection is told so. What fails is not caught: the log ends with a stack trace and the code of
SQLite.
"""

import argparse
import sqlite3
import sys

MIGRATION = "20260101000000_InitialSchema"

# Tables and indexes in the style of an object mapper: names quoted, keys named, times as text.
SCHEMA = """
CREATE TABLE "__EFMigrationsHistory" (
    "MigrationId" TEXT NOT NULL CONSTRAINT "PK___EFMigrationsHistory" PRIMARY KEY,
    "ProductVersion" TEXT NOT NULL
);
CREATE TABLE "Libraries" (
    "Id" INTEGER NOT NULL CONSTRAINT "PK_Libraries" PRIMARY KEY AUTOINCREMENT,
    "Name" TEXT NOT NULL,
    "ItemCount" INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE "Items" (
    "Id" INTEGER NOT NULL CONSTRAINT "PK_Items" PRIMARY KEY AUTOINCREMENT,
    "LibraryId" INTEGER NOT NULL,
    "Path" TEXT NOT NULL,
    "Title" TEXT NOT NULL,
    "SortTitle" TEXT NOT NULL,
    "RunTimeTicks" INTEGER NULL,
    "DateAdded" TEXT NOT NULL,
    "Overview" TEXT NULL,
    CONSTRAINT "FK_Items_Libraries_LibraryId" FOREIGN KEY ("LibraryId")
        REFERENCES "Libraries" ("Id") ON DELETE CASCADE
);
CREATE TABLE "MediaStreams" (
    "ItemId" INTEGER NOT NULL,
    "StreamIndex" INTEGER NOT NULL,
    "Kind" INTEGER NOT NULL,
    "Codec" TEXT NULL,
    "Language" TEXT NULL,
    CONSTRAINT "PK_MediaStreams" PRIMARY KEY ("ItemId", "StreamIndex"),
    CONSTRAINT "FK_MediaStreams_Items_ItemId" FOREIGN KEY ("ItemId")
        REFERENCES "Items" ("Id") ON DELETE CASCADE
);
CREATE TABLE "PlaybackStates" (
    "ItemId" INTEGER NOT NULL,
    "UserName" TEXT NOT NULL,
    "PositionTicks" INTEGER NOT NULL,
    "Played" INTEGER NOT NULL,
    CONSTRAINT "PK_PlaybackStates" PRIMARY KEY ("ItemId", "UserName"),
    CONSTRAINT "FK_PlaybackStates_Items_ItemId" FOREIGN KEY ("ItemId")
        REFERENCES "Items" ("Id") ON DELETE CASCADE
);
CREATE INDEX "IX_Items_LibraryId_SortTitle" ON "Items" ("LibraryId", "SortTitle");
CREATE INDEX "IX_Items_Path" ON "Items" ("Path");
CREATE INDEX "IX_Items_DateAdded" ON "Items" ("DateAdded");
CREATE INDEX "IX_PlaybackStates_UserName_Played" ON "PlaybackStates" ("UserName", "Played");
"""


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    parser.add_argument("--vfs")
    parser.add_argument("--first", action="append", default=[], help="a statement to begin with")
    parser.add_argument("--add", type=int, default=0, help="how many items")
    parser.add_argument("--folder", default="Films")
    parser.add_argument("--one-connection", action="store_true")
    return parser.parse_args()


def connect(options):
    uri = "file:" + options.database
    if options.vfs:
        uri += "?vfs=" + options.vfs
    connection = sqlite3.connect(uri, timeout=5, isolation_level=None, uri=True)
    for statement in options.first:
        connection.execute(statement).fetchall()
    connection.execute("PRAGMA foreign_keys = 1")
    return connection


def migrate(connection):
    query = "SELECT count(*) FROM sqlite_master WHERE name = '__EFMigrationsHistory'"
    if connection.execute(query).fetchone()[0] == 0:
        connection.execute("PRAGMA journal_mode = 'wal'").fetchall()
        connection.executescript("BEGIN EXCLUSIVE;" + SCHEMA + "COMMIT;")
        history = 'INSERT INTO "__EFMigrationsHistory" VALUES (?, ?)'
        connection.execute(history, (MIGRATION, "9.0.0"))
    found = connection.execute('SELECT "MigrationId" FROM "__EFMigrationsHistory"').fetchall()
    if found != [(MIGRATION,)]:
        raise RuntimeError(f"unknown migrations: {found}")


def library(connection, name):
    query = 'SELECT "Id" FROM "Libraries" WHERE "Name" = ?'
    row = connection.execute(query, (name,)).fetchone()
    if row is None:
        insert = 'INSERT INTO "Libraries" ("Name") VALUES (?) RETURNING "Id"'
        row = connection.execute(insert, (name,)).fetchone()
    return row[0]


def add(connection, library_id, path):
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        'UPDATE "Libraries" SET "ItemCount" = "ItemCount" + 1 WHERE "Id" = ?', (library_id,)
    )
    columns = '"LibraryId", "Path", "Title", "SortTitle", "RunTimeTicks", "DateAdded", "Overview"'
    values = (library_id, path, path.title(), path.lower(), 10**10)
    item = connection.execute(
        f"INSERT INTO \"Items\" ({columns}) VALUES (?, ?, ?, ?, ?, datetime('now'), "
        "hex(randomblob(300))) RETURNING \"Id\"",
        values,
    ).fetchone()[0]
    for index, (kind, codec) in enumerate([(0, "h264"), (1, "aac"), (2, "srt")]):
        connection.execute(
            'INSERT INTO "MediaStreams" VALUES (?, ?, ?, ?, ?)', (item, index, kind, codec, "eng")
        )
    connection.execute('INSERT INTO "PlaybackStates" VALUES (?, ?, 0, 0)', (item, "somebody"))
    connection.execute("COMMIT")


def main():
    options = arguments()
    writer = connect(options)
    migrate(writer)
    reader = writer if options.one_connection else connect(options)
    library_id = library(writer, options.folder)
    count = 'SELECT count(*) FROM "Items" WHERE "LibraryId" = ?'
    before = reader.execute(count, (library_id,)).fetchone()[0]
    print(f"ready: {before} items", flush=True)
    for number in range(before, before + options.add):
        path = f"{options.folder}/{number:05}.mkv"
        add(writer, library_id, path)
        print(f"added {path}", flush=True)
        if reader.execute(count, (library_id,)).fetchone()[0] != number + 1:
            raise RuntimeError(f"{path} was added and is not seen")


try:
    main()
except sqlite3.Error as error:
    code = getattr(error, "sqlite_errorcode", None)
    name = getattr(error, "sqlite_errorname", None)
    print(f"[FTL] unhandled exception, SQLite error {code} ({name})", file=sys.stderr)
    raise
