"""New people whose ticket is planned and not open yet: rows that outlive the run that planned it."""

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime

from halo_adsync.model import CustomerId, Link, ObjectGuid
from halo_adsync.state import known_rows, link_rows, rows
from halo_adsync.state.runs import Run, Status
from halo_adsync.state.table import Row, Table

RUNS_LOOKED_THROUGH = 100
"""How many of the latest runs are asked whether one has brought everybody to Halo."""
ALWAYS = datetime.min.replace(tzinfo=UTC)


class Newcomers:
    """The new people of one customer."""

    def __init__(self, table: Table, customer: CustomerId) -> None:
        self._table, self._customer = table, customer

    def link(self, guid: ObjectGuid) -> Link | None:
        """Return somebody's link; None where the person was not created."""
        row = self._table.get(self._customer, link_rows.link_key(guid))
        return link_rows.link_of(row) if row else None

    def due(self, since: datetime = ALWAYS) -> frozenset[ObjectGuid]:
        """Return those whose ticket was planned since then and is not open yet."""
        found = self._table.query(self._customer, "ticket|", rows.after("ticket|"))
        return frozenset(
            ObjectGuid(row.key.removeprefix("ticket|")) for row in found if known_rows.due_since(row) >= since
        )

    def rows(self, planned: Collection[str], now: datetime) -> Iterator[Row]:
        """Yield the rows for planned tickets that were not due before."""
        known = self.due() if planned else ()
        for guid in planned:
            if guid not in known:
                yield known_rows.ticket_row(self._customer, guid, now.isoformat())


def is_established(runs: Iterable[Run]) -> bool:
    """Tell whether one of these runs has applied a whole plan for everybody."""
    return any(
        run.status in {Status.OK, Status.PARTIAL}
        and run.digest
        and run.settled == run.total
        and not (run.dry_run or run.person)
        for run in runs
    )
