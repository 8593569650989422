"""Decisions: what people settled by hand about accounts that the matching ladder could not place."""

from collections import Counter
from collections.abc import Iterable

from halo_adsync.model import Decision, ObjectGuid
from halo_adsync.plan.match import Match
from halo_adsync.plan.side import HaloSide


def decided_matches(newcomers: Iterable[ObjectGuid], halo: HaloSide) -> dict[ObjectGuid, Match]:
    """Return what the decisions say of these accounts: whom to link to, or why that cannot be done.

    Who is to be created, or set aside, matches nobody.
    """
    decisions = [halo.decisions[guid] for guid in newcomers if guid in halo.decisions]
    wanted = Counter(decision.user for decision in decisions if decision.action == "link")
    return {
        decision.guid: _match(decision, halo, wanted[decision.user]) if decision.action == "link" else Match()
        for decision in decisions
    }


def _match(decision: Decision, halo: HaloSide, claims: int) -> Match:
    user = halo.users.get(decision.user) if decision.user is not None else None
    why_not = ""
    if user is None:
        why_not = "who is not in Halo"
    elif user.general:
        why_not = "a General User"
    elif user.client not in halo.mapped():
        why_not = "who stands in a client that is not mapped"
    elif claims > 1 or user.id in halo.linked():
        why_not = "who is somebody else's"
    if why_not:
        return Match(conflict=f"{decision.actor} chose Halo user {decision.user}, {why_not}: choose again")
    return Match(user, f"the decision of {decision.actor}")
