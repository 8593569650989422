"""What is kept of one customer: links, places, runs and plans; nothing of any other."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import chain

from halo_adsync.errors import NotFound
from halo_adsync.model import Cursor, Footing, HaloUserId, Link, ObjectGuid, Place, RunId
from halo_adsync.plan.types import Change, Plan, Record, Violation
from halo_adsync.state import known_rows, link_rows, rows
from halo_adsync.state.history import History
from halo_adsync.state.knowledge import ANCHORS, BASELINE, CURSORS, Knowledge
from halo_adsync.state.lease import Lease, is_held
from halo_adsync.state.lines import (
    Line,
    Settled,
    line_of,
    operations_of,
    portions,
    row_of,
    with_failed,
)
from halo_adsync.state.newcomers import Newcomers
from halo_adsync.state.runs import RUN_ID, Run, Status, run_of, run_row
from halo_adsync.state.table import Conflict, Operation, Row

AT_ONCE = 100
"""Up to so many links are read one by one; for more it is cheaper to read all, unless these are very many."""
ROWS_A_LOOK = 100
"""How many rows of a page cost as much as one that is looked up: about 1.5 milliseconds."""
WAITS_AT_MOST = timedelta(hours=1)
"""A request that no worker took by then is lost: a timer may ask anew."""


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
        return self._links(link_rows.OF_USERS)

    def links_of(self, guids: Collection[ObjectGuid], among: int = 0) -> dict[ObjectGuid, Link]:
        """Return these accounts' links, as far as they have one.

        Args:
            guids: the accounts.
            among: about how many links there are.
        """
        if len(guids) > max(AT_ONCE, among // ROWS_A_LOOK):
            return {guid: link for guid, link in self.links().items() if guid in guids}
        found = (self._table.get(self.customer, link_rows.link_key(guid)) for guid in guids)
        return {link.guid: link for link in (link_rows.link_of(row) for row in found if row)}

    def agent_links(self) -> dict[ObjectGuid, Link]:
        """Return every link to an agent, by GUID."""
        return self._links(link_rows.OF_AGENTS)

    def _links(self, prefix: str) -> dict[ObjectGuid, Link]:
        found = self._table.query(self.customer, prefix, rows.after(prefix), select=link_rows.SELECT)
        whole = (self._table.get(self.customer, row.key) if link_rows.goes_on(row) else row for row in found)
        return {link.guid: link for link in (link_rows.link_of(row) for row in whole if row)}

    def linked(self, record: Record) -> dict[ObjectGuid, HaloUserId]:
        """Return which Halo user (or agent) each account is linked to, and no more of the links."""
        prefix = link_rows.OF_AGENTS if record is Record.AGENT else link_rows.OF_USERS
        found = self._table.query(self.customer, prefix, rows.after(prefix), select=["user"])
        return dict(map(link_rows.linked_of, found))

    def linked_to(self, users: Collection[HaloUserId]) -> dict[ObjectGuid, HaloUserId]:
        """Return which of these Halo users accounts are linked to, without reading everybody's links."""
        prefix = link_rows.OF_USERS
        found = self._table.find(self.customer, prefix, rows.after(prefix), "user", users)
        return dict(map(link_rows.linked_of, found))

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

        Raises:
            ConfigurationError: a line is longer than a row may be. Those before it are rows then that no plan
                has; they go when the run is forgotten.
        """
        work = plan.work()
        lines = (row_of(self.customer, run.id, number, change) for number, change in enumerate(work))
        found = [rows.place_row(self.customer, place) for place in places]
        if footing is not None:
            found += known_rows.footing_rows(self.customer, footing)
        if not run.dry_run:  # before anything is written: whoever dies leaves no new person without
            tickets = [change.guid for change in work if change.record is Record.TICKET]
            found += self.newcomers.rows(tickets, self._now())
        notes = list(rows.note_rows(self.customer, run.id, plan.notes()))
        for _, operations in portions(chain(lines, found, notes), lambda row: [Operation("put", row)]):
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
