"""The story of a customer behind a firewall: the first sync through Azure Relay, to a real domain controller.

It is told twice. Through the functions, what stands at the customer's is a likeness of the Hybrid Connection
Manager, and the app's identity opens the relay; through the command line it is Microsoft's own listener
library, and a key does. TLS goes through both, and is checked against the domain controller's own name.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from devstack.halo import SimulatedHalo
from devstack.identity import SimulatedIdentity
from devstack.relay import Faults, SimulatedRelay, node_listener_missing
from devstack.samba import SambaDomain
from tests.story.conftest import story_settings
from tests.story.people import HEADCOUNT, somebody
from tests.story.stage import Stage, customer_file, set_stage
from tests.story.telling import ByCommandLine, ByFunctions, CommandLine, Summary, Telling
from tests.support.relay import CONNECTION, Listening, manager_listening, node_listening

pytestmark = [pytest.mark.samba, pytest.mark.azurite, pytest.mark.worker]


@dataclass
class Relayed:
    """A stage whose domain controller is reached through a relay only."""

    stage: Stage
    relay: SimulatedRelay
    command_line: CommandLine
    file: Mapping[str, Any]
    listening: Listening
    endpoint: str
    _listener: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def listen(self) -> None:
        """Start the program at the customer's; the connection's keys stay."""
        self._listener.enter_context(self.listening(self.endpoint))

    def fall_silent(self) -> None:
        """End it."""
        self._listener.close()

    def apply(self, **changes: Any) -> None:
        """Keep the customer file, with some keys of its directory changed."""
        directory = {**self.file["directories"][0], **changes}
        applied = self.command_line.apply({**self.file, "directories": [directory]})
        assert applied.returncode == 0, applied.stderr


@pytest.fixture(scope="module")
def relay() -> Iterator[SimulatedRelay]:
    """The relay of both tellings."""
    with SimulatedRelay() as running:
        yield running


@pytest.fixture(scope="module", params=["functions", "command_line"])
def relayed(
    request: pytest.FixtureRequest,
    relay: SimulatedRelay,
    domain: SambaDomain,
    storage: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Relayed]:
    """One telling's stage, with its listener listening."""
    by_functions = request.param == "functions"
    if not by_functions and (missing := node_listener_missing()):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    folder = tmp_path_factory.mktemp("relayed")
    with SimulatedHalo() as halo, SimulatedIdentity() as identity, contextlib.ExitStack() as stack:
        settings = {**story_settings(storage, halo), "SSL_CERT_FILE": str(relay.ca_path)}
        connection = f"{CONNECTION}-{request.param.replace('_', '-')}"
        way: dict[str, Any] = {"namespace": relay.host, "connection": connection}
        endpoint = f"{domain.host}:{domain.port}"
        relay.add_connection(connection, endpoint)
        if by_functions:
            relay.grant(identity.client_id, connection)
            settings |= {**identity.environment, "AZURE_CLIENT_ID": identity.client_id}
        else:
            way["sas"] = {"rule": "send", "key": {"secret": "story-relay"}}
            settings["SECRET_STORY_RELAY"] = relay.connections[connection].rules["send"].key
        command_line = CommandLine(folder, settings)
        telling = _telling(by_functions, folder, command_line)
        stack.callback(telling.close)
        stage = set_stage(domain, halo, telling, "rf" if by_functions else "rc")
        file = customer_file(domain, halo, telling.customer, stage.people_ou)
        # Whoever a broken read left out would be deactivated in the same run.
        file |= {"policy": "full", "leavers": {"missing_runs": 1}}
        file["directories"][0] |= {"servers": [f"{domain.hostname}:636"], "connect": {"relay": way}}
        relayed = Relayed(
            stage, relay, command_line, file, _listening(by_functions, relay, connection), endpoint
        )
        stack.callback(relayed.fall_silent)
        relayed.listen()
        relayed.apply()
        yield relayed


def _telling(by_functions: bool, folder: Path, command_line: CommandLine) -> Telling:
    if by_functions:
        telling: Telling = ByFunctions(folder, command_line.settings)
        telling.customer = "relayed-by-functions"
        return telling
    telling = ByCommandLine(command_line)
    telling.customer = "relayed-by-command-line"
    return telling


def _listening(by_functions: bool, relay: SimulatedRelay, connection: str) -> Listening:
    def listen(endpoint: str) -> AbstractContextManager[object]:
        if by_functions:
            return manager_listening(relay, endpoint, connection)
        return node_listening(relay, endpoint, connection)

    return listen


