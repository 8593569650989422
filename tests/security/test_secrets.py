"""Security: no secret comes out in what is said or kept, whatever goes wrong and whoever repeats it."""

import base64
import re
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from azure.core.pipeline.transport import HttpTransport

from devstack.directory import protocol
from devstack.entra import SimulatedEntra
from halo_adsync import planning
from halo_adsync.bootstrap import Builder
from halo_adsync.directory.config import DirectoryConfig
from halo_adsync.entra.config import EntraConfig
from halo_adsync.entra.graph import EntraTenant
from halo_adsync.errors import HaloAdSyncError, StateUnavailable
from halo_adsync.halo import transport
from halo_adsync.halo.transport import Message, Reply
from halo_adsync.model import Meter
from halo_adsync.plan.templates import Expression
from halo_adsync.settings import Settings
from tests.contract.sync_stage import CUSTOMER, Stage, rules
from tests.security.conftest import CANARIES, CORES, check_no_secret, lines_of
from tests.security.dragnet import Dragnet
from tests.security.parrot import SHAPES, Echo, Parrot

POINTS = (
    ("POST /auth/token", 401),
    ("GET /api/client", 403),
    ("GET /api/users", 500),
    ("POST /api/site", 400),
    ("POST /api/users", 400),
    ("POST /api/users", 403),
)
"""Where Halo repeats what it was told, and with which status."""


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("point", "status"), POINTS)
def test_what_halo_repeats_is_struck_out(
    net: Dragnet, parrot: Parrot, point: str, status: int, shape: str
) -> None:
    """Client secret, token and header come back in an answer, and go no further."""
    method, path = point.split()
    in_success = shape in {"a word of warning", "a complaint"}
    parrot.echo = Echo(method, path, shape, 201 if in_success else status)
    net.call("sync", CUSTOMER, "--json")
    if method == "GET":
        net.call("check")
        net.call("halo", "probe", CUSTOMER)
    assert parrot.echoed
    check_no_secret(net.text)


