"""The lease: one run per customer at a time. Whoever lost it writes nothing more.

Every write of a run stands in one transaction with the lease's row, guarded by the row's ETag. A run whose
lease has passed to another therefore fails on its next write, and a dead one blocks nobody for longer than
`SECONDS`.
"""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime

from halo_adsync.errors import Busy, LeaseLost
from halo_adsync.model import RunId
from halo_adsync.state.table import Conflict, Operation, Row, Scalar, Table

SECONDS = 80.0
"""How long a lease lasts without a sign of life. Longer than any single request may take."""
RENEW_AFTER = 15.0
KEY = "lease"


def is_held(table: Table, customer: str, run: str, now: datetime) -> bool:
    """Tell whether a run holds its customer's lease, or may take it up again for its next slice."""
    row = table.get(customer, KEY)
    return row is not None and row.values["run"] == run and float(row.values["until"]) > now.timestamp()


class Lease:
    """The right of one run to change its customer. A context manager that lets go at the end.

    Raises:
        Busy: another run holds the lease.
    """

    def __init__(self, table: Table, customer: str, run: RunId, now: Callable[[], datetime]) -> None:
        self._table, self._customer, self._now = table, customer, now
        self.run = run
        self.previous: RunId | None = None
        """The run that held the lease before and did not let go of it, if any."""
        self._row = self._take()

    def _take(self) -> Row:
        there = self._table.get(self._customer, KEY)
        if there is not None:
            holder, until = str(there.values["run"]), float(there.values["until"])
            if until > self._now().timestamp() and (holder != self.run or not there.values["handed_over"]):
                raise Busy(
                    f"Run {holder} of customer {self._customer} is going on; wait for it to end. Should it"
                    f" have died, its lease frees itself within {SECONDS:.0f} seconds.",
                    holder,
                )
            if holder not in {"", self.run}:
                self.previous = RunId(holder)
        mine = self._next()
        verb = (
            Operation("insert", mine) if there is None else Operation("replace", _with_etag(mine, there.etag))
        )
        try:
            etags = self._table.transact(self._customer, [verb])
        except Conflict:
            raise Busy(
                f"Another run of customer {self._customer} has just begun; wait for it to end."
            ) from None
        return _with_etag(mine, etags[0])

    def transact(self, operations: Sequence[Operation]) -> None:
        """Do these operations of the customer's partition and renew the lease, or neither.

        At most 99 operations, because the lease is the hundredth.

        Raises:
            LeaseLost: the lease has passed to another run.
        """
        mine = self._next()
        try:
            etags = self._table.transact(
                self._customer, [*operations, Operation("replace", _with_etag(mine, self._row.etag))]
            )
        except Conflict as conflict:
            there = self._table.get(self._customer, KEY)
            if there is None or there.values.get("nonce") != mine.values["nonce"]:
                raise LeaseLost(
                    f"Run {self.run} has lost its lease on customer {self._customer} to another run; it"
                    " writes nothing more."
                ) from conflict
            self._row = there  # the transaction had been done; only its answer was lost
            return
        self._row = _with_etag(mine, etags[-1])

    def pulse(self) -> None:
        """Give a sign of life, if the last one is some time ago.

        Raises:
            LeaseLost: the lease has passed to another run.
        """
        if float(self._row.values["until"]) - self._now().timestamp() < SECONDS - RENEW_AFTER:
            self.transact([])

    def hand_over(self) -> None:
        """Keep the lease for this run's next slice, which may take it at once."""
        self._end(handed_over=True)

    def release(self) -> None:
        """Let the next run in."""
        self._end(handed_over=False)

    def _end(self, *, handed_over: bool) -> None:
        row = self._next()
        values: dict[str, Scalar] = {**row.values, "handed_over": handed_over}
        if not handed_over:
            values |= {"run": "", "until": "0"}
        ended = Row(row.partition, row.key, values, self._row.etag)
        try:
            self._table.transact(self._customer, [Operation("replace", ended)])
        except Conflict:
            return  # it has passed to another run already

    def _next(self) -> Row:
        until = self._now().timestamp() + SECONDS
        values: dict[str, Scalar] = {
            "run": self.run,
            "until": repr(until),
            "nonce": secrets.token_hex(8),
            "handed_over": False,
        }
        return Row(self._customer, KEY, values)


def _with_etag(row: Row, etag: str) -> Row:
    return Row(row.partition, row.key, row.values, etag)
