"""A small company's directory, a simulated Halo and a table: what the use cases of the sync are tried on.

Everything is put together by the product's own `Builder`. A fuse may kill the worker at any step, as pulling
the plug does: nothing it would have done afterwards happens, no clean-up either.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from devstack.directory import Directory
from devstack.directory.edits import escape_rdn
from devstack.halo import SimulatedHalo
from devstack.halo.messages import LoggedRequest
from devstack.memory import MemoryRequests
from halo_adsync.bootstrap import Builder
from halo_adsync.customer import Customer
from halo_adsync.customer_file import parse, plain
from halo_adsync.errors import StateUnavailable
from halo_adsync.model import CustomerId, Meter, RunId
from halo_adsync.services import Progress, Pulse, Services, silent
from halo_adsync.settings import Settings
from halo_adsync.state.customer_state import CustomerState
from halo_adsync.state.queue import Request
from halo_adsync.state.rows import to_json
from halo_adsync.state.runs import Run
from halo_adsync.state.store import Store
from halo_adsync.state.table import Operation, Row
from halo_adsync.sync import Sync
from tests.contract.halo_desk import Time
from tests.contract.storage import AnyTable

DOMAIN = "DC=corp,DC=example"
PEOPLE = f"OU=People,{DOMAIN}"
PASSWORD = "Gr4ve-Secret!"
CUSTOMER = CustomerId("contoso")
OFFICES = {"Leeds": 6, "York": 5, "Köln, Söhne & Co 🦊": 2}
"""How many people work where. Every office is a site."""
HEADCOUNT = sum(OFFICES.values())
BATCH = 5
OUT_OF_REACH = "Table Storage could not be reached."

FILE = """
id: contoso
name: Contoso Ltd
halo:
  url: {halo.url}
  client_id: {halo.client_id}
  client_secret: {{ secret: halo }}
  batch_size: 5
directories:
  - id: corp
    servers: ["{server}"]
    ca_file: {directory.ca_path}
    bind: {{ user: svc-halo@corp.example, password: {{ secret: ad }} }}
scope: {{ include: ["{include}"] }}
placement:
  client: {{ name: Contoso Ltd }}
  rules: [{{ mirror: "{people}", site_level: 1 }}]
"""


class Died(BaseException):
    """The worker is dead."""


@dataclass
class Fuse:
    """Kills the worker before its step number `at`; a step is a write to the table or a request to Halo."""

    at: int | None = None
    steps: int = 0

    def step(self) -> None:
        """Count a step, or die."""
        if self.at is not None and self.steps >= self.at:
            raise Died
        self.steps += 1


@dataclass
class Outage:
    """Storage that cannot be reached from its transaction number `first` on, for so many of them."""

    first: int
    count: float = 1
    unheard: bool = False
    """Whether what is asked of it is done all the same, and only the answer is lost."""
    met: int = 0

    def strikes(self) -> bool:
        """Count a transaction, and tell whether it fails."""
        self.met += 1
        return self.is_on()

    def is_on(self) -> bool:
        """Tell whether storage is out of reach now."""
        return self.first < self.met <= self.first + self.count


@dataclass
class FusedTable:
    """A table that a dead worker cannot reach, and a living one not always."""

    inner: AnyTable
    fuse: Fuse
    outage: Outage

    def get(self, partition: str, key: str) -> Row | None:
        """Return one row, or None."""
        self._reach()
        return self.inner.get(partition, key)

    def query(
        self, partition: str, low: str, high: str, select: Sequence[str] = (), limit: int | None = None
    ) -> Iterator[Row]:
        """Yield rows."""
        self._reach()
        return self.inner.query(partition, low, high, select, limit)

    def find(self, partition: str, low: str, high: str, name: str, numbers: Collection[int]) -> Iterator[Row]:
        """Yield the keys of rows that hold one of these numbers."""
        self._reach()
        return self.inner.find(partition, low, high, name, numbers)

    def transact(self, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        """Do it, alive."""
        self.fuse.step()
        failing = self.outage.strikes()
        if failing and not self.outage.unheard:
            raise StateUnavailable(OUT_OF_REACH)
        etags = self.inner.transact(partition, operations)
        if failing:
            raise StateUnavailable(OUT_OF_REACH)
        return etags

    def _reach(self) -> None:
        if self.outage.is_on() and self.outage.count > 1:
            raise StateUnavailable(OUT_OF_REACH)


class StageBuilder(Builder):
    """The product's builder on a table and a queue of ours."""

    def __init__(self, table: AnyTable, time: Time, environment: dict[str, str]) -> None:
        super().__init__(Settings(environment=environment), now=time.clock, sleep=time.sleep)
        self.table, self.time = table, time
        self.queue = MemoryRequests()
        self.fuse = Fuse()
        self.outage = Outage(0, 0)

    def store(self, meter: Meter | None = None) -> Store:
        """Return the store, behind the fuse."""
        table = FusedTable(self.table.with_meter(meter or Meter()), self.fuse, self.outage)
        return Store(table, self.time.clock)

    def requests(self) -> Any:
        """Return the queue."""
        return self.queue

    def services(self, progress: Progress = silent) -> Services:
        """Return the services, with Halo behind the fuse."""

        def open_halo(customer: Customer, meter: Meter, pulse: Pulse) -> Any:
            def fused() -> None:
                self.fuse.step()
                pulse()

            return self.halo(customer, meter, fused)

        return replace(super().services(progress), open_halo=open_halo)


