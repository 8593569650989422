"""Applying: settle a stored plan in order, in batches, with nothing lost and nothing done twice."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import takewhile
from typing import Protocol

from halo_adsync.applying_agents import refusals
from halo_adsync.applying_places import PlaceMaker
from halo_adsync.customer import Customer
from halo_adsync.errors import Doubtful, RecordRejected
from halo_adsync.halo.port import Halo, Licence, TicketWrite, UserOutcome, UserWrite
from halo_adsync.model import (
    DistinguishedName,
    HaloClientId,
    HaloSiteId,
    HaloUserId,
    Leaver,
    Link,
    ObjectGuid,
    Parked,
)
from halo_adsync.pausing import check_failures
from halo_adsync.plan.leavers import held_by
from halo_adsync.plan.match import STAMP
from halo_adsync.plan.parking import key_of, refused
from halo_adsync.plan.types import SITE, STRUCTURE, WRITES, Change, Kind, Record
from halo_adsync.state.customer_state import AT_ONCE, CustomerState
from halo_adsync.state.lease import Lease
from halo_adsync.state.lines import Line, Settled
from halo_adsync.state.runs import Run


class Write(Protocol):
    """Writes one batch of users, or of agents."""

    def __call__(self, writes: Sequence[UserWrite], *, resumed: bool) -> Sequence[UserOutcome]:
        """Return one outcome for each write."""
        ...


class Applier:
    """Applies one run's plan, from where it stands.

    Args:
        state: the customer's state.
        halo: where the changes go.
        lease: the right to write them.
        customer: whose rules say what a client's first site is called, and which tickets hold a leaver.
        now: tells the time.
    """

    def __init__(
        self,
        state: CustomerState,
        halo: Halo,
        lease: Lease,
        customer: Customer,
        now: Callable[[], datetime],
    ) -> None:
        self._state, self._halo, self._lease, self._now = state, halo, lease, now
        self._tickets = customer.leavers.tickets
        self._places = state.places()
        self._linked: dict[Record, dict[ObjectGuid, HaloUserId]] = {}
        self._maker = PlaceMaker(halo, self._places, customer.placement.default_site or "Main")
        self._due: frozenset[ObjectGuid] | None = None
        self._rows: dict[ObjectGuid, Leaver] | None = None
        self._parked: dict[str, Parked] | None = None

    def apply(self, run: Run, go_on: Callable[[Run], bool], *, in_doubt: bool) -> Run:
        """Settle line after line until all are, or `go_on` says that this slice is over.

        Args:
            run: the run, as it stands.
            go_on: asked before each batch.
            in_doubt: the first batch may have reached Halo already, in a slice that died.

        Raises:
            HaloRefused, HaloUnavailable, BudgetSpent: nothing more can be done now; what is settled stays so.
            LeaseLost: another run has taken over.
            TooManyFailures: so many lines failed that something is wrong with more than these.
        """
        lines: Iterable[Line] = self._state.lines(run, run.settled)
        lines = takewhile(lambda line: line.number < run.allowed, lines)
        if run.allowed - run.settled <= AT_ONCE:
            lines = few = list(lines)
            self._linked = {record: self._linked_of(few, record) for record in (Record.USER, Record.AGENT)}
        else:
            self._linked = {record: self._state.linked(record) for record in (Record.USER, Record.AGENT)}
        self._halo.permit(Licence(self._places, self._linked[Record.USER], self._linked[Record.AGENT]))
        for batch in _batches(lines, run.batch_size):
            if not go_on(run):
                return run
            if batch[0].change.kind in STRUCTURE:
                settled = [self._maker.settle(batch[0])]
            elif batch[0].change.record is Record.TICKET:
                settled = [self._ticket(batch[0])]
            else:
                of = self._agents if batch[0].change.record is Record.AGENT else self._people
                settled = of(batch, resumed=in_doubt)
                in_doubt = False
            run = self._state.settle(run, settled, self._lease)
            check_failures(run)
        return run

    def _linked_of(self, lines: Sequence[Line], record: Record) -> dict[ObjectGuid, HaloUserId]:
        """Return the links that these lines may rest on: an adopted record must be nobody else's."""
        if record is Record.AGENT:
            return self._state.linked(record) if any(_is_agents(line) for line in lines) else {}
        changes = [
            line.change for line in lines if line.change.kind not in STRUCTURE and not _is_agents(line)
        ]
        links = self._state.links_of({ObjectGuid(change.guid) for change in changes})
        adopted = {change.user for change in changes if change.adopts and change.user is not None}
        return {guid: link.user for guid, link in links.items()} | self._state.linked_to(adopted)

    def _ticket(self, line: Line) -> Settled:
        """Open a new person's ticket, if it is not open yet; a second look tells where no answer came."""
        try:
            try:
                number = self._ensure_ticket(line.change)
            except Doubtful:
                number = self._ensure_ticket(line.change)
        except (Doubtful, RecordRejected) as error:
            return Settled(replace(line, status="failed", outcome=str(error)))
        return Settled(
            replace(line, status="done", outcome=f"ticket {number}"), ticket=self._is_due(line.change)
        )

    def _is_due(self, change: Change) -> bool:
        """Tell whether a ticket is due for a person; asked once a slice, because only a plan adds any."""
        if self._due is None:
            self._due = self._state.newcomers.due()
        return change.guid in self._due

    def _ensure_ticket(self, change: Change) -> int:
        link = self._state.newcomers.link(ObjectGuid(change.guid))
        if link is None:
            raise RecordRejected("the person could not be created; see there. The next run opens the ticket")
        held = {name: field.after for name, field in change.fields.items()}
        numbers = {name: int(held[name]) for name in ("type", "agent", "priority") if name in held}
        return self._halo.ensure_ticket(
            TicketWrite(
                link.user,
                link.client,
                link.site,
                held["summary"],
                details=held.get("details", ""),
                team=held.get("team", ""),
                **numbers,
            )
        )

    def _people(self, lines: Sequence[Line], *, resumed: bool) -> list[Settled]:
        """Write one batch of people; who has tickets by now is held."""
        return self._written(lines, self._held(lines), self._halo.write_users, resumed=resumed)

    def _written(
        self, lines: Sequence[Line], aside: Mapping[int, Settled], write: Write, *, resumed: bool
    ) -> list[Settled]:
        """Write one batch but for what is set aside; lines whose site is missing fail by themselves."""
        ready = [line for line in lines if line.number not in aside and not self._lacks_place(line.change)]
        writes = [self._write(line.change) for line in ready if line.change.kind in WRITES]
        outcomes = {outcome.guid: outcome for outcome in write(writes, resumed=resumed)} if writes else {}
        settled = [
            aside.get(line.number)
            or self._with_parking(self._settle(line, outcomes.get(ObjectGuid(line.change.guid))), outcomes)
            for line in lines
        ]
        for one in settled:
            if one.link is not None:
                self._linked[one.line.change.record][one.link.guid] = one.link.user
        return settled

    def _with_parking(self, settled: Settled, outcomes: Mapping[ObjectGuid, UserOutcome]) -> Settled:
        """Park what Halo refused, and let go of what it takes by now."""
        line, change = settled.line, settled.line.change
        if self._parked is None:
            self._parked = self._state.parked()
        before = self._parked.get(key_of(change))
        if line.status == "done":
            return replace(settled, unparked=before.key) if before else settled
        if ObjectGuid(change.guid) not in outcomes:  # Halo was not asked
            return settled
        return replace(settled, parked=refused(change, before, line.outcome, self._now()))

    def _held(self, lines: Sequence[Line]) -> dict[int, Settled]:
        """Count the leavers' tickets once more, right before the write: who has one now is held."""
        held: dict[int, Settled] = {}
        for line in lines:
            user = line.change.user
            if line.change.kind is not Kind.DEACTIVATE or user is None or self._tickets == "ignore":
                continue
            tickets = self._halo.tickets(user, open_only=self._tickets == "open")
            if tickets.count:
                outcome = f"not deactivated: {held_by(tickets, self._tickets)}"
                guid, looked = ObjectGuid(line.change.guid), self._now().isoformat(timespec="seconds")
                leaver = self._leavers().get(guid, Leaver(guid))
                held[line.number] = Settled(
                    replace(line, status="held", outcome=outcome),
                    leaver=replace(leaver, tickets=tickets, looked=looked),
                )
        return held

    def _leavers(self) -> dict[ObjectGuid, Leaver]:
        if self._rows is None:
            self._rows = self._state.leavers()
        return self._rows

    def _agents(self, lines: Sequence[Line], *, resumed: bool) -> list[Settled]:
        """Write one batch of agents; who finds no licence free, or cannot hand tickets over, fails."""
        refused = refusals(lines, self._halo.agents)
        aside = {
            line.number: Settled(replace(line, status="failed", outcome=refused[line.number]))
            for line in lines
            if line.number in refused
        }
        return self._written(lines, aside, self._halo.agents.write, resumed=resumed)

    def _lacks_place(self, change: Change) -> bool:
        return bool(change.place) and change.place not in self._places

    def _write(self, change: Change) -> UserWrite:
        place = self._places.get(change.place)
        active = {Kind.REACTIVATE: True, Kind.DEACTIVATE: False}.get(change.kind)
        fields = {name: field.after for name, field in change.fields.items() if name != SITE}
        site, adopts = place.site if place else None, _stamp_before(change) if change.adopts else None
        return UserWrite(ObjectGuid(change.guid), change.user, site, active, fields, adopts)

    def _settle(self, line: Line, outcome: UserOutcome | None) -> Settled:
        if self._lacks_place(line.change):
            return Settled(replace(line, status="failed", outcome="the site could not be created; see there"))
        if outcome is None:  # an adoption that leaves Halo as it is
            return Settled(replace(line, status="done"), link=self._link(line.change, None))
        if outcome.error is not None or outcome.user is None:
            return Settled(replace(line, status="failed", outcome=outcome.error or "no answer"))
        link = self._link(line.change, outcome)
        # Somebody else had made the user of a person whose ticket was due: no new starter any more.
        no_longer = line.change.adopts and STAMP in line.change.fields and self._is_due(line.change)
        done = replace(line, status="done", outcome=outcome.warning or "")
        return Settled(done, link=link, ticket=no_longer)

    def _link(self, change: Change, outcome: UserOutcome | None) -> Link | None:
        """Return the link as it is once the change is done."""
        written = {name: field.after for name, field in change.fields.items() if name not in {SITE, STAMP}}
        place = self._places.get(change.place)
        base = change.base
        if base is None and change.record is Record.AGENT:
            if outcome is None or outcome.user is None:
                return None
            base = Link(
                ObjectGuid(change.guid),
                outcome.user,
                HaloClientId(0),
                HaloSiteId(0),
                active=True,
                dn=DistinguishedName(change.dn),
                fields={},
            )
        if base is None:
            if outcome is None or outcome.user is None or place is None or place.site is None:
                return None
            guid = ObjectGuid(change.guid)
            return Link(
                guid,
                outcome.user,
                place.client,
                place.site,
                active=True,
                dn=DistinguishedName(change.dn),
                fields=written,
            )
        link = replace(base, dn=DistinguishedName(change.dn), fields={**base.fields, **written})
        if place is not None and place.site is not None:
            link = replace(link, client=place.client, site=place.site)
        return replace(link, active=change.kind is not Kind.DEACTIVATE) if change.kind in WRITES else link


def _stamp_before(change: Change) -> str:
    """Return the mark of a user when its adoption was planned: its own account's if none is written."""
    return change.fields[STAMP].before or "" if STAMP in change.fields else change.guid


def _batches(lines: Iterable[Line], size: int) -> Iterator[list[Line]]:
    """Group the lines of people into batches; a client, a site or a ticket goes by itself."""
    batch: list[Line] = []
    for line in lines:
        alone = line.change.kind in STRUCTURE or line.change.record is Record.TICKET
        other = bool(batch) and batch[0].change.record is not line.change.record
        if batch and (alone or other or len(batch) == size):
            yield batch
            batch = []
        if alone:
            yield [line]
        else:
            batch.append(line)
    if batch:
        yield batch


def _is_agents(line: Line) -> bool:
    return line.change.record is Record.AGENT
