"""The commands about leavers and blocked runs: held, keep, unkeep, approve, reject."""

from collections.abc import Callable
from typing import Annotated

import typer

from halo_adsync import terminal
from halo_adsync.approving import approve as approve_run
from halo_adsync.approving import reject as reject_run
from halo_adsync.bootstrap import actor
from halo_adsync.bootstrap import app as builder
from halo_adsync.cli_common import AsJson, Id, RunArgument, state_of, told
from halo_adsync.keeping import held as held_people
from halo_adsync.keeping import keep as keep_person
from halo_adsync.keeping import unkeep as unkeep_person
from halo_adsync.state.queue import Request
from halo_adsync.state.runs import Run

type WorkOn = Callable[[Request], Run]
"""Works on a run to its end, telling a person how far it is."""

PersonArgument = Annotated[
    str, typer.Argument(help="A GUID, DN, logon name or mail address.", metavar="PERSON")
]


def held(customer: Id, as_json: AsJson = False) -> None:
    """List who was held in the latest run, why, by which tickets, and who is kept."""
    with told(customer, as_json=as_json):
        found = held_people(state_of(customer))
        if as_json:
            terminal.print_json({"customer": customer, **found})
            return
        for person in found["held"]:
            said = f"{person['name']}  {person['dn']}\n    {person['reason']}"
            terminal.output.print(said, markup=False)
        for kept in found["kept"]:
            terminal.output.print(f"kept: {kept['guid']}, by {kept['actor']} on {kept['made'][:10]}")
        if not found["held"]:
            terminal.say("Nobody is held.")


def keep(customer: Id, person: PersonArgument) -> None:
    """Never switch this person off, whatever the directory says."""
    with told(customer):
        app = builder()
        kept = keep_person(app.services(), app.store().customer(customer), person, actor())
        terminal.output.print(f"Kept: {kept.guid}")
        terminal.say(f"Next: halo-adsync unkeep {customer} {kept.guid} takes it back")


def unkeep(customer: Id, person: PersonArgument) -> None:
    """Let the directory decide about this person again."""
    with told(customer):
        app = builder()
        guid = unkeep_person(app.services(), app.store().customer(customer), person)
        terminal.output.print(f"No longer kept: {guid}")


def approve_with(work_on: WorkOn, show: Callable[..., None]) -> Callable[..., None]:
    """Return the command that approves a blocked run and applies its plan here and now."""

    def approve(
        customer: Id,
        run: RunArgument,
        digest: Annotated[str, typer.Option(help="The plan's digest, as `run` shows it.")],
        as_json: AsJson = False,
    ) -> None:
        """Apply a blocked run's stored plan, exactly as it is."""
        with told(customer, as_json=as_json):
            request = approve_run(builder().services(), customer, run, digest, actor())
            ended = work_on(request)
            show(ended, as_json=as_json)
            raise typer.Exit(terminal.exit_status(ended))

    return approve


def reject(customer: Id, run: RunArgument, as_json: AsJson = False) -> None:
    """Reject a blocked run: its plan is never applied."""
    with told(customer, as_json=as_json):
        rejected = reject_run(builder().services(), customer, run, actor())
        if as_json:
            terminal.print_json(rejected.summary())
        else:
            terminal.output.print(f"Rejected: run {rejected.id}")
