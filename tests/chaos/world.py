"""A company on three days, and what its Halo must hold at the end of each.

What must be there is said here, by hand and independently of the product: the oracle. Everything else is
the product itself on a development directory, a simulated Halo and a table.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from devstack.directory import Directory
from devstack.directory.edits import escape_rdn
from devstack.halo import SimulatedHalo
from devstack.memory import MemoryTable
from halo_adsync.customer import DirectoryBlock
from halo_adsync.directory.ldap import LdapDirectory
from halo_adsync.errors import Busy, StateUnavailable
from halo_adsync.model import Meter
from halo_adsync.services import Progress, Services, silent
from halo_adsync.state.lease import SECONDS as LEASE_SECONDS
from halo_adsync.state.queue import Request
from halo_adsync.state.runs import Run, Status
from halo_adsync.state.table import Operation, Row
from halo_adsync.terminal import exit_status
from tests.contract.halo_desk import Time
from tests.contract.storage import AnyTable
from tests.contract.sync_stage import DOMAIN, PEOPLE, Stage, StageBuilder, company, crew, dn, go, rules

BYSTANDERS = 110
"""Users of the same client that the sync has nothing to do with: they are never written, and fill a page."""
DAY = 25 * 3600.0
"""Longer than any back-off or rest lasts, in seconds."""
FIRST, CHANGES, QUIET = "first sync", "changes", "nothing new"


class Seen(NamedTuple):
    """What of a person can be seen in Halo."""

    login: str
    name: str
    site: str
    title: str
    active: bool


class DayOfCompany(NamedTuple):
    """A day: what stands in the directory, in Halo and in the table before its run, and in Halo after it."""

    name: str
    directory: Directory
    halo: Path
    rows: tuple[Row, ...]
    now: datetime
    expected: frozenset[Seen]
    leavers: frozenset[str]
    """The logins that may be switched off at all."""


@dataclass
class World:
    """One attempt at a day."""

    day: DayOfCompany
    stage: Stage
    contended: bool = False
    """Whether another run may have taken the customer over, which leaves this one to be settled by it."""
    calm: Callable[[], object] = lambda: None
    """Ends what troubles a run, before it is looked at what has come of it."""

    def seen(self) -> frozenset[Seen]:
        """Return what Halo holds of everybody but the bystanders; nobody may be there twice."""
        sites = {site["id"]: str(site["name"]) for site in self.stage.halo.sites.values()}
        people = [
            Seen(
                str(user.get("login", "")),
                user["name"],
                sites[user["site_id"]],
                str(user.get("title") or ""),
                not user["inactive"],
            )
            for user in self.stage.halo.people
            if not user["name"].startswith("Bystander")
        ]
        assert len(people) == len({person.login for person in people}), "somebody is there twice"
        assert len(sites) == len(set(sites.values())), "a site is there twice"
        return frozenset(people)

    def attempt(self, request: Request | None = None) -> str:
        """Do the day's run, and return how it ended, having checked that this is the truth."""
        request = request or self.stage.request()
        before = self.seen(), self._places()
        try:
            run = self.stage.sync().run(request)
        except (StateUnavailable, Busy):  # the queue delivers the message again
            return "given back"
        finally:
            self.calm()
        self.check_honest(run, before)
        return "goes on later" if run.status.is_open else run.status.value

    def check_honest(self, run: Run, before: tuple[frozenset[Seen], int]) -> None:
        """Assert that a run's status, exit status and message say what is the case in Halo."""
        match run.status:
            case Status.OK:
                assert self._unlike() <= self._held(run)
                assert exit_status(run) == 0
            case Status.FAILED:
                assert self.contended or (self.seen(), self._places()) == before
                assert exit_status(run) in {2, 5}
                assert run.message
            case Status.PARTIAL:
                assert exit_status(run) == 4
                assert run.message or run.counts["failed"] or run.others_failed
            case Status.SKIPPED:
                assert exit_status(run) == 6
            case _:
                assert run.status.is_open, run
                assert self.stage.queue.sent or self.contended, "nobody goes on with the run"

    def check_nobody_suffered(self) -> None:
        """Assert that nobody is switched off by mistake, nor written whom the sync leaves alone."""
        off = {person.login for person in self.seen() if not person.active}
        assert off <= self.day.leavers, "somebody was switched off by mistake"
        aside = [user for user in self.stage.halo.people if user["name"].startswith("Bystander")]
        assert len(aside) == BYSTANDERS
        assert not any(user["inactive"] or user.get("third_party_guid") for user in aside)
        assert self.stage.halo.violations == []

    def recover(self, request: Request | None = None) -> None:
        """Assert that, with everything in order again, all ends as the oracle says, and stays so.

        The message is delivered again, as the queue does; the next day's run does what is left.
        """
        self.check_nobody_suffered()
        self.stage.halo.faults.clear()
        outcome = ""
        if request is not None:
            self.stage.wait(LEASE_SECONDS)
            outcome = self.attempt(request)
            self.check_nobody_suffered()
        if outcome != "ok" or self._unlike():
            self.stage.wait(DAY)
            assert self.attempt() == "ok"
        self.check_nobody_suffered()
        self.stage.wait(LEASE_SECONDS)
        self.stage.halo.forget_requests()
        assert self.attempt() == "ok"
        assert self.seen() == self.day.expected
        assert self.stage.writes() == [], "a second run found something to write"

    def _unlike(self) -> frozenset[str]:
        """Return the names of those who are not as they have to be."""
        return frozenset(person.name for person in self.seen() ^ self.day.expected)

    def _held(self, run: Run) -> frozenset[str]:
        """Return the names of those whom a run held back, and says so."""
        outcomes = self.stage.state.outcomes(run)
        return frozenset(one.change.name for one in outcomes if "held" in {one.status, one.change.kind})

    def _places(self) -> int:
        return len(self.stage.halo.sites) + len(self.stage.halo.clients)


