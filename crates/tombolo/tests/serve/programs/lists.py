"""Reads lists and appends to them, and prints each transaction with its times as a line of JSON."""
import json
import random
import sqlite3
import sys
import time

from door import connect

path, way, name, seconds, seed = sys.argv[1:6]
dice = random.Random(seed + name)
connection = connect(way, path)
client = int(name)
number = 0
end = time.monotonic() + float(seconds)
while time.monotonic() < end:
    number += 1
    chosen = dice.sample(range(1, 6), dice.randrange(1, 4))
    writes = dice.random() < 0.6
    actions = []
    began = time.monotonic_ns()
    outcome = "aborted"
    try:
        # A transaction that begins to read and then writes may be told that it came too late.
        connection.execute("BEGIN IMMEDIATE" if writes and dice.random() < 0.7 else "BEGIN")
        for one in chosen:
            rows = connection.execute("SELECT value FROM item WHERE list = ? ORDER BY id", (one,))
            actions.append({"list": one, "values": [row[0] for row in rows]})
        if writes:
            for one in chosen[:2]:
                value = (client << 32) + (number << 8) + one
                connection.execute("INSERT INTO item(list, value) VALUES(?, ?)", (one, value))
                actions.append({"list": one, "value": value})
        outcome = "unknown"
        connection.execute("COMMIT")
        outcome = "committed"
    except sqlite3.Error:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            connection = connect(way, path)
    line = {"began": began, "ended": time.monotonic_ns(), "outcome": outcome, "actions": actions}
    print(json.dumps(line), flush=True)
