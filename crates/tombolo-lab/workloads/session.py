"""One connection of stock SQLite that is told from outside what to do next.

usage: session.py DATABASE [VFS]

Each line of standard input is one statement. The answer is a line for each row, "row" and its
fields, and a last line: "done", or "failed" with the name of the error and its text. Fields stand
behind tabs and are escaped as in Python. Nothing waits for a lock: who steps through two
connections wants to see the refusal.
"""

import sqlite3
import sys


def escaped(field):
    return str(field).encode("unicode_escape").decode("ascii")


def say(*fields):
    print(*map(escaped, fields), sep="\t", flush=True)


def main():
    uri = "file:" + sys.argv[1]
    if len(sys.argv) > 2:
        uri += "?vfs=" + sys.argv[2]
    connection = None
    for statement in sys.stdin:
        try:
            if connection is None:
                connection = sqlite3.connect(uri, timeout=0, isolation_level=None, uri=True)
            for row in connection.execute(statement).fetchall():
                say("row", *row)
            say("done")
        except sqlite3.Error as error:
            say("failed", getattr(error, "sqlite_errorname", type(error).__name__), error)


main()
