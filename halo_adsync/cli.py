"""The command line. Each command calls one use case and shapes its answer for people or machines."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from halo_adsync import terminal
from halo_adsync.bootstrap import HALO_FIELDS, Builder, actor
from halo_adsync.bootstrap import app as builder
from halo_adsync.checks import check_customer, check_storage
from halo_adsync.customer import Customer
from halo_adsync.customer_file import export, json_schema, parse
from halo_adsync.errors import ConfigurationError, HaloAdSyncError
from halo_adsync.explaining import find_account, steps
from halo_adsync.model import CustomerId, Meter
from halo_adsync.plan.render import as_csv, as_json, as_text
from halo_adsync.plan.types import Change
from halo_adsync.state.queue import Request
from halo_adsync.state.runs import Run
from halo_adsync.state.store import CustomerState


class Mode(StrEnum):
    """What a run compares with what."""

    delta = "delta"
    full = "full"
    reconcile = "reconcile"


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
customers = typer.Typer(help="The customers: apply a file, show, list, remove.", no_args_is_help=True)
halo = typer.Typer(help="The Halo instance of a customer.", no_args_is_help=True)
cli.add_typer(customers, name="customer")
cli.add_typer(halo, name="halo")

Id = Annotated[str, typer.Argument(help="The customer's id.", metavar="ID")]
RunArgument = Annotated[str, typer.Argument(help="The run, as `runs` lists it.", metavar="RUN")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
ModeOption = Annotated[
    Mode,
    typer.Option(
        help="delta: what changed; full: everybody against the links; reconcile: everybody against Halo."
    ),
]


@cli.command()
def check(
    customer: Annotated[
        str | None, typer.Argument(help="One customer; all of them if left out.", metavar="[ID]")
    ] = None,
) -> None:
    """Check settings, storage, secrets, directories and Halo; writes nothing."""
    with _told():
        worst = terminal.OK
        store = builder().store()
        terminal.output.print(check_storage(store))
        for found in [store.customer(customer)] if customer else store.customers():
            for finding in check_customer(builder(), found):
                mark = "[green]ok[/green]  " if finding.error is None else "[red]fail[/red]"
                terminal.output.print(f"{mark} {found.id}: ", end="")
                terminal.output.print(finding.text, markup=False)
                worst = max(worst, terminal.error_status(finding.error) if finding.error else terminal.OK)
        raise typer.Exit(worst)


@customers.command("apply")
def customer_apply(
    files: Annotated[list[Path], typer.Argument(help="Customer files (YAML or JSON).", metavar="FILE...")],
) -> None:
    """Read customer files and keep them; none is kept unless all are valid."""
    with _told():
        parsed: list[Customer] = []
        problems: list[str] = []
        for path in files:
            try:
                text = path.read_text("utf-8")
                parsed.append(parse(text, source=str(path), base=path.parent, halo_fields=HALO_FIELDS))
            except ConfigurationError as error:
                problems += error.problems
            except (OSError, UnicodeDecodeError) as error:
                problems.append(
                    f"{path}: cannot be read ({type(error).__name__}); give a UTF-8 text file that exists."
                )
        if problems:
            raise ConfigurationError(problems)
        store = builder().store()
        for customer in parsed:
            changed = store.put_customer(customer)
            terminal.output.print(f"{customer.id}: {'applied' if changed else 'unchanged'}")
        terminal.say(f"Next: halo-adsync plan {parsed[0].id}")


@customers.command("show")
def customer_show(customer: Id, as_json: AsJson = False) -> None:
    """Print a customer's file, without what stands at its default."""
    with _told():
        found = builder().store().customer(customer)
        if as_json:
            terminal.print_json(found.model_dump(mode="json", by_alias=True, exclude_unset=True))
        else:
            sys.stdout.write(export(found))


@customers.command("list")
def customer_list(as_json: AsJson = False) -> None:
    """List the customers."""
    with _told():
        found = builder().store().customers()
        if as_json:
            terminal.print_json(
                [{"id": c.id, "name": c.name, "enabled": c.enabled, "policy": c.policy} for c in found]
            )
            return
        for customer in found:
            state = "" if customer.enabled else "  (disabled)"
            terminal.output.print(f"{customer.id}  {customer.name}  {customer.policy}{state}", markup=False)
        if not found:
            terminal.say("No customers yet. Next: halo-adsync customer apply FILE")


@customers.command("remove")
def customer_remove(
    customer: Id, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False
) -> None:
    """Forget a customer: its file, links, runs and plans. Nothing in Halo is changed."""
    with _told():
        store = builder().store()
        found = store.customer(customer)
        question = f"Forget {found.name} with all its links and runs? Its users in Halo stay as they are."
        if not yes and not typer.confirm(question, err=True):
            raise typer.Exit(terminal.USAGE)
        terminal.output.print(f"{customer}: removed, with {store.remove_customer(customer)} rows")


