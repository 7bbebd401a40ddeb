"""Connections of Python's sqlite3: through the door, or to the file itself."""
import os
import sqlite3


def connect(way, path):
    if way == "stock":
        return sqlite3.connect(path, timeout=60, isolation_level=None)
    loader = sqlite3.connect(":memory:")
    loader.enable_load_extension(True)
    loader.load_extension(os.environ["TOMBOLO_LIBRARY"])
    uri = "file:" + path + "?vfs=tombolo"
    return sqlite3.connect(uri, uri=True, timeout=60, isolation_level=None)
