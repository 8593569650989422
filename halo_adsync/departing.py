"""Departing: learn what is needed of people who may have left, from the directory, the state and Halo."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime

from halo_adsync.customer import Customer, DirectoryBlock
from halo_adsync.directory.port import Directory, ReadRequest
from halo_adsync.halo.port import Halo
from halo_adsync.model import Leaver, ObjectGuid
from halo_adsync.plan.leavers import NO_MATCH, TOMBSTONE, Departures, count_absence, to_look_at
from halo_adsync.plan.scope import Scoping
from halo_adsync.plan.side import HaloSide
from halo_adsync.plan.survey import Survey
from halo_adsync.plan.types import Kind, Plan

LOOK_UPS = 100
"""How many people's tickets a plan counts at most; who is left comes first in the next run. A newcomer among
the leavers who is left stays planned, and is looked at before the write all the same."""

type Open = Callable[[DirectoryBlock], AbstractContextManager[Directory]]
type Ask = Callable[[Customer, DirectoryBlock, frozenset[ObjectGuid]], ReadRequest]
"""Says how to find accounts wherever they stand."""


@dataclass(frozen=True, slots=True)
class Search:
    """What the directories know of people who were not read.

    Attributes:
        customer: whose directories.
        open: opens one.
        ask: says what to ask it for.
        now: the time that expiry is judged by, UTC.
    """

    customer: Customer
    open: Open
    ask: Ask
    now: datetime

    def find(self, missing: Sequence[ObjectGuid]) -> tuple[dict[ObjectGuid, str], frozenset[ObjectGuid]]:
        """Return why each of the missing has left, where that can be proved; and who is there all the same.

        Raises:
            IncompleteRead, DirectoryRefused: a directory did not answer: nothing is concluded.
        """
        proofs: dict[ObjectGuid, str] = {}
        unsure: set[ObjectGuid] = set()
        if not missing:
            return proofs, frozenset()
        for block in self.customer.directories:
            with self.open(block) as directory:
                self._ask(directory, block, frozenset(missing), proofs, unsure)
        return proofs, frozenset(unsure - proofs.keys())

    def _ask(
        self,
        directory: Directory,
        block: DirectoryBlock,
        missing: frozenset[ObjectGuid],
        proofs: dict[ObjectGuid, str],
        unsure: set[ObjectGuid],
    ) -> None:
        request = self.ask(self.customer, block, missing)
        read = directory.read(request, lambda _: None)
        scoping = Scoping(self.customer, read, self.now)
        inside = {person.guid for person in read.people}
        for person in read.people:
            reason = scoping.why_not(person)
            if reason is not None:
                proofs[person.guid] = reason
        left = inside - proofs.keys()
        if left and self.customer.scope.filter:
            asked = replace(request, guids=frozenset(left), filter=self.customer.scope.filter)
            matching = {person.guid for person in directory.read(asked, lambda _: None).people}
            proofs.update(dict.fromkeys(left - matching, NO_MATCH))
            left = matching
        unsure.update(left)
        gone = missing - inside
        if gone:
            proofs.update(dict.fromkeys(directory.tombstones(gone), TOMBSTONE))


def absences(
    before: Mapping[ObjectGuid, Leaver],
    survey: Survey,
    halo: HaloSide,
    search: Search,
    run: str,
    *,
    counts: bool,
) -> Departures:
    """Return what is known of the linked people who were not read, and of the leavers of earlier runs.

    Args:
        before: what earlier runs kept.
        survey: who was read.
        halo: everybody who is linked, and what is known of them in Halo.
        search: looks for the missing by GUID.
        run: this run's id.
        counts: whether the run is a complete full one for everybody: only that counts an absence.
    """
    seen = {subject.person.guid for subject in survey.subjects}
    missing = sorted(guid for guid, link in halo.links.items() if halo.is_active(link) and guid not in seen)
    known = {guid: row for guid, row in before.items() if guid in halo.links}
    proofs, unsure = search.find(missing)
    absent = [guid for guid in missing if guid not in unsure]
    rows = count_absence(known, absent, run, counts=counts)
    return Departures(proofs, unsure, rows)


def with_tickets(customer: Customer, plan: Plan, known: Departures, halo: Halo, now: datetime) -> Departures:
    """Count the tickets of those who would be deactivated or are held by tickets, up to the bound."""
    if customer.leavers.tickets == "ignore" or customer.policy != "full":
        return known
    users = {ObjectGuid(change.guid): change.user for change in plan.changes if change.user is not None}
    leaving = [ObjectGuid(line.guid) for line in plan.changes if line.kind is Kind.DEACTIVATE]
    held = {ObjectGuid(line.guid) for line in plan.changes if line.kind is Kind.HELD}
    waiting = [
        guid
        for guid, row in known.leavers.items()
        if guid in held and row.tickets and guid not in known.keeps
    ]
    rows = dict(known.leavers)
    for guid in to_look_at(waiting, leaving, rows, LOOK_UPS):
        tickets = halo.tickets(users[guid], open_only=customer.leavers.tickets == "open")
        row = replace(rows.get(guid, Leaver(guid)), looked=now.isoformat(timespec="seconds"))
        rows[guid] = replace(row, tickets=tickets if tickets.count else None)
    return replace(known, leavers=rows)


def to_keep(plan: Plan, known: Departures) -> dict[ObjectGuid, Leaver]:
    """Return the rows that the next run needs: of those who are still missing, or held by tickets."""
    staying = {change.guid for change in plan.changes if change.kind in {Kind.HELD, Kind.DEACTIVATE}}
    return {
        guid: row for guid, row in known.leavers.items() if guid in staying and (row.missing or row.tickets)
    }
