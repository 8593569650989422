"""The simulated relay: who is let in, who is refused how, and the ways in which a connection ends."""

import json
import ssl
import threading
from collections.abc import Iterator
from http import HTTPStatus

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from devstack.identity import SimulatedIdentity
from devstack.relay import HybridConnectionManager, SimulatedRelay
from devstack.relay.manager import endpoint_of
from tests.support.relay import CONNECTION, Stream, echo, signature


@pytest.fixture(scope="module")
def identity() -> Iterator[SimulatedIdentity]:
    """A managed identity whose tokens the relay takes."""
    with SimulatedIdentity() as running:
        yield running


@pytest.fixture
def relay(identity: SimulatedIdentity) -> Iterator[SimulatedRelay]:
    """A relay with two connections, to the first of which the manager of an echoing host listens."""
    identity.lifetime = 60
    with SimulatedRelay() as running, echo() as endpoint:
        running.add_connection(CONNECTION, endpoint)
        running.add_connection("other", endpoint)
        with HybridConnectionManager(running.connection_string(CONNECTION), running.ca_path):
            yield running


def refusal(sending: Stream) -> tuple[int, str]:
    """Return status and reason with which a sender is refused."""
    with pytest.raises(InvalidStatus) as caught, sending:
        pass
    response = caught.value.response
    return response.status_code, response.reason_phrase


def entra(identity: SimulatedIdentity, resource: str = "https://relay.azure.net") -> str:
    """Return a token of the identity, as App Service gives it out."""
    environment = identity.environment
    answer = requests.get(
        environment["IDENTITY_ENDPOINT"],
        {"client_id": identity.client_id, "resource": resource, "api-version": "2019-08-01"},
        headers={"X-IDENTITY-HEADER": environment["IDENTITY_HEADER"]},
        timeout=10,
    )
    return str(answer.json()["access_token"])


def listen(relay: SimulatedRelay, token: str, *, to: str = CONNECTION) -> Stream:
    """Connect as a listener without a program around it."""
    return Stream(relay, token, to=to, action="listen")


def test_bytes_pass_both_ways(relay: SimulatedRelay) -> None:
    """What a sender sends comes back from the host, and the token stood in the header only."""
    with Stream(relay, signature(relay)) as stream:
        stream.send(b"to the host and back")
        assert stream.receive(20) == b"to the host and back"
    (upgrade,) = (one for one in relay.upgrades if "action=connect" in one.target)
    assert upgrade.target == f"/$hc/{CONNECTION}?sb-hc-action=connect"


@pytest.mark.parametrize(
    ("rule", "of", "seconds", "status"),
    [
        ("send", CONNECTION, -1, HTTPStatus.UNAUTHORIZED),
        ("listen", CONNECTION, 60, HTTPStatus.FORBIDDEN),
        ("send", "other", 60, HTTPStatus.UNAUTHORIZED),
    ],
)
def test_signatures_that_open_nothing(
    relay: SimulatedRelay, rule: str, of: str, seconds: int, status: int
) -> None:
    """One that has expired, one that may not send, one of another connection's key."""
    assert refusal(Stream(relay, signature(relay, rule, of=of, seconds=seconds)))[0] == status


def test_without_a_token(relay: SimulatedRelay) -> None:
    """Nobody gets in without one."""
    assert refusal(Stream(relay, None))[0] == HTTPStatus.UNAUTHORIZED


def test_signature_for_another_address(relay: SimulatedRelay) -> None:
    """A signature that is right, for another connection with the same key, is refused for this one."""
    relay.connections["other"].rules = relay.connections[CONNECTION].rules
    assert refusal(Stream(relay, signature(relay, of="other")))[0] == HTTPStatus.FORBIDDEN


def test_identity_with_the_role(relay: SimulatedRelay, identity: SimulatedIdentity) -> None:
    """A token of Entra opens what its identity has the role for, and nothing else."""
    token = entra(identity)
    assert refusal(Stream(relay, token))[0] == HTTPStatus.FORBIDDEN
    relay.grant(identity.client_id, CONNECTION)
    with Stream(relay, token) as stream:
        stream.send(b"hello")
        assert stream.receive(5) == b"hello"
    assert refusal(Stream(relay, token, to="other"))[0] == HTTPStatus.FORBIDDEN


def test_tokens_of_entra_that_open_nothing(relay: SimulatedRelay, identity: SimulatedIdentity) -> None:
    """One for another service, one that has expired, one that is none."""
    relay.grant(identity.client_id, CONNECTION)
    identity.lifetime = -60
    for token in (entra(identity, "https://vault.azure.net"), entra(identity), "nonsense"):
        assert refusal(Stream(relay, token))[0] == HTTPStatus.UNAUTHORIZED


