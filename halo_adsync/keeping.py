"""Keeping: who is held back from leaving, and who is kept by a decision, whatever the directory says."""

from typing import Any

from halo_adsync.customer import Customer
from halo_adsync.errors import BadRequest
from halo_adsync.explaining import find_account
from halo_adsync.model import Keep, Meter, ObjectGuid
from halo_adsync.plan.leavers import is_kept
from halo_adsync.plan.types import Change, Kind, Record
from halo_adsync.services import Services
from halo_adsync.state.customer_state import CustomerState
from halo_adsync.state.lines import Line

LOOK_BACK = 50
"""How many runs are looked through for the latest one that says who is held."""


def keep(services: Services, customer: Customer, person: str, actor: str) -> Keep:
    """Keep somebody from now on, whatever the directory says.

    Args:
        services: where the person is looked up and the decision kept.
        customer: whose person.
        person: a GUID, DN, login name or mail address.
        actor: who decides, for the record.

    Raises:
        NotFound, BadRequest, IncompleteRead, DirectoryRefused: nobody, or more than one, goes by that.
    """
    state = services.store(Meter()).of(customer.key)
    made = services.now().isoformat(timespec="seconds")
    decided = Keep(_whose(services, customer, state, person), actor, made)
    state.keep(decided)
    return decided


def unkeep(services: Services, customer: Customer, person: str) -> ObjectGuid:
    """Let the directory decide about somebody again, if it did not; return whose GUID."""
    state = services.store(Meter()).of(customer.key)
    guid = _whose(services, customer, state, person)
    state.unkeep(guid)
    return guid


def held(state: CustomerState) -> dict[str, Any]:
    """Return who was held in the latest run that planned for everybody, with tickets, and who is kept."""
    rows = state.leavers()
    found: list[dict[str, Any]] = []
    for change, reason in _held_lines(state):
        row = rows.get(ObjectGuid(change.guid))
        tickets = row.tickets if row else None
        found.append(
            {
                "guid": change.guid,
                "dn": change.dn,
                "name": change.name,
                "halo_id": change.user,
                "reason": reason,
                "missing_runs": row.missing if row else 0,
                "tickets": tickets.count if tickets else 0,
                "ticket_ids": [number for number, _ in tickets.shown] if tickets else [],
                "looked": row.looked if row else "",
            }
        )
    kept = [{"guid": k.guid, "actor": k.actor, "made": k.made} for k in state.keeps().values()]
    return {"held": found, "kept": kept}


def _held_lines(state: CustomerState) -> list[tuple[Change, str]]:
    for run in state.runs(LOOK_BACK):
        if run.digest and not run.person:
            lines: list[Line] = [line for line in state.lines(run) if line.status == "held"]
            noted = [
                change
                for change in state.notes(run)
                if change.kind is Kind.HELD and change.record is Record.USER
            ]
            return [(c, c.reason) for c in noted] + [(line.change, line.outcome) for line in lines]
    return []


def _whose(services: Services, customer: Customer, state: CustomerState, person: str) -> ObjectGuid:
    """Return whom a name means: somebody with a link, who may be gone from the directory, else an account."""
    linked = [link for link in state.links().values() if is_kept(link, [person])]
    if len(linked) > 1:
        names = "; ".join(link.dn for link in linked[:10])
        raise BadRequest(f'{len(linked)} people go by "{person}": give the GUID or DN of one ({names}).')
    return linked[0].guid if linked else find_account(services, customer, person, Meter()).person.guid
