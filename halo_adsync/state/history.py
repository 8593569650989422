"""History: what earlier runs did, by time, and forgetting it when its time is over."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import batched

from halo_adsync.model import CustomerId
from halo_adsync.state import rows
from halo_adsync.state.runs import Run, run_of
from halo_adsync.state.table import MAX_OPERATIONS, Conflict, Operation, Row, Table


class History:
    """The runs of one customer."""

    def __init__(self, table: Table, customer: CustomerId) -> None:
        self._table, self._customer = table, customer

    def between(self, since: datetime | None, until: datetime | None) -> Iterator[Run]:
        """Yield the runs that were requested from `since` on and before `until`, newest first."""
        low = f"run|{rows.inverse_second(_second(until)):015d}~" if until else "run|"
        high = f"run|{rows.inverse_second(_second(since)):015d}~" if since else rows.after("run|")
        for row in self._table.query(self._customer, low, high):
            yield run_of(row)

    def forget(self, run: Run) -> int:
        """Delete a run with its plan and what became of it; return how many rows went.

        The run's own row goes last, so that a deletion that was cut off is gone on with.
        """
        keys = [
            row.key
            for prefix in (rows.line_prefix(run.id), rows.note_prefix(run.id))
            for row in self._table.query(self._customer, prefix, rows.after(prefix), select=["RowKey"])
        ]
        keys.append(rows.run_key(run.id))
        for some in batched(keys, MAX_OPERATIONS, strict=False):
            with suppress(Conflict):  # somebody else forgets it as well
                gone = [Operation("delete", Row(self._customer, key, {})) for key in some]
                self._table.transact(self._customer, gone)
        return len(keys)


def _second(time: datetime) -> str:
    with suppress(OverflowError):  # at either end of the calendar, where no run is
        time = time.astimezone(UTC)
    return f"{time.year:04}{time:%m%d%H%M%S}"
