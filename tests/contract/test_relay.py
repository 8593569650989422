"""What the relay is to its listeners, told to both: a likeness of the customers' program, and hyco-ws.

`hyco-ws` is Microsoft's own library. That the simulated relay serves it as it is, is the evidence that the
simulation speaks the protocol.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from devstack.relay import HybridConnectionManager, NodeListener, SimulatedRelay, node_listener_missing
from tests.support.relay import CONNECTION, echo, receive, send, signature

type Listening = Callable[[str], AbstractContextManager[object]]


@pytest.fixture
def relay() -> Iterator[SimulatedRelay]:
    """A relay of its own."""
    with SimulatedRelay() as running:
        yield running


@pytest.fixture(params=["manager", "hyco-ws"])
def listening(request: pytest.FixtureRequest, relay: SimulatedRelay) -> Listening:
    """Listen for a `host:port`, with either program."""
    missing = node_listener_missing() if request.param == "hyco-ws" else None
    if missing and os.environ.get("CI"):
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)

    def listen(endpoint: str) -> AbstractContextManager[object]:
        relay.add_connection(CONNECTION, endpoint)
        given = relay.connection_string(CONNECTION)
        if request.param == "manager":
            return HybridConnectionManager(given, relay.ca_path)
        return NodeListener(given, relay.ca_path, endpoint)

    return listen


def test_bytes_arrive_whole_and_in_order(relay: SimulatedRelay, listening: Listening) -> None:
    """Megabytes pass both ways at once, and pieces of any size."""
    data = os.urandom(3_000_000)
    with echo() as endpoint, listening(endpoint), send(relay, signature(relay)) as stream:
        for begin in range(0, len(data), 300_000):
            stream.send(data[begin : begin + 300_000])
        assert receive(stream, len(data)) == data


def test_senders_do_not_meet(relay: SimulatedRelay, listening: Listening) -> None:
    """Every sender has a connection of its own to the host."""
    with (
        echo() as endpoint,
        listening(endpoint),
        send(relay, signature(relay)) as one,
        send(relay, signature(relay)) as two,
    ):
        one.send(b"one")
        two.send(b"two")
        assert (receive(two, 3), receive(one, 3)) == (b"two", b"one")


def test_sender_that_leaves(relay: SimulatedRelay, listening: Listening) -> None:
    """The listener goes on listening for the next."""
    with echo() as endpoint, listening(endpoint):
        for _ in range(3):
            with send(relay, signature(relay)) as stream:
                stream.send(b"hello")
                assert receive(stream, 5) == b"hello"


def test_host_that_cannot_be_reached(
    relay: SimulatedRelay, listening: Listening, directory_closed_port: tuple[str, int]
) -> None:
    """The sender's connection opens, and is closed without a byte."""
    host, port = directory_closed_port
    with listening(f"{host}:{port}"), send(relay, signature(relay)) as stream:
        with pytest.raises(ConnectionClosed) as caught:
            stream.recv(10)
        assert caught.value.rcvd is not None


def test_listener_that_leaves(relay: SimulatedRelay, listening: Listening) -> None:
    """Afterwards nobody is there."""
    with echo() as endpoint, listening(endpoint):
        assert len(relay.connections[CONNECTION].listeners) == 1
    deadline = time.monotonic() + 10
    while relay.connections[CONNECTION].listeners and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(InvalidStatus) as caught, send(relay, signature(relay)):
        pass
    assert caught.value.response.status_code == 404
