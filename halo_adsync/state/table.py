"""The few things that the state asks of a table, and the limits of Azure Table Storage, which are kept here.

Limits (Microsoft, "Understanding the Table service data model" and "Performing entity group transactions"):
252 properties of our own and 1 MiB an entity, 64 KiB a property (32 Ki characters of text), transactions of
at most 100 operations and 4 MiB within one partition.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

type Scalar = str | int | bool | float | bytes

FORBIDDEN_IN_KEYS = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f]")
MAX_PROPERTIES = 252
MAX_ENTITY_BYTES = 1024 * 1024
MAX_PROPERTY_BYTES = 64 * 1024
MAX_OPERATIONS = 100
MAX_TRANSACTION_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Row:
    """An entity: its keys, its own properties, and the ETag that it was read with (empty for a new one)."""

    partition: str
    key: str
    values: Mapping[str, Scalar]
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a transaction.

    `insert` fails where the row exists; `replace` and `delete` fail where the row's ETag has changed (a
    delete without an ETag does not); `put` writes whatever was there; `merge` puts only the given values.
    """

    verb: Literal["insert", "replace", "put", "merge", "delete"]
    row: Row


class Conflict(Exception):  # noqa: N818 - a state of affairs that the callers handle, not an error by itself
    """A row was there already, is gone, or has another ETag: nothing of the transaction was done."""


class Table(Protocol):
    """One table. Every method raises `StateUnavailable` where the service does not answer."""

    def get(self, partition: str, key: str) -> Row | None:
        """Return one row, or None."""
        ...

    def query(
        self, partition: str, low: str, high: str, select: Sequence[str] = (), limit: int | None = None
    ) -> Iterator[Row]:
        """Yield the rows of a partition with `low <= key < high` in key order."""
        ...

    def transact(self, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        """Do all operations of one partition, or none; return the new ETags, empty for deleted rows.

        Raises:
            Conflict: a condition did not hold.
            ValueError: a limit of the service would be passed.
        """
        ...


def check_limits(operations: Sequence[Operation]) -> None:
    """Refuse what the service would refuse; the storage emulator is laxer than the service.

    Raises:
        ValueError: with the limit and the row concerned.
    """
    if len(operations) > MAX_OPERATIONS:
        raise ValueError(f"{len(operations)} operations in a transaction; {MAX_OPERATIONS} are the most")
    if sum(_check_row(operation.row) for operation in operations) > MAX_TRANSACTION_BYTES:
        raise ValueError(f"a transaction of more than {MAX_TRANSACTION_BYTES} bytes")


def _check_row(row: Row) -> int:
    """Return the row's size in bytes, as the service counts it at most."""
    for key in (row.partition, row.key):
        if FORBIDDEN_IN_KEYS.search(key):
            raise ValueError(f"the key {key!r} holds a character that Table Storage refuses")
    if len(row.values) > MAX_PROPERTIES:
        raise ValueError(f"row {row.key}: {len(row.values)} properties; {MAX_PROPERTIES} are the most")
    total = 0
    for name, value in row.values.items():
        size = _size(value)
        if size > MAX_PROPERTY_BYTES:
            raise ValueError(f"row {row.key}: {name} is {size} bytes long; {MAX_PROPERTY_BYTES} are the most")
        total += size + 2 * len(name) + 8
    if total > MAX_ENTITY_BYTES:
        raise ValueError(f"row {row.key}: {total} bytes; {MAX_ENTITY_BYTES} are the most")
    return total


def _size(value: Scalar) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-16-le", "surrogatepass"))
    return len(value) if isinstance(value, bytes) else 8
