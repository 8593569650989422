"""Security: a run for one customer reads and writes that customer's rows, secrets and users, no other's."""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import azure.functions as func
import pytest
from azure.functions.queue import QueueMessage
from typer.testing import CliRunner

from devstack.directory import Directory
from devstack.halo import SimulatedHalo
from devstack.memory import MemoryTable
from functions import api, audit, customers, leavers, people
from functions import sync as queue_trigger
from functions.access import ROUTES
from halo_adsync import bootstrap
from halo_adsync.cli import cli
from halo_adsync.customer_file import parse, plain
from halo_adsync.deciding import decide
from halo_adsync.errors import ConfigurationError
from halo_adsync.model import CustomerId, HaloUserId, Meter
from halo_adsync.secrets import EnvironmentSecrets
from halo_adsync.state.queue import parse_request
from halo_adsync.state.rows import to_json
from halo_adsync.state.runs import Run, Status
from halo_adsync.state.store import CUSTOMERS
from halo_adsync.state.table import Operation, Row
from tests.contract.halo_desk import Time
from tests.contract.sync_stage import CUSTOMER, HEADCOUNT, PEOPLE, Stage, StageBuilder, company, go
from tests.support.triggers import CONTEXT, http

OTHER = CustomerId("fabrikam")
THEIRS = "Fabrikam Ltd"
NO_TEXT = "\udc80"
"""What the command line makes of a byte that is no UTF-8."""
HOSTILE = (
    "../fabrikam",
    "..%2Ffabrikam",
    "contoso|fabrikam",
    "contoso' or '1' eq '1",
    "$customers",
    "$budgets",
    "CONTOSO",
    "c\u043entoso",  # a Cyrillic o
    "contoso\u200b",
    "contoso ",
    "contoso\x00",
    "contoso/fabrikam",
    "contoso\\..\\fabrikam",
    "contoso#1",
    "contoso?x=1",
    "contoso~002Ffabrikam",
    NO_TEXT,
    "*",
    "",
    "c" * 5000,
)
"""What is no customer's id, though it may come to look like one."""


TRIGGERS = (api, audit, customers, leavers, people)
BODIES = {
    "approve_run": b'{"digest": "d"}',
    "link_person": b'{"user": 1}',
    "preview_expression": b'{"expression": "cn"}',
}
"""What routes take that take more than an empty object."""


