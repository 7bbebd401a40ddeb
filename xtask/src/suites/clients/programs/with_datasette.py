"""Datasette on a database in the working directory: what it answers by HTTP, within this process.

Its own tests need a file that its source package leaves out.
"""

import asyncio
import json
import sqlite3

from datasette.app import Datasette
from datasette.database import Database

ROWS = 500


def make():
    for name in ("app", "other"):
        connection = sqlite3.connect(name + ".db")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE kind(id INTEGER PRIMARY KEY, name TEXT)")
        connection.execute(
            "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, kind REFERENCES kind, raw BLOB)"
        )
        connection.execute("CREATE VIRTUAL TABLE item_fts USING fts5(name, content='item')")
        connection.execute("CREATE VIEW named AS SELECT name FROM item")
        connection.executemany("INSERT INTO kind VALUES (?, ?)", [(1, "odd"), (2, "even")])
        connection.executemany(
            "INSERT INTO item VALUES (?, ?, ?, ?)",
            [(n, f"item {n}", 2 - n % 2, bytes([n % 256])) for n in range(ROWS)],
        )
        connection.execute("INSERT INTO item_fts(item_fts) VALUES ('rebuild')")
        connection.commit()
        connection.close()


CANNED = {
    "add": {
        "sql": "INSERT INTO item(name, kind) VALUES (:name, 1)",
        "write": True,
        "params": ["name"],
    }
}
QUESTIONS = {
    "databases": "/-/databases.json",
    "a database": "/app.json",
    "a table": "/app/item.json?_size=3",
    "the next page": "/app/item.json?_size=3&_next=6",
    "a row": "/app/item/7.json",
    "a filter": "/app/item.json?name__contains=99&_shape=array",
    "facets": "/app/item.json?_facet=kind&_size=1",
    "a search": "/app/item.json?_search=17&_shape=array",
    "labels": "/app/item.json?_labels=on&_size=2&_shape=array",
    "a view": "/app/named.json?_size=2",
    "a table as text": "/app/item.csv?_size=5",
    "a stream": "/app/item.csv?_stream=1&_size=100",
    "a query": "/app.json?sql=select+kind,count(*)+from+item+group+by+kind&_shape=array",
    "a query that is refused": "/app.json?sql=delete+from+item",
    "a query that is wrong": "/app.json?sql=select+nothing+from+nowhere",
    "several databases": "/_memory.json?_shape=array&sql="
    "select+count(*)+as+n+from+app.item+join+other.item+using(id)",
    "a table that is not there": "/app/none.json",
    "a table as a page": "/app/item?_size=1",
}
# What depends on the time, or on where the files are.
VARYING = ("query_ms", "path", "size", "count")
# No answer is to depend on how busy the machine is.
LIMITS = {"sql_time_limit_ms": 60000, "facet_time_limit_ms": 60000}


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key not in VARYING}
    return [plain(item) for item in value] if isinstance(value, list) else value


def show(name, response):
    print("==", name)
    print(response.status_code)
    if response.headers["content-type"].startswith("application/json"):
        print(json.dumps(plain(response.json()), sort_keys=True))
    elif response.headers["content-type"].startswith("text/html"):
        print("item 0" in response.text)
    else:
        print(response.text)


async def ask():
    metadata = {"databases": {"app": {"queries": CANNED}}}
    files = ["app.db", "other.db"]
    datasette = Datasette(files, metadata=metadata, settings=LIMITS, crossdb=True)
    await datasette.invoke_startup()
    for name, path in QUESTIONS.items():
        show(name, await datasette.client.get(path))
    answer = await datasette.client.post("/app/add?_json=1", data={"name": "new"})
    show("a write by a form", answer)

    database = datasette.get_database("app")

    def many(connection):
        with connection:
            for n in range(100):
                connection.execute("INSERT INTO item(name, kind) VALUES (?, 2)", [f"many {n}"])
        return connection.execute("SELECT count(*) FROM item").fetchone()[0]

    print("== writes")
    print(await database.execute_write_fn(many))
    change = "UPDATE item SET kind = 1 WHERE id = ?"
    await asyncio.gather(*[database.execute_write(change, [n]) for n in range(20)])
    reading = [database.execute("SELECT sum(kind) FROM item WHERE id < 20") for _ in range(10)]
    print([answer.first()[0] for answer in await asyncio.gather(*reading)])

    print("== what tables there are")
    print(await database.table_names(), await database.view_names())
    print(await database.hidden_table_names())
    print(await database.foreign_keys_for_table("item"), await database.fts_table("item"))

    print("== an immutable database")
    other = Database(datasette, path="other.db", is_mutable=False)
    frozen = datasette.add_database(other, "frozen")
    print((await frozen.execute("SELECT count(*) FROM item")).first()[0])


make()
asyncio.run(ask())
