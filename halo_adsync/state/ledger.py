"""The budget ledger of a Halo instance in Table Storage, shared by everybody who sends requests to it."""

import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

from halo_adsync.errors import StateUnavailable
from halo_adsync.halo import budget
from halo_adsync.halo.budget import Granted, LedgerState, Limit
from halo_adsync.state.rows import encode_key, pack_text, to_json, unpack_text
from halo_adsync.state.shapes import build, reads
from halo_adsync.state.table import Conflict, Operation, Row, Table

BUDGETS = "$budgets"
"""The partition of the ledgers, one row an instance."""
ATTEMPTS = 100
"""So many others may be faster in a row; a thousand customers are less of a crowd."""


class TableLedger:
    """A `budget.Ledger` in a table; concurrent runs settle who was first by ETag."""

    def __init__(self, table: Table, instance: str, limit: Limit) -> None:
        self._table, self._limit = table, limit
        self._key = encode_key(instance)

    def take(self, want: int, now: datetime, *, many: bool = False) -> Granted:
        """Take up to `want` requests out of the budget, for a run that has had `many` already or has not."""
        granted = Granted(0)

        def change(state: LedgerState) -> LedgerState:
            nonlocal granted
            changed, count, until = budget.grant(state, now.timestamp(), want, self._limit, many=many)
            granted = Granted(count, None if until is None else datetime.fromtimestamp(until, UTC))
            return changed

        self._change(change)
        return granted

    def give_back(self, count: int, taken: datetime) -> None:
        """Return unspent requests of the grant taken at `taken`."""
        self._change(lambda state: budget.give_back(state, taken.timestamp(), count))

    def block(self, until: datetime) -> None:
        """Let nobody send anything before `until`."""
        self._change(lambda state: budget.block(state, until.timestamp()))

    def _change(self, change: Callable[[LedgerState], LedgerState]) -> None:
        """Change the state, again and again until nobody else was faster.

        Raises:
            StateUnavailable: somebody else always was.
        """
        nonce = secrets.token_hex(8)
        for _ in range(ATTEMPTS):
            row = self._table.get(BUDGETS, self._key)
            if row is not None and row.values.get("nonce") == nonce:
                return  # it had been changed; only the answer was lost
            before = state_of(row) if row else LedgerState()
            after = change(before)
            if after == before:
                return
            data = pack_text("data", to_json([[list(grant) for grant in after.grants], after.blocked_until]))
            changed = Row(BUDGETS, self._key, {**data, "nonce": nonce}, row.etag if row else "")
            try:
                self._table.transact(BUDGETS, [Operation("replace" if row else "insert", changed)])
            except Conflict:
                continue
            return
        raise StateUnavailable(
            f"The budget of {self._key} was written to by others {ATTEMPTS} times in a row; try again later."
        )


@reads
def state_of(row: Row) -> LedgerState:
    """Read what counts of an instance's grants."""
    grants, blocked_until = json.loads(unpack_text("data", row.values))
    state: LedgerState = build(LedgerState, {"grants": grants, "blocked_until": blocked_until})
    return state