@customers.command("schema")
def customer_schema() -> None:
    """Print the JSON Schema of customer files, for editors."""
    terminal.print_json(json_schema())


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
    with _told(customer, mode, as_json=output_format is Format.json):
        run, state = _run(customer, mode, dry_run=True, quiet=False)
        text = _written(run, _changes(state, run), output_format, everything=everything)
        if run.message:
            terminal.say(run.message, "red")
        if out is not None:
            out.write_text(text, "utf-8")
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
    with _told(customer, mode, as_json=as_json):
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
    with _told():
        found = _state(customer).runs(limit)
        if as_json:
            terminal.print_json([run.summary() for run in found])
        else:
            terminal.print_runs(found)


@cli.command("run")
def show_run(customer: Id, run: RunArgument, as_json: AsJson = False) -> None:
    """Show one run: how it ended, what it changed, and what failed and why."""
    with _told():
        state = _state(customer)
        found = state.run(run)
        lines = list(state.lines(found))
        if as_json:
            outcomes = [
                {**line.change.as_json(), "status": line.status, "outcome": line.outcome} for line in lines
            ] + [{**change.as_json(), "status": "noted", "outcome": ""} for change in state.notes(found)]
            terminal.print_json({**found.summary(), "changes": outcomes})
            return
        terminal.print_run(found)
        for line in lines:
            if line.status == "failed":
                terminal.say(f"  failed: {line.change.name} {line.change.dn}: {line.outcome}", "red")
        sys.stdout.write(as_text(found.summary(), _changes(state, found)))


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
    with _told(customer, as_json=as_json):
        app = builder()
        account = find_account(app.services(), app.store().customer(customer), person, Meter())
        guid = account.person.guid
        run, state = _run(customer, Mode.full, dry_run=not apply, quiet=as_json, person=guid)
        changes = _changes(state, run)
        told = steps(account, state.links().get(guid), changes) if not run.message else ()
        if as_json:
            data = {**run.summary(), "steps": [asdict(step) for step in told]}
            terminal.print_json({**data, "changes": [change.as_json() for change in changes]})
        else:
            terminal.print_steps(told, changes, guid)
            terminal.say(run.message or f"Run {run.id}: {run.status.value}")
        raise typer.Exit(terminal.exit_status(run))


@cli.command()
def tree(customer: Id, as_json: AsJson = False) -> None:
    """Show the directory's containers with the people in each."""
    with _told(), terminal.Bars(hidden=as_json) as bars:
        found = builder().store().customer(customer)
        data: list[dict[str, Any]] = []
        for block in found.directories:
            with builder().directory(block, Meter()) as directory:
                containers = list(directory.containers(lambda count: bars("Counting people", count, None)))
            below = terminal.people_below(containers)
            data += [
                {
                    "directory": block.id,
                    **asdict(c.container),
                    "people": c.people,
                    "people_below": below[c.container.guid],
                }
                for c in containers
            ]
            if not as_json:
                terminal.print_tree(f"{block.id}: people directly inside (and in all below)", containers)
        if as_json:
            terminal.print_json({"customer": customer, "containers": data})


@halo.command("probe")
def halo_probe(customer: Id, as_json: AsJson = False) -> None:
    """Find out, by reading only, how a live instance behaves where the documentation is silent."""
    with _told():
        found = builder().store().customer(customer)
        with builder().halo(found, Meter(), lambda: None) as instance:
            findings = instance.probe()
        if as_json:
            terminal.print_json(
                [{"question": f.question, "answer": f.answer, "meaning": f.meaning} for f in findings]
            )
            return
        for finding in findings:
            terminal.output.print(
                f"{finding.question}\n  {finding.answer}\n  {finding.meaning}", markup=False
            )


def main() -> None:
    """Run the command line."""
    cli(prog_name="halo-adsync")


def _run(
    customer: str, mode: Mode, *, dry_run: bool, quiet: bool, person: str = ""
) -> tuple[Run, CustomerState]:
    """Run in place, slice after slice, until the run has ended."""
    app: Builder = builder()
    with terminal.Bars(hidden=quiet) as bars:
        use_cases = app.sync(bars)
        request: Request = use_cases.new_run(
            customer, mode.value, "command line", actor(), dry_run=dry_run, person=person
        )
        run = use_cases.run(request)
        while run.status.is_open:
            terminal.say("Waiting for Halo's request budget ...")
            time.sleep(5)
            run = use_cases.run(request)
    return run, app.store().of(request.customer)


def _state(customer: str) -> CustomerState:
    store = builder().store()
    return store.of(CustomerId(store.customer(customer).id))


def _changes(state: CustomerState, run: Run) -> list[Change]:
    return [line.change for line in state.lines(run)] + state.notes(run)


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
    terminal.print_run(run, next_step)


@contextmanager
def _told(customer: str = "", mode: Mode = Mode.full, *, as_json: bool = False) -> Iterator[None]:
    """Turn the product's errors into sentences and exit statuses."""
    try:
        yield
    except HaloAdSyncError as error:
        terminal.say_error(error)
        if as_json:
            terminal.print_json(terminal.failure_json(customer, mode.value, error))
        raise typer.Exit(terminal.error_status(error)) from None
