"""Render: a plan as text for people, as JSON, and as CSV. Three views of the same lines."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from halo_adsync.plan.types import AGENT_BUCKETS, BUCKETS, RENAMES, Change, Kind, Record

_TITLES: Mapping[Kind, str] = {
    Kind.CREATE_CLIENT: "Clients to create",
    Kind.CREATE_SITE: "Sites to create",
    Kind.RENAME_CLIENT: "Clients to rename",
    Kind.RENAME_SITE: "Sites to rename",
    Kind.CREATE: "People to create",
    Kind.UPDATE: "People to update",
    Kind.MOVE: "People to move to another site",
    Kind.REACTIVATE: "People to reactivate",
    Kind.DEACTIVATE: "People to deactivate",
    Kind.UNCHANGED: "People to link, with nothing to change",
    Kind.CONFLICT: "Conflicts, which a person has to settle",
    Kind.HELD: "Held back",
    Kind.SKIPPED: "Left out",
}
_AGENT_TITLES: Mapping[Kind, str] = {
    Kind.CREATE: "Agents to create",
    Kind.UPDATE: "Agents to update",
    Kind.REACTIVATE: "Agents to enable again",
    Kind.DEACTIVATE: "Agents to disable",
    Kind.UNCHANGED: "Agents to link, with nothing to change",
    Kind.CONFLICT: "Conflicts of agents, which a person has to settle",
    Kind.HELD: "Agents held back",
    Kind.SKIPPED: "Agents left out",
}
_SECTIONS = (
    *((kind, Record.USER, title) for kind, title in _TITLES.items()),
    *((kind, Record.AGENT, title) for kind, title in _AGENT_TITLES.items()),
    (Kind.CREATE, Record.TICKET, "Tickets to open for new people"),
)
_CREATING = (Kind.CREATE_CLIENT, Kind.CREATE_SITE)
_DANGEROUS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection): full-width signs too."""
_JOINER = "\u200d"
"""Joins the parts of an emoji, and is harmless."""
SHOWN = 25
"""How many lines of a kind the text shows before it counts the rest."""


def as_json(summary: Mapping[str, Any], changes: Sequence[Change]) -> str:
    """Write the run's summary with every line, as one object."""
    return json.dumps(
        {**summary, "changes": [change.as_json() for change in changes]}, ensure_ascii=False, indent=2
    )


def as_csv(changes: Sequence[Change]) -> str:
    """Write one row a changed field (one row a line without any), safe to open in a spreadsheet."""
    return csv_table(
        ("kind", "name", "dn", "guid", "halo_id", "reason", "field", "before", "after", "record"),
        (row for change in changes for row in _rows(change)),
    )


def csv_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table as CSV (RFC 4180) in which no spreadsheet takes a cell for a formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return buffer.getvalue()


def _rows(change: Change) -> Iterator[list[str]]:
    user = str(change.user or "")
    head = [change.kind.value, change.name, change.dn, change.guid, user, change.reason]
    for field, difference in change.fields.items() or [("", None)]:
        tail = [field, difference.before or "", difference.after] if difference else ["", "", ""]
        yield [*head, *tail, change.record.value]


def as_text(summary: Mapping[str, Any], changes: Sequence[Change], *, everything: bool = False) -> str:
    """Write the plan for people: what, who, why, and each field before and after."""
    return "\n".join(_text(summary, changes, None if everything else SHOWN)) + "\n"


def _text(summary: Mapping[str, Any], changes: Sequence[Change], shown: int | None) -> Iterator[str]:
    run = f"Plan for {summary['customer']}, run {summary['run']} ({summary['mode']})"
    yield f"{run}: {_sentence(summary, changes)}"
    for warning in summary["warnings"]:
        yield visible(f"Warning: {warning}")
    for violation in summary["violations"]:
        yield visible(f"Limit {violation['rule']}: {violation['message']}")
    for kind, record, title in _SECTIONS:
        lines = [change for change in changes if change.kind is kind and change.record is record]
        yield from _section(title, lines, shown)


def _section(title: str, lines: Sequence[Change], shown: int | None) -> Iterator[str]:
    if not lines:
        return
    yield ""
    yield f"{title} ({len(lines)})"
    for change in lines[:shown]:
        yield from _line(change)
    if shown is not None and len(lines) > shown:
        yield f"  ... and {len(lines) - shown} more; --all shows them, --format csv and json hold them"


def _sentence(summary: Mapping[str, Any], changes: Sequence[Change]) -> str:
    counts = summary["counts"]
    parts = [f"{counts[bucket.value]} {bucket.value}" for bucket in BUCKETS if counts[bucket.value]]
    agents = summary.get("agents", {})
    parts += [
        f"{agents[kind.value]} {kind.value} (agents)" for kind in AGENT_BUCKETS if agents.get(kind.value)
    ]
    for kinds, verb in (RENAMES, "rename"), (_CREATING, "create"):
        if number := sum(change.kind in kinds for change in changes):
            parts.insert(0, f"{number} clients and sites to {verb}")
    return ", ".join(parts) or "nobody is in scope"


def _line(change: Change) -> Iterator[str]:
    user = f" [Halo {change.record.value} {change.user}]" if change.user else ""
    dn = f"  {change.dn}" if change.dn else ""
    yield visible(f"  {change.name or change.guid}{user}{dn}")
    yield visible(f"      {change.reason}")
    for field, difference in sorted(change.fields.items()):
        before = "" if difference.before is None else f"{_quoted(difference.before)} -> "
        yield f"      {field}: {before}{_quoted(difference.after)}"


def _quoted(text: str) -> str:
    return visible(json.dumps(text, ensure_ascii=False))


def visible(text: str) -> str:
    """Spell out what would steer a terminal or reorder the line: controls, direction marks, separators."""
    return "".join(sign if sign.isprintable() or sign == _JOINER else f"\\u{ord(sign):04x}" for sign in text)


def _harmless(cell: str) -> str:
    dangerous = cell.lstrip().startswith(_DANGEROUS) or cell.startswith(("\t", "\r", "\n"))
    return f"'{cell}" if dangerous else cell
