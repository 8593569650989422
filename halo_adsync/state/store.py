"""The store: what the sync keeps of each customer, and the customers themselves."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import batched

from halo_adsync.customer import Customer
from halo_adsync.customer_file import parse, plain
from halo_adsync.errors import NotFound
from halo_adsync.model import CustomerId, Decision, Link, ObjectGuid, Place, RunId
from halo_adsync.plan.types import Change, Plan, Violation
from halo_adsync.state import rows
from halo_adsync.state.lease import Lease, is_held
from halo_adsync.state.runs import Run, Status, run_of, run_row
from halo_adsync.state.table import Conflict, Operation, Row, Table

CUSTOMERS = "$customers"
"""The partition of the customer files. No customer's id begins with a dollar sign."""
WAITS_AT_MOST = timedelta(hours=1)
"""A request that no worker took by then is lost: a timer may ask anew."""
_ROOM = 98
"""Operations of a transaction that are left beside the lease and the run."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a stored plan, and what became of it."""

    number: int
    change: Change
    status: str = "pending"
    """`pending`, `done` or `failed`."""
    outcome: str = ""
    """Halo's words, where it had any."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What one line came to, with the link or place that it made or changed."""

    line: Line
    link: Link | None = None
    place: Place | None = None

    @property
    def operations(self) -> int:
        """How many rows settling this line writes."""
        return 1 + (self.link is not None) + (self.place is not None)


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

    def each_customer(self) -> Iterator[Callable[[], Customer]]:
        """Yield, for every customer, what reads its file: one that is not valid stops nobody else."""
        for row in self.table.query(CUSTOMERS, "!", "~"):
            yield partial(parse, rows.unpack_text("data", row.values), source=row.key)

    def customer(self, customer: str) -> Customer:
        """Return one customer.

        Raises:
            NotFound: there is none of that id.
        """
        row = self.table.get(CUSTOMERS, rows.encode_key(customer))
        if row is None:
            raise NotFound(
                f'There is no customer "{customer}". `halo-adsync customer list` shows those there are;'
                " `halo-adsync customer apply FILE` adds one."
            )
        return parse(rows.unpack_text("data", row.values), source=customer)

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
        """Delete a customer with its links, runs and plans, not in Halo; return how many rows went."""
        self.customer(customer)
        keys = [row.key for row in self.table.query(customer, "!", "~", select=["RowKey"])]
        for some in batched(keys, 100, strict=False):
            self.table.transact(customer, [Operation("delete", Row(customer, key, {})) for key in some])
        self.table.transact(CUSTOMERS, [Operation("delete", Row(CUSTOMERS, customer, {}))])
        return len(keys)

    def of(self, customer: CustomerId) -> "CustomerState":
        """Return what is kept of one customer; nothing of any other can be reached through it."""
        return CustomerState(self.table, customer, self.now)


