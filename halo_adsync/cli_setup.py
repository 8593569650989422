"""The commands that set a customer up: check, the customer's file, its tree, its Halo instance."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from halo_adsync import terminal
from halo_adsync.asking import read_request
from halo_adsync.bootstrap import HALO_FIELDS
from halo_adsync.bootstrap import app as builder
from halo_adsync.checks import check_customer, check_storage
from halo_adsync.cli_common import AsJson, Id, state_of, told, write_file
from halo_adsync.customer import Customer
from halo_adsync.customer_file import export, json_schema, parse, plain
from halo_adsync.customers import listed
from halo_adsync.errors import Busy, ConfigurationError
from halo_adsync.mirroring import Anchors, Proposal, Wish, propose
from halo_adsync.model import DirectoryRead, Meter
from halo_adsync.plan.render import visible
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
    with told(customer, as_json=as_json):
        found = builder().store().customer(customer)
        if as_json:
            terminal.print_json(plain(found))
        else:
            sys.stdout.write(export(found))


@customers.command("list")
def customer_list(as_json: AsJson = False) -> None:
    """List the customers."""
    with told(as_json=as_json):
        found = list(listed(builder().store()))
        if as_json:
            terminal.print_json({"customers": found})
            return
        for customer in found:
            shown = customer.get("problem") or "{name}  {policy}".format_map(customer)
            state = "" if customer.get("enabled", True) else "  (disabled)"
            state += f"  (paused until {customer['paused_until']})" if "paused_until" in customer else ""
            terminal.output.print(f"{customer['id']}  {shown}{state}", markup=False)
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
    with told(customer, as_json=as_json), terminal.Bars(hidden=as_json) as bars:
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


def mirror(
    customer: Id,
    *,
    top: Annotated[
        str, typer.Option(metavar="DN", help="The OU whose tree is mirrored; guessed if left out.")
    ] = "",
    site_level: Annotated[
        int | None,
        typer.Option(
            min=1, max=20, help="How far below the top sites stand; 1, or just below clients, if left out."
        ),
    ] = None,
    client_level: Annotated[
        int | None,
        typer.Option(min=1, max=19, help="How far below the top clients stand, if anywhere."),
    ] = None,
    branch: Annotated[
        list[str] | None,
        typer.Option(metavar="OU", help="Only this OU below the top, by name or DN; may be repeated."),
    ] = None,
    clean: Annotated[
        bool, typer.Option("--clean/--keep-names", help="Take sorting prefixes and the like off OU names.")
    ] = False,
    follow: Annotated[
        bool,
        typer.Option("--follow-moved/--keep-moved", help="Place people of moved OUs where these are now."),
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Put the mirror into the customer file as it is kept.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Propose clients and sites after the directory's OUs, with the people that each would get."""
    with told():
        store, services = builder().store(), builder().services()
        found = store.customer(customer)
        known = state_of(customer).known()
        wish = Wish(top, site_level, client_level, tuple(branch or ()), clean, follow)
        reads = _read_directories(found, known.anchors, hidden=as_json)
        proposal = propose(
            found,
            reads,
            known.anchors,
            wish,
            now=services.now(),
            target=services.target,
            footing=known.footing,
        )
        if write and store.customer(customer) != found:
            raise Busy(
                f"{customer}: the customer file was changed meanwhile; nothing was written. Try again."
            )
        changed = write and store.put_customer(proposal.customer)
        if as_json:
            terminal.print_json({**proposal.as_json(), "written": changed})
            return
        _show_proposal(proposal)
        if write:
            _show_rule(proposal, changed=changed)
            terminal.say(f"Next: halo-adsync plan {customer}")
        else:
            terminal.say("Nothing was written. Next: the same command with --write")


def _read_directories(found: Customer, anchors: Anchors, *, hidden: bool) -> list[DirectoryRead]:
    reads: list[DirectoryRead] = []
    with terminal.Bars(hidden=hidden) as bars:
        for block in found.directories:
            with builder().directory(block, Meter()) as directory:
                request = read_request(found, block, anchors)
                reads.append(directory.read(request, lambda count: bars("Reading people", count, None)))
    return reads


def _show_proposal(proposal: Proposal) -> None:
    rule, show = proposal.rule, terminal.output.print
    guessed = "; guessed: the OUs below it hold most of the people; --top names another"
    show(f"The mirror of {rule.mirror}{guessed if proposal.guessed else ''}", markup=False)
    table = Table(box=None, pad_edge=False)
    for title in ("client", "site", "people", "placed by"):
        table.add_column(title, no_wrap=True, justify="right" if title == "people" else "left")
    for site in proposal.sites:
        parts = (escape(visible(text)) for text in (site.client, site.site, str(site.people), site.rule))
        table.add_row(*parts)
    table.add_row("", "all", str(proposal.people), "")
    show(table)
    for number, text in (
        (proposal.uncertain, "of them stand elsewhere if Halo has the site that an attribute names"),
        (proposal.unplaced, "in scope have no name, or no rule says which site, and are left out"),
        (proposal.left_out, "more accounts do not count: disabled, expired, or not in scope"),
    ):
        if number:
            show(f"{number} {text}")


def _show_rule(proposal: Proposal, *, changed: bool) -> None:
    done = "replaces the one that was there" if proposal.replaces else "was added"
    done = f"The rule {done}" if changed else "The rule was there already; nothing was changed"
    text = ", ".join(f"{key}: {json.dumps(value)}" for key, value in proposal.as_json()["rule"].items())
    terminal.output.print(f"{done}: {{ {text} }}", markup=False)
    if changed:
        terminal.say(
            f"Put it into your own copy of the file too (halo-adsync customer show {proposal.customer.id}):"
            " applying that again would undo it."
        )


@halo.command("probe")
def halo_probe(customer: Id, as_json: AsJson = False) -> None:
    """Find out, by reading only, how a live instance behaves where the documentation is silent."""
    with told(customer, as_json=as_json):
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
            write_file(out, text)
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