class HastyBuilder(StageBuilder):
    """A builder of connections that do not wait long for a directory that is silent."""

    def services(self, progress: Progress = silent) -> Services:
        """Return the services."""

        def open_directory(block: DirectoryBlock, meter: Meter) -> LdapDirectory:
            config = self.directory(block, meter)._config
            return LdapDirectory(replace(config, connect_timeout=1, receive_timeout=1), meter)

        return replace(super().services(progress), open_directory=open_directory)


@dataclass
class Company:
    """The three days, to begin any of them at any time."""

    halo: SimulatedHalo
    time: Time
    days: dict[str, DayOfCompany]

    def begin(self, name: str, table: AnyTable | None = None) -> World:
        """Return a day on which nothing has happened yet."""
        day = self.days[name]
        self.time.now = day.now
        self.time.slept.clear()
        self.halo.reset()
        stage = Stage(day.directory, self.halo, table or MemoryTable(), self.time)
        stage.builder = HastyBuilder(stage.table, self.time, stage.environment)
        self.halo.store.load(day.halo)
        _put(stage.table, day.rows)
        return World(day, stage)


@contextmanager
def three_days(folder: Path) -> Iterator[Company]:
    """Prepare the days on one Halo; each has a directory of its own."""
    time = Time()
    with ExitStack() as stack:
        halo = stack.enter_context(SimulatedHalo(clock=time.seconds))
        days: dict[str, DayOfCompany] = {}
        for number, name in enumerate((FIRST, CHANGES, QUIET)):
            halo.reset()
            directory = stack.enter_context(company())
            stage = Stage(directory, halo, MemoryTable(), time)
            rules(stage, policy="full")
            main = int(halo.clients[stage.client]["main_site_id"])
            for bystander in range(BYSTANDERS):
                halo.add_user(name=f"Bystander {bystander}", site_id=main)
            expected, leavers = everybody(), frozenset[str]()
            if name != FIRST:
                assert go(stage).status is Status.OK
            if name == CHANGES:
                expected, leavers = much_changes(stage)
            file = folder / f"day{number}.json"
            halo.store.save(file)
            rows = tuple(stage.table.rows.values()) if isinstance(stage.table, MemoryTable) else ()
            days[name] = DayOfCompany(name, directory, file, rows, time.now, expected, leavers)
        yield Company(halo, time, days)


def everybody() -> frozenset[Seen]:
    """Return what is to be seen after the first sync."""
    return frozenset(Seen(login(account), name, office, "", True) for account, name, office in crew())


def login(account: str) -> str:
    """Return what the account's login is in Halo."""
    return f"CORP\\{account}"


def much_changes(stage: Stage) -> tuple[frozenset[Seen], frozenset[str]]:
    """Let each kind of change happen; return what is to be seen then, and who may be switched off."""
    directory, seen = stage.directory, {person.login: person for person in everybody()}

    def change(number: int, **what: str | bool) -> None:
        key = login(f"p{number:02}")
        seen[key] = seen[key]._replace(**what)  # type: ignore[arg-type]

    directory.disable(dn(4))
    assert go(stage).status is Status.OK  # on the day before: who comes back today has been away
    directory.enable(dn(4))
    directory.modify(dn(1), {"title": "Engineer"})
    change(1, title="Engineer")
    directory.disable(dn(2))
    change(2, active=False)
    directory.disable(dn(3))  # is held: a ticket is open
    stage.halo.add_ticket(next(int(u["id"]) for u in stage.halo.people if u["login"] == login("p03")))
    (moved,) = (name for account, name, _ in crew() if account == "p07")
    directory.move(dn(7), f"CN={escape_rdn(moved)},OU=Leeds,{PEOPLE}")
    change(7, site="Leeds")
    directory.delete(dn(8))
    change(8, active=False)
    (elsewhere,) = (name for account, name, _ in crew() if account == "p09")
    directory.move(dn(9), f"CN={escape_rdn(elsewhere)},CN=Users,{DOMAIN}")
    change(9, active=False)
    directory.add_ou("Hull", PEOPLE)
    for account, name, office in (("n1", "Nora New", "Leeds"), ("n2", "Nils New", "Hull")):
        directory.add_user(name, f"OU={office},{PEOPLE}", sAMAccountName=account)
        seen[login(account)] = Seen(login(account), name, office, "", True)
    stage.wait(1)
    may_go = frozenset(login(account) for account in ("p02", "p03", "p04", "p08", "p09"))
    return frozenset(seen.values()), may_go


def _put(table: AnyTable, rows: Sequence[Row]) -> None:
    """Write rows of any partitions as they are."""
    for partition in sorted({row.partition for row in rows}):
        own = [Operation("put", replace(row, etag="")) for row in rows if row.partition == partition]
        for start in range(0, len(own), 100):
            table.transact(partition, own[start : start + 100])
