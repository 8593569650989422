"""Select: the part of a plan that concerns one person, with the places that it needs."""

from dataclasses import replace

from halo_adsync.model import ObjectGuid
from halo_adsync.plan.types import Kind, Plan


def only(plan: Plan, guid: ObjectGuid) -> Plan:
    """Return the plan for one person alone. Who has no line in it is unchanged, or was not read at all."""
    own = [change for change in plan.changes if change.guid == guid and change.kind not in _PLACES]
    sites = {change.place for change in own}
    needed = [change for change in plan.changes if change.kind is Kind.CREATE_SITE and change.place in sites]
    clients = {change.client for change in needed}
    needed += [
        change for change in plan.changes if change.kind is Kind.CREATE_CLIENT and change.place in clients
    ]
    kept = tuple(change for change in plan.changes if change in [*needed, *own])
    return replace(plan, changes=kept, unchanged=0 if own else min(plan.unchanged, 1))


_PLACES = frozenset({Kind.CREATE_CLIENT, Kind.CREATE_SITE})
