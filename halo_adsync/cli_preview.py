"""The command that tries an expression before it is written into a customer's file."""

from typing import Annotated

import typer
from rich.markup import escape

from halo_adsync import terminal
from halo_adsync.bootstrap import HALO_FIELDS
from halo_adsync.bootstrap import app as builder
from halo_adsync.cli_common import AsJson, Id, told
from halo_adsync.previewing import Effect, Preview
from halo_adsync.previewing import preview as try_out


def preview(
    customer: Id,
    expression: Annotated[
        str, typer.Argument(help="An attribute's name, or a template in quotes.", metavar="EXPRESSION")
    ],
    person: Annotated[
        str | None, typer.Argument(help="A GUID, DN, logon name, UPN or mail address.", metavar="[PERSON]")
    ] = None,
    field: Annotated[
        str | None, typer.Option("--field", help="Count whose value would change if it filled this field.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Try an attribute or a template on somebody real, and see whose value would change."""
    with told(customer, as_json=as_json):
        app = builder()
        with terminal.Bars(hidden=as_json) as bars:
            shown = try_out(
                app.services(bars),
                app.store().customer(customer),
                expression,
                person=person,
                field=field,
                halo_fields=HALO_FIELDS,
            )
        if as_json:
            terminal.print_json(shown.as_json())
        else:
            _show(shown)


def _show(shown: Preview) -> None:
    lines = []
    if shown.person is not None:
        outside = f" (not in scope: {shown.outside})" if shown.outside else ""
        lines.append(f"Person: {shown.person.dn}{outside}")
        lines.append("Value: none" if shown.value is None else f"Value: {shown.value!r}")
        held = {name: f" = {value!r}" if value else " is empty" for name, value in shown.attributes.items()}
        read = [f"{name}{value}" for name, value in held.items()]
    else:
        read = list(shown.attributes)
    lines.append(f"Reads: {', '.join(read) or 'no attribute'}")
    lines += [f"Note: {note}" for note in shown.notes]
    lines += _told(shown.field or "", shown.effect) if shown.effect else []
    for line in lines:
        terminal.output.print(escape(line))


def _told(field: str, effect: Effect) -> list[str]:
    summary = f"{field}: of {effect.in_scope} people in scope, {effect.change} would change"
    lines = [f"{summary}, and {effect.new} who are not linked yet would get a value"]
    if effect.left:
        lines.append(f"  {effect.left} would be left as they are: the value cannot be made or stored")
    if effect.unknown:
        lines.append(f"  {effect.unknown} would get a value, and what Halo holds of them is not known")
    for example in effect.examples:
        before = "" if example.before is None else f"{example.before!r} -> "
        lines.append(f"  {example.name}: {before}{example.after!r}")
    return lines
