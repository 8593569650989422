"""A sender at the relay, without any code of the product, and a host that echoes."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager

from websockets.sync.client import ClientConnection, connect

from devstack.relay import SimulatedRelay
from devstack.relay.tokens import sign

CONNECTION = "contoso-dc01"


def signature(relay: SimulatedRelay, rule: str = "send", *, of: str = CONNECTION, seconds: int = 60) -> str:
    """Return a token of a rule for a connection, good for so many seconds."""
    key = relay.connections[of].rules[rule].key
    return sign(f"http://{relay.host}/{of}", rule, key, int(time.time()) + seconds)


def send(
    relay: SimulatedRelay, token: str | None, *, to: str = CONNECTION, ping_interval: float | None = None
) -> AbstractContextManager[ClientConnection]:
    """Connect as a sender."""
    return connect(
        f"wss://{relay.host}/$hc/{to}?sb-hc-action=connect",
        ssl=ssl.create_default_context(cafile=str(relay.ca_path)),
        additional_headers={"ServiceBusAuthorization": token} if token else None,
        compression=None,
        ping_interval=ping_interval,
        close_timeout=1,
        proxy=None,
        legacy=False,
    )


def receive(stream: ClientConnection, size: int) -> bytes:
    """Receive so many bytes, in whatever pieces they come."""
    got = b""
    while len(got) < size:
        piece = stream.recv(10)
        assert isinstance(piece, bytes)
        got += piece
    return got


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
