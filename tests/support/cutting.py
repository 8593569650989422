"""A proxy that cuts connections off, as a failing network does."""

import contextlib
import socket
import threading
from collections.abc import Callable

type Address = tuple[str, int]


class CuttingProxy:
    """Passes a server's bytes on, counts connections, and cuts each after so many bytes from the server."""

    def __init__(self, target: Address, limit: int | None = None) -> None:
        self.connections = 0
        self.limit = limit
        """After how many bytes new connections are cut; None for never."""
        self.for_good = False
        """Whether nobody is let through any more once a connection was cut."""
        self.passed = 0
        """The most bytes that the server sent on one connection, of those that have ended."""
        self._target = target
        self._is_dead = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    @property
    def address(self) -> Address:
        """Where to connect to."""
        host, port = self._listener.getsockname()
        return host, port

    def mend(self) -> None:
        """Let everything through again."""
        self.limit, self._is_dead = None, False

    def close(self) -> None:
        """Cut everything and wait for the threads."""
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(5)

    def _start(self, target: Callable[..., object], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self.connections += 1
                if self._is_dead:
                    near.close()
                    continue
                far = socket.create_connection(self._target)
                self._sockets += [near, far]
                self._start(self._pump, near, far, None)
                self._start(self._answers, far, near, self.limit)

    def _answers(self, far: socket.socket, near: socket.socket, limit: int | None) -> None:
        self.passed = max(self.passed, self._pump(far, near, limit))

    def _pump(self, source: socket.socket, target: socket.socket, limit: int | None) -> int:
        passed = 0
        with contextlib.suppress(OSError):
            while passed != limit and (data := source.recv(4096)):
                part = data if limit is None else data[: limit - passed]
                target.sendall(part)
                passed += len(part)
            self._is_dead = self._is_dead or (self.for_good and passed == limit)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        return passed
