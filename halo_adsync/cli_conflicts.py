"""The commands by which a person settles what matching could not: list, link, ignore, create, forget."""

from typing import Annotated

import typer

from halo_adsync import terminal
from halo_adsync.bootstrap import actor
from halo_adsync.bootstrap import app as builder
from halo_adsync.cli_common import AsJson, Id, state_of, told
from halo_adsync.deciding import Action, conflicts_of, decide
from halo_adsync.deciding import forget as forget_decision
from halo_adsync.model import Decision, HaloUserId

conflicts = typer.Typer(help="What matching could not settle: list it, and decide.", no_args_is_help=True)

PersonArgument = Annotated[
    str, typer.Argument(help="A GUID, DN, logon name, UPN or mail address.", metavar="PERSON")
]


@conflicts.command("list")
def list_conflicts(customer: Id, as_json: AsJson = False) -> None:
    """List who was in conflict in the latest run, why, and what was decided since."""
    with told(customer, as_json=as_json):
        found = conflicts_of(state_of(customer))
        if as_json:
            terminal.print_json({"customer": customer, **found.as_json()})
            return
        for line in found.lines:
            terminal.output.print(f"{line.name}  {line.dn}\n    {line.reason}", markup=False)
            if decision := found.decided(line):
                terminal.output.print(f"    decided: {_told(decision)}; the next sync does it", markup=False)
        if not found.lines:
            terminal.say("Nobody is in conflict.")
        elif not all(map(found.decided, found.lines)):
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
        app = builder()
        forget_decision(app.services(), app.store().customer(customer), person)
        terminal.output.print("Forgotten.")


def _decide(customer: str, person: str, action: Action, user: HaloUserId | None = None) -> None:
    with told(customer):
        app = builder()
        found = app.store().customer(customer)
        decided = decide(app.services(), found, person, action, actor=actor(), user=user)
        if decided.linked:
            terminal.say("This account has a link already; the decision counts once that is gone.", "yellow")
        terminal.output.print(f"Decided: {_told(decided.decision)}")
        terminal.say(f"Next: halo-adsync explain {customer} {decided.decision.guid}")


def _told(decision: Decision) -> str:
    target = f" to Halo user {decision.user}" if decision.user else ""
    return f"{decision.action}{target}, by {decision.actor} on {decision.made[:10]}"
