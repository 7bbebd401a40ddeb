"""Calls on files of one directory, told from outside one after the other.

usage: files.py DIRECTORY

Each line of standard input is one call: its name and its arguments behind tabs. The answer is one
line: "done" with what the call gave, or "failed" with the name of the error number.
"""

import errno
import fcntl
import mmap
import os
import struct
import sys
import time

DESCRIPTORS = {}
MAPS = {}
# struct flock of 64-bit Linux: type, whence, start, length, process (fcntl_locking(2)).
FLOCK = "hhqqi4x"


def make(name, text):
    descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_file(key, name):
    DESCRIPTORS[key] = os.open(name, os.O_RDWR)


def read(key, offset, length):
    return os.pread(DESCRIPTORS[key], int(length), int(offset)).decode("latin-1")


def write(key, offset, text):
    os.pwrite(DESCRIPTORS[key], text.encode(), int(offset))
    os.fsync(DESCRIPTORS[key])


def size(key):
    return os.fstat(DESCRIPTORS[key]).st_size


def map_file(key, length):
    MAPS[key] = mmap.mmap(DESCRIPTORS[key], int(length), mmap.MAP_SHARED)


def peek(key, offset, length):
    return MAPS[key][int(offset) : int(offset) + int(length)].decode("latin-1")


def poke(key, offset, text):
    MAPS[key][int(offset) : int(offset) + len(text)] = text.encode()
    MAPS[key].flush()


def lock(key, kind):
    if kind == "flock":
        fcntl.flock(DESCRIPTORS[key], fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    command = fcntl.F_SETLK if kind == "posix" else fcntl.F_OFD_SETLK
    wanted = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 10, 0)
    fcntl.fcntl(DESCRIPTORS[key], command, wanted)


def cat(name):
    descriptor = os.open(name, os.O_RDONLY)
    try:
        return os.read(descriptor, 64).decode("latin-1")
    finally:
        os.close(descriptor)


def claim(prefix, count):
    """Makes each name unless it is there. Which it made, as numbers with commas, and the name of an
    error that is not the usual one, such as sshfs has for names that are there."""
    made = []
    unusual = ""
    for number in range(int(count)):
        try:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
            os.close(os.open(f"{prefix}{number}", flags, 0o666))
            made.append(str(number))
        except FileExistsError:
            pass
        except OSError as error:
            unusual = " " + errno.errorcode.get(error.errno, "?")
    return (",".join(made) or "none") + unusual


def await_answer(limit_ms, wanted, *call):
    """Repeats a call until it gives what is wanted. The milliseconds that it took, or "never"."""
    begun = time.monotonic()
    turns = 0
    while True:
        try:
            if str(do(*call)) == wanted:
                return 0 if turns == 0 else int((time.monotonic() - begun) * 1000) + 1
        except (OSError, ValueError):
            # It is what is waited for that decides, not what is there before.
            pass
        if (time.monotonic() - begun) * 1000 > int(limit_ms):
            return "never"
        turns += 1
        time.sleep(0.005)


CALLS = {
    "make": make,
    "open": open_file,
    "read": read,
    "write": write,
    "size": size,
    "map": map_file,
    "peek": peek,
    "poke": poke,
    "lock": lock,
    "cat": cat,
    "rename": os.rename,
    "exists": lambda name: os.stat(name) and "yes",
    "claim": claim,
    "await": await_answer,
}


def do(name, *arguments):
    return CALLS[name](*arguments)


def main():
    os.chdir(sys.argv[1])
    for line in sys.stdin:
        try:
            answer = do(*line.rstrip("\n").split("\t"))
            print("done", "" if answer is None else answer, sep="\t", flush=True)
        except (OSError, ValueError) as error:
            number = getattr(error, "errno", None)
            name = errno.errorcode.get(number, type(error).__name__)
            print("failed", name, sep="\t", flush=True)


main()
