"""Opens a database by the SQLite that is loaded as the first argument says: `path` as a module of
its own, `deep` bound deeply, `apart` in a namespace of its own. Further arguments: its path, the
database. Prints whether this process has the database open."""
import ctypes
import os
import sys

way, library, database = sys.argv[1:4]
if way == "apart":
    loader = ctypes.CDLL(None)
    loader.dlmopen.restype = ctypes.c_void_p
    handle = loader.dlmopen(ctypes.c_long(-1), library.encode(), os.RTLD_NOW)
    sqlite = ctypes.CDLL(library, handle=handle)
else:
    deep = os.RTLD_DEEPBIND if way == "deep" else 0
    sqlite = ctypes.CDLL(library, mode=os.RTLD_NOW | deep)
connection = ctypes.c_void_p()
assert sqlite.sqlite3_open(database.encode(), ctypes.byref(connection)) == 0
sql = b"CREATE TABLE IF NOT EXISTS t(x); INSERT INTO t VALUES (1)"
assert sqlite.sqlite3_exec(connection, sql, None, None, None) == 0
descriptors = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
targets = {os.readlink(link) for link in descriptors if os.path.islink(link)}
print("open" if database in targets else "elsewhere")
