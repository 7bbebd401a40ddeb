"""Listens on the loopback and starts one program for each connection, which it is for.

usage: listener.py PORT PROGRAM [ARGUMENT...]
"""

import socket
import subprocess
import sys


def main():
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    started = []
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            started.append(
                subprocess.Popen(sys.argv[2:], stdin=connection, stdout=connection)
            )
        # Those that have ended are reaped.
        started = [program for program in started if program.poll() is None]


main()