def test_nobody_is_there(relay: SimulatedRelay) -> None:
    """A connection without a listener and one that does not exist say so in the reason."""
    status, reason = refusal(Stream(relay, signature(relay, of="other"), to="other"))
    assert (status, "no listeners connected" in reason) == (HTTPStatus.NOT_FOUND, True)
    status, reason = refusal(Stream(relay, signature(relay), to="misspelt"))
    assert (status, "does not exist" in reason) == (HTTPStatus.NOT_FOUND, True)


def test_refusal_that_was_switched_on(relay: SimulatedRelay) -> None:
    """Any status can be played."""
    relay.faults.refuse = (503, "Server busy")
    assert refusal(Stream(relay, signature(relay)))[0] == 503


def test_listener_that_refuses_a_sender(relay: SimulatedRelay) -> None:
    """The status that a listener adds to the address is the sender's answer, and the address is used up."""
    with listen(relay, signature(relay, "listen", of="other"), to="other") as control:
        answers: list[tuple[int, str]] = []
        sender = Stream(relay, signature(relay, of="other"), to="other")
        thread = threading.Thread(target=lambda: answers.append(refusal(sender)))
        thread.start()
        accept = json.loads(control.recv())["accept"]
        assert "ServiceBusAuthorization" not in accept["connectHeaders"]
        statuses = []
        for _ in range(2):
            with pytest.raises(InvalidStatus) as caught:
                connect(
                    accept["address"] + "&sb-hc-statusCode=418&sb-hc-statusDescription=No",
                    ssl=ssl.create_default_context(cafile=str(relay.ca_path)),
                    proxy=None,
                    legacy=True,
                )
            statuses.append(caught.value.response.status_code)
        thread.join(10)
    assert statuses == [HTTPStatus.GONE, HTTPStatus.FORBIDDEN]
    assert answers[0][0] == 418


def test_listener_that_may_not_listen(relay: SimulatedRelay) -> None:
    """A sender's rule is not enough, not even to learn what stands behind the connection."""
    with pytest.raises(InvalidStatus):
        listen(relay, signature(relay, "send")).__enter__()
    manager = HybridConnectionManager(relay.connection_string(CONNECTION, "send"), relay.ca_path)
    with pytest.raises(PermissionError, match="403"), manager:
        pass


def test_listener_renews_its_token(relay: SimulatedRelay) -> None:
    """A renewed token is checked as the first was: a bad one ends the listening."""
    with listen(relay, signature(relay, "listen")) as control:
        for rule in ("listen", "send"):
            control.send(json.dumps({"renewToken": {"token": signature(relay, rule)}}))
        with pytest.raises(ConnectionClosed) as caught:
            control.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1008


def test_token_that_expires_meanwhile(relay: SimulatedRelay) -> None:
    """The relay closes with the code for a broken policy."""
    relay.faults.expire_after = 5
    with Stream(relay, signature(relay)) as stream:
        stream.send(b"hello")
        stream.receive(5)
        stream.send(b"again")
        with pytest.raises(ConnectionClosed) as caught:
            stream.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1008


def test_line_that_is_cut(relay: SimulatedRelay) -> None:
    """After so many bytes the line is dead, without a word."""
    relay.faults.cut_after = 1000
    with Stream(relay, signature(relay)) as stream:
        stream.send(bytes(900))
        assert stream.receive(900) == bytes(900)
        stream.send(bytes(900))
        with pytest.raises(ConnectionClosed) as caught:
            stream.recv()
    assert caught.value.rcvd is None


def test_idle_line(relay: SimulatedRelay) -> None:
    """A sender from whom nothing comes is dropped; one that pings is not."""
    relay.faults.idle_seconds = 1.5
    with (
        Stream(relay, signature(relay), ping_interval=0.1) as kept,
        Stream(relay, signature(relay)) as dropped,
    ):
        with pytest.raises(ConnectionClosed):
            dropped.recv()
        kept.send(b"still here")
        assert kept.receive(10) == b"still here"


@pytest.mark.parametrize("endpoint", ["dc01", "dc01:636:1", "dc01:ldaps"])
def test_metadata_that_name_no_endpoint(relay: SimulatedRelay, endpoint: str) -> None:
    """The manager takes one host and one port, with one colon."""
    relay.add_connection("odd", endpoint)
    manager = HybridConnectionManager(relay.connection_string("odd"), relay.ca_path)
    with pytest.raises(ValueError, match=r"unpack|int"), manager:
        pass
    assert endpoint_of('[{"key": "Endpoint", "value": "dc01.contoso.local:636"}]') == (
        "dc01.contoso.local",
        636,
    )
