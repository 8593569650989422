"""The few things that the state asks of a table, and the limits of Azure Table Storage, which are kept here.

Limits (Microsoft, "Understanding the Table service data model" and "Performing entity group transactions"):
252 properties of our own and 1 MiB an entity, 64 KiB a property (32 Ki characters of text), 1 KiB a key,
whole numbers of 32 bits, transactions of at most 100 operations and 4 MiB within one partition.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import quote

type Scalar = str | int | bool | float | bytes

FORBIDDEN_IN_KEYS = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f]")
MAX_KEY_BYTES = 1024
MAX_PROPERTIES = 252
MAX_ENTITY_BYTES = 1024 * 1024
MAX_PROPERTY_BYTES = 64 * 1024
MAX_OPERATIONS = 100
MAX_TRANSACTION_BYTES = 4 * 1024 * 1024
_INT32 = range(-(2**31), 2**31)
_PART_BYTES = 1024
"""Headers and address of one operation in a transaction's body; about 600 were measured."""


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

    def find(self, partition: str, low: str, high: str, name: str, numbers: Collection[int]) -> Iterator[Row]:
        """Yield the keys in a range, in no order, whose property `name` is one of these whole numbers.

        The service looks through the range; what is yielded holds that property and no other.
        """
        ...

    def transact(self, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        """Do all operations of one partition, or none; return the new ETags, empty for deleted rows.

        Raises:
            Conflict: a condition did not hold.
            ValueError: a limit of the service would be passed.
        """
        ...


def check_limits(partition: str, operations: Sequence[Operation]) -> None:
    """Refuse what the service would refuse; the storage emulator is laxer than the service.

    Raises:
        ValueError: with the limit and the row concerned.
    """
    if len(operations) > MAX_OPERATIONS:
        raise ValueError(f"{len(operations)} operations in a transaction; {MAX_OPERATIONS} are the most")
    keys: set[str] = set()
    for row in (operation.row for operation in operations):
        if row.partition != partition:
            raise ValueError(f"row {row.key} is of partition {row.partition}, not of {partition}")
        if row.key in keys:
            raise ValueError(f"row {row.key} stands twice in a transaction")
        keys.add(row.key)
        _check_row(row)
    size = sum(payload_bytes(operation.row) for operation in operations)
    if size > MAX_TRANSACTION_BYTES:
        raise ValueError(f"a transaction of {size} bytes; {MAX_TRANSACTION_BYTES} are the most")


def payload_bytes(row: Row) -> int:
    """Return what the row takes at most in a transaction's body, where text is ASCII-only JSON."""
    keys = sum(len(quote(key, safe="")) + len(json.dumps(key)) for key in (row.partition, row.key))
    values = sum(3 * len(name) + 40 + _payload(value) for name, value in row.values.items())
    return _PART_BYTES + keys + values


def _payload(value: Scalar) -> int:
    if isinstance(value, str):
        return len(json.dumps(value))
    return 4 * len(value) // 3 + 4 if isinstance(value, bytes) else 24


def _check_row(row: Row) -> None:
    for key in (row.partition, row.key):
        if FORBIDDEN_IN_KEYS.search(key):
            raise ValueError(f"the key {key!r} holds a character that Table Storage refuses")
        if _size(key) > MAX_KEY_BYTES:
            raise ValueError(f"the key {key!r} is {_size(key)} bytes long; {MAX_KEY_BYTES} are the most")
    if len(row.values) > MAX_PROPERTIES:
        raise ValueError(f"row {row.key}: {len(row.values)} properties; {MAX_PROPERTIES} are the most")
    total = 4 + _size(row.partition) + _size(row.key)
    for name, value in row.values.items():
        size = _size(value)
        if size > MAX_PROPERTY_BYTES:
            raise ValueError(f"row {row.key}: {name} is {size} bytes long; {MAX_PROPERTY_BYTES} are the most")
        if isinstance(value, int) and value not in _INT32:
            raise ValueError(f"row {row.key}: {name} is no whole number of 32 bits")
        total += 8 + 2 * len(name) + 4 + size
    if total > MAX_ENTITY_BYTES:
        raise ValueError(f"row {row.key}: {total} bytes; {MAX_ENTITY_BYTES} are the most")


def _size(value: Scalar) -> int:
    """Return the bytes that the service stores, where text is UTF-16."""
    if isinstance(value, str):
        return len(value.encode("utf-16-le", "surrogatepass"))
    return len(value) if isinstance(value, bytes) else 8
