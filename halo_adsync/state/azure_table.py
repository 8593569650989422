"""The table in Azure (or in the storage emulator), through azure-data-tables."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables import TableClient, TableTransactionError, UpdateMode

from halo_adsync.errors import StateUnavailable
from halo_adsync.model import Meter
from halo_adsync.state.table import Conflict, Operation, Row, check_limits

_CONFLICTS = frozenset({404, 409, 412})
_RETRIED = ["DELETE", "GET", "HEAD", "MERGE", "PATCH", "POST", "PUT"]
"""The SDK leaves POST and PATCH out. Ours may be repeated: every transaction carries a condition that a
repeated one fails on, and `Lease.transact` recognises its own first attempt then."""


class AzureTable:
    """A `Table`; made when it is first used."""

    def __init__(self, client: TableClient, meter: Meter) -> None:
        self._client = client
        self._meter = meter
        self._made = False

    def with_meter(self, meter: Meter) -> "AzureTable":
        """Return the same table, counting on another meter."""
        table = AzureTable(self._client, meter)
        table._made = self._made
        return table

    def get(self, partition: str, key: str) -> Row | None:
        """Return one row, or None."""
        self._meter.table_transactions += 1
        with self._requests():
            try:
                entity = self._client.get_entity(partition, key)
            except ResourceNotFoundError:
                entity = None
        return _row(entity) if entity is not None else None

    def query(
        self, partition: str, low: str, high: str, select: Sequence[str] = (), limit: int | None = None
    ) -> Iterator[Row]:
        """Yield the rows of a partition with `low <= key < high` in key order."""
        return islice(self._query(partition, low, high, select, limit), limit)

    def _query(
        self, partition: str, low: str, high: str, select: Sequence[str], limit: int | None
    ) -> Iterator[Row]:
        with self._requests():
            pages = self._client.query_entities(
                "PartitionKey eq @partition and RowKey ge @low and RowKey lt @high",
                parameters={"partition": partition, "low": low, "high": high},
                select=[*select, "PartitionKey", "RowKey"] if select else None,
                results_per_page=min(limit or 1000, 1000),
            ).by_page()
            try:
                for page in pages:
                    self._meter.table_transactions += 1
                    yield from map(_row, page)
            except ResourceNotFoundError:
                return  # the table is not made yet: it has no rows

    def transact(self, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        """Do all operations of one partition, or none; return the new ETags."""
        check_limits(operations)
        with self._requests():
            self._make()
            self._meter.table_transactions += 1
            try:
                answers = self._client.submit_transaction(
                    [_request(partition, operation) for operation in operations], retry_on_methods=_RETRIED
                )
            except TableTransactionError as error:
                if error.status_code in _CONFLICTS:
                    raise Conflict(str(error.status_code)) from error
                raise
            except (ResourceExistsError, ResourceNotFoundError) as error:
                raise Conflict("") from error
        return [str(answer.get("etag") or "") for answer in answers]

    def _make(self) -> None:
        if not self._made:
            self._meter.table_transactions += 1
            with suppress(ResourceExistsError):
                self._client.create_table(retry_on_methods=_RETRIED)
            self._made = True

    @contextmanager
    def _requests(self) -> Iterator[None]:
        try:
            yield
        except HttpResponseError as error:
            code = getattr(error, "error_code", None) or "no code"
            raise StateUnavailable(
                f"Table Storage answered {error.status_code} ({code}). Check that the app's identity has the"
                " role Storage Table Data Contributor, and the service's health; then try again."
            ) from error
        except AzureError as error:
            raise StateUnavailable(
                f"Table Storage at {self._client.url} could not be reached ({type(error).__name__})."
                " Check AzureWebJobsStorage and the network, then try again."
            ) from error


def _request(partition: str, operation: Operation) -> Any:
    row = operation.row
    entity = {"PartitionKey": partition, "RowKey": row.key, **row.values}
    guarded = {"etag": row.etag, "match_condition": MatchConditions.IfNotModified} if row.etag else {}
    match operation.verb:
        case "insert":
            return ("create", entity)
        case "put":
            return ("upsert", entity, {"mode": UpdateMode.REPLACE})
        case "merge":
            return ("upsert", entity, {"mode": UpdateMode.MERGE})
        case "replace":
            return ("update", entity, {"mode": UpdateMode.REPLACE, **guarded})
        case "delete":
            return ("delete", entity, guarded)


def _row(entity: Any) -> Row:
    values = {k: v for k, v in entity.items() if k not in {"PartitionKey", "RowKey"}}
    return Row(entity["PartitionKey"], entity["RowKey"], values, entity.metadata.get("etag") or "")
