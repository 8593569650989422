"""The WebSocket to the relay and the line through it, against servers that do not behave."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websockets.exceptions import InvalidMessage
from websockets.http11 import Request
from websockets.server import ServerProtocol

from devstack.certificates import CertificateAuthority
from halo_adsync.directory.tunnel import MOST_WAITING, _Line
from halo_adsync.directory.wire import LARGEST, PIECE, Wire

ENDLESS = 100_000_000
"""More bytes than the buffers of this machine's sockets hold."""

type Behaviour = Callable[[ssl.SSLSocket], None]
type Serve = Callable[[Behaviour], str]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Let a server behave in some way to whoever connects, and return its address."""
    authority = CertificateAuthority(tmp_path)
    issued = authority.issue("127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate_path, issued.key_path)
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:

        def start(behaviour: Behaviour) -> str:
            def run() -> None:
                one, _ = listener.accept()
                with context.wrap_socket(one, server_side=True) as stream, contextlib.suppress(OSError):
                    behaviour(stream)

            thread = threading.Thread(target=run)
            thread.start()
            stack.callback(thread.join, 10)
            return f"wss://127.0.0.1:{listener.getsockname()[1]}/"

        yield start


def upgrade(stream: ssl.SSLSocket) -> ServerProtocol:
    """Answer the opening handshake as a server does."""
    protocol = ServerProtocol(max_size=None)
    protocol.receive_data(stream.recv(65536))
    (request,) = protocol.events_received()
    assert isinstance(request, Request)
    protocol.send_response(protocol.accept(request))
    stream.sendall(b"".join(protocol.data_to_send()))
    return protocol


def wait_for_end(wire: Wire) -> bytes:
    """Take what comes until nothing will come any more."""
    got, until = b"", time.monotonic() + 10
    while not wire.is_over:
        got += wire.take()
        wire.keep_alive()
        assert time.monotonic() < until, "it does not end"
        time.sleep(0.01)
    return got


def test_line_without_an_answer_to_pings(serve: Serve) -> None:
    """Where no sign of life is answered, the line counts as dead, without a code."""
    done = threading.Event()

    def mute(stream: ssl.SSLSocket) -> None:
        upgrade(stream)
        done.wait(30)

    wire = Wire(serve(mute), "token", 10, 0.05)
    wait_for_end(wire)
    assert wire.close_code is None
    done.set()
    wire.close(1)


def test_message_in_fragments(serve: Serve) -> None:
    """Fragments are bytes like any others, and the other end's close has its code."""

    def fragmented(stream: ssl.SSLSocket) -> None:
        protocol = upgrade(stream)
        protocol.send_binary(b"one ", fin=False)
        protocol.send_continuation(b"two ", fin=False)
        protocol.send_continuation(b"three", fin=True)
        protocol.send_close(1008, "enough")
        stream.sendall(b"".join(protocol.data_to_send()))
        stream.recv(1)

    wire = Wire(serve(fragmented), "token", 10, 60)
    assert (wait_for_end(wire), wire.close_code) == (b"one two three", 1008)
    wire.close(1)


def test_message_that_is_too_large(serve: Serve) -> None:
    """No more than a megabyte is taken at once."""

    def flooding(stream: ssl.SSLSocket) -> None:
        protocol = upgrade(stream)
        protocol.send_binary(bytes(LARGEST + 1))
        stream.sendall(b"".join(protocol.data_to_send()))
        stream.recv(1)

    wire = Wire(serve(flooding), "token", 10, 60)
    assert (wait_for_end(wire), wire.close_code) == (b"", None)
    wire.close(1)


def test_bytes_that_the_other_end_does_not_read(serve: Serve) -> None:
    """They wait, in the order in which they came, and nobody blocks."""
    begin, got = threading.Event(), bytearray()

    def slow(stream: ssl.SSLSocket) -> None:
        protocol = upgrade(stream)
        begin.wait(10)
        while len(got) < 20_000_000:
            protocol.receive_data(stream.recv(65536))
            for event in protocol.events_received():
                got.extend(event.data)  # type: ignore[union-attr]  # frames, after the request

    wire = Wire(serve(slow), "token", 10, 60)
    for number in range(20):
        wire.give(bytes([number]) * 1_000_000)
    assert wire.waiting
    begin.set()
    until = time.monotonic() + 10
    while wire.waiting:
        wire.take()
        assert time.monotonic() < until, "it is never sent"
    wire.close(10)
    assert bytes(got) == b"".join(bytes([number]) * 1_000_000 for number in range(20))


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n\r\n"])
def test_no_relay(serve: Serve, answer: bytes) -> None:
    """What hangs up or speaks something else is no relay."""
    with pytest.raises(InvalidMessage):
        Wire(serve(lambda stream: stream.sendall(stream.recv(65536)[:0] + answer)), "token", 10, 60)


def test_no_answer_in_time(serve: Serve) -> None:
    """It is not waited longer than was said, however the answer trickles in."""

    def trickling(stream: ssl.SSLSocket) -> None:
        for _ in range(100):
            stream.sendall(b"H")
            time.sleep(0.05)

    with pytest.raises(TimeoutError):
        Wire(serve(trickling), "token", 0.5, 60)


def flood(one: socket.socket, most: int) -> int:
    """Send until nothing more is taken, and return how many bytes were."""
    one.settimeout(1)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < most:
            sent += one.send(bytes(65536))
    return sent


def test_what_waits_for_the_relay_is_bounded(serve: Serve) -> None:
    """When the relay does not read, LDAP is not read either."""
    done = threading.Event()

    def deaf(stream: ssl.SSLSocket) -> None:
        upgrade(stream)
        done.wait(20)

    wire = Wire(serve(deaf), "token", 10, 60)
    line = _Line(wire)
    with socket.create_connection(("127.0.0.1", line.port)) as near:
        assert flood(near, ENDLESS) < ENDLESS
        assert MOST_WAITING <= len(wire.waiting) <= MOST_WAITING + 2 * PIECE
    done.set()
    line.close()


def test_what_waits_for_ldap_is_bounded(serve: Serve) -> None:
    """When LDAP does not read, the relay is not read either; what was sent before its end still arrives."""
    sent: list[int] = []

    def generous(stream: ssl.SSLSocket) -> None:
        protocol = upgrade(stream)
        stream.settimeout(1)
        taken = 0
        with contextlib.suppress(TimeoutError):
            while taken < ENDLESS:
                protocol.send_binary(bytes(65536))
                stream.sendall(b"".join(protocol.data_to_send()))
                taken += 65536
        sent.append(taken)

    line = _Line(Wire(serve(generous), "token", 10, 60))
    with socket.create_connection(("127.0.0.1", line.port)) as near:
        until = time.monotonic() + 20
        while not sent and time.monotonic() < until:
            time.sleep(0.01)
        assert sent[0] < ENDLESS
        near.settimeout(10)
        got = 0
        while piece := near.recv(65536):
            got += len(piece)
            time.sleep(0.002)  # slower than the relay, so that something waits when that ends
    assert got >= sent[0]
    assert line.fate is not None
    line.close()
