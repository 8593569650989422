"""Select: the part of a plan that concerns one person, with the places that it needs."""

from dataclasses import replace

from halo_adsync.model import ObjectGuid
from halo_adsync.plan.types import STRUCTURE, Kind, Plan


def only(plan: Plan, guid: ObjectGuid) -> Plan:
    """Return the plan for one person alone. Who has no line in it was not read, and is not linked."""
    lines = (*plan.changes, *plan.rest)
    own = [change for change in lines if change.guid == guid and change.kind not in STRUCTURE]
    sites = {change.place for change in own}
    needed = [change for change in plan.changes if change.kind is Kind.CREATE_SITE and change.place in sites]
    clients = {change.client for change in needed}
    needed += [
        change for change in plan.changes if change.kind is Kind.CREATE_CLIENT and change.place in clients
    ]
    kept = tuple(change for change in lines if change in [*needed, *own])
    return replace(plan, changes=kept, unchanged=0, agents_unchanged=0, rest=())