@dataclass
class WatchedTable:
    """A table that remembers which partitions were reached."""

    inner: MemoryTable
    reached: set[tuple[str, str]] = field(default_factory=set)

    def with_meter(self, meter: Meter) -> "WatchedTable":
        """Return the same table, counting on another meter."""
        return WatchedTable(self.inner.with_meter(meter), self.reached)

    def get(self, partition: str, key: str) -> Row | None:
        """Return one row, or None."""
        self.reached.add((partition, key))
        return self.inner.get(partition, key)

    def query(
        self, partition: str, low: str, high: str, select: Sequence[str] = (), limit: int | None = None
    ) -> Iterator[Row]:
        """Yield rows."""
        self.reached.add((partition, low))
        return self.inner.query(partition, low, high, select, limit)

    def find(self, partition: str, low: str, high: str, name: str, numbers: Collection[int]) -> Iterator[Row]:
        """Yield the keys of rows that hold one of these numbers."""
        self.reached.add((partition, low))
        return self.inner.find(partition, low, high, name, numbers)

    def transact(self, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        """Do it."""
        self.reached |= {(partition, operation.row.key) for operation in operations}
        return self.inner.transact(partition, operations)


class WatchedSecrets(EnvironmentSecrets):
    """Secrets that remember which were asked for."""

    def __init__(self, environment: dict[str, str]) -> None:
        super().__init__(environment)
        self.asked: set[str] = set()

    def get(self, name: str) -> str:
        """Return a secret's value."""
        self.asked.add(name)
        return super().get(name)


class WatchedBuilder(StageBuilder):
    """The product's builder, with what it reaches for being watched."""

    def __init__(self, table: WatchedTable, time: Time, environment: dict[str, str]) -> None:
        super().__init__(table, time, environment)  # type: ignore[arg-type]  # a table like any other
        self.watched = WatchedSecrets(environment)

    def secrets(self) -> WatchedSecrets:
        """Return the secrets."""
        return self.watched


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    """A directory of people who have namesakes at the other customer."""
    with company() as running:
        yield running


@dataclass
class Two:
    """Two customers of one app, on one Halo, whose people go by the same logins and addresses."""

    stage: Stage
    table: WatchedTable
    builder: WatchedBuilder
    theirs: int
    """The other customer's client."""

    def forget(self) -> None:
        """Forget what was reached so far."""
        self.table.reached.clear()
        self.builder.watched.asked.clear()

    def rows_of(self, customer: str) -> list[Row]:
        """Return the rows of a customer."""
        return [row for (partition, _), row in self.table.inner.rows.items() if partition == customer]

    def their_users(self) -> list[dict[str, Any]]:
        """Return the other customer's users as they stand in Halo."""
        sites = {site["id"] for site in self.stage.halo.sites.values() if site["client_id"] == self.theirs}
        return [dict(user) for user in self.stage.halo.people if user["site_id"] in sites]

    def run(self, customer: CustomerId, mode: str = "full") -> Run:
        """Do a run for a customer."""
        self.stage.wait(1)
        return self.builder.sync().run(self.builder.sync().new_run(customer, mode, "test", "tester"))


@pytest.fixture
def two(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Two]:
    """Both customers, of whom the other one is in Halo already."""
    time = Time()
    with SimulatedHalo(clock=time.seconds) as halo:
        stage = Stage(directory, halo, MemoryTable(), time)
        table = WatchedTable(stage.table)  # type: ignore[arg-type]  # it is the one in memory
        environment = {
            **stage.environment,
            "SECRET_FABRIKAM_HALO": halo.client_secret,
            "SECRET_FABRIKAM_AD": stage.environment["SECRET_AD"],
        }
        builder = WatchedBuilder(table, time, environment)
        stage.builder = builder
        kept = plain(builder.store().customer(CUSTOMER))
        (block,) = kept["directories"]
        other = {
            **kept,
            "id": OTHER,
            "name": THEIRS,
            "halo": {**kept["halo"], "client_secret": {"secret": "fabrikam-halo"}},
            "directories": [{**block, "bind": {**block["bind"], "password": {"secret": "fabrikam-ad"}}}],
            "placement": {
                "client": {"name": THEIRS},
                "rules": [{"mirror": PEOPLE, "site_level": 1}],
            },
        }
        builder.store().put_customer(parse(to_json(other)))
        two = Two(stage, table, builder, halo.add_client(THEIRS))
        assert two.run(OTHER).status is Status.OK
        assert len(two.their_users()) == HEADCOUNT
        two.forget()
        monkeypatch.setenv("AzureWebJobsStorage", "UseDevelopmentStorage=true")
        monkeypatch.setattr(bootstrap, "Builder", lambda _settings: builder)
        bootstrap.app.cache_clear()
        yield two
        bootstrap.app.cache_clear()


@pytest.mark.parametrize("mode", ["full", "reconcile"])
def test_a_run_stays_with_its_customer(two: Two, mode: str) -> None:
    """First sync and a second run reach the customer's partition, file, secrets and client alone."""
    rows, users = two.rows_of(OTHER), two.their_users()
    assert two.run(CUSTOMER, mode).counts["create"] == HEADCOUNT
    assert two.run(CUSTOMER, mode).counts["unchanged"] == HEADCOUNT
    partitions = {partition for partition, _ in two.table.reached}
    assert partitions == {CUSTOMER, CUSTOMERS, "$budgets"}
    assert {key for partition, key in two.table.reached if partition == CUSTOMERS} == {CUSTOMER}
    assert two.builder.watched.asked == {"halo", "ad"}
    assert two.rows_of(OTHER) == rows
    assert two.their_users() == users


def test_a_user_of_the_other_customer_is_adopted_by_nobody(two: Two) -> None:
    """Not though somebody chose it by hand, so that it was read, and somebody else has the same login."""
    users = two.their_users()
    theirs = HaloUserId(next(user["id"] for user in users if user["login"] == "CORP\\p02"))
    customer = two.builder.store().customer(CUSTOMER)
    decide(two.builder.services(), customer, "p01", "link", actor="eve", user=theirs)
    counts = two.run(CUSTOMER).counts
    assert (counts["conflict"], counts["create"]) == (1, HEADCOUNT - 1)
    assert two.their_users() == users


def test_a_leaver_who_went_to_the_other_customer_is_left_alone(two: Two, directory: Directory) -> None:
    """Somebody was moved in Halo to the other's client by hand: switching them off is refused, and told."""
    assert two.run(CUSTOMER).status is Status.OK
    theirs = two.their_users()
    user = next(u for u in two.stage.halo.people if u["login"] == "CORP\\p03" and u not in theirs)
    user["site_id"] = next(s["id"] for s in two.stage.halo.sites.values() if s["client_id"] == two.theirs)
    user["client_id"] = two.theirs
    gone = two.stage.state.links()[user["third_party_guid"]].dn
    directory.disable(gone)
    try:
        kept = plain(two.builder.store().customer(CUSTOMER))
        two.builder.store().put_customer(parse(to_json({**kept, "policy": "full"})))
        run = go(two.stage)
    finally:
        directory.modify(gone, {"userAccountControl": 512})
    assert (run.status, run.counts["failed"]) == (Status.PARTIAL, 1)
    assert not user["inactive"]
    (line,) = [line for line in two.stage.state.lines(run) if line.status == "failed"]
    assert f"stands in client {two.theirs}" in line.outcome


def test_two_customers_of_one_client_take_nothing_from_each_other(two: Two) -> None:
    """Both files name one client: whoever is marked by the first is a conflict for the second, by login."""
    kept = plain(two.builder.store().customer(CUSTOMER))
    shared = {**kept, "placement": {"client": {"name": THEIRS}, "default_site": "Main"}}
    two.builder.store().put_customer(parse(to_json(shared)))
    users = two.their_users()
    strange = str.maketrans("0123456789abcdef", "f0123456789abcde")
    for user in two.stage.halo.people:  # as if of another forest: same names, other accounts
        user["third_party_guid"] = user["third_party_guid"].translate(strange)
    users = two.their_users()
    run = two.run(CUSTOMER)
    assert (run.counts["conflict"], run.status) == (HEADCOUNT, Status.OK)
    assert two.their_users() == users


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_hostile_id_opens_no_route(two: Two, route: Any) -> None:
    """Whatever stands in the place of a customer, it is refused, and nobody's partition is reached."""
    if "{customer}" not in route.path:
        return
    rows = dict(two.table.inner.rows)
    for hostile in (text for text in HOSTILE if text != NO_TEXT):
        answer = call(route.name, hostile)
        assert answer.status_code in {400, 404}, (hostile, answer.get_body())
        assert THEIRS.encode() not in answer.get_body()
    assert {partition for partition, _ in two.table.reached} <= {CUSTOMERS}
    assert two.table.inner.rows == rows


def call(name: str, customer: str, run: str = "", key: str = "p01") -> func.HttpResponse:
    """Call a route by its function's name."""
    (function,) = [vars(module)[name] for module in TRIGGERS if name in vars(module)]
    return http(function, BODIES.get(name, b"{}"), None, customer=customer, run=run, key=key)


@pytest.mark.parametrize("name", ["show_run", "show_plan", "approve_run", "reject_run"])
def test_the_other_customers_run_is_not_found(two: Two, name: str) -> None:
    """A run's id opens it for its own customer only; what is no id opens nothing."""
    (theirs,) = two.builder.store().of(OTHER).runs(1)
    two.forget()
    for run in (theirs.id, f"../{OTHER}/{theirs.id}", f"run|{theirs.id}", "*", "", f"{theirs.id}~"):
        assert call(name, CUSTOMER, run).status_code == 404
    assert OTHER not in {partition for partition, _ in two.table.reached}


@pytest.mark.parametrize("hostile", [text for text in HOSTILE if text and "\x00" not in text])
def test_a_hostile_id_opens_no_command(two: Two, hostile: str) -> None:
    """Nor on the command line: exit status 2, and nobody's partition is reached."""
    for command in ("sync", "runs", "customer remove", "audit", "check"):
        result = CliRunner().invoke(cli, [*command.split(), "--", hostile])
        assert result.exit_code == 2, command
        assert THEIRS not in result.output
    assert {partition for partition, _ in two.table.reached} <= {CUSTOMERS}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_id_opens_no_message_and_no_file(two: Two, hostile: str) -> None:
    """A message that names it is refused, by the worker and as poison; so is a customer file."""
    text = json.dumps({"customer": hostile, "run": "20260101T000000Z-00000000"})
    with pytest.raises(ConfigurationError):
        parse_request(text)
    message = QueueMessage(id="1", body=text.encode())  # type: ignore[no-untyped-call]  # the worker's own
    with pytest.raises(ConfigurationError):
        queue_trigger.run_slice(message, CONTEXT)
    queue_trigger.settle_poison(message)
    with pytest.raises(ConfigurationError):
        parse(to_json({**plain(two.builder.store().customer(CUSTOMER)), "id": hostile}))
    assert {key for _, key in two.table.reached} == {CUSTOMER}


def test_a_message_for_nobody_makes_no_rows(two: Two) -> None:
    """A well-formed id of no customer: no partition of that name comes about."""
    text = json.dumps({"customer": "nobody", "run": "20260101T000000Z-00000000"})
    message = QueueMessage(id="1", body=text.encode())  # type: ignore[no-untyped-call]  # as above
    with pytest.raises(ConfigurationError):
        queue_trigger.run_slice(message, CONTEXT)
    queue_trigger.settle_poison(message)
    assert two.rows_of("nobody") == []
