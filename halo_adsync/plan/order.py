"""Order: the same changes always stand in the same order, what others rest on first."""

from collections.abc import Iterable

from halo_adsync.plan.types import STRUCTURE, Change, Kind, Record

_RANK = {
    kind: rank
    for rank, kind in enumerate(
        (
            Kind.CREATE_CLIENT,
            Kind.CREATE_SITE,
            Kind.RENAME_CLIENT,
            Kind.RENAME_SITE,
            Kind.UNCHANGED,  # an adoption with nothing to write: only its link is made
            Kind.CREATE,
            Kind.UPDATE,
            Kind.MOVE,
            Kind.REACTIVATE,
            Kind.DEACTIVATE,
            Kind.CONFLICT,
            Kind.HELD,
            Kind.SKIPPED,
        )
    )
}


def in_order(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Sort by kind; places by name, people by place (so that batches touch few sites), DN and GUID."""
    return tuple(sorted(changes, key=_key))


def _key(change: Change) -> tuple[int, str, str, str, str]:
    if change.record is Record.TICKET:  # when everybody stands where they should
        return len(_RANK), "", "", change.dn.casefold(), change.guid
    place = change.name.casefold() if change.kind in STRUCTURE else change.place
    return _RANK[change.kind], change.client, place, change.dn.casefold(), change.guid
