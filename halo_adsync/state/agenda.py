"""Agenda: what the timer remembers of every customer's runs, in one partition that it reads at once.

Nothing but a short cut. It may forget anything, and then the runs themselves are read; it never says that
somebody is due or lags behind, only that somebody cannot be yet, and was in step at least then. Only the
timer writes it: a run costs nothing more for it.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from halo_adsync.errors import RowUnreadable
from halo_adsync.model import CustomerId
from halo_adsync.state.shapes import build, moment, reads
from halo_adsync.state.table import Conflict, Operation, Row, Scalar, Table

AGENDA = "$schedule"
"""The partition of these rows, one a customer."""
_RESTS, _IN_STEP = "rests", "in_step"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the runs of a customer told when they were read last."""

    asked: Mapping[str, datetime] = field(default_factory=dict)
    """When the work of each mode was last asked for; a mode that is missing was not, as far as is known."""
    rests: datetime | None = None
    """Until when the schedule rests, as far as that may be relied upon without looking again."""
    in_step: datetime | None = None
    """When the last run was asked for that brought everybody in step; there may be a later one."""
    etag: str = ""
    """Which row this was read from; empty where there is none."""


NOTHING_SEEN = Seen()


class Agenda:
    """What was seen of all customers."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def seen(self) -> dict[str, Seen]:
        """Return what was seen, by the customer's id, in one query; of an unreadable row, nothing."""
        found: dict[str, Seen] = {}
        for row in self._table.query(AGENDA, "!", "~"):
            try:
                found[row.key] = _seen_of(row)
            except RowUnreadable as error:
                _log.warning(
                    "The runs of customer %s are read instead, and its row mended: %s", row.key, error
                )
                found[row.key] = Seen(etag=row.etag)
        return found

    def keep(self, customer: CustomerId, seen: Seen) -> None:
        """Write what was seen, unless somebody has written since the row with its ETag was read."""
        values: dict[str, Scalar] = {mode: when.isoformat() for mode, when in seen.asked.items()}
        if seen.rests:
            values[_RESTS] = seen.rests.isoformat()
        if seen.in_step:
            values[_IN_STEP] = seen.in_step.isoformat()
        row = Row(AGENDA, customer, values, seen.etag)
        with suppress(Conflict):
            self._table.transact(AGENDA, [Operation("replace" if seen.etag else "insert", row)])

    def forget(self, customer: str) -> None:
        """Delete the row of a customer, if there is one."""
        with suppress(Conflict):
            self._table.transact(AGENDA, [Operation("delete", Row(AGENDA, customer, {}))])


@reads
def _seen_of(row: Row) -> Seen:
    times = {name: moment(build(str, value)) for name, value in row.values.items()}
    rests, in_step = times.pop(_RESTS, None), times.pop(_IN_STEP, None)
    return Seen(times, rests, in_step, row.etag)
