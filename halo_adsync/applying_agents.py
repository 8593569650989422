"""Applying, agents: what is looked at once more right before agents are written."""

from collections.abc import Sequence

from halo_adsync.errors import Doubtful, RecordRejected
from halo_adsync.halo.port import AgentDesk
from halo_adsync.plan.types import Kind
from halo_adsync.state.lines import Line


def refusals(lines: Sequence[Line], desk: AgentDesk) -> dict[int, str]:
    """Return, by number, the lines that cannot be written now, each with why.

    Tickets of agents who are to be disabled are handed over on the way, where the plan says to whom.
    """
    return _without_seat(lines, desk) | _not_handed_over(lines, desk)


def _without_seat(lines: Sequence[Line], desk: AgentDesk) -> dict[int, str]:
    """Count the licences once more, right before they are taken."""
    wanting = [line for line in lines if line.change.kind in {Kind.CREATE, Kind.REACTIVATE}]
    if not wanting:
        return {}
    seats = desk.seats()
    free = max(seats.total - seats.taken, 0) if seats else 0
    return {line.number: "no licence is free for this agent any more" for line in wanting[free:]}


def _not_handed_over(lines: Sequence[Line], desk: AgentDesk) -> dict[int, str]:
    """Hand over the tickets of agents who are to be disabled; say of which that did not work."""
    failed: dict[int, str] = {}
    for line in lines:
        agent, heir = line.change.user, line.change.hands_to
        if line.change.kind is not Kind.DEACTIVATE or agent is None or heir is None:
            continue
        try:
            desk.reassign(agent, heir)
        except (Doubtful, RecordRejected) as error:
            failed[line.number] = f"not disabled, because tickets could not be handed over: {error}"
    return failed
