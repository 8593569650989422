"""What the relay is to its listeners, told to both: a likeness of the customers' program, and hyco-ws.

`hyco-ws` is Microsoft's own library. That the simulated relay serves it as it is, is the evidence that the
simulation speaks the protocol.
"""

import os
import time

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from devstack.relay import SimulatedRelay
from tests.support.relay import CONNECTION, Listening, Stream, echo, signature


def test_bytes_arrive_whole_and_in_order(relay: SimulatedRelay, relay_listening: Listening) -> None:
    """Megabytes pass both ways at once, and pieces of any size."""
    data = os.urandom(3_000_000)
    with echo() as endpoint, relay_listening(endpoint), Stream(relay, signature(relay)) as stream:
        for begin in range(0, len(data), 300_000):
            stream.send(data[begin : begin + 300_000])
        assert stream.receive(len(data)) == data


def test_senders_do_not_meet(relay: SimulatedRelay, relay_listening: Listening) -> None:
    """Every sender has a connection of its own to the host."""
    with (
        echo() as endpoint,
        relay_listening(endpoint),
        Stream(relay, signature(relay)) as one,
        Stream(relay, signature(relay)) as two,
    ):
        one.send(b"one")
        two.send(b"two")
        assert (two.receive(3), one.receive(3)) == (b"two", b"one")


def test_sender_that_leaves(relay: SimulatedRelay, relay_listening: Listening) -> None:
    """The listener goes on listening for the next."""
    with echo() as endpoint, relay_listening(endpoint):
        for _ in range(3):
            with Stream(relay, signature(relay)) as stream:
                stream.send(b"hello")
                assert stream.receive(5) == b"hello"


def test_host_that_cannot_be_reached(
    relay: SimulatedRelay, relay_listening: Listening, directory_closed_port: tuple[str, int]
) -> None:
    """The sender's connection opens, and is closed without a byte."""
    host, port = directory_closed_port
    with relay_listening(f"{host}:{port}"), Stream(relay, signature(relay)) as stream:
        with pytest.raises(ConnectionClosed) as caught:
            stream.recv()
        assert caught.value.rcvd is not None


def test_listener_that_leaves(relay: SimulatedRelay, relay_listening: Listening) -> None:
    """Afterwards nobody is there."""
    with echo() as endpoint, relay_listening(endpoint):
        assert len(relay.connections[CONNECTION].listeners) == 1
    deadline = time.monotonic() + 10
    while relay.connections[CONNECTION].listeners and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(InvalidStatus) as caught, Stream(relay, signature(relay)):
        pass
    assert caught.value.response.status_code == 404