@dataclass
class Stage:
    """Everything that one customer's sync needs."""

    directory: Directory
    halo: SimulatedHalo
    table: AnyTable
    time: Time = field(default_factory=Time)

    def __post_init__(self) -> None:
        self.client = self.halo.add_client("Contoso Ltd")
        self.environment = {"SECRET_AD": PASSWORD, "SECRET_HALO": self.halo.client_secret}
        self.builder = StageBuilder(self.table, self.time, self.environment)
        self.keep()

    def keep(self, *, server: str = "", include: str = PEOPLE) -> None:
        """Keep the customer's file, with what is given here in place of what is right."""
        text = FILE.format(
            halo=self.halo,
            directory=self.directory,
            server=server or f"localhost:{self.directory.ldaps_port}",
            include=include,
            people=PEOPLE,
        )
        self.builder.store().put_customer(parse(text))

    @property
    def queue(self) -> MemoryRequests:
        """The queue."""
        return self.builder.queue

    @property
    def state(self) -> CustomerState:
        """The customer's state, looked at from outside."""
        return Store(self.table, self.time.clock).of(CUSTOMER)

    def sync(self, progress: Progress = silent) -> Sync:
        """Return the use cases."""
        return self.builder.sync(progress)

    def request(self, *, dry_run: bool = False, mode: str = "full", person: str = "") -> Request:
        """Record a run."""
        return self.sync().new_run(CUSTOMER, mode, "test", "tester", dry_run=dry_run, person=person)

    def run(self, *, dry_run: bool = False, mode: str = "full") -> Run:
        """Do a run from its request to its end."""
        return self.sync().run(self.request(dry_run=dry_run, mode=mode))

    def kill_at(self, step: int | None) -> None:
        """Let the next worker die before that step; None lets it live."""
        self.builder.fuse = Fuse(step)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.time.now += timedelta(seconds=seconds)

    def writes(self) -> list[LoggedRequest]:
        """Return the requests that changed something in Halo, or tried to."""
        return [r for r in self.halo.requests if r.method != "GET" and "/api/" in r.path.lower()]

    def check_everybody_is_there_once(self) -> None:
        """Assert that Halo, links and directory agree on everybody, and that no site is there twice."""
        sites = {site["id"]: site["name"] for site in self.halo.sites.values()}
        there = sorted((user["login"], user["name"], sites[user["site_id"]]) for user in self.halo.people)
        assert there == sorted((f"CORP\\{account}", name, office) for account, name, office in crew())
        assert sorted(sites.values()) == sorted(["Main", *OFFICES])
        ids = {user["third_party_guid"]: user["id"] for user in self.halo.people}
        links = self.state.links()
        assert {guid: link.user for guid, link in links.items()} == ids
        assert self.halo.violations == []

    def rows(self) -> dict[str, Row]:
        """Return all rows of the customer."""
        return {row.key: row for row in self.table.query(CUSTOMER, "!", "~")}


def crew() -> Iterator[tuple[str, str, str]]:
    """Yield account, name and office of everybody who is to be in Halo."""
    number = 0
    for office, count in OFFICES.items():
        for _ in range(count):
            number += 1
            yield f"p{number:02}", f'Zoë "{number}" O\'Neil 🦊', office


@contextmanager
def company() -> Iterator[Directory]:
    """Serve the directory, with somebody who has left, too."""
    person = {"objectClass": ["top", "domain", "domainDNS"], "dc": "corp"}
    users = {"objectClass": ["top", "container"], "cn": "Users"}
    with Directory([(DOMAIN, person), (f"CN=Users,{DOMAIN}", users)]) as directory:
        directory.add_user("svc-halo", f"CN=Users,{DOMAIN}", sAMAccountName="svc-halo", userPassword=PASSWORD)
        directory.add_ou("People")
        for office in OFFICES:
            directory.add_ou(office, PEOPLE)
        for account, name, office in crew():
            parent = f"OU={escape_rdn(office)},{PEOPLE}"
            directory.add_user(name, parent, sAMAccountName=account, mail=f"{account}@corp.example")
        gone = directory.add_user("Gone", PEOPLE, sAMAccountName="gone")
        directory.disable(gone)
        yield directory


def rules(stage: Stage, **blocks: object) -> None:
    """Change blocks of the customer's file."""
    store = stage.builder.store()
    store.put_customer(parse(to_json({**plain(store.customer(CUSTOMER)), **blocks})))


def dn(number: int) -> str:
    """Return where the person of this number stands."""
    _, name, office = list(crew())[number - 1]
    return f"CN={escape_rdn(name)},OU={escape_rdn(office)},{PEOPLE}"


def go(stage: Stage, *, dry_run: bool = False, mode: str = "full") -> Run:
    """Do a run, a second after the last one: runs sort by the second."""
    stage.wait(1)
    return stage.run(dry_run=dry_run, mode=mode)


@pytest.fixture
def directory() -> Iterator[Directory]:
    """The company's directory, which each test changes as it likes."""
    with company() as running:
        yield running


@pytest.fixture
def stage(storage_table: AnyTable, directory: Directory) -> Iterator[Stage]:
    """A customer of whom nobody is in Halo yet, on either kind of table."""
    time = Time()
    with SimulatedHalo(clock=time.seconds) as halo:
        yield Stage(directory, halo, storage_table, time)


def last_run(stage: Stage) -> Run:
    """Return the newest run."""
    (run,) = stage.state.runs(1)
    return run


def delivered(request: Request) -> Request:
    """Return what a message that says only who and which run amounts to."""
    return Request(request.customer, RunId(request.run))
