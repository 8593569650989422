"""The tunnel: a directory read through Azure Relay, and every way in which that fails.

That everything else about reading a directory is as it is directly, the directory's own contract shows: it is
told through a relay as well.
"""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping

import pytest

from devstack.directory import Directory
from devstack.relay import SimulatedRelay
from halo_adsync.directory.config import Endpoint
from halo_adsync.directory.port import ReadRequest
from halo_adsync.directory.relay import RelayConfig, Signatures, Tokens
from halo_adsync.directory.tunnel import Tunnel
from tests.contract.conftest import HOSTNAME, PASSWORD, DirectoryStand
from tests.support.cutting import Address, CuttingProxy
from tests.support.reading import failure, read, refusal
from tests.support.relay import CONNECTION, Listening, OwnKeys, echo, manager_listening, node_listening

SERVER, SECOND = f"{HOSTNAME}:636", f"{HOSTNAME}:1636"
OTHER = "contoso-dc02"
both_directories = pytest.mark.parametrize(
    "directory_stand", ["demo", pytest.param("samba", marks=pytest.mark.samba)], indirect=True
)


class Given:
    """A token that was given."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self, _resource: str) -> str:
        """Return the token."""
        return self._token

    def renew(self) -> bool:
        """Have no other."""
        return False


def through(
    relay: SimulatedRelay,
    connections: Mapping[str, str] | None = None,
    tokens: Tokens | None = None,
    *,
    ping_seconds: float = 60,
) -> Tunnel:
    """Return a tunnel that is right but for what is given."""
    config = RelayConfig(relay.host, connections or {SERVER: CONNECTION}, tokens or OwnKeys(relay))
    return Tunnel(config, ping_seconds=ping_seconds)


def place(address: Address) -> str:
    """Write an address as `host:port`."""
    return "{}:{}".format(*address)


@pytest.fixture
def demo(
    relay: SimulatedRelay, directory_demo: tuple[DirectoryStand, Directory]
) -> Iterator[tuple[DirectoryStand, Directory]]:
    """A demo directory for this test alone, behind the likeness of the Hybrid Connection Manager."""
    stand, _ = directory_demo
    with manager_listening(relay, place(stand.ldaps)):
        yield directory_demo


@both_directories
def test_same_people_as_directly(
    relay: SimulatedRelay, relay_listening: Listening, directory_stand: DirectoryStand, directory_ou: str
) -> None:
    """Several pages arrive as they do directly, TLS checked against the domain controller's name."""
    directory_stand.crowd(directory_ou, 1050)
    directly = read(directory_stand.open(), directory_ou)
    with relay_listening(place(directory_stand.ldaps)):
        assert read(directory_stand.open(tunnel=through(relay)), directory_ou) == directly
        assert len(directly.people) == 1050
        wrong = "dc02.corp.example:636"
        tunnel = through(relay, {wrong: CONNECTION})
        assert "refused for the name 'dc02.corp.example'" in refusal(
            directory_stand.open(tunnel=tunnel, servers=(wrong,))
        )


@both_directories
def test_start_tls(
    relay: SimulatedRelay, relay_listening: Listening, directory_stand: DirectoryStand, directory_ou: str
) -> None:
    """StartTLS goes through as LDAPS does."""
    directory_stand.person("Anna", directory_ou)
    server = f"{HOSTNAME}:389"
    with relay_listening(place(directory_stand.ldap)):
        tunnel = through(relay, {server: CONNECTION})
        opened = directory_stand.open(tunnel=tunnel, servers=(server,), tls="starttls")
        assert len(read(opened, directory_ou).people) == 1


def test_nothing_is_left_behind(relay: SimulatedRelay, demo: tuple[DirectoryStand, Directory]) -> None:
    """When a directory is closed, its connection, its port and its threads are gone."""
    stand, _ = demo
    opened = stand.open(tunnel=through(relay))
    with opened:
        opened.read(ReadRequest(frozenset()), lambda _: None)
        assert relay.open_bridges == 1
        assert any(thread.name.startswith("tunnel") for thread in threading.enumerate())
    assert not any(thread.name.startswith("tunnel") for thread in threading.enumerate())


def test_port_takes_one_connection(relay: SimulatedRelay) -> None:
    """Whoever comes second at this machine's end finds nobody."""
    with (
        echo() as host,
        manager_listening(relay, host),
        contextlib.closing(through(relay)) as tunnel,
    ):
        here = tunnel.open(Endpoint(SERVER, HOSTNAME, HOSTNAME, 636))
        assert (here.name, here.server) == (HOSTNAME, SERVER)
        with socket.create_connection((here.host, here.port)) as first:
            first.sendall(b"hello")
            assert first.recv(5) == b"hello"
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((here.host, here.port)).close()


