"""The store: what the sync keeps of each customer, and the customers themselves."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache, partial
from itertools import batched

from halo_adsync.customer import Customer
from halo_adsync.customer_file import parse, plain
from halo_adsync.errors import NotFound
from halo_adsync.model import Cursor, CustomerId, Footing, HaloUserId, Link, ObjectGuid, Place, RunId
from halo_adsync.plan.types import Change, Plan, Record, Violation
from halo_adsync.state import known_rows, rows
from halo_adsync.state.agenda import Agenda
from halo_adsync.state.history import History
from halo_adsync.state.knowledge import ANCHORS, BASELINE, CURSORS, Knowledge, Known
from halo_adsync.state.lease import KEY as LEASE_KEY
from halo_adsync.state.lease import Lease, is_held
from halo_adsync.state.lines import (
    ROOM,
    Line,
    Settled,
    line_of,
    operations_of,
    portions,
    row_of,
    with_failed,
)
from halo_adsync.state.newcomers import Newcomers
from halo_adsync.state.runs import RUN_ID, Run, Status, new_run_id, run_of, run_row
from halo_adsync.state.table import Conflict, Operation, Row, Table

__all__ = ["CustomerState", "Known", "Line", "Settled", "Store"]

CUSTOMERS = "$customers"
"""The partition of the customer files. No customer's id begins with a dollar sign."""
AT_ONCE = 100
"""Up to so many links are read one by one; for more it is cheaper to read all."""
WAITS_AT_MOST = timedelta(hours=1)
"""A request that no worker took by then is lost: a timer may ask anew."""
_parse_again = lru_cache(maxsize=2000)(parse)
"""Checking a file takes milliseconds: a worker checks the same text once."""


class Store:
    """The customers of this app."""

    def __init__(self, table: Table, now: Callable[[], datetime]) -> None:
        self.table, self.now = table, now

    def customers(self) -> list[Customer]:
        """Return every customer, by id.

        Raises:
            ConfigurationError: a kept file is not valid any more, after an upgrade.
        """
        return [read() for read in self.each_customer()]

    def customer_ids(self) -> list[str]:
        """Return every customer's id, in order, without reading its file."""
        return [row.key for row in self.table.query(CUSTOMERS, "!", "~", select=["RowKey"])]

    def each_customer(self) -> Iterator[Callable[[], Customer]]:
        """Yield, for every customer, what reads its file: one that is not valid stops nobody else."""
        for row in self.table.query(CUSTOMERS, "!", "~"):
            yield partial(_parse_again, rows.unpack_text("data", row.values), source=row.key)

    def customer(self, customer: str) -> Customer:
        """Return one customer.

        Raises:
            NotFound: there is none of that id.
        """
        return parse(rows.unpack_text("data", self._customer_row(customer).values), source=customer)

    def _customer_row(self, customer: str) -> Row:
        row = self.table.get(CUSTOMERS, rows.encode_key(customer))
        if row is None:
            raise NotFound(
                f'There is no customer "{customer}". `halo-adsync customer list` shows those there are;'
                " `halo-adsync customer apply FILE` adds one."
            )
        return row

    def put_customer(self, customer: Customer) -> bool:
        """Keep a customer; return whether it is new or differs from what was kept."""
        text = rows.to_json(plain(customer))
        there = self.table.get(CUSTOMERS, customer.id)
        if there is not None and rows.unpack_text("data", there.values) == text:
            return False
        row = Row(CUSTOMERS, customer.id, rows.pack_text("data", text))
        self.table.transact(CUSTOMERS, [Operation("put", row)])
        return True

    def remove_customer(self, customer: str) -> int:
        """Delete a customer with its links, runs and plans, not in Halo; return how many rows went.

        Raises:
            NotFound: there is none of that id.
            Busy: a run of the customer is going on.
        """
        known = self._customer_row(customer)
        lease = Lease(self.table, customer, new_run_id(self.now()), self.now)
        found = self.table.query(customer, "!", "~", select=["RowKey"])
        keys = [row.key for row in found if row.key != LEASE_KEY]
        for some in batched(keys, ROOM, strict=False):
            lease.transact([Operation("delete", Row(customer, key, {})) for key in some])
        for last in (replace(known, etag=""), Row(customer, LEASE_KEY, {})):
            with suppress(Conflict):  # gone already: only the answer was lost
                self.table.transact(last.partition, [Operation("delete", last)])
        Agenda(self.table).forget(customer)
        return len(keys)

    def of(self, customer: CustomerId) -> "CustomerState":
        """Return what is kept of one customer; nothing of any other can be reached through it."""
        return CustomerState(self.table, customer, self.now)


