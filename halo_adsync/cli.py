"""The command line. Each command calls one use case and shapes its answer for people or machines."""

import io
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from halo_adsync import terminal
from halo_adsync.bootstrap import Builder, actor
from halo_adsync.bootstrap import app as builder
from halo_adsync.cli_audit import audit
from halo_adsync.cli_common import AsJson, Id, Mode, ModeOption, RunArgument, state_of, told, write_file
from halo_adsync.cli_conflicts import conflicts
from halo_adsync.cli_leavers import approve_with, held, keep, reject, unkeep
from halo_adsync.cli_preview import preview
from halo_adsync.cli_readiness import readiness
from halo_adsync.cli_setup import check, customers, halo, mirror, tree
from halo_adsync.errors import Busy
from halo_adsync.explaining import explained, find_account
from halo_adsync.model import Meter
from halo_adsync.plan.render import as_csv, as_json, as_text
from halo_adsync.plan.types import Change
from halo_adsync.state.customer_state import CustomerState
from halo_adsync.state.queue import Request
from halo_adsync.state.runs import Run


class Format(StrEnum):
    """How a plan is written."""

    text = "text"
    json = "json"
    csv = "csv"


cli = typer.Typer(
    help="Keeps the users of a Halo service desk in step with Active Directory.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
cli.command()(check)
cli.command()(tree)
cli.command()(mirror)
cli.command()(preview)
cli.command()(readiness)
cli.command()(held)
cli.command()(keep)
cli.command()(unkeep)
cli.command()(reject)
cli.command()(audit)
cli.add_typer(conflicts, name="conflict")
cli.add_typer(customers, name="customer")
cli.add_typer(halo, name="halo")


@cli.command()
def plan(
    customer: Id,
    mode: ModeOption = Mode.full,
    output_format: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.text,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Show every line as text, not only the first of a kind.")
    ] = False,
) -> None:
    """Show what a sync would do. Nothing is written to Halo."""
    with told(customer, mode, as_json=output_format is Format.json):
        if out is not None:
            write_file(out, "")  # before the run, so that a plan is not lost for want of a folder
        run, state = _run(customer, mode, dry_run=True, quiet=False)
        changes = [line.change for line in state.outcomes(run)]
        text = _written(run, changes, output_format, everything=everything)
        if run.message:
            terminal.say(run.message, "red")
        if out is not None:
            write_file(out, text)
            terminal.say(f"Written to {out}")
        else:
            sys.stdout.write(text)
        if not run.message and output_format is Format.text:
            terminal.say(f"Next: halo-adsync sync {customer}")
        raise typer.Exit(terminal.exit_status(run))


@cli.command()
def sync(
    customer: Id,
    mode: ModeOption = Mode.full,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Plan and judge only; write nothing to Halo.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring Halo in step with the directory, now and here."""
    with told(customer, mode, as_json=as_json):
        run, _ = _run(customer, mode, dry_run=dry_run, quiet=as_json)
        _show(run, as_json=as_json)
        raise typer.Exit(terminal.exit_status(run))


@cli.command()
def runs(
    customer: Id,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the latest runs, newest first."""
    with told(customer, as_json=as_json):
        found = state_of(customer).runs(limit)
        if as_json:
            terminal.print_json({"customer": customer, "runs": [run.summary() for run in found]})
        else:
            terminal.print_runs(found)


@cli.command("run")
def show_run(customer: Id, run: RunArgument, as_json: AsJson = False) -> None:
    """Show one run: how it ended, what it changed, and what failed and why."""
    with told(customer, as_json=as_json):
        state = state_of(customer)
        found = state.run(run)
        lines = state.outcomes(found)
        if as_json:
            terminal.print_json({**found.summary(), "changes": [line.as_json() for line in lines]})
            return
        terminal.print_run(found, found.next_step())
        for line in lines:
            if line.status in {"failed", "held"}:
                said = f"  {line.status}: {line.change.name} {line.change.dn}: {line.outcome}"
                terminal.say(said, "red" if line.status == "failed" else "")
        sys.stdout.write(as_text(found.summary(), [line.change for line in lines]))


@cli.command()
def explain(
    customer: Id,
    person: Annotated[
        str, typer.Argument(help="A GUID, DN, logon name, UPN or mail address.", metavar="PERSON")
    ],
    apply: Annotated[
        bool, typer.Option("--apply", help="Write this person to Halo, and nobody else.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what becomes of one person and why: found, in scope, matched, changes."""
    with told(customer, as_json=as_json):
        app = builder()
        account = find_account(app.services(), app.store().customer(customer), person, Meter())
        guid = account.person.guid
        run, state = _run(customer, Mode.full, dry_run=not apply, quiet=as_json, person=guid)
        said = explained(run, account, state)
        if as_json:
            terminal.print_json(said.as_json())
        else:
            terminal.print_steps(said.steps, said.changes, guid)
            terminal.say(run.message or f"Run {run.id}: {run.status.value}")
        raise typer.Exit(terminal.exit_status(run))


def main() -> None:
    """Run the command line. What a terminal's encoding cannot show is escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    cli(prog_name="halo-adsync")


def _run(
    customer: str, mode: Mode, *, dry_run: bool, quiet: bool, person: str = ""
) -> tuple[Run, CustomerState]:
    """Record a run and do it in place, to its end."""
    app: Builder = builder()
    request = app.sync().new_run(
        customer, mode.value, "command line", actor(), dry_run=dry_run, person=person
    )
    return _work_on(request, quiet=quiet), app.store().of(request.customer)


def _work_on(request: Request, *, quiet: bool = False) -> Run:
    """Work on a run in place, slice after slice, until it has ended."""
    app: Builder = builder()
    with terminal.Bars(hidden=quiet) as bars:
        use_cases, state = app.sync(bars), app.store().of(request.customer)
        run = use_cases.run(request)
        while run.status.is_open:
            terminal.say("Waiting for Halo's request budget ...")
            time.sleep(5)
            try:
                run = use_cases.run(request)
            except Busy as busy:  # a worker has taken this run from the queue: it is in good hands
                if busy.holder != request.run:
                    raise
                run = state.run(request.run)
    return run


def _written(run: Run, changes: list[Change], output_format: Format, *, everything: bool) -> str:
    if output_format is Format.json:
        return as_json(run.summary(), changes) + "\n"
    if output_format is Format.csv:
        return as_csv(changes)
    return as_text(run.summary(), changes, everything=everything) if not run.message else ""


def _show(run: Run, *, as_json: bool) -> None:
    if as_json:
        terminal.print_json(run.summary())
        return
    failed = run.counts["failed"]
    next_step = f"Next: halo-adsync run {run.customer} {run.id} says which failed and why" if failed else ""
    terminal.print_run(run, run.next_step() or next_step)


cli.command("approve")(approve_with(_work_on, _show))