def test_token_is_in_the_header_only(
    relay: SimulatedRelay, demo: tuple[DirectoryStand, Directory], caplog: pytest.LogCaptureFixture
) -> None:
    """It is in no address and in no log, however much is logged, and in no error."""
    stand, _ = demo
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="websockets.client")
    read(stand.open(tunnel=through(relay)))
    upgrade = next(one for one in relay.upgrades if "action=connect" in one.target)
    token = upgrade.headers["ServiceBusAuthorization"]
    assert token.startswith("SharedAccessSignature sr=")
    assert "sig" not in upgrade.target
    relay.faults.refuse = (500, "Internal error")
    assert "sig=" not in failure(stand.open(tunnel=through(relay)))
    assert "SharedAccessSignature" not in caplog.text
    assert token not in repr(RelayConfig("n", {}, Given(token)))


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        (
            404,
            "There are no listeners connected for the endpoint.",
            "nobody who listens (HTTP 404)",
        ),
        (404, "Endpoint does not exist.", "You have to check its name"),
        (429, "Too many", "Azure's to mend"),
        (500, "Internal Error", "Azure's to mend"),
        (503, "Server busy", "Azure's to mend"),
        (504, "None of the connected listeners accepted", "Azure's to mend"),
    ],
)
def test_refusals_that_may_pass(
    relay: SimulatedRelay,
    demo: tuple[DirectoryStand, Directory],
    status: int,
    reason: str,
    expected: str,
) -> None:
    """Each becomes a sentence that says whose move it is, and the read is incomplete."""
    relay.faults.refuse = (status, reason)
    sentence = failure(demo[0].open(tunnel=through(relay)))
    assert expected in sentence
    assert f"the hybrid connection {CONNECTION} of {relay.host}" in sentence


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, "does not accept the app's token"), (403, "does not let the app send"), (418, "no relay answers")],
)
def test_refusals_that_a_person_has_to_mend(
    relay: SimulatedRelay, demo: tuple[DirectoryStand, Directory], status: int, expected: str
) -> None:
    """What will be refused again until somebody changes something says what to change."""
    relay.faults.refuse = (status, "No")
    assert expected in refusal(demo[0].open(tunnel=through(relay)))


def test_signatures_that_open_nothing(relay: SimulatedRelay, demo: tuple[DirectoryStand, Directory]) -> None:
    """The relay itself refuses a wrong key, and a rule that may only listen."""
    stand, _ = demo
    rules = relay.connections[CONNECTION].rules
    for rule, key, status in (("send", "wrong", 401), ("listen", rules["listen"].key, 403)):
        tunnel = through(relay, tokens=Signatures(rule, key))
        assert f"HTTP {status}" in refusal(stand.open(tunnel=tunnel))


def test_key_that_was_rotated(relay: SimulatedRelay, demo: tuple[DirectoryStand, Directory]) -> None:
    """A refused key is asked for once more, and the new one is tried; without a new one it stays refused."""
    stand, _ = demo
    asked: list[str] = []

    def renewed(old: str) -> str | None:
        asked.append(old)
        return relay.connections[CONNECTION].rules["send"].key if len(asked) == 1 else None

    tokens = Signatures("send", "old", renewed)
    read(stand.open(tunnel=through(relay, tokens=tokens)))
    relay.connections[CONNECTION].rules.pop("send")
    assert "HTTP 401" in refusal(stand.open(tunnel=through(relay, tokens=tokens)))
    assert len(asked) == 2


def test_nobody_listens(relay: SimulatedRelay, directory_demo: tuple[DirectoryStand, Directory]) -> None:
    """Without the manager it is the customer's move."""
    stand, _ = directory_demo
    with manager_listening(relay, place(stand.ldaps)):
        read(stand.open(tunnel=through(relay)))
    assert "The customer has to start the Hybrid Connection Manager" in failure(
        stand.open(tunnel=through(relay))
    )
    wrong = through(relay, {SERVER: "misspelt"}, Given("any token"))
    assert "You have to check its name" in failure(stand.open(tunnel=wrong))


def test_second_connection_takes_over(
    relay: SimulatedRelay,
    demo: tuple[DirectoryStand, Directory],
    directory_proxy: Callable[[Address, int | None], CuttingProxy],
) -> None:
    """A server whose connection has no listener is passed over; one that breaks off starts the read anew."""
    stand, server = demo
    ou = server.add_ou("People")
    stand.crowd(ou, 1050)
    dying = directory_proxy(stand.ldaps, 150_000)
    servers = {SECOND: OTHER, SERVER: CONNECTION}
    with node_listening(relay, place(dying.address), OTHER):
        assert (
            len(read(stand.open(tunnel=through(relay, servers), servers=(SECOND, SERVER)), ou).people) == 1050
        )
        assert dying.connections == 1
    assert len(read(stand.open(tunnel=through(relay, servers), servers=(SECOND, SERVER)), ou).people) == 1050
    assert dying.connections == 1


