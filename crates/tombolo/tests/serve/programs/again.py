"""Asks for the status, waits for a line, and asks again: the owner may be another by then."""

import os
import sqlite3
import sys

loader = sqlite3.connect(":memory:")
loader.enable_load_extension(True)
loader.load_extension(os.environ["TOMBOLO_LIBRARY"])
database = sqlite3.connect(f"file:{sys.argv[1]}?vfs=tombolo", uri=True)
for _ in range(2):
    print(database.execute("PRAGMA tombolo_status").fetchone()[0][:29], flush=True)
    print(database.execute("PRAGMA wal_checkpoint").fetchone()[0], flush=True)
    sys.stdin.readline()
