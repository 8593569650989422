"""The commands that set a customer up: check, the customer's file, its tree, its Halo instance."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from halo_adsync import terminal
from halo_adsync.bootstrap import HALO_FIELDS
from halo_adsync.bootstrap import app as builder
from halo_adsync.checks import check_customer, check_storage
from halo_adsync.cli_common import AsJson, Id, told
from halo_adsync.customer import Customer
from halo_adsync.customer_file import export, json_schema, parse
from halo_adsync.errors import ConfigurationError
from halo_adsync.model import Meter
from halo_adsync.takeover import choose, take_over

customers = typer.Typer(help="The customers: apply a file, show, list, remove.", no_args_is_help=True)
halo = typer.Typer(help="The Halo instance of a customer.", no_args_is_help=True)

_NOT_APPLIED = (
    "Not applied: review the file, then run this again with --apply, or halo-adsync customer apply FILE."
)


def check(
    customer: Annotated[
        str | None, typer.Argument(help="One customer; all of them if left out.", metavar="[ID]")
    ] = None,
) -> None:
    """Check settings, storage, secrets, directories and Halo; writes nothing."""
    with told():
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
    with told():
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
    with told():
        found = builder().store().customer(customer)
        if as_json:
            terminal.print_json(found.model_dump(mode="json", by_alias=True, exclude_unset=True))
        else:
            sys.stdout.write(export(found))


@customers.command("list")
def customer_list(as_json: AsJson = False) -> None:
    """List the customers."""
    with told():
        found = builder().store().customers()
        if as_json:
            listed = [{"id": c.id, "name": c.name, "enabled": c.enabled, "policy": c.policy} for c in found]
            terminal.print_json({"customers": listed})
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
    with told():
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


def tree(customer: Id, as_json: AsJson = False) -> None:
    """Show the directory's containers with the people in each."""
    with told(), terminal.Bars(hidden=as_json) as bars:
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
    with told():
        found = builder().store().customer(customer)
        with builder().halo(found, Meter(), lambda: None) as instance:
            findings = instance.probe()
        if as_json:
            terminal.print_json({"customer": customer, "findings": [asdict(found) for found in findings]})
            return
        for finding in findings:
            terminal.output.print(
                f"{finding.question}\n  {finding.answer}\n  {finding.meaning}", markup=False
            )


@halo.command("import")
def halo_import(
    customer: Id,
    connection: Annotated[
        int | None, typer.Option(metavar="N", help="Which LDAP connection of Halo, where it has several.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the file here instead of printing it.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Keep the file as well.")] = False,
    as_json: AsJson = False,
) -> None:
    """Turn Halo's own directory integration into the customer's file; report what has no counterpart."""
    with told(customer, as_json=as_json):
        store = builder().store()
        found = store.customer(customer)
        with builder().halo(found, Meter(), lambda: None) as instance:
            connections = instance.ldap_connections()
            chosen = instance.ldap_connection(choose(connections, connection).id)
        taken = take_over(found, chosen, connections)
        text = export(taken.customer)
        if out is not None:
            _write(out, text)
        if apply:
            store.put_customer(taken.customer)
        if as_json:
            data = {"customer": customer, "connection": chosen.id, "applied": apply}
            terminal.print_json({**data, "file": text, "report": taken.report})
            return
        if out is None:
            sys.stdout.write(text)
        else:
            terminal.say(f"Written to {out}")
        for sentence in taken.report:
            terminal.say(f"- {sentence}")
        terminal.say(f"Applied. Next: halo-adsync plan {customer}" if apply else _NOT_APPLIED)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be written ({error.strerror}); name a file in a folder that exists."
        ) from None
