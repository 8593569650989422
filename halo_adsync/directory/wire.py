"""A WebSocket to Azure Relay over TLS, for one thread that never blocks once it is open.

The protocol is the library's (`websockets`), its threads are not: they read and write one TLS connection at
the same time, which OpenSSL does not allow and not every release of Python guards against.
"""

import logging
import socket
import ssl
import time

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import DATA_OPCODES, Frame
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

LARGEST = 1 << 20
"""The largest message that is taken, in bytes."""
PIECE = 1 << 16
"""Bytes that are read at once: more than TLS opens at once (16 KiB), so that what is left wakes who waits."""
# In no hierarchy, so that no setting of log levels makes it write headers: the token is one of them.
_UNHEARD = logging.Logger("wire", logging.CRITICAL + 1)  # noqa: LOG001 - outside on purpose


class RefusedError(Exception):
    """The relay answered with an HTTP status instead of a WebSocket."""

    def __init__(self, response: Response) -> None:
        self.response = response
        super().__init__(response.status_code)


class Wire:
    """An open WebSocket.

    Args:
        address: where to; `wss://`.
        token: what opens it. It goes into a header, and nowhere else: redirections are not followed.
        seconds: for everything until it is open.
        ping_seconds: between two signs of life.

    Attributes:
        socket: to wait on.
        waiting: bytes that are not sent yet.
        is_over: whether nothing will come any more.

    Raises:
        RefusedError: the relay said no.
        ssl.SSLCertVerificationError: it is not who it should be.
        OSError: it cannot be reached, or did not answer in time.
        WebSocketException: what answered speaks something else.
    """

    def __init__(self, address: str, token: str, seconds: float, ping_seconds: float) -> None:
        target = parse_uri(address)
        self.waiting, self.is_over = bytearray(), False
        self._ping_seconds = ping_seconds
        self._heard = self._due = 0.0
        self._protocol = ClientProtocol(target, max_size=LARGEST, logger=_UNHEARD)
        until = time.monotonic() + seconds
        with socket.create_connection((target.host, target.port), seconds) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Takes the connection over, so that leaving the block does not close it.
            self.socket = ssl.create_default_context().wrap_socket(connection, server_hostname=target.host)
        try:
            self._shake_hands(token, until)
        except BaseException:
            self.socket.close()
            raise

    def give(self, payload: bytes) -> None:
        """Send bytes, as far as they go; what is left waits."""
        if not self.is_over:
            self._protocol.send_binary(payload)
            self._flush()

    def take(self) -> bytes:
        """Return the bytes that have come, if any; send what waits, as far as it goes."""
        try:
            data = self.socket.recv(PIECE)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            payload = b""
        except OSError:
            self.is_over, payload = True, b""
        else:
            self._heard = time.monotonic()
            payload = self._understand(data)
        self._flush()
        return payload

    @property
    def patience(self) -> float:
        """Seconds until it should be kept alive."""
        return max(self._due - time.monotonic(), 0)

    def keep_alive(self) -> None:
        """Send a sign of life if it is time; where none was answered, the line is dead."""
        now = time.monotonic()
        if now < self._due or self.is_over:
            return
        self.is_over = now - self._heard > 2 * self._ping_seconds
        self._due = now + self._ping_seconds
        self._protocol.send_ping(b"")
        self._flush()

    def close(self, seconds: float) -> None:
        """Say goodbye, wait so many seconds at most for the answer, and close."""
        with self.socket:
            try:
                if self._protocol.state is State.OPEN:
                    self._protocol.send_close(1000)
                self.socket.settimeout(seconds)
                self.socket.sendall(self.waiting + b"".join(self._protocol.data_to_send()))
                until = time.monotonic() + seconds
                while not self.is_over and time.monotonic() < until:
                    self._understand(self.socket.recv(PIECE))
            except OSError:
                return

    @property
    def close_code(self) -> int | None:
        """The code with which the other end closed (RFC 6455, 7.4); None where it did not."""
        received = self._protocol.close_rcvd
        return None if received is None else int(received.code)

    def _shake_hands(self, token: str, until: float) -> None:
        request = self._protocol.connect()
        request.headers["ServiceBusAuthorization"] = token
        self._protocol.send_request(request)
        self.socket.sendall(b"".join(self._protocol.data_to_send()))
        while self._protocol.state is State.CONNECTING and self._protocol.handshake_exc is None:
            self.socket.settimeout(max(until - time.monotonic(), 0.001))
            if data := self.socket.recv(PIECE):
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
        error = self._protocol.handshake_exc
        if isinstance(error, InvalidStatus):
            raise RefusedError(error.response)
        if error is not None:
            raise error
        self.socket.setblocking(False)
        self._heard = time.monotonic()
        self._due = self._heard + self._ping_seconds

    def _flush(self) -> None:
        for part in self._protocol.data_to_send():
            self.waiting += part
        try:
            while self.waiting:
                del self.waiting[: self.socket.send(self.waiting)]
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return
        except OSError:
            self.is_over = True

    def _understand(self, data: bytes) -> bytes:
        """Turn what came over the line into what was sent through it."""
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        self.is_over = not data or self._protocol.state is not State.OPEN
        events = self._protocol.events_received()
        return b"".join(
            bytes(event.data) for event in events if isinstance(event, Frame) and event.opcode in DATA_OPCODES
        )
