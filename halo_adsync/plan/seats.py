"""Seats: who may take a licence of an agent, where there are too few."""

from collections.abc import Sequence
from dataclasses import replace

from halo_adsync.model import Seats
from halo_adsync.plan.types import Change, Kind


def within_seats(lines: Sequence[Change], seats: Seats | None) -> tuple[list[Change], list[str]]:
    """Hold back whom there is no licence for: reactivated agents come first, then new ones, by DN."""
    wanting = [line for line in lines if line.kind in {Kind.CREATE, Kind.REACTIVATE}]
    wanting.sort(key=lambda line: (line.kind is Kind.CREATE, line.dn.casefold(), line.guid))
    if not wanting:
        return list(lines), []
    free = max(seats.total - seats.taken, 0) if seats else 0
    lacking = {line.guid for line in wanting[free:]}
    if not lacking:
        return list(lines), []
    if seats is None:
        why = "Halo does not say how many agents' licences are free"
        warning = f"{len(wanting)} agents to create or enable, but {why}: none of them is."
    else:
        why = f"no licence is free for this agent ({free} free, {len(wanting)} wanted)"
        warning = (
            f"{len(wanting)} agents to create or enable, {free} licences free: {len(lacking)} more needed."
        )
    held = [
        replace(line, kind=Kind.HELD, adopts=False, reason=f"{why}; {line.reason}")
        if line.guid in lacking
        else line
        for line in lines
    ]
    return held, [warning]
