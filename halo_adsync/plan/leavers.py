"""Leavers: who counts as gone, on what proof, and what holds them back.

Somebody has left on positive proof (a tombstone, or an account that is disabled, expired, or out of scope),
or after being absent from so many complete full runs in a row. A locked-out account, or one whose password
has expired, is no leaver.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from halo_adsync.customer import Customer
from halo_adsync.customer_values import NAMES_OF_PEOPLE, called, is_same_dn
from halo_adsync.model import Keep, Leaver, Link, ObjectGuid, Tickets
from halo_adsync.plan.types import Kind

TOMBSTONE = "deleted in the directory"
NO_MATCH = "the account does not match scope.filter"
BEFORE = "not found in the directory since it was switched off, and switched on in Halo by hand"
UNSURE = "the account is there and in scope, but was not among those that were read: the next run looks again"


@dataclass(frozen=True, slots=True)
class Departures:
    """What is known of people who have a link and may have left."""

    proofs: Mapping[ObjectGuid, str] = field(default_factory=dict)
    """Why somebody who was not read has left, where there is proof."""
    unsure: Collection[ObjectGuid] = frozenset()
    """Who was not read, though nothing says why."""
    leavers: Mapping[ObjectGuid, Leaver] = field(default_factory=dict)
    """How often in a row somebody was missing, this run included, and which tickets hold them."""
    keeps: Mapping[ObjectGuid, Keep] = field(default_factory=dict)
    """Who is kept, by command or API."""


def verdict(link: Link, proof: str | None, known: Departures, customer: Customer) -> tuple[Kind, str]:
    """Say what becomes of somebody who is active in Halo and not to be there.

    Args:
        link: the person's link.
        proof: why the directory read says so; None where it did not bring the person.
        known: what is known besides.
        customer: whose rules.
    """
    reason = proof or known.proofs.get(link.guid)
    leaver = known.leavers.get(link.guid, Leaver(link.guid))
    needed = customer.leavers.missing_runs
    if link.guid in known.keeps:
        keep = known.keeps[link.guid]
        return Kind.HELD, f"kept by {keep.actor} on {keep.made[:10]}; a leaver otherwise"
    if is_kept(link, customer.leavers.keep):
        return Kind.HELD, "kept by leavers.keep of the customer file; a leaver otherwise"
    if reason is None and link.guid in known.unsure:
        return Kind.HELD, UNSURE
    if reason is None and not link.active:
        reason = BEFORE
    if reason is None and leaver.missing < needed:
        return Kind.HELD, (
            f"not found in the directory in {leaver.missing} of the {needed} complete full runs in a row"
            " after which somebody counts as a leaver (leavers.missing_runs)"
        )
    reason = reason or f"not found in the directory in {leaver.missing} complete full runs in a row"
    if customer.leavers.tickets != "ignore" and leaver.tickets:
        return Kind.HELD, f"a leaver ({reason}); {held_by(leaver.tickets, customer.leavers.tickets)}"
    return Kind.DEACTIVATE, f"a leaver: {reason}"


def held_by(tickets: Tickets, which: str) -> str:
    """Say which tickets hold somebody back."""
    kind = "open ticket" if which == "open" else "ticket"
    named = ", ".join(
        f"{number} {summary!r}" if summary else f"{number}" for number, summary in tickets.shown
    )
    more = ", ..." if tickets.count > len(tickets.shown) and named else ""
    plural, verb = ("", "holds") if tickets.count == 1 else ("s", "hold")
    return f"{tickets.count} {kind}{plural} {verb} them" + (f": {named}{more}" if named else "")


def is_kept(link: Link, keep: Iterable[str]) -> bool:
    """Tell whether a list names a person: by GUID, DN, login name or mail address, in any case."""
    named = {entry.strip().casefold() for entry in keep}
    if not named:
        return False
    return not named.isdisjoint(names_of(link)) or _is_dn_among(link.dn, named)


def names_of(link: Link) -> set[str]:
    """Return what a linked person may be called by, but for the DN, in lower case."""
    return called([link.guid, *(link.fields.get(name, "") for name in NAMES_OF_PEOPLE)])


def count_absence(
    known: Mapping[ObjectGuid, Leaver], missing: Iterable[ObjectGuid], run: str, *, counts: bool
) -> dict[ObjectGuid, Leaver]:
    """Return the leavers' rows after one more read; who was seen has no row any more, unless tickets hold.

    Args:
        known: the rows of earlier runs.
        missing: who is linked, active, and was not read.
        run: this run. Planned anew after its worker died, it does not count twice.
        counts: whether the run is a complete full one for everybody.
    """
    rows: dict[ObjectGuid, Leaver] = {}
    gone = set(missing)
    for guid, row in known.items():
        if guid not in gone and row.tickets:
            rows[guid] = replace(row, missing=0, run="")
    for guid in gone:
        row = known.get(guid, Leaver(guid))
        again = counts and row.run != run
        rows[guid] = replace(row, missing=row.missing + 1, run=run) if again else row
    return rows


def to_look_at(
    held: Iterable[ObjectGuid],
    fresh: Sequence[ObjectGuid],
    rows: Mapping[ObjectGuid, Leaver],
    bound: int,
) -> list[ObjectGuid]:
    """Return whose tickets are counted in this run: newcomers first, then those not looked at for longest."""
    waiting = sorted(held, key=lambda guid: (rows[guid].looked, guid))
    return [*sorted(fresh), *waiting][:bound]


def _is_dn_among(dn: str, named: Collection[str]) -> bool:
    return any("=" in entry and is_same_dn(entry, dn) for entry in named)
