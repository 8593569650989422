"""Auditing: what was done to whom, when, at whose request, and what Halo answered.

The lines of stored plans are the record: each is settled in the same transaction as the link that it makes,
so nothing is written to Halo that does not stand there. `forgetting.py` deletes them when their time is over.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from halo_adsync.customer_values import NAMES_OF_PEOPLE, called, is_same_dn
from halo_adsync.plan.leavers import names_of
from halo_adsync.plan.render import csv_table
from halo_adsync.state.customer_state import CustomerState
from halo_adsync.state.lines import Line
from halo_adsync.state.runs import Run

COLUMNS = (
    "at",
    "run",
    "mode",
    "actor",
    "reason",
    "approved_by",
    "kind",
    "record",
    "guid",
    "dn",
    "name",
    "halo_id",
    "why",
    "status",
    "answer",
    "before",
    "after",
)
MOST = 10_000
"""How many entries one answer holds at most."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What was done, newest run first, in a run in the order of doing."""

    entries: tuple[Mapping[str, Any], ...]
    truncated: bool
    """Whether there is more than was asked for."""


def audit(
    state: CustomerState,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    person: str = "",
    limit: int = MOST,
) -> Audit:
    """Return what was done to a customer's people, clients and sites.

    Args:
        state: where it is kept.
        since: only runs that were requested at that time or later; UTC where it has no zone.
        until: only runs that were requested before; UTC where it has no zone.
        person: only this person: a GUID, DN, name, login name, mail address or Halo id.
        limit: at most so many entries.
    """
    found = list(islice(_entries(state, _in_utc(since), _in_utc(until), person), limit + 1))
    return Audit(tuple(found[:limit]), len(found) > limit)


def as_csv(entries: Iterable[Mapping[str, Any]]) -> str:
    """Write one row an entry, safe to open in a spreadsheet; `before` and `after` are JSON objects."""
    return csv_table(COLUMNS, ([_cell(entry[column]) for column in COLUMNS] for entry in entries))


def _entries(
    state: CustomerState, since: datetime | None, until: datetime | None, person: str
) -> Iterator[dict[str, Any]]:
    for run in state.history.between(since, until):
        for line in islice(state.lines(run), run.settled):  # they are settled in order
            if not person or _is_about(line, person):
                yield _entry(run, line)


def _entry(run: Run, line: Line) -> dict[str, Any]:
    told = line.as_json()
    fields = line.change.fields
    return {
        "at": line.at,
        "run": run.id,
        "mode": run.mode,
        "actor": run.actor,
        "reason": run.reason,
        "approved_by": run.approved_by,
        **{name: told[name] for name in ("kind", "record", "guid", "dn", "name", "halo_id", "status")},
        "why": line.change.reason,
        "answer": line.outcome or ("accepted" if line.status == "done" else ""),
        "before": {name: field.before for name, field in fields.items() if field.before is not None},
        "after": {name: field.after for name, field in fields.items()},
    }


def _is_about(line: Line, person: str) -> bool:
    change = line.change
    held = [field for name, field in change.fields.items() if name in NAMES_OF_PEOPLE]
    texts = [text or "" for field in held for text in (field.before, field.after)]
    names = called([change.guid, change.name, str(line.user or change.user or ""), *texts])
    names |= names_of(change.base) if change.base else set()
    return person.strip().casefold() in names or ("=" in person and is_same_dn(person, change.dn))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _in_utc(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time and time.tzinfo is None else time
