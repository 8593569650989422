"""The tunnel: a port of this machine that leads through Azure Relay to a domain controller of a customer.

LDAP and TLS run through it as through any connection. What stands on the way sees nothing but the bytes of
TLS, and the certificate is checked against the domain controller's name at this end.
"""

import contextlib
import socket
import ssl
import threading
from http import HTTPStatus
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from websockets.exceptions import WebSocketException

from halo_adsync.directory.config import Endpoint
from halo_adsync.directory.connection import ServerFailedError
from halo_adsync.directory.relay import RelayConfig, ending, refusal
from halo_adsync.directory.wire import PIECE, RefusedError, Wire

OPEN_SECONDS = 20.0
"""To connect to the relay, and for the customer's listener to come."""
PING_SECONDS = 60.0
"""Between two signs of life: the relay drops who is idle for about four minutes."""
CLOSE_SECONDS = 2.0
MOST_WAITING = 1 << 20
"""Bytes that may wait in each direction before no more are read."""
_LOOPBACK = "127.0.0.1"


class Tunnel:
    """The way to the servers of one directory; one connection at a time.

    Args:
        relay: where it leads through.
        ping_seconds: between two signs of life.
    """

    def __init__(self, relay: RelayConfig, *, ping_seconds: float = PING_SECONDS) -> None:
        self._relay = relay
        self._ping_seconds = ping_seconds
        self._line: _Line | None = None

    def open(self, endpoint: Endpoint) -> Endpoint:
        """Connect to what listens for a server, and return the server with a port of this machine to go to.

        The port takes one connection.

        Raises:
            ServerFailedError: the relay cannot be reached or refuses.
            DirectoryRefused: there is no token for the relay before a person changes something.
            Unavailable: there is no token now.
        """
        self.close()
        self._line = _Line(self._connect(endpoint.server))
        return Endpoint(endpoint.server, endpoint.name, _LOOPBACK, self._line.port)

    def explain(self, failure: ServerFailedError) -> ServerFailedError:
        """Return the reason why a server failed: the tunnel's, where it was the tunnel that ended first."""
        line = self._line
        if line is None or line.fate is None or failure.refused:
            return failure
        name = self._relay.name(failure.server)
        return ServerFailedError(failure.server, f"was lost: {name} {line.fate}.")

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def _connect(self, server: str) -> Wire:
        try:
            return self._knock(server)
        except RefusedError as refused:
            meaning = refusal(refused.response.status_code, refused.response.reason_phrase)
            why = f"{self._relay.name(server)} {meaning.text}."
            raise ServerFailedError(server, f"cannot be reached: {why}", refused=meaning.ours) from None
        except ssl.SSLCertVerificationError as error:
            why = (
                f"the certificate of the relay {self._relay.host} was refused ({error.verify_message}). You"
                " have to check the namespace, and whether something on the way opens TLS"
            )
            raise ServerFailedError(server, f"cannot be reached: {why}.", refused=True) from None
        except (OSError, UnicodeError, WebSocketException) as error:
            why = (
                f"the relay {self._relay.host} does not answer ({_said(error)}). You have to check the"
                " namespace in the customer file, and that the app may call out to port 443"
            )
            raise ServerFailedError(server, f"cannot be reached: {why}.") from None

    def _knock(self, server: str) -> Wire:
        """Connect; where the token is refused and its key was rotated, once more with the new one."""
        try:
            return self._wire(server)
        except RefusedError as refused:
            if refused.response.status_code != HTTPStatus.UNAUTHORIZED or not self._relay.tokens.renew():
                raise
        return self._wire(server)

    def _wire(self, server: str) -> Wire:
        address, token = self._relay.address(server), self._relay.token_for(server)
        return Wire(address, token, OPEN_SECONDS, self._ping_seconds)


class _Line:
    """One connection: a socket of this machine, a WebSocket to the relay, and a thread that copies."""

    def __init__(self, wire: Wire) -> None:
        self.fate: str | None = None
        """What ended it, unless that was this end."""
        self._wire = wire
        self._listener = socket.create_server((_LOOPBACK, 0), backlog=1)
        self._listener.settimeout(OPEN_SECONDS)
        self.port: int = self._listener.getsockname()[1]
        self._near: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="tunnel", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it, and wait for its end."""
        for one in (self._listener, self._near):
            if one is not None:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        self._thread.join(2 * CLOSE_SECONDS)

    def _run(self) -> None:
        try:
            with self._listener:
                self._near, _ = self._listener.accept()
            with self._near:
                self._near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._near.setblocking(False)
                self._copy(self._near)
        except OSError:
            pass  # nobody came, or this end was closed
        finally:
            self._wire.close(CLOSE_SECONDS)

    def _copy(self, near: socket.socket) -> None:
        """Copy both ways until either side ends.

        Raises:
            OSError: this machine's side ended.
        """
        wire, incoming, has_spoken = self._wire, bytearray(), False
        with DefaultSelector() as selector:
            while not wire.is_over:
                _watch(selector, near, read=len(wire.waiting) < MOST_WAITING, write=bool(incoming))
                _watch(selector, wire.socket, read=len(incoming) < MOST_WAITING, write=bool(wire.waiting))
                ready = {key.fileobj: events for key, events in selector.select(wire.patience)}
                if wire.socket in ready:
                    incoming += wire.take()
                    has_spoken = has_spoken or bool(incoming)
                if ready.get(near, 0) & EVENT_READ:
                    if not (data := near.recv(PIECE)):
                        return
                    wire.give(data)
                wire.keep_alive()
                with contextlib.suppress(BlockingIOError):
                    del incoming[: near.send(incoming)]
        # Known before LDAP sees that it is over.
        self.fate = ending(wire.close_code, has_spoken=has_spoken)
        near.settimeout(CLOSE_SECONDS)
        near.sendall(incoming)


def _watch(selector: DefaultSelector, one: socket.socket, *, read: bool, write: bool) -> None:
    """Wait for a socket to be ready for this; for nothing, if it is neither."""
    events = (EVENT_READ if read else 0) | (EVENT_WRITE if write else 0)
    watched = selector.get_map().get(one)
    if watched is None and events:
        selector.register(one, events)
    elif watched is not None and not events:
        selector.unregister(one)
    elif watched is not None and watched.events != events:
        selector.modify(one, events)


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing came within {OPEN_SECONDS:g} seconds"
    return getattr(error, "strerror", None) or type(error).__name__
