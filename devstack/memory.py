"""Tables and queues in memory, held to the contract suite of the storage emulator."""

import copy
import itertools
import threading
from collections.abc import Collection, Iterator, Sequence

from halo_adsync.model import Meter
from halo_adsync.state.queue import Request
from halo_adsync.state.table import Conflict, Operation, Row, check_limits


class MemoryTable:
    """A `Table` without a service behind it, with transactions, ETags, ranges and limits as there."""

    def __init__(self, meter: Meter | None = None) -> None:
        self.meter = meter or Meter()
        self.rows: dict[tuple[str, str], Row] = {}
        self._versions = itertools.count(1)
        self._lock = threading.Lock()

    def with_meter(self, meter: Meter) -> "MemoryTable":
        """Return the same table, counting on another meter."""
        table = copy.copy(self)
        table.meter = meter
        return table

    def get(self, partition: str, key: str) -> Row | None:
        """Return one row, or None."""
        self.meter.table_transactions += 1
        with self._lock:
            return self.rows.get((partition, key))

    def query(
        self, partition: str, low: str, high: str, select: Sequence[str] = (), limit: int | None = None
    ) -> Iterator[Row]:
        """Yield the rows of a partition with `low <= key < high` in key order."""
        self.meter.table_transactions += 1
        with self._lock:
            found = sorted(
                (row for (p, key), row in self.rows.items() if p == partition and low <= key < high),
                key=lambda row: row.key,
            )
        for row in found[:limit]:
            kept = {name: row.values[name] for name in select if name in row.values} if select else row.values
            yield Row(row.partition, row.key, kept, row.etag)

    def find(self, partition: str, low: str, high: str, name: str, numbers: Collection[int]) -> Iterator[Row]:
        """Yield the keys in a range whose property `name` is one of these whole numbers."""
        found = self.query(partition, low, high, [name])
        return (row for row in found if row.values.get(name) in numbers)

    def transact(self, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        """Do all operations of one partition, or none; return the new ETags."""
        check_limits(partition, operations)
        self.meter.table_transactions += 1
        with self._lock:
            outcomes = [self._outcome(operation) for operation in operations]
            for operation, row in zip(operations, outcomes, strict=True):
                if row is None:
                    del self.rows[partition, operation.row.key]
                else:
                    self.rows[partition, row.key] = row
        return [row.etag if row else "" for row in outcomes]

    def _outcome(self, operation: Operation) -> Row | None:
        """Return the row as the operation leaves it; None where it deletes it."""
        row = operation.row
        there = self.rows.get((row.partition, row.key))
        if operation.verb == "insert" and there is not None:
            raise Conflict("EntityAlreadyExists")
        if operation.verb in {"replace", "delete"}:
            if there is None:
                raise Conflict("ResourceNotFound")
            if row.etag and row.etag != there.etag:
                raise Conflict("UpdateConditionNotSatisfied")
        if operation.verb == "delete":
            return None
        kept = there.values if there is not None and operation.verb == "merge" else {}
        return Row(row.partition, row.key, {**kept, **row.values}, f"v{next(self._versions)}")


class MemoryRequests:
    """A queue of requests that a test takes out by hand."""

    def __init__(self) -> None:
        self.sent: list[tuple[Request, float]] = []

    def send(self, request: Request, delay: float = 0) -> None:
        """Add a message."""
        self.sent.append((request, delay))
