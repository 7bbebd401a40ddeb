"""Two databases, of which the first has an owner: threads, a program that is started, and which
files this process has open. Arguments: both paths."""
import os
import sqlite3
import subprocess
import sys
import threading

owned, plain = sys.argv[1:3]


def fill(path):
    connection = sqlite3.connect(path, timeout=60)
    for row in range(40):
        with connection:
            connection.execute("INSERT INTO t VALUES (?)", (row,))
    connection.close()


keep = []
for path in (owned, plain):
    connection = sqlite3.connect(path, timeout=60)
    connection.execute("CREATE TABLE t(x)")
    keep.append(connection)
threads = [threading.Thread(target=fill, args=(path,)) for path in (owned, plain) * 2]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
shell = ["sqlite3", owned, "INSERT INTO t VALUES (1); SELECT count(*) FROM t;", ".vfsname"]
print(*subprocess.run(shell, capture_output=True, text=True).stdout.split())
print(*(connection.execute("SELECT count(*) FROM t").fetchone()[0] for connection in keep))
# One transaction over both, in either order of attaching.
keep[0].execute("ATTACH ? AS plain", (plain,))
keep[1].execute("ATTACH ? AS owned", (owned,))
with keep[0]:
    keep[0].execute("INSERT INTO main.t VALUES (2)")
    keep[0].execute("INSERT INTO plain.t VALUES (2)")
with keep[1]:
    keep[1].execute("INSERT INTO owned.t VALUES (3)")
    keep[1].execute("INSERT INTO main.t VALUES (3)")
print(*(connection.execute("SELECT count(*) FROM main.t").fetchone()[0] for connection in keep))
pid = os.fork()
if pid == 0:
    child = sqlite3.connect(owned, timeout=60)
    print("child", child.execute("SELECT count(*) FROM t").fetchone()[0], flush=True)
    os._exit(0)
os.waitpid(pid, 0)
descriptors = os.listdir("/proc/self/fd")
links = [f"/proc/self/fd/{descriptor}" for descriptor in descriptors]
targets = {os.readlink(link) for link in links if os.path.islink(link)}
print("owned" if owned in targets else "", "plain" if plain in targets else "")