class CustomerState:
    """Links, places, runs and plans of one customer."""

    def __init__(self, table: Table, customer: CustomerId, now: Callable[[], datetime]) -> None:
        self._table, self.customer, self._now = table, customer, now

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
        status = Status.PARTIAL if run.settled else Status.FAILED
        message = f"The run died after {run.settled} of {run.total} changes; run {lease.run} took over."
        self.save_run(replace(run, status=status, message=message, finished=self._now().isoformat()), lease)

    def is_going_on(self, run: Run) -> bool:
        """Tell whether an open run is still on its way: waiting for a worker, or in the hands of one."""
        if not run.status.is_open:
            return False
        if run.status is Status.QUEUED:
            waits = self._now() - datetime.fromisoformat(run.requested)
            return waits < WAITS_AT_MOST
        return is_held(self._table, self.customer, run.id, self._now())

    def links(self) -> dict[ObjectGuid, Link]:
        """Return every link, by GUID."""
        found = self._table.query(self.customer, "link|", rows.after("link|"))
        return {link.guid: link for link in map(rows.link_of, found)}

    def places(self) -> dict[str, Place]:
        """Return every known client and site, by key."""
        found = self._table.query(self.customer, "place|", rows.after("place|"))
        return {place.key: place for place in map(rows.place_of, found)}

    def decisions(self) -> dict[ObjectGuid, Decision]:
        """Return what people decided, by GUID."""
        found = self._table.query(self.customer, "decision|", rows.after("decision|"))
        return {decision.guid: decision for decision in map(rows.decision_of, found)}

    def decide(self, decision: Decision) -> None:
        """Keep a decision, in the place of an earlier one about the same account."""
        self._table.transact(self.customer, [Operation("put", rows.decision_row(self.customer, decision))])

    def undecide(self, guid: ObjectGuid) -> None:
        """Forget a decision, if there is one."""
        with suppress(Conflict):
            gone = Row(self.customer, rows.decision_key(guid), {})
            self._table.transact(self.customer, [Operation("delete", gone)])

    def anchors(self) -> dict[str, ObjectGuid]:
        """Return the GUIDs that the DNs of the customer's file were resolved to, by `directory id|DN`."""
        row = self._table.get(self.customer, "anchors")
        return json.loads(rows.unpack_text("data", row.values)) if row else {}

    def add_run(self, run: Run) -> None:
        """Record a request."""
        self._table.transact(self.customer, [Operation("insert", run_row(run))])

    def find_run(self, run: str) -> Run | None:
        """Return one run, or None."""
        try:
            key = rows.run_key(RunId(run))
        except ValueError:
            return None
        row = self._table.get(self.customer, rows.encode_key(key))
        return run_of(row) if row else None

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
        return [
            run_of(row) for row in self._table.query(self.customer, "run|", rows.after("run|"), limit=limit)
        ]

    def save_run(self, run: Run, lease: Lease) -> None:
        """Write a run's row under the lease."""
        lease.transact([Operation("put", run_row(run))])

    def skip_run(self, run: Run) -> None:
        """Write the row of a run that never had the lease."""
        self._table.transact(self.customer, [Operation("put", run_row(run))])

    def save_plan(
        self,
        run: Run,
        plan: Plan,
        violations: tuple[Violation, ...],
        places: Iterable[Place],
        anchors: Mapping[str, ObjectGuid],
        *,
        lease: Lease,
    ) -> Run:
        """Store a plan and its verdict before anything is written to Halo; return the run with it.

        `places` and `anchors` are what planning learnt: Halo's clients and sites, and which OUs are meant.
        """
        work = plan.work()
        notes = [change for change in plan.changes if not change.is_work]
        stored = [rows.line_row(self.customer, run.id, number, change) for number, change in enumerate(work)]
        stored += [rows.place_row(self.customer, place) for place in places]
        for some in batched(stored, _ROOM, strict=False):
            lease.transact([Operation("put", row) for row in some])
        if notes:
            for row in rows.note_rows(self.customer, run.id, notes):
                lease.transact([Operation("put", row)])
        run = replace(
            run,
            digest=plan.digest(),
            counts=plan.counts(),
            violations=violations,
            warnings=plan.warnings,
            total=len(work),
        )
        operations = [Operation("put", run_row(run))]
        if anchors != self.anchors():
            kept = Row(self.customer, "anchors", rows.pack_text("data", rows.to_json(dict(anchors))))
            operations.append(Operation("put", kept))
        lease.transact(operations)
        return run

    def lines(self, run: Run, start: int = 0) -> Iterator[Line]:
        """Yield the lines of a stored plan that have to be applied, from number `start`."""
        low, high = rows.line_key(run.id, start), rows.line_key(run.id, run.total)
        for row in self._table.query(self.customer, low, high):
            number = int(row.key.rpartition("|")[2])
            status, outcome = str(row.values["status"]), str(row.values.get("outcome", ""))
            yield Line(number, rows.change_of(row), status, outcome)

    def notes(self, run: Run) -> list[Change]:
        """Return the lines of a stored plan that need nothing done: held, skipped, conflict."""
        prefix = f"note|{run.id}|"
        return rows.notes_of(list(self._table.query(self.customer, prefix, rows.after(prefix))))

    def settle(self, run: Run, settled: Sequence[Settled], lease: Lease) -> Run:
        """Commit outcomes, the links and places they made, and the run's progress; return the run then.

        All in one transaction where they fit, else in several; lines are settled in order.
        """
        while settled:
            count, room = 0, _ROOM
            while count < len(settled) and settled[count].operations <= room:
                room -= settled[count].operations
                count += 1
            some, settled = settled[:count], settled[count:]
            run = replace(run, settled=some[-1].line.number + 1, counts=_counted(run, some))
            lease.transact([*self._operations(run, some), Operation("put", run_row(run))])
        return run

    def _operations(self, run: Run, settled: Sequence[Settled]) -> Iterator[Operation]:
        for one in settled:
            row = rows.line_row(self.customer, run.id, one.line.number, one.line.change)
            values = {**row.values, "status": one.line.status, "outcome": one.line.outcome[:2000]}
            yield Operation("put", replace(row, values=values))
            if one.link:
                yield Operation("put", rows.link_row(self.customer, one.link))
            if one.place:
                yield Operation("put", rows.place_row(self.customer, one.place))


def _counted(run: Run, settled: Sequence[Settled]) -> dict[str, int]:
    """Move every failed line's person from its bucket to `failed`."""
    counts = dict(run.counts)
    for one in settled:
        kind = one.line.change.kind.value
        if one.line.status == "failed" and kind in counts:
            counts[kind] -= 1
            counts["failed"] += 1
    return counts
