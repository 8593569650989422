"""Deciding: a person settles what matching could not. Who is in conflict, and what was decided about it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from halo_adsync.customer import Customer
from halo_adsync.explaining import find_account
from halo_adsync.model import Decision, HaloUserId, Meter, ObjectGuid
from halo_adsync.plan.types import Change, Kind, Record
from halo_adsync.services import Services
from halo_adsync.state.customer_state import CustomerState

LOOK_BACK = 50
"""How many runs are looked through for the latest one that says who is in conflict."""

type Action = Literal["link", "create", "ignore"]


@dataclass(frozen=True, slots=True)
class Conflicts:
    """Who was in conflict in the latest run, and all decisions that are kept."""

    lines: tuple[Change, ...]
    decisions: Mapping[ObjectGuid, Decision]

    def decided(self, line: Change) -> Decision | None:
        """Return what was decided about a line since, if anything."""
        return self.decisions.get(ObjectGuid(line.guid))

    def as_json(self) -> dict[str, Any]:
        """Return both lists as `--json` and the HTTP API show them."""
        return {
            "conflicts": [line.as_json() for line in self.lines],
            "decisions": [asdict(decision) for decision in self.decisions.values()],
        }


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision that was just made."""

    decision: Decision
    linked: bool
    """The account has a link already: the decision counts once that is gone."""

    def as_json(self) -> dict[str, Any]:
        """Return the decision as the HTTP API shows it."""
        return {"guid": self.decision.guid, "decision": asdict(self.decision), "linked": self.linked}


def conflicts_of(state: CustomerState) -> Conflicts:
    """Return the conflicts of the latest run that planned for everybody."""
    for run in state.runs(LOOK_BACK):
        if run.digest and not run.person:
            notes = (change for change in state.notes(run) if change.record is Record.USER)
            lines = tuple(change for change in notes if change.kind is Kind.CONFLICT)
            return Conflicts(lines, state.decisions())
    return Conflicts((), state.decisions())


def decide(
    services: Services,
    customer: Customer,
    person: str,
    action: Action,
    *,
    actor: str,
    user: HaloUserId | None = None,
) -> Decided:
    """Keep a decision about an account, in the place of an earlier one.

    Args:
        services: where the account is looked up and the decision kept.
        customer: whose account.
        person: whatever `find_account` takes.
        action: what is decided.
        actor: who decides, for the record.
        user: the Halo user, for `link`.

    Raises:
        NotFound, BadRequest, IncompleteRead, DirectoryRefused: as `find_account`.
    """
    guid = find_account(services, customer, person, Meter()).person.guid
    state = services.store(Meter()).of(customer.key)
    decision = Decision(guid, action, user, actor, services.now().isoformat(timespec="seconds"))
    state.decide(decision)
    return Decided(decision, linked=guid in state.links())


def forget(services: Services, customer: Customer, person: str) -> ObjectGuid:
    """Take a decision back, if there is one; return whose. A link that was made stays."""
    guid = find_account(services, customer, person, Meter()).person.guid
    services.store(Meter()).of(customer.key).undecide(guid)
    return guid
