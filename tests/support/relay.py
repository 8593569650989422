"""A sender at the relay, without any code of the product, and a host that echoes."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Self

from websockets.asyncio.client import ClientConnection, connect

from devstack.relay import HybridConnectionManager, NodeListener, SimulatedRelay
from devstack.relay.loop import LoopThread
from devstack.relay.tokens import sign

CONNECTION = "contoso-dc01"

type Listening = Callable[[str], AbstractContextManager[object]]
"""Listens for a `host:port`."""


def manager_listening(
    relay: SimulatedRelay, endpoint: str, connection: str = CONNECTION
) -> HybridConnectionManager:
    """Add a hybrid connection if need be, and a likeness of the Hybrid Connection Manager that listens."""
    if connection not in relay.connections:
        relay.add_connection(connection, endpoint)
    return HybridConnectionManager(relay.connection_string(connection), relay.ca_path)


def node_listening(relay: SimulatedRelay, endpoint: str, connection: str = CONNECTION) -> NodeListener:
    """Add a hybrid connection if need be, and Microsoft's library that listens."""
    if connection not in relay.connections:
        relay.add_connection(connection, endpoint)
    return NodeListener(relay.connection_string(connection), relay.ca_path, endpoint)


def signature(relay: SimulatedRelay, rule: str = "send", *, of: str = CONNECTION, seconds: int = 60) -> str:
    """Return a token of a rule for a connection, good for so many seconds."""
    key = relay.connections[of].rules[rule].key
    return sign(f"http://{relay.host}/{of}", rule, key, int(time.time()) + seconds)


class OwnKeys:
    """Tokens by the sending rule of whichever connection is asked for."""

    def __init__(self, relay: SimulatedRelay) -> None:
        self._relay = relay

    def token(self, resource: str) -> str:
        """Return a token for `http://HOST/CONNECTION`."""
        return signature(self._relay, of=resource.rpartition("/")[2])

    def renew(self) -> bool:
        """Have no other."""
        return False


class Stream:
    """A WebSocket to the relay, for synchronous tests.

    Args:
        relay: where to.
        token: what goes into the header.
        to: the hybrid connection.
        action: what for, as the protocol calls it.
        ping_interval: seconds between two signs of life.
    """

    def __init__(
        self,
        relay: SimulatedRelay,
        token: str | None,
        *,
        to: str = CONNECTION,
        action: str = "connect",
        ping_interval: float | None = None,
    ) -> None:
        self._thread = LoopThread("stream")
        self._opening = connect(
            f"wss://{relay.host}/$hc/{to}?sb-hc-action={action}",
            ssl=ssl.create_default_context(cafile=str(relay.ca_path)),
            additional_headers={"ServiceBusAuthorization": token} if token else None,
            compression=None,
            ping_interval=ping_interval,
            close_timeout=1,
            proxy=None,
        )

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._stream = self._thread.run(self._open())
        except BaseException:
            self._thread.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.run(self._stream.close())
        self._thread.stop()

    def send(self, data: bytes | str) -> None:
        """Send one message."""
        self._thread.run(self._stream.send(data))

    def recv(self) -> bytes | str:
        """Receive one message."""
        return self._thread.run(self._stream.recv())

    def receive(self, size: int) -> bytes:
        """Receive so many bytes, in whatever pieces they come."""
        got = b""
        while len(got) < size:
            piece = self.recv()
            assert isinstance(piece, bytes)
            got += piece
        return got

    async def _open(self) -> ClientConnection:
        return await self._opening


@contextlib.contextmanager
def echo() -> Iterator[str]:
    """Run a host that sends back what it gets and hangs up when told `bye`; yield its `host:port`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads = [threading.Thread(target=_accept, args=(listener,), daemon=True)]
        threads[0].start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    threads[0].join(5)


def _accept(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            one, _ = listener.accept()
            threading.Thread(target=_answer, args=(one,), daemon=True).start()


def _answer(one: socket.socket) -> None:
    with one, contextlib.suppress(OSError):
        while (data := one.recv(65536)) and data != b"bye":
            one.sendall(data)
