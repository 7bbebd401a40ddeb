"""Writes, then reads for long, while another connection that does not wait writes."""

import os
import sqlite3
import sys

loader = sqlite3.connect(":memory:")
loader.enable_load_extension(True)
loader.load_extension(os.environ["TOMBOLO_LIBRARY"])


def connected():
    name = f"file:{sys.argv[1]}?vfs=tombolo"
    return sqlite3.connect(name, uri=True, isolation_level=None, timeout=0)


reader, writer = connected(), connected()
# More than SQLite keeps in its own cache, so that it reads on.
reader.execute("PRAGMA cache_size = 5")
reader.execute("CREATE TABLE t(a)")
reader.execute("INSERT INTO t SELECT randomblob(3000) FROM pragma_function_list LIMIT 99")
reader.execute("BEGIN")
reader.execute("SELECT max(a) FROM t").fetchall()
writer.execute("INSERT INTO t VALUES(2)")
reader.execute("COMMIT")
print(reader.execute("SELECT count(*) FROM t").fetchone()[0])
