"""The command about what was done: audit."""

import sys
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from halo_adsync import terminal
from halo_adsync.auditing import MOST, as_csv
from halo_adsync.auditing import audit as read_audit
from halo_adsync.cli_common import Id, state_of, told, write_file


class AuditFormat(StrEnum):
    """How the record is written."""

    csv = "csv"
    json = "json"


Day = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="When the run was asked for, UTC."),
]


def audit(
    customer: Id,
    *,
    since: Day = None,
    until: Day = None,
    person: Annotated[
        str, typer.Option(help="Only this person: a GUID, DN, name, login, mail address or Halo id.")
    ] = "",
    output_format: Annotated[
        AuditFormat, typer.Option("--format", help="How to write it.")
    ] = AuditFormat.csv,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead.")] = None,
) -> None:
    """Export what was done to whom, when, at whose request, and what Halo answered."""
    with told(customer, as_json=output_format is AuditFormat.json):
        found = read_audit(state_of(customer), since=since, until=until, person=person)
        if output_format is AuditFormat.json:
            data = {"customer": customer, "entries": list(found.entries), "truncated": found.truncated}
            text = terminal.json_text(data)
        else:
            text = as_csv(found.entries)
        if out is not None:
            write_file(out, text)
            terminal.say(f"Written to {out}: {len(found.entries)} entries")
        else:
            sys.stdout.write(text)
        if found.truncated:
            terminal.say(f"Only the latest {MOST} entries: ask for the rest with --until.", "yellow")
