"""Following: whom a delta concerns, and from where the next one goes on.

A delta is sound only where the directory can say everything that changed. Where one cannot (an OU moved, a
group that people depend on changed, another domain controller answered, the customer's file is another), the
run reads everybody, by itself, and says why.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from halo_adsync.asking import watch_of
from halo_adsync.customer import Customer, DirectoryBlock
from halo_adsync.directory.port import Changes, Directory
from halo_adsync.model import Cursor, DirectoryRead, ObjectGuid
from halo_adsync.plan.parking import key_of
from halo_adsync.plan.types import Record
from halo_adsync.state.customer_state import CustomerState
from halo_adsync.state.knowledge import Known
from halo_adsync.state.runs import Run


@dataclass(frozen=True, slots=True)
class Followed:
    """What the directories say of their changes."""

    cursors: Mapping[str, Cursor]
    """From where to follow next, by the directory's id; without those that cannot be followed."""
    concerned: frozenset[ObjectGuid] | None
    """Whom the run is about; None where it is about everybody."""
    warnings: tuple[str, ...] = ()

    def about(self, reads: Sequence[DirectoryRead]) -> frozenset[ObjectGuid] | None:
        """Return whom the plan is about: the concerned, and who was read because of them."""
        if self.concerned is None:
            return None
        return self.concerned | {person.guid for read in reads for person in read.people}

    def torn(self, reads: Sequence[DirectoryRead]) -> tuple[str, ...]:
        """Say where one domain controller told what changed and another one, which may not know, was read."""
        if self.concerned is None:
            return ()
        followed = ((read, self.cursors.get(read.directory)) for read in reads)
        return tuple(
            because(read.directory, f"{read.server} answered, and changes were followed on {cursor.server}")
            for read, cursor in followed
            if cursor is not None and cursor.server != read.server
        )

    def kept(self, reads: Sequence[DirectoryRead]) -> dict[str, Cursor]:
        """Return the cursors to keep once the run has got through.

        One of a domain controller that did not answer the read as well is of no use: what it says has changed
        may not have reached the one that did. A read finds out what is to be watched; one of everybody also
        what is not to be any more.
        """
        kept = {}
        for read in reads:
            cursor = self.cursors.get(read.directory)
            if cursor is not None and cursor.server == read.server:
                before = () if self.concerned is None else cursor.watched
                kept[read.directory] = replace(cursor, watched=tuple(sorted({*before, *read.watched})))
        return kept


_LET_SEE = "let it list and read the container Deleted Objects (docs/security.md)"
UNFOLLOWED = Followed({}, None)
"""For a run that is no customer's whole business, or after which no delta is expected."""


def follow(
    customer: Customer,
    opened: Mapping[str, Directory],
    known: Known,
    waiting: Iterable[ObjectGuid],
    mode: str,
) -> Followed:
    """Ask every directory what changed.

    Args:
        customer: whose directories.
        opened: each of them, by its id.
        known: what is known of the customer.
        waiting: of whom something is still to be done; looked at where the run is about some people only.
        mode: only a `delta` is about some people; any other run learns where to follow changes from, if the
            schedule has deltas: nobody else has a use for it, and DirSync begins with the whole directory.

    Raises:
        IncompleteRead, DirectoryRefused: a directory did not answer.
    """
    if mode != "delta" and customer.schedule.delta is None:
        return UNFOLLOWED
    found: dict[str, Changes] = {}
    for block in customer.directories:
        if block.delta == "off":
            found[block.id] = Changes(None, everybody="delta is off for it")
        else:
            found[block.id] = opened[block.id].changes(known.cursors.get(block.id), watch_of(customer, block))
    cursors = {name: changes.cursor for name, changes in found.items() if changes.cursor is not None}
    if mode != "delta":
        return Followed(cursors, None)
    reasons = tuple(because(name, changes.everybody) for name, changes in found.items() if changes.everybody)
    if reasons:
        return Followed(cursors, None, reasons)
    concerned = {guid for changes in found.values() for guid in changes.people}
    concerned |= {guid for guid, leaver in known.leavers.items() if leaver.tickets}
    concerned |= known.decisions.keys()
    concerned.update(waiting)
    return Followed(cursors, frozenset(concerned), tuple(_blind(cursors)))


def because(directory: str, why: str) -> str:
    """Say why a delta was about everybody."""
    return f"Directory {directory}: everybody was read, because {why}."


def how_followed(directory: Directory, customer: Customer, block: DirectoryBlock) -> str:
    """Say how a directory's changes can be followed, and whether deletions are among them.

    Raises:
        IncompleteRead, DirectoryRefused: it did not answer.
    """
    if block.delta == "off":
        return "its changes are not followed, because delta is off"
    changes = directory.changes(None, watch_of(customer, block))
    if changes.cursor is None:
        return f"its changes cannot be followed: {changes.everybody or 'every way is refused'}"
    way = {"dirsync": "DirSync", "usn": "update sequence numbers"}[changes.cursor.method]
    seen = f"but not deletions: {_LET_SEE}" if changes.cursor.blind else "deletions among them"
    return f"its changes are followed by {way}, {seen}"


def are_parked(run: Run, state: CustomerState) -> bool:
    """Tell whether all that failed in a run is parked, so that the next delta looks at it again."""
    failed = {key_of(line.change) for line in state.lines(run) if line.status == "failed"}
    return failed <= state.parked().keys()


def still_to_do(customer: Customer, state: CustomerState, parked: Iterable[str]) -> Iterator[ObjectGuid]:
    """Yield those of whom something is still to be done: refused records, and tickets of new people."""
    for key in parked:
        record, _, guid = key.partition("|")
        if record != Record.AGENT.value:
            yield ObjectGuid(guid)
    if customer.onboarding.ticket is not None:
        yield from state.newcomers.due()


def _blind(cursors: Mapping[str, Cursor]) -> Iterator[str]:
    for name, cursor in cursors.items():
        if cursor.blind:
            yield (
                f"Directory {name}: who was deleted is noticed by full runs only, because this account cannot"
                f" see deleted objects; {_LET_SEE}."
            )
