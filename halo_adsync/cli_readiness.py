"""The command that tells who would not be signed in to Halo automatically."""

from collections.abc import Iterator, Mapping
from typing import Annotated

import typer
from rich.markup import escape

from halo_adsync import terminal
from halo_adsync.bootstrap import app as builder
from halo_adsync.cli_common import AsJson, Id, told
from halo_adsync.plan.readiness import Readiness, Reason
from halo_adsync.plan.render import SHOWN
from halo_adsync.readiness import readiness as look

_TITLES: Mapping[Reason, str] = {
    Reason.NO_LOGIN: "have no login",
    Reason.DUPLICATE_LOGIN: "share a login with somebody",
    Reason.DISABLED: "have an account that is disabled or has expired",
    Reason.UPN_NOT_ROUTABLE: "have a user principal name that Entra cannot verify",
    Reason.NOT_IN_ENTRA: "are not in Entra",
}


def readiness(
    customer: Id,
    everything: Annotated[
        bool, typer.Option("--all", help="Show everybody as text, not only the first.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell who in scope would not be signed in to Halo automatically, and why."""
    with told(customer, as_json=as_json):
        app = builder()
        with terminal.Bars(hidden=as_json) as bars:
            found = look(app.services(bars), app.store().customer(customer))
        if as_json:
            terminal.print_json(found.as_json())
            return
        for line in _lines(found, None if everything else SHOWN):
            terminal.output.print(escape(line))


def _lines(found: Readiness, shown: int | None) -> Iterator[str]:
    able = f"{found.ready} of {found.people} people in scope"
    yield f"{able} can be signed in automatically, as far as the directory tells"
    for warning in found.warnings:
        yield f"Warning: {warning}"
    counts = found.counts()
    yield from (f"  {counts[reason]} {title}" for reason, title in _TITLES.items() if counts[reason])
    for one in found.unready[:shown]:
        yield ""
        yield f"{one.name or one.guid}  {one.dn}"
        yield from (f"    {obstacle.reason.value}: {obstacle.text}" for obstacle in one.obstacles)
    if shown is not None and len(found.unready) > shown:
        yield ""
        yield f"... and {len(found.unready) - shown} more; --all shows them, --json holds them"
