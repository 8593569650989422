"""What the contract tests of the state share: both kinds of tables, a clock, and things to keep in them."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from azure.core.exceptions import ServiceResponseError
from azure.core.pipeline.transport import RequestsTransport
from azure.data.tables import TableServiceClient

from devstack.memory import MemoryTable
from halo_adsync.errors import StateUnavailable
from halo_adsync.model import (
    CustomerId,
    DistinguishedName,
    HaloClientId,
    HaloSiteId,
    HaloUserId,
    Link,
    Meter,
    ObjectGuid,
    RunId,
)
from halo_adsync.plan.types import Change, FieldChange, Kind, Plan
from halo_adsync.state.azure_table import AzureTable
from halo_adsync.state.runs import Run, Status
from halo_adsync.state.table import Conflict, Operation, Row

CONTOSO = CustomerId("contoso")
MIXED = 'Zoë "Łukasz" O\'Neil, 100% +1; #7 / \\ \t 🦊👩‍👩‍👧 ﷽'
"""Text with everything that keys, queries, JSON or UTF-16 could trip over."""

type AnyTable = AzureTable | MemoryTable


class LosingTransport(RequestsTransport):  # type: ignore[misc]  # azure-core hides its class from type checkers
    """Sends requests for real, and loses as many of their answers as it is told to."""

    lose = 0

    def send(self, request: Any, **options: Any) -> Any:
        """Send, and raise what a broken connection raises when the answer is to be lost."""
        answer = super().send(request, **options)
        if self.lose:
            self.lose -= 1
            answer.close()
            raise ServiceResponseError("the connection broke before the answer")
        return answer


@contextmanager
def azure_table(connection_string: str, name: str = "", **options: Any) -> Iterator[AzureTable]:
    """Open the table of that name, or one that nobody has used yet."""
    with TableServiceClient.from_connection_string(connection_string, **options) as service:
        yield AzureTable(service.get_table_client(name or f"T{uuid4().hex}"), Meter())


@dataclass
class Clock:
    """A clock that moves only when it is told to."""

    time: datetime = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        """Tell the time."""
        return self.time

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.time += timedelta(seconds=seconds)


@dataclass
class RepeatingTable:
    """A table whose client hears no answer, and sends its transaction again: once for each of `repeats`."""

    inner: AnyTable
    repeats: int = 0
    sent: list[Sequence[Operation]] = field(default_factory=list)

    def get(self, partition: str, key: str) -> Row | None:
        """Return one row, or None."""
        return self.inner.get(partition, key)

    def query(
        self, partition: str, low: str, high: str, select: Sequence[str] = (), limit: int | None = None
    ) -> Iterator[Row]:
        """Yield rows."""
        return self.inner.query(partition, low, high, select, limit)

    def find(self, partition: str, low: str, high: str, name: str, numbers: Collection[int]) -> Iterator[Row]:
        """Yield the keys of rows that hold one of these numbers."""
        return self.inner.find(partition, low, high, name, numbers)

    def transact(self, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        """Do it, and where its answer is lost, do it again."""
        self.sent.append(operations)
        if not self.repeats:
            return self.inner.transact(partition, operations)
        self.repeats -= 1
        self.inner.transact(partition, operations)
        return self.inner.transact(partition, operations)


@dataclass
class RacedTable(RepeatingTable):
    """A table that somebody else writes to between our look and our writing, once."""

    other: Callable[[], object] | None = None

    def transact(self, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        """Let the other one go first."""
        if other := self.other:
            self.other = None
            other()
        return super().transact(partition, operations)


@dataclass
class SilentTable(RepeatingTable):
    """A table whose service does what it is asked and says nothing, while it is `down`."""

    down: bool = False

    def transact(self, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        """Do it, and let nobody hear of it."""
        etags = super().transact(partition, operations)
        if self.down:
            raise StateUnavailable("Table Storage could not be reached.")
        return etags


def guid(number: int) -> ObjectGuid:
    """Return the objectGUID of person `number`."""
    return ObjectGuid(str(UUID(int=number + 1)))


def run_id(number: int) -> RunId:
    """Return the id of a run; a higher number is a later one."""
    return RunId(f"20260105T{9 + number // 60:02}{number % 60:02}00Z-{number:08x}")


def a_run(number: int = 0, **changes: Any) -> Run:
    """Return a run as it is when it was requested."""
    run = Run(
        id=run_id(number),
        customer=CONTOSO,
        mode="full",
        reason="test",
        actor="tester",
        dry_run=False,
        status=Status.QUEUED,
        requested="2026-01-05T09:00:00+00:00",
    )
    return replace(run, **changes)


def a_link(number: int, fields: Mapping[str, str] | None = None) -> Link:
    """Return the link of person `number`."""
    return Link(
        guid(number),
        HaloUserId(1000 + number),
        HaloClientId(12),
        HaloSiteId(34),
        active=True,
        dn=DistinguishedName(f"CN=Person {number},OU=People,DC=corp,DC=example"),
        fields=fields if fields is not None else {"name": f"Person {number}", "title": ""},
    )


def a_change(number: int, kind: Kind = Kind.CREATE, **changes: Any) -> Change:
    """Return a planned change of person `number`."""
    change = Change(
        kind,
        guid(number),
        f"CN=Person {number},OU=People,DC=corp,DC=example",
        "new in the directory",
        name=f"Person {number}",
        place="site:name:main@client:id:12",
        fields={"name": FieldChange(None, f"Person {number}")},
    )
    return replace(change, **changes)


def a_plan(*changes: Change, unchanged: int = 0) -> Plan:
    """Return a plan of these changes."""
    return Plan(CONTOSO, "full", "settings-digest", changes, unchanged)


def row(key: str, etag: str = "", partition: str = "p", /, **values: Any) -> Row:
    """Return a row."""
    return Row(partition, key, values, etag)


def put(table: AnyTable, *rows: Row) -> list[str]:
    """Write rows of one partition, and return their ETags."""
    return list(table.transact(rows[0].partition, [Operation("put", each) for each in rows]))


def conflicts(action: Callable[[], object]) -> bool:
    """Tell whether the action ends in a conflict."""
    try:
        action()
    except Conflict:
        return True
    return False