@pytest.fixture
def faults(relayed: Relayed) -> Iterator[Faults]:
    """The relay's faults, gone when the test is over."""
    yield relayed.relay.faults
    vars(relayed.relay.faults).update(vars(Faults()))


def failed(relayed: Relayed) -> str:
    """Run, which must fail and leave Halo exactly as it was; return the reason."""
    halo = relayed.stage.halo
    before = {user: dict(record) for user, record in halo.users.items()}
    halo.forget_requests()
    summary = relayed.stage.telling.failing_sync()
    assert summary["status"] == "failed"
    assert not any(summary["counts"].values())
    assert relayed.stage.writes() == []
    assert halo.users == before
    return str(summary["message"])


def changed(summary: Summary) -> dict[str, int]:
    """Return whom something happened to, by what."""
    return {
        name: number
        for name, number in summary["counts"].items()
        if number and name not in {"unchanged", "skipped"}
    }


def test_01_the_check_says_how_it_goes(relayed: Relayed) -> None:
    """The directory answers through the relay."""
    done = relayed.command_line.run("check", relayed.stage.telling.customer)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"directory corp answers through the relay {relayed.relay.host}" in done.stdout


def test_02_the_first_sync_brings_everybody(relayed: Relayed) -> None:
    """300 people arrive exactly once, right in every field."""
    summary = relayed.stage.telling.sync()
    assert (summary["status"], changed(summary)) == ("ok", {"create": HEADCOUNT})
    relayed.stage.check_halo()


def test_03_later_runs_see_what_changed(relayed: Relayed) -> None:
    """Nothing at first, then one who is new."""
    assert changed(relayed.stage.telling.sync()) == {}
    relayed.stage.add(somebody(relayed.stage.prefix, 301, "Leeds"))
    assert changed(relayed.stage.telling.sync()) == {"create": 1}
    relayed.stage.check_halo()


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        (401, "ExpiredToken", "does not accept the app's token (HTTP 401)"),
        (403, "Unauthorized access", "does not let the app send (HTTP 403)"),
        (404, "Endpoint does not exist", "is not there, or nobody listens to it (HTTP 404)"),
        (503, "Server busy", "cannot serve now (HTTP 503)"),
    ],
)
def test_04_a_relay_that_refuses(
    relayed: Relayed, faults: Faults, status: int, reason: str, expected: str
) -> None:
    """The run fails with the reason, and nobody is deactivated."""
    faults.refuse = (status, reason)
    assert expected in failed(relayed)


def test_05_nobody_listens(relayed: Relayed) -> None:
    """Without the customer's program the run fails and says that it is the customer's move."""
    relayed.fall_silent()
    try:
        assert "The customer has to start the Hybrid Connection Manager" in failed(relayed)
    finally:
        relayed.listen()


@pytest.mark.parametrize("limit", [1_000, 60_000])
def test_06_the_line_breaks_off(relayed: Relayed, faults: Faults, limit: int) -> None:
    """In the handshake or in the middle of a page: half a read counts for nobody's absence."""
    faults.cut_after = limit
    assert "broke off" in failed(relayed)


def test_07_the_token_expires_in_the_middle(relayed: Relayed, faults: Faults) -> None:
    """The same when the relay ends what was open."""
    faults.expire_after = 60_000
    assert "the app's token expired" in failed(relayed)


def test_08_the_relay_drops_an_idle_line(relayed: Relayed, faults: Faults) -> None:
    """The same when answers stop and the relay takes the line for abandoned."""
    faults.silent, faults.idle_seconds = True, 1
    assert "broke off" in failed(relayed)


@pytest.mark.parametrize("wrong", ["name", "authority"])
def test_09_somebody_else_answers(relayed: Relayed, wrong: str) -> None:
    """A domain controller of another name, or with another authority's certificate, is sent no password."""
    if wrong == "name":
        relayed.apply(servers=["dc02.corp.example:636"])
    else:
        relayed.apply(ca_file=str(relayed.relay.ca_path))
    try:
        assert "its certificate was refused for the name" in failed(relayed)
    finally:
        relayed.apply()


def test_10_afterwards_all_is_as_it_was(relayed: Relayed) -> None:
    """The next run reads everybody again and has nothing to do."""
    relayed.stage.halo.forget_requests()
    summary = relayed.stage.telling.sync()
    assert (summary["status"], changed(summary)) == ("ok", {})
    assert relayed.stage.writes() == []
    relayed.stage.check_halo()
