"""The commands by which a person settles what matching could not: list, link, ignore, create, forget."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from halo_adsync import terminal
from halo_adsync.bootstrap import actor
from halo_adsync.bootstrap import app as builder
from halo_adsync.cli_common import AsJson, Id, state_of, told
from halo_adsync.explaining import find_account
from halo_adsync.model import Decision, HaloUserId, Meter, ObjectGuid
from halo_adsync.plan.types import Change, Kind
from halo_adsync.state.store import CustomerState

LOOK_BACK = 50
"""How many runs are looked through for the latest one that says who is in conflict."""
conflicts = typer.Typer(help="What matching could not settle: list it, and decide.", no_args_is_help=True)

PersonArgument = Annotated[
    str, typer.Argument(help="A GUID, DN, logon name, UPN or mail address.", metavar="PERSON")
]


@conflicts.command("list")
def list_conflicts(customer: Id, as_json: AsJson = False) -> None:
    """List who was in conflict in the latest run, why, and what was decided since."""
    with told(customer, as_json=as_json):
        state = state_of(customer)
        decisions, found = state.decisions(), latest_conflicts(state)
        if as_json:
            decided = [asdict(decision) for decision in decisions.values()]
            listed = [change.as_json() for change in found]
            terminal.print_json({"customer": customer, "conflicts": listed, "decisions": decided})
            return
        for change in found:
            decision = decisions.get(ObjectGuid(change.guid))
            terminal.output.print(f"{change.name}  {change.dn}\n    {change.reason}", markup=False)
            if decision:
                terminal.output.print(f"    decided: {_told(decision)}; the next sync does it", markup=False)
        if not found:
            terminal.say("Nobody is in conflict.")
        elif any(change.guid not in decisions for change in found):
            terminal.say(f"Next: halo-adsync conflict link|create|ignore {customer} PERSON")


@conflicts.command("link")
def link(
    customer: Id,
    person: PersonArgument,
    user: Annotated[int, typer.Argument(help="The Halo user's id.", metavar="USER", min=1)],
) -> None:
    """Decide that an account is this Halo user."""
    _decide(customer, person, "link", HaloUserId(user))


@conflicts.command("create")
def create(customer: Id, person: PersonArgument) -> None:
    """Decide that an account is none of Halo's users: a new one is created."""
    _decide(customer, person, "create")


@conflicts.command("ignore")
def ignore(customer: Id, person: PersonArgument) -> None:
    """Decide that an account is left out."""
    _decide(customer, person, "ignore")


@conflicts.command("forget")
def forget(customer: Id, person: PersonArgument) -> None:
    """Take a decision back. A link that was made stays."""
    with told(customer):
        state_of(customer).undecide(_guid(customer, person))
        terminal.output.print("Forgotten.")


def latest_conflicts(state: CustomerState) -> list[Change]:
    """Return the lines of conflict of the latest run that planned for everybody."""
    for run in state.runs(LOOK_BACK):
        if run.digest and not run.person:
            return [change for change in state.notes(run) if change.kind is Kind.CONFLICT]
    return []


def _decide(
    customer: str, person: str, action: Literal["link", "create", "ignore"], user: HaloUserId | None = None
) -> None:
    with told(customer):
        guid, now = _guid(customer, person), datetime.now(UTC).isoformat(timespec="seconds")
        decision = Decision(guid, action, user, actor(), now)
        state = state_of(customer)
        if guid in state.links():
            terminal.say("This account has a link already; the decision counts once that is gone.", "yellow")
        state.decide(decision)
        terminal.output.print(f"Decided: {_told(decision)}")
        terminal.say(f"Next: halo-adsync explain {customer} {guid}")


def _guid(customer: str, person: str) -> ObjectGuid:
    app = builder()
    return find_account(app.services(), app.store().customer(customer), person, Meter()).person.guid


def _told(decision: Decision) -> str:
    target = f" to Halo user {decision.user}" if decision.user else ""
    return f"{decision.action}{target}, by {decision.actor} on {decision.made[:10]}"
