"""Order: the same changes always stand in the same order, what others rest on first."""

from collections.abc import Iterable

from halo_adsync.plan.types import Change, Kind

_RANK = {
    kind: rank
    for rank, kind in enumerate(
        (
            Kind.CREATE_CLIENT,
            Kind.CREATE_SITE,
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
    """Sort by kind, then by place (so that batches touch few sites), then by DN and GUID."""
    return tuple(sorted(changes, key=lambda c: (_RANK[c.kind], c.client, c.place, c.dn.casefold(), c.guid)))