def test_password_that_was_rotated(relay: SimulatedRelay, demo: tuple[DirectoryStand, Directory]) -> None:
    """The second sign-in has a connection of its own."""
    stand, _ = demo
    read(stand.open(tunnel=through(relay), password="old", renewed=lambda _: PASSWORD))
    assert sum("action=connect" in one.target for one in relay.upgrades) == 2


@pytest.mark.parametrize("limit", [0, 1000, 100_000])
def test_line_that_breaks_off(
    relay: SimulatedRelay, demo: tuple[DirectoryStand, Directory], limit: int
) -> None:
    """Wherever it breaks off, in the handshake or in the middle of a page, there is no read."""
    stand, server = demo
    stand.crowd(server.add_ou("People"), 1050)
    relay.faults.cut_after = limit
    assert "broke off" in failure(stand.open(tunnel=through(relay)))


def test_token_that_expires_meanwhile(relay: SimulatedRelay, demo: tuple[DirectoryStand, Directory]) -> None:
    """What the relay ends for an old token is an incomplete read that says so."""
    stand, server = demo
    stand.crowd(server.add_ou("People"), 1050)
    relay.faults.expire_after = 100_000
    assert "the app's token expired" in failure(stand.open(tunnel=through(relay)))


def test_line_that_the_relay_drops_for_idleness(
    relay: SimulatedRelay, demo: tuple[DirectoryStand, Directory]
) -> None:
    """A sign of life in time keeps it; without one it is dropped, and opened anew for the next read."""
    stand, _ = demo
    relay.faults.idle_seconds = 1.5
    for ping_seconds, opened_anew in ((0.1, 0), (60, 1)):
        relay.upgrades.clear()
        with stand.open(tunnel=through(relay, ping_seconds=ping_seconds)) as opened:
            first = opened.read(ReadRequest(frozenset()), lambda _: None)
            time.sleep(3)  # twice as long as the relay bears
            assert opened.read(ReadRequest(frozenset()), lambda _: None) == first
        connects = [one for one in relay.upgrades if "action=connect" in one.target]
        assert len(connects) == 1 + opened_anew


def test_line_that_falls_silent(relay: SimulatedRelay, demo: tuple[DirectoryStand, Directory]) -> None:
    """A line on which nothing comes any more is given up after the time-out."""
    stand, _ = demo
    relay.faults.silent = True
    opened = stand.open(tunnel=through(relay), connect_timeout=1, receive_timeout=1)
    assert "did not complete the TLS handshake" in failure(opened)


def test_host_that_the_customer_cannot_reach(
    relay: SimulatedRelay,
    relay_listening: Listening,
    directory_demo: tuple[DirectoryStand, Directory],
    directory_closed_port: Address,
) -> None:
    """A connection that is closed without a byte says where to look."""
    stand, _ = directory_demo
    with relay_listening(place(directory_closed_port)):
        assert "its endpoint can be reached" in failure(stand.open(tunnel=through(relay)))


@pytest.mark.parametrize(
    ("listen", "expected"),
    [(node_listening, "closed at the customer's end"), (manager_listening, "was silent for 1 seconds")],
)
def test_domain_controller_that_hangs_up(
    relay: SimulatedRelay,
    directory_demo: tuple[DirectoryStand, Directory],
    listen: Callable[[SimulatedRelay, str], contextlib.AbstractContextManager[object]],
    expected: str,
) -> None:
    """hyco-ws tells of it; the Hybrid Connection Manager does not, and the silence is noticed."""
    stand, server = directory_demo
    server.faults.die_after = 3
    with listen(relay, place(stand.ldaps)):
        assert expected in failure(stand.open(tunnel=through(relay), receive_timeout=1))


def test_relay_that_cannot_be_reached(
    relay: SimulatedRelay,
    demo: tuple[DirectoryStand, Directory],
    directory_closed_port: Address,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No answer, and a relay that is not who it should be, which never sees the token."""
    stand, _ = demo
    nowhere = RelayConfig(place(directory_closed_port), {SERVER: CONNECTION}, Given("token"))
    assert "does not answer (Connection refused)" in failure(stand.open(tunnel=Tunnel(nowhere)))
    monkeypatch.setenv("SSL_CERT_FILE", str(stand.ca_path))
    relay.upgrades.clear()
    assert f"the certificate of the relay {relay.host} was refused" in refusal(
        stand.open(tunnel=through(relay))
    )
    assert relay.upgrades == []


def test_redirection_is_not_followed(relay: SimulatedRelay, demo: tuple[DirectoryStand, Directory]) -> None:
    """The token is not sent to where an answer points."""
    stand, _ = demo
    with SimulatedRelay() as elsewhere:
        relay.faults.refuse = (307, "Temporary Redirect")
        relay.faults.headers["Location"] = f"wss://{elsewhere.host}/"
        assert "no relay answers (HTTP 307)" in refusal(stand.open(tunnel=through(relay)))
        assert elsewhere.upgrades == []