def test_the_dragnet_would_find_a_secret(
    net: Dragnet, parrot: Parrot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the striking out it does, in what is printed and in what is kept."""
    monkeypatch.setattr("halo_adsync.halo.hiding.Hiding.strike", lambda _self, text: text)
    parrot.echo = Echo("POST", "/api/site", "description", 400)
    printed = net.call("sync", CUSTOMER, "--json")
    rows = "".join(map(repr, net.stage.table.rows.values()))  # type: ignore[union-attr]
    assert all(core in printed + rows for core in ("CNRYheader", "CNRYtoken"))


def test_a_good_day_gives_nothing_away(net: Dragnet) -> None:
    """Nor does any command or route, when all is well."""
    text = net.draw()
    assert '"create": 13' in text
    check_no_secret(text)


def refuse_bind(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, code: int = protocol.INVALID_CREDENTIALS
) -> None:
    """The domain controller refuses the account, and repeats its password."""
    refusal = protocol.OperationError(code, f"data 52e {CANARIES['ad']}")
    monkeypatch.setattr("devstack.directory.signin.refused", lambda _data: refusal)
    stage.environment["SECRET_AD"] = CANARIES["ad"] + "!"


def refuse_bind_oddly(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does so with a code that nobody knows."""
    refuse_bind(stage, monkeypatch, protocol.UNWILLING_TO_PERFORM)


def distrust_directory(stage: Stage, _monkeypatch: pytest.MonkeyPatch) -> None:
    """The domain controller's certificate is of an authority that nobody knows."""
    block = stage.builder.store().customer(CUSTOMER).directories[0]
    rules(stage, directories=[block.model_dump(mode="json", exclude_none=True) | {"ca_file": None}])


def close_directory(stage: Stage, _monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens at the domain controller's port."""
    block = stage.builder.store().customer(CUSTOMER).directories[0]
    rules(stage, directories=[block.model_dump(mode="json", exclude_none=True) | {"servers": [closed()]}])


def close_halo(stage: Stage, _monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens at Halo's port."""
    block = stage.builder.store().customer(CUSTOMER).halo.model_dump(mode="json", exclude_none=True)
    rules(stage, halo=block | {"url": f"http://{closed()}", "auth_url": f"http://{closed()}/auth"})


def hang_halo(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Halo takes requests, and answers none of them in time."""
    monkeypatch.setattr(transport, "TIME_OUTS", (1.0, 0.02))
    stage.halo.faults.add("delay", seconds=0.1, times=None)


def break_halo(stage: Stage, _monkeypatch: pytest.MonkeyPatch) -> None:
    """Halo's answers break off in the middle."""
    stage.halo.faults.add("malformed", times=None)


def crash(_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of ours ends the run in the middle of planning."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(planning, "make_plan", fail)


def lose_secrets(stage: Stage, _monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret has no value."""
    del stage.environment["SECRET_HEADER"]


def spoil_header(stage: Stage, _monkeypatch: pytest.MonkeyPatch) -> None:
    """A header's value cannot be sent."""
    stage.environment["SECRET_HEADER"] = f"{CANARIES['header']}\r\n"


FAULTS = (
    refuse_bind,
    refuse_bind_oddly,
    distrust_directory,
    close_directory,
    close_halo,
    hang_halo,
    break_halo,
    crash,
    lose_secrets,
    spoil_header,
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_no_fault_gives_a_secret_away(
    net: Dragnet, monkeypatch: pytest.MonkeyPatch, fault: Callable[[Stage, pytest.MonkeyPatch], None]
) -> None:
    """Commands and routes fail with sentences that hold none."""
    fault(net.stage, monkeypatch)
    check_no_secret(net.draw())


def test_entras_key_stays_inside(net: Dragnet, entra: SimulatedEntra) -> None:
    """Whatever Entra answers, and whatever is wrong with the key itself."""
    net.stage.environment["SECRET_ENTRA"] = entra.pem
    block = {"tenant": entra.tenant, "client_id": entra.client_id, "certificate": {"secret": "entra"}}
    rules(net.stage, login={"entra": block | {"login_url": entra.url, "graph_url": entra.url}})
    net.call("sync", CUSTOMER, "--json")
    entra.faults.sign_in = {"error": "invalid_client", "error_description": lines_of(entra.pem)[0]}
    net.call("sync", CUSTOMER, "--json")
    like_a_name = re.sub(r"[^A-Za-z0-9]", "", lines_of(entra.pem)[1])
    entra.faults.sign_in = {"error": like_a_name}
    net.call("sync", CUSTOMER, "--json")
    net.stage.environment["SECRET_ENTRA"] = entra.pem.replace("PRIVATE KEY", "SECRET KEY")
    net.call("sync", CUSTOMER, "--json")
    check_no_secret(net.text, like_a_name, *lines_of(entra.pem), *entra._tokens)


def test_no_template_is_given_a_secret(net: Dragnet, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that a template can name is what the directory says of a person, and what the file says to all."""
    given: list[str] = []
    evaluate = Expression.__call__

    def spied(self: Expression, values: Any, *shared: Any) -> str:
        given.append(repr((values, shared)))
        return evaluate(self, values, *shared)

    monkeypatch.setattr(Expression, "__call__", spied)
    net.call("sync", CUSTOMER, "--json")
    assert any("corp.example" in text for text in given)
    check_no_secret("\n".join(given))


def test_the_storage_key_stays_inside(net: Dragnet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens where the state is kept: the error names the place, and not the key to it."""
    monkeypatch.setattr(HttpTransport, "sleep", lambda *_: None)  # between the SDK's own attempts
    key = base64.b64encode(b"CNRYstorage" * 6).decode()
    at = f"http://{closed()}/devstoreaccount1"
    text = f"AccountName=devstoreaccount1;AccountKey={key};TableEndpoint={at};QueueEndpoint={at};"
    builder = Builder(Settings(connection_string=text))
    with pytest.raises(StateUnavailable) as failed:
        builder.store().customer(CUSTOMER)
    net.failed(failed.value)
    with pytest.raises(HaloAdSyncError) as failed_too:
        builder.sync().request(CUSTOMER, "full", "test", "tester")
    net.failed(failed_too.value)
    net.said += [repr(builder), repr(builder.settings), repr(builder.store())]
    check_no_secret(net.text, key)


def test_no_repr_shows_a_secret(net: Dragnet, entra: SimulatedEntra) -> None:
    """Of nothing that holds one: a debugger, a log or an error report may write any of them out."""
    stage, meter = net.stage, Meter()
    customer = stage.builder.store().customer(CUSTOMER)
    halo = stage.builder.halo(customer, meter, lambda: None)
    halo.check()
    directory = stage.builder.directory(customer.directories[0], meter)
    config = EntraConfig("t", "c", entra.pem, entra.url, entra.url)
    secret = CANARIES["halo"]
    holders = [
        stage.builder,
        stage.builder.settings,
        replace(stage.builder.settings, connection_string=secret),
        stage.builder.services(),
        stage.builder.secrets(),
        halo,
        *vars(halo).values(),
        *vars(vars(halo)["_api"]).values(),
        directory,
        *vars(directory).values(),
        DirectoryConfig("corp", ("dc:636",), "svc", secret, ca_certificate=secret),
        config,
        EntraTenant(config, pulse=lambda: None),
        Message("POST", secret, {"q": secret}, {"f": secret}, [secret], secret),
        Reply(200, {"h": secret}, secret.encode()),
    ]
    halo.close()
    check_no_secret("\n".join(f"{holder!r} {holder!s}" for holder in holders), *lines_of(entra.pem))


def test_the_cores_are_in_the_canaries() -> None:
    """What is looked for is what was planted."""
    assert all(value.startswith(CORES) for value in CANARIES.values())


def closed() -> str:
    """Return host and port of an address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
    return f"{host}:{port}"


def test_the_account_signs_in_with_the_canary(net: Dragnet) -> None:
    """The password is really sent, so that it could come out."""
    assert "Leeds" in net.call("tree", CUSTOMER)
