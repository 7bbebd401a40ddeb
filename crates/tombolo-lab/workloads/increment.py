"""Transactions that must add up, in stock SQLite.

Each one counts up and adds a row that names it. When its COMMIT has returned, its name goes into
a log of acknowledgements, which is synced: what is in the log must be in the database, whatever
happened to this process. The log belongs on a local disk, not on the share under test.

The report is lines of "seed", "acknowledged" or "error" and a number; of errors, with their name.
"""

import argparse
import os
import random
import sqlite3
import time

# A program that only ever fails is not tried for ever.
FAILURES_IN_A_ROW = 10


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    parser.add_argument("--client", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--acknowledgements", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--timeout-ms", type=int, default=5000)
    parser.add_argument("--vfs")
    parser.add_argument("--setup", action="append", default=[], help="a statement to begin with")
    parser.add_argument(
        "--forget-every",
        type=int,
        default=0,
        help="acknowledge each N-th transaction and roll it back: a program that lies",
    )
    return parser.parse_args()


def connect(options):
    uri = "file:" + options.database
    if options.vfs:
        uri += "?vfs=" + options.vfs
    timeout_seconds = options.timeout_ms / 1000
    connection = sqlite3.connect(uri, timeout=timeout_seconds, isolation_level=None, uri=True)
    try:
        for statement in options.setup:
            connection.execute(statement).fetchall()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def acknowledge(log, line):
    os.write(log, (line + "\n").encode())
    os.fsync(log)


def transact(connection, client, number, forget):
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE counter SET n = n + 1")
    connection.execute("INSERT INTO entry VALUES(?, ?, randomblob(400))", (client, number))
    connection.execute("ROLLBACK" if forget else "COMMIT")


def roll_back(connection):
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    except sqlite3.Error:
        # What failed is reported already; a transaction that stays open fails the next BEGIN.
        pass


def name_of(error):
    return getattr(error, "sqlite_errorname", None) or type(error).__name__


def work(options, chance, errors):
    log = os.open(options.acknowledgements, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    acknowledged = in_a_row = 0
    connection = None
    for number in range(options.count):
        try:
            if connection is None:
                connection = connect(options)
            forget = options.forget_every and number % options.forget_every == 0
            transact(connection, options.client, number, forget)
            acknowledge(log, f"{options.client} {number}")
            acknowledged += 1
            in_a_row = 0
        except sqlite3.Error as error:
            errors[name_of(error)] = errors.get(name_of(error), 0) + 1
            in_a_row += 1
            if connection is not None:
                roll_back(connection)
            if in_a_row >= FAILURES_IN_A_ROW:
                break
        # Two programs in step with each other would try only one order of events.
        time.sleep(chance.random() * 0.002)
    return acknowledged


def main():
    options = arguments()
    errors = {}
    acknowledged = work(options, random.Random(options.seed), errors)
    print(f"seed\t{options.seed}")
    print(f"acknowledged\t{acknowledged}")
    for name, count in sorted(errors.items()):
        print(f"error\t{count}\t{name}")


main()
