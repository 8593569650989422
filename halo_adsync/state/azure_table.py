"""The table in Azure (or in the storage emulator), through azure-data-tables."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import batched, islice
from typing import Any
from urllib.parse import urlsplit

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.data.tables import TableClient, TableTransactionError, UpdateMode

from halo_adsync.errors import StateUnavailable
from halo_adsync.model import Meter
from halo_adsync.state.table import Conflict, Operation, Row, check_limits

_CONFLICTS = {
    "ConditionNotMet",
    "EntityAlreadyExists",
    "EntityNotFound",
    "ResourceNotFound",
    "UpdateConditionNotSatisfied",
}
_COMPARISONS = 12
"""How many numbers one query looks for: the service takes 15 comparisons, of which the range needs 3."""
_RETRIED = ["DELETE", "GET", "HEAD", "MERGE", "PATCH", "POST", "PUT"]
"""The SDK leaves POST and PATCH out. Ours may be repeated: what matters carries a condition that a repeated
transaction fails on, and who wrote it recognises its own first attempt then."""


class AzureTable:
    """A `Table`; made when something is first written to it."""

    def __init__(self, client: TableClient, meter: Meter) -> None:
        self._client = client
        self._meter = meter

    def with_meter(self, meter: Meter) -> "AzureTable":
        """Return the same table, counting on another meter."""
        return AzureTable(self._client, meter)

    def get(self, partition: str, key: str) -> Row | None:
        """Return one row, or None."""
        self._meter.table_transactions += 1
        with self._requests():
            try:
                entity = self._client.get_entity(partition, key)
            except ResourceNotFoundError:
                entity = None
        return _row(partition, entity) if entity is not None else None

    def query(
        self, partition: str, low: str, high: str, select: Sequence[str] = (), limit: int | None = None
    ) -> Iterator[Row]:
        """Yield the rows of a partition with `low <= key < high` in key order."""
        return islice(self._query(partition, low, high, select, limit=limit), limit)

    def find(self, partition: str, low: str, high: str, name: str, numbers: Collection[int]) -> Iterator[Row]:
        """Yield the keys in a range whose property `name` is one of these whole numbers."""
        for some in batched(sorted(numbers), _COMPARISONS, strict=False):
            either = " or ".join(f"{name} eq {number:d}" for number in some)
            yield from self._query(partition, low, high, [name], more=f" and ({either})")

    def _query(
        self,
        partition: str,
        low: str,
        high: str,
        select: Sequence[str],
        *,
        limit: int | None = None,
        more: str = "",
    ) -> Iterator[Row]:
        with self._requests():
            pages = self._client.query_entities(
                f"PartitionKey eq @partition and RowKey ge @low and RowKey lt @high{more}",
                parameters={"partition": partition, "low": low, "high": high},
                select=[*{*select, "RowKey"}] if select else None,
                results_per_page=min(limit or 1000, 1000),
            ).by_page()
            try:
                for page in pages:
                    self._meter.table_transactions += 1
                    yield from (_row(partition, entity) for entity in page)
            except ResourceNotFoundError:
                return  # the table is not made yet: it has no rows

    def transact(self, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        """Do all operations of one partition, or none; return the new ETags."""
        check_limits(partition, operations)
        requests = [_request(operation) for operation in operations]
        with self._requests():
            try:
                return self._submit(requests)
            except TableTransactionError as error:
                if _code(error) != "TableNotFound":
                    raise
            self._make()
            return self._submit(requests)

    def _submit(self, requests: Sequence[Any]) -> Sequence[str]:
        self._meter.table_transactions += 1
        try:
            answers = self._client.submit_transaction(requests, retry_on_methods=_RETRIED)
        except TableTransactionError as error:
            if _code(error) in _CONFLICTS:
                raise Conflict(_code(error)) from error
            raise
        return [str(answer.get("etag") or "") for answer in answers]

    def _make(self) -> None:
        self._meter.table_transactions += 1
        try:
            self._client.create_table(retry_on_methods=_RETRIED)
        except ResourceExistsError as error:  # also said of one that is being deleted
            if _code(error) != "TableAlreadyExists":
                raise

    @contextmanager
    def _requests(self) -> Iterator[None]:
        where = f"Table Storage at {urlsplit(self._client.url).netloc}"
        try:
            yield
        except ClientAuthenticationError as error:
            raise StateUnavailable(
                f"{where} does not know this app ({_code(error)}). Check AZURE_CLIENT_ID and that the app has"
                " an identity, or the key in AzureWebJobsStorage; on a machine of your own sign in"
                " (az login). Then try again."
            ) from error
        except HttpResponseError as error:
            raise StateUnavailable(
                f"{where} answered HTTP {error.status_code} ({_code(error)}). Check that the app's identity"
                " has the role Storage Table Data Contributor, and the service's health; then try again."
            ) from error
        except AzureError as error:
            raise StateUnavailable(
                f"{where} could not be reached ({type(error).__name__})."
                " Check AzureWebJobsStorage and the network, then try again."
            ) from error


def _code(error: HttpResponseError) -> str:
    """Return the service's code for what went wrong, else the kind of error."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or type(error).__name__)


def _request(operation: Operation) -> Any:
    row = operation.row
    entity = {"PartitionKey": row.partition, "RowKey": row.key, **row.values}
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


def _row(partition: str, entity: Any) -> Row:
    values = {
        name: value
        for name, value in entity.items()
        if name not in {"PartitionKey", "RowKey"} and value is not None  # selected, but not there
    }
    return Row(partition, entity["RowKey"], values, entity.metadata.get("etag") or "")
