"""A door into a network namespace: lets an ordinary user run a server on ports below 1024.

In a user and network namespace of its own (`unshare -Urn`) anybody may bind to port 636, but nobody outside
can connect to it. Sockets in the file system do cross the border. So inside, this module, run as a program,
starts the server and listens on one such socket for each port; outside, a `Relay` listens on a free loopback
port.

    unshare -Urn python3 -I namespace.py FOLDER PORTS COMMAND...
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

LOOPBACK = "127.0.0.1"
# linux/sockios.h and linux/if.h
_GET_FLAGS, _SET_FLAGS, _INTERFACE_UP = 0x8913, 0x8914, 0x1


class Relay:
    """Hands every connection to a listening socket over to another one, both ways, until it is closed."""

    def __init__(self, listener: socket.socket, connect: Callable[[], socket.socket]) -> None:
        self._listener = listener
        self._connect = connect
        threading.Thread(target=self._accept, daemon=True).start()

    @classmethod
    def to_path(cls, path: Path) -> Self:
        """Listen on a free loopback port for a server behind a socket in the file system."""
        return cls(socket.create_server((LOOPBACK, 0)), lambda: _connect_path(path))

    @classmethod
    def from_path(cls, path: Path, port: int) -> Self:
        """Listen on a socket in the file system for a server on a loopback port."""
        listener = socket.socket(socket.AF_UNIX)
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        listener.listen()
        return cls(listener, lambda: socket.create_connection((LOOPBACK, port)))

    @property
    def port(self) -> int:
        """The loopback port."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Take no more connections; those that stand end with their server."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = self._connect()
                except OSError:
                    near.close()
                    continue
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def _connect_path(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Copy until one side ends, then end both; whoever of the two directions is last closes."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    source.close()


def _raise_loopback() -> None:
    """A new network namespace has a loopback interface that is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        answer = fcntl.ioctl(handle, _GET_FLAGS, struct.pack("16sh14x", b"lo", 0))
        flags = struct.unpack("16sh14x", answer)[1] | _INTERFACE_UP
        fcntl.ioctl(handle, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags))


def main() -> None:
    """Run the command beside a door for each of the ports, and end as it ends."""
    folder, ports, *command = sys.argv[1:]
    _raise_loopback()
    for port in ports.split(","):
        Relay.from_path(Path(folder) / port, int(port))
    # The command inherits standard input: Samba ends when that closes, so it outlives nobody who started it.
    raise SystemExit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    main()