class CustomerState(Knowledge):
    """Links, places, runs and plans of one customer, and what is known of it."""

    def lease(self, run: RunId) -> Lease:
        """Take the lease for a run, and settle the run that died with it, if one did.

        Raises:
            Busy: another run holds it.
        """
        lease = Lease(self._table, self.customer, run, self._now)
        if lease.previous is not None:
            self._bury(lease, lease.previous)
        return lease

    def _bury(self, lease: Lease, dead: RunId) -> None:
        run = self.find_run(dead)
        if run is None or not run.status.is_open:
            return
        self.give_up(
            run, f"The run died after {run.settled} of {run.total} changes; run {lease.run} took over.", lease
        )

    def give_up(self, run: Run, message: str, lease: Lease) -> Run:
        """End a run that nobody goes on with: `failed` where nothing was changed, else `partial`."""
        touched = run.settled or not run.orderly  # a batch in doubt may have reached Halo
        status = Status.PARTIAL if touched else Status.FAILED
        run = with_failed(run, self.lines(run, run.settled))
        run = replace(run, status=status, message=message, finished=self._now().isoformat())
        self.save_run(run, lease)
        return run

    def is_going_on(self, run: Run) -> bool:
        """Tell whether an open run is still on its way: waiting for a worker, or in the hands of one."""
        if not run.status.is_open:
            return False
        if run.status is Status.QUEUED:
            waits = self._now() - datetime.fromisoformat(run.requested)
            return -WAITS_AT_MOST < waits < WAITS_AT_MOST  # beyond that, a clock was wrong
        return is_held(self._table, self.customer, run.id, self._now())

    def links(self) -> dict[ObjectGuid, Link]:
        """Return every link, by GUID."""
        found = self._table.query(self.customer, "link|", rows.after("link|"))
        return {link.guid: link for link in map(rows.link_of, found)}

    def links_of(self, guids: Collection[ObjectGuid]) -> dict[ObjectGuid, Link]:
        """Return these accounts' links, as far as they have one."""
        if len(guids) > AT_ONCE:
            return {guid: link for guid, link in self.links().items() if guid in guids}
        found = (self._table.get(self.customer, rows.link_key(guid)) for guid in guids)
        return {link.guid: link for link in (rows.link_of(row) for row in found if row)}

    def agent_links(self) -> dict[ObjectGuid, Link]:
        """Return every link to an agent, by GUID."""
        found = self._table.query(self.customer, "agent|", rows.after("agent|"))
        return {link.guid: link for link in map(rows.link_of, found)}

    def linked(self, record: Record) -> dict[ObjectGuid, HaloUserId]:
        """Return which Halo user (or agent) each account is linked to, and no more of the links."""
        low = "agent|" if record is Record.AGENT else "link|"
        found = self._table.query(self.customer, low, rows.after(low), select=["user"])
        return dict(map(rows.linked_of, found))

    def places(self) -> dict[str, Place]:
        """Return every known client and site, by key."""
        found = self._table.query(self.customer, "place|", rows.after("place|"))
        return {place.key: place for place in map(rows.place_of, found)}

    @property
    def newcomers(self) -> Newcomers:
        """New people whose ticket is due."""
        return Newcomers(self._table, self.customer)

    @property
    def history(self) -> History:
        """What earlier runs did."""
        return History(self._table, self.customer)

    def add_run(self, run: Run) -> None:
        """Record a request. One that is recorded already stays as it is."""
        with suppress(Conflict):
            self._table.transact(self.customer, [Operation("insert", run_row(run))])

    def find_run(self, run: str) -> Run | None:
        """Return one run, or None."""
        row = self._run_row(run)
        return run_of(row) if row else None

    def _run_row(self, run: str) -> Row | None:
        return self._table.get(self.customer, rows.run_key(RunId(run))) if RUN_ID.fullmatch(run) else None

    def run(self, run: str) -> Run:
        """Return one run.

        Raises:
            NotFound: there is none of that id.
        """
        found = self.find_run(run)
        if found is None:
            raise NotFound(
                f'Customer {self.customer} has no run "{run}". `halo-adsync runs {self.customer}` lists them.'
            )
        return found

    def runs(self, limit: int) -> list[Run]:
        """Return the latest runs, newest first."""
        found = self._table.query(self.customer, "run|", rows.after("run|"), limit=limit)
        return list(map(run_of, found))

    def save_run(self, run: Run, lease: Lease) -> None:
        """Write a run's row under the lease."""
        lease.transact([Operation("put", run_row(run))])

    def end_run(
        self, run: Run, lease: Lease, *, read: Mapping[str, int], cursors: Mapping[str, Cursor]
    ) -> None:
        """Write a run's row for the last time, with what the next one goes on from, and let that one in.

        Args:
            run: the run.
            lease: its lease.
            read: how many people each directory showed; empty where that is to stay as it was.
            cursors: from where the changes of each directory are followed; empty likewise.
        """
        ended = [run_row(run)]
        if read:
            ended.append(known_rows.names_row(self.customer, BASELINE, read))
        if cursors:
            ended.append(known_rows.cursors_row(self.customer, CURSORS, cursors))
        lease.release([Operation("put", row) for row in ended])

    def skip_run(self, run: Run) -> None:
        """Write the row of a run that never had the lease, unless a worker took the run up meanwhile."""
        row = self._run_row(run.id)
        if row is None or run_of(row).status is not Status.QUEUED:
            return
        with suppress(Conflict):
            self._table.transact(self.customer, [Operation("replace", run_row(run, row.etag))])

    def save_plan(
        self,
        run: Run,
        plan: Plan,
        violations: tuple[Violation, ...],
        places: Iterable[Place],
        anchors: Mapping[str, ObjectGuid] | None,
        *,
        lease: Lease,
        footing: Footing | None = None,
    ) -> Run:
        """Store a plan and its verdict before anything is written to Halo; return the run with it.

        `places`, `anchors` and `footing` are what planning learnt: Halo's clients and sites, which OUs are
        meant, and from where moved OUs are counted; None where that is known already.
        """
        work = plan.work()
        found = [row_of(self.customer, run.id, number, change) for number, change in enumerate(work)]
        found += [rows.place_row(self.customer, place) for place in places]
        if footing is not None:
            found += known_rows.footing_rows(self.customer, footing)
        if not run.dry_run:  # before anything is written: whoever dies leaves no new person without
            tickets = [change.guid for change in work if change.record is Record.TICKET]
            found += self.newcomers.rows(tickets, self._now())
        noted = [change for change in plan.changes if not change.is_work]
        notes = list(rows.note_rows(self.customer, run.id, noted)) if noted else []
        for _, operations in portions([*found, *notes], lambda row: [Operation("put", row)]):
            lease.transact(operations)
        run = replace(
            run,
            digest=plan.digest(),
            counts=plan.counts(),
            agents=plan.agent_counts(),
            violations=violations,
            warnings=plan.warnings,
            total=len(work),
            notes=len(notes),
            settings=plan.settings,
        )
        kept = [] if anchors is None else [known_rows.names_row(self.customer, ANCHORS, anchors)]
        if work or kept:  # else there is nothing to go on with, and the run's end is written soon
            lease.transact([Operation("put", row) for row in (run_row(run), *kept)])
        return run

    def lines(self, run: Run, start: int = 0) -> Iterator[Line]:
        """Yield the lines of a stored plan that have to be applied, from number `start`."""
        low, high = rows.line_key(run.id, start), rows.line_key(run.id, run.total)
        yield from map(line_of, self._table.query(self.customer, low, high))

    def notes(self, run: Run) -> list[Change]:
        """Return the lines of a stored plan that need nothing done: held, skipped, conflict."""
        low, high = rows.note_key(run.id, 0), rows.note_key(run.id, run.notes)
        return rows.notes_of(list(self._table.query(self.customer, low, high)))

    def outcomes(self, run: Run) -> list[Line]:
        """Return every line of a stored plan, with what became of it."""
        notes = enumerate(self.notes(run), run.total)
        return [*self.lines(run), *(Line(number, change, "noted") for number, change in notes)]

    def settle(self, run: Run, settled: Sequence[Settled], lease: Lease) -> Run:
        """Commit outcomes, the links and places they made, and the run's progress; return the run then.

        All in one transaction where they fit, else in several; lines are settled in order.
        """
        at = self._now().isoformat(timespec="seconds")
        for some, operations in portions(settled, partial(operations_of, self.customer, run.id, at)):
            undone = [one.line for one in some if one.line.status in {"failed", "held"}]
            run = replace(with_failed(run, undone), settled=some[-1].line.number + 1)
            lease.transact([*operations, Operation("put", run_row(run))])
        return run
