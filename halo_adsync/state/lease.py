"""The lease: one run per customer at a time. Whoever lost it writes nothing more.

Every write of a run stands in one transaction with the lease's row, guarded by the row's ETag. A run whose
lease has passed to another therefore fails on its next write, and a dead one blocks nobody for longer than
`SECONDS`.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from halo_adsync.errors import Busy, LeaseLost
from halo_adsync.model import RunId
from halo_adsync.state.shapes import build, reads
from halo_adsync.state.table import Conflict, Operation, Row, Scalar, Table

SECONDS = 80.0
"""How long a lease lasts without a sign of life. Longer than any single request may take."""
RENEW_AFTER = 15.0
CLOCKS_DIFFER = 60.0
"""Seconds by which the clocks of two workers may differ."""
KEY = "lease"

_GOES_ON: Mapping[str, Scalar] = {}
_RELEASED: Mapping[str, Scalar] = {"run": "", "until": "0"}


def is_held(table: Table, customer: str, run: str, now: datetime) -> bool:
    """Tell whether a run holds its customer's lease, or may take it up again for its next slice."""
    row = table.get(customer, KEY)
    if row is None:
        return False
    held = held_of(row)
    return held.run == run and held.lasts(now)


@dataclass(frozen=True, slots=True)
class Held:
    """What the row of a lease says."""

    run: RunId
    """Empty where nobody holds it."""
    until: float
    """Unix seconds."""
    handed_over: bool

    def lasts(self, now: datetime) -> bool:
        """Tell whether the lease has not ended; one that lasts far too long is by a clock that was wrong."""
        return 0 < self.until - now.timestamp() < SECONDS + CLOCKS_DIFFER


@reads
def held_of(row: Row) -> Held:
    """Read the row of a lease."""
    held: Held = build(Held, {"handed_over": False, **row.values, "until": float(row.values["until"])})
    return held


class Lease:
    """The right of one run to change its customer.

    Raises:
        Busy: another run holds the lease, or another slice of this one.
    """

    def __init__(self, table: Table, customer: str, run: RunId, now: Callable[[], datetime]) -> None:
        self._table, self._customer, self._now = table, customer, now
        self._session = secrets.token_hex(8)
        self.run = run
        self.previous: RunId | None = None
        """The run that held the lease before and did not let go of it, if any."""
        self._row = self._take()

    def _take(self) -> Row:
        there = self._table.get(self._customer, KEY)
        if there is not None:
            self._respect(there)
        mine = self._next(there.etag if there else "")
        try:
            (etag,) = self._table.transact(
                self._customer, [Operation("replace" if there else "insert", mine)]
            )
        except Conflict:
            there = self._table.get(self._customer, KEY)
            if there is not None and _same(there, mine):
                return there  # it had been taken; only the answer was lost
            raise Busy(
                f"Another run of customer {self._customer} has just begun; wait for it to end.",
                held_of(there).run if there else "",
            ) from None
        return replace(mine, etag=etag)

    def _respect(self, there: Row) -> None:
        """Raise where somebody else holds the lease; note who did and died."""
        held = held_of(there)
        holder = held.run
        if held.lasts(self._now()) and (holder != self.run or not held.handed_over):
            raise Busy(
                f"Run {holder} of customer {self._customer} is going on; wait for it to end. Should it"
                f" have died, its lease frees itself within {SECONDS:.0f} seconds.",
                holder,
            )
        if holder not in {"", self.run}:
            self.previous = holder

    def transact(self, operations: Sequence[Operation], ends: Mapping[str, Scalar] = _GOES_ON) -> None:
        """Do these operations of the customer's partition and renew the lease, or neither.

        Args:
            operations: what to write, at most 99, because the lease is the hundredth.
            ends: what the lease's row holds then, where it is not simply renewed.

        Raises:
            LeaseLost: the lease has passed to another run.
        """
        for _ in range(2):
            mine = self._next(self._row.etag, ends)
            try:
                etags = self._table.transact(self._customer, [*operations, Operation("replace", mine)])
            except Conflict as conflict:
                self._row = self._still_mine(conflict)
                if _same(self._row, mine):
                    return  # it had been done; only the answer was lost
                continue  # an earlier one had been done that no answer came to: go on from there
            self._row = replace(mine, etag=etags[-1])
            return
        raise self._lost()

    def _still_mine(self, conflict: Conflict) -> Row:
        there = self._table.get(self._customer, KEY)
        if there is None or there.values.get("session") != self._session:
            raise self._lost() from conflict
        return there

    def _lost(self) -> LeaseLost:
        return LeaseLost(
            f"Run {self.run} has lost its lease on customer {self._customer} to another run; it"
            " writes nothing more."
        )

    def pulse(self) -> None:
        """Give a sign of life, if the last one is some time ago.

        Raises:
            LeaseLost: the lease has passed to another run.
        """
        if float(self._row.values["until"]) - self._now().timestamp() < SECONDS - RENEW_AFTER:
            self.transact([])

    def hand_over(self) -> None:
        """Keep the lease for this run's next slice, which may take it at once."""
        self._end({"handed_over": True})

    def release(self, operations: Sequence[Operation] = ()) -> None:
        """Let the next run in; with a last write, in the same transaction.

        Raises:
            LeaseLost: there is something to write, and the lease has passed to another run.
        """
        if operations:
            self.transact(operations, _RELEASED)
        else:
            self._end(_RELEASED)

    def _end(self, changes: Mapping[str, Scalar]) -> None:
        ended = self._next(self._row.etag, changes)
        with suppress(Conflict):  # it has passed to another run already
            self._table.transact(self._customer, [Operation("replace", ended)])

    def _next(self, etag: str, changes: Mapping[str, Scalar] = _GOES_ON) -> Row:
        values: dict[str, Scalar] = {
            "run": self.run,
            "until": repr(self._now().timestamp() + SECONDS),
            "handed_over": False,
            "session": self._session,
            "nonce": secrets.token_hex(8),
            **changes,
        }
        return Row(self._customer, KEY, values, etag)


def _same(there: Row, written: Row) -> bool:
    """Tell whether a row is the one that was written, and nobody has written since."""
    return there.values.get("nonce") == written.values["nonce"]
