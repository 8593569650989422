"""The contract of a table, held by the one in memory and by Azure's client with the storage emulator."""

from base64 import b64encode
from collections.abc import Callable, Sequence

import pytest
from azure.core.credentials import AccessToken
from azure.data.tables import TableClient, TableServiceClient
from azure.identity import CredentialUnavailableError

from devstack.memory import MemoryTable
from halo_adsync.errors import StateUnavailable
from halo_adsync.model import Meter
from halo_adsync.state.azure_table import AzureTable
from halo_adsync.state.rows import encode_key
from halo_adsync.state.table import (
    MAX_ENTITY_BYTES,
    MAX_OPERATIONS,
    MAX_PROPERTIES,
    MAX_PROPERTY_BYTES,
    MAX_TRANSACTION_BYTES,
    Conflict,
    Operation,
    Row,
    Scalar,
    payload_bytes,
)
from tests.contract.storage import MIXED, AnyTable, LosingTransport, azure_table, conflicts, put, row

UNITS = MAX_PROPERTY_BYTES // 2
"""UTF-16 units that a property takes."""
LONG_KEY = "k" * 512


def do(table: AnyTable, verb: str, written: Row) -> Sequence[str]:
    """Do one operation in a transaction of its own."""
    return table.transact(written.partition, [Operation(verb, written)])  # type: ignore[arg-type]  # one of its verbs


def values(table: AnyTable, key: str, partition: str = "p") -> dict[str, object] | None:
    """Return a row's values, or None."""
    there = table.get(partition, key)
    return None if there is None else dict(there.values)


def keys(table: AnyTable, low: str, high: str, limit: int | None = None) -> list[str]:
    """Return the keys of a range."""
    return [found.key for found in table.query("p", low, high, limit=limit)]


def test_a_table_that_was_never_written_reads_as_empty(storage_table: AnyTable) -> None:
    """Before the first write there is no table yet, which is no error."""
    assert storage_table.get("p", "k") is None
    assert list(storage_table.query("p", "", "z")) == []


def test_values_come_back_as_they_were(storage_table: AnyTable) -> None:
    """Every kind of value keeps its type, the empty ones too."""
    written: dict[str, Scalar] = {
        "text": MIXED,
        "empty": "",
        "control": "\x00\x01\x1f\ufffe",
        "half_a_pair": "\ud83e",
        "number": 2**31 - 1,
        "negative": -(2**31),
        "yes": True,
        "no": False,
        "share": 0.1,
        "bytes": bytes(range(256)),
        "no_bytes": b"",
    }
    put(storage_table, Row("p", "k", written))
    there = storage_table.get("p", "k")
    assert there is not None
    assert (there.partition, there.key, dict(there.values)) == ("p", "k", written)
    assert {name: type(value) for name, value in there.values.items()} == {
        name: type(value) for name, value in written.items()
    }


@pytest.mark.parametrize("key", ["", "50%", "%41", "a+b", "a b", "'q'", '"', "a=b&c", "~", "é|🦊", LONG_KEY])
def test_every_allowed_key_can_be_written_read_and_deleted(storage_table: AnyTable, key: str) -> None:
    """Quotes, blanks and signs that mean something in addresses and queries are nothing special in a key."""
    put(storage_table, row(key, v=1))
    assert values(storage_table, key) == {"v": 1}
    there = storage_table.get("p", key)
    assert there is not None
    do(storage_table, "replace", row(key, there.etag, v=2))
    assert [found.values for found in storage_table.query("p", key, f"{key}!")] == [{"v": 2}]
    do(storage_table, "delete", row(key))
    assert values(storage_table, key) is None


def test_any_text_can_be_a_key_once_it_is_encoded(storage_table: AnyTable) -> None:
    """Names of sites are keys, whatever stands in them and however long they are."""
    names = [MIXED, "a/b", "a\\b", "a#b", "a?b", "a\x7fb", "a\nb", "🦊" * 300, "/" * 300]
    put(storage_table, *(row(encode_key(name), name=name) for name in names))
    for name in names:
        assert values(storage_table, encode_key(name)) == {"name": name}


def test_insert_is_for_new_rows(storage_table: AnyTable) -> None:
    """A second insert of one key changes nothing."""
    do(storage_table, "insert", row("k", v=1))
    assert conflicts(lambda: do(storage_table, "insert", row("k", v=2)))
    assert values(storage_table, "k") == {"v": 1}


def test_replace_is_for_the_row_that_was_read(storage_table: AnyTable) -> None:
    """It needs the row, and its ETag where one is given; the old values are gone afterwards."""
    assert conflicts(lambda: do(storage_table, "replace", row("k", v=1)))
    (old,) = put(storage_table, row("k", v=1, old=True))
    (new,) = do(storage_table, "replace", row("k", old, v=2))
    assert conflicts(lambda: do(storage_table, "replace", row("k", old, v=3)))
    assert values(storage_table, "k") == {"v": 2}
    do(storage_table, "replace", row("k", new, v=4))
    do(storage_table, "replace", row("k", v=5))
    assert values(storage_table, "k") == {"v": 5}


def test_put_writes_whatever_was_there(storage_table: AnyTable) -> None:
    """It makes a row or replaces it as a whole, without a condition."""
    put(storage_table, row("k", v=1, old=True))
    put(storage_table, row("k", v=2))
    assert values(storage_table, "k") == {"v": 2}


def test_merge_keeps_the_other_values(storage_table: AnyTable) -> None:
    """It makes a row, or puts the given values only."""
    do(storage_table, "merge", row("k", v=1, kept=True))
    do(storage_table, "merge", row("k", v=2, more="x"))
    assert values(storage_table, "k") == {"v": 2, "kept": True, "more": "x"}


def test_delete_minds_the_etag_where_one_is_given(storage_table: AnyTable) -> None:
    """A row that changed stays; without an ETag it goes; what is not there cannot go."""
    (old,) = put(storage_table, row("k", v=1))
    put(storage_table, row("k", v=2))
    assert conflicts(lambda: do(storage_table, "delete", row("k", old)))
    assert values(storage_table, "k") == {"v": 2}
    assert list(do(storage_table, "delete", row("k"))) == [""]
    assert conflicts(lambda: do(storage_table, "delete", row("k")))
    (new,) = put(storage_table, row("k", v=3))
    do(storage_table, "delete", row("k", new))
    assert values(storage_table, "k") is None


def test_the_etags_of_a_transaction_come_in_order(storage_table: AnyTable) -> None:
    """Each is the one that the row is read with, and every write makes a new one."""
    etags = put(storage_table, row("a", v=1), row("b", v=1), row("c", v=1))
    for key, etag in zip("abc", etags, strict=True):
        there = storage_table.get("p", key)
        assert there is not None
        assert there.etag == etag
    assert put(storage_table, row("b", v=1)) != [etags[1]]
    assert [found.etag for found in storage_table.query("p", "a", "b")] == [etags[0]]


def test_a_hundred_operations_are_done_together(storage_table: AnyTable) -> None:
    """So many go into one transaction."""
    put(storage_table, *(row(f"{number:03}", v=number) for number in range(100)))
    assert keys(storage_table, "0", "1") == [f"{number:03}" for number in range(100)]


@pytest.mark.parametrize("bad", [0, 50, 99])
def test_one_conflict_undoes_the_whole_transaction(storage_table: AnyTable, bad: int) -> None:
    """Whichever of a hundred operations fails, none is done: not the puts, not the deletes."""
    (first,) = put(storage_table, row("victim", v=1))
    put(storage_table, row("victim", v=2), row("kept"))
    operations = [Operation("put", row(f"{number:03}", v=number)) for number in range(98)]
    operations.append(Operation("delete", row("kept")))
    operations.insert(bad, Operation("replace", row("victim", first, v=3)))
    assert conflicts(lambda: storage_table.transact("p", operations))
    assert keys(storage_table, "0", "1") == []
    assert values(storage_table, "victim") == {"v": 2}
    assert values(storage_table, "kept") == {}


def test_rows_are_found_by_a_number_in_their_range_and_partition(storage_table: AnyTable) -> None:
    """However many numbers are looked for, more than one query takes; and only that property is told."""
    assert list(storage_table.find("p", "a", "z", "user", [1])) == []
    for number in range(40):
        put(storage_table, row(f"k{number:02}", user=number, more="x"))
    put(storage_table, row("k99", more="has no such number"), row("z", user=3))
    put(storage_table, Row("q", "k", {"user": 3}))

    def found(numbers: Sequence[int]) -> dict[str, object]:
        return {one.key: dict(one.values) for one in storage_table.find("p", "k", "l", "user", numbers)}

    assert found([]) == {}
    assert found([3, 77]) == {"k03": {"user": 3}}
    assert found(range(10, 40)) == {f"k{number}": {"user": number} for number in range(10, 40)}


def test_a_range_includes_its_low_end_and_not_its_high_end(storage_table: AnyTable) -> None:
    """Rows come in the order of their keys, from their partition alone, as many as are wanted."""
    put(storage_table, *(row(key) for key in ("b|1", "b", "a", "c", "b|10", "B", "b|2", "b}")))
    put(storage_table, row("b|1", "", "other"))
    assert keys(storage_table, "b", "c") == ["b", "b|1", "b|10", "b|2", "b}"]
    assert keys(storage_table, "b|", "b}") == ["b|1", "b|10", "b|2"]
    assert keys(storage_table, "b|", "b}", limit=2) == ["b|1", "b|10"]
    assert keys(storage_table, "c", "b") == keys(storage_table, "x", "y") == []


def test_more_rows_than_fit_a_page_are_all_found(storage_table: AnyTable) -> None:
    """A page has 1,000 rows; the meter counts each of them in the service."""
    numbers = range(1050)
    for start in range(0, len(numbers), MAX_OPERATIONS):
        put(storage_table, *(row(f"{number:05}", v=number) for number in numbers[start : start + 100]))
    meter = Meter()
    found = list(storage_table.with_meter(meter).query("p", "0", "1"))
    assert [there.values["v"] for there in found] == list(numbers)
    assert meter.table_transactions == (1 if isinstance(storage_table, MemoryTable) else 2)
    assert len(keys(storage_table, "0", "1", limit=1020)) == 1020


def test_only_what_is_selected_is_fetched(storage_table: AnyTable) -> None:
    """A value that a row lacks is left out; keys are always there."""
    put(storage_table, row("a", v=1, w=2), row("b", w=3))
    found = list(storage_table.query("p", "a", "c", select=["v", "RowKey"]))
    assert [(there.key, dict(there.values)) for there in found] == [("a", {"v": 1}), ("b", {})]


def test_a_meter_counts_its_own_transactions(storage_table: AnyTable) -> None:
    """Each user of a table counts for itself: a get, a query and a transaction are one each."""
    put(storage_table, row("k"))
    mine, other = Meter(), Meter()
    storage_table.with_meter(other).get("p", "k")
    counted = storage_table.with_meter(mine)
    put(counted, row("k"), row("l"))
    assert mine.table_transactions == 1
    counted.get("p", "k")
    list(counted.query("p", "a", "z"))
    assert (mine.table_transactions, other.table_transactions) == (3, 1)


TOO_MUCH = {
    "101 operations": [row(str(number)) for number in range(101)],
    "253 properties": [row("k", **{f"v{number}": 1 for number in range(253)})],
    "a long text": [row("k", v="a" * (UNITS + 1))],
    "a long text of pairs": [row("k", v="🦊" * (UNITS // 2) + "a")],
    "many bytes": [row("k", v=bytes(MAX_PROPERTY_BYTES + 1))],
    "a large entity": [row("k", **{f"v{number}": "a" * UNITS for number in range(16)})],
    "a large transaction": [row(f"{n}{m}", v="é" * UNITS) for n in range(5) for m in range(5)],
    "a large transaction of bytes": [row(f"{n:02}", v=bytes(MAX_PROPERTY_BYTES)) for n in range(49)],
    "a large number": [row("k", v=2**31)],
    "a slash": [row("a/b")],
    "a backslash": [row("a\\b")],
    "a hash": [row("a#b")],
    "a question mark": [row("a?b")],
    "a control character": [row("a\x1fb")],
    "another control character": [row("a\x85b")],
    "a long key": [row("k" * 513)],
    "a long key of pairs": [row("🦊" * 256 + "k")],
    "a row twice": [row("k", v=1), row("k", v=2)],
    "another partition": [row("k"), row("l", "", "other")],
}


@pytest.mark.parametrize("rows", TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_the_service_would_refuse_is_refused(storage_table: AnyTable, rows: list[Row]) -> None:
    """Before anything is sent, for the emulator is laxer than the service; nothing is written."""
    with pytest.raises(ValueError, match=r"most|holds|twice|partition|32 bits"):
        storage_table.transact("p", [Operation("put", each) for each in rows])
    assert list(storage_table.query("p", "", "~")) == []


def test_a_forbidden_partition_is_refused(storage_table: AnyTable) -> None:
    """A partition's key obeys the same rules."""
    with pytest.raises(ValueError, match="holds a character"):
        put(storage_table, row("k", "", "a/b"))


FULL_ROW = {f"v{number}": "a" * UNITS for number in range(15)}
JUST_ENOUGH = {
    "252 properties": [row("k", **{f"v{number}": 1 for number in range(MAX_PROPERTIES)})],
    "a property": [row("k", a="a" * UNITS, b="🦊" * (UNITS // 2), c=bytes(MAX_PROPERTY_BYTES))],
    "an entity": [row("k", **FULL_ROW, rest="a" * (UNITS - 250))],
    "a transaction": [row(f"{number:02}", v="é" * (UNITS - 100)) for number in range(21)],
    "a transaction of bytes": [row(f"{number:02}", v=bytes(MAX_PROPERTY_BYTES)) for number in range(47)],
    "long keys": [row("🦊" * 251 + f"{number:02}", v=1) for number in range(MAX_OPERATIONS)],
}


@pytest.mark.parametrize("rows", JUST_ENOUGH.values(), ids=JUST_ENOUGH)
def test_what_just_fits_is_written(storage_table: AnyTable, rows: list[Row]) -> None:
    """Our own limits are not below the service's by much."""
    put(storage_table, *rows)
    assert len(list(storage_table.query("p", "", "\U0010ffff"))) == len(rows)


def test_the_sizes_that_just_fit_are_near_the_limits() -> None:
    """The rows above are as large as they are said to be."""
    (entity,) = JUST_ENOUGH["an entity"]
    stored = sum(2 * len(str(value)) for value in entity.values.values())
    assert 0.99 * MAX_ENTITY_BYTES < stored < MAX_ENTITY_BYTES
    for name in ("a transaction", "a transaction of bytes"):
        sent = sum(payload_bytes(each) for each in JUST_ENOUGH[name])
        assert 0.9 * MAX_TRANSACTION_BYTES < sent < MAX_TRANSACTION_BYTES


@pytest.mark.azurite
def test_a_lost_answer_is_asked_for_again(storage_emulator: str) -> None:
    """A put is simply done twice; an insert meets its own first attempt, and its caller has to know it."""
    transport = LosingTransport()
    with azure_table(storage_emulator, transport=transport, retry_backoff_factor=0.01) as table:
        put(table, row("k", v=1))
        transport.lose = 1
        put(table, row("k", v=2))
        assert values(table, "k") == {"v": 2}
        transport.lose = 1
        assert conflicts(lambda: do(table, "insert", row("new", v=3)))
        assert values(table, "new") == {"v": 3}


@pytest.mark.azurite
def test_a_table_that_was_deleted_is_made_anew(storage_emulator: str) -> None:
    """Somebody deletes it under a running app: that is no conflict, and the next write makes it again."""
    with TableServiceClient.from_connection_string(storage_emulator) as service:
        client = service.create_table("Deleted")
        table = AzureTable(client, Meter())
        put(table, row("k", v=1))
        client.delete_table()
        assert values(table, "k") is None
        do(table, "insert", row("k", v=2))
        assert values(table, "k") == {"v": 2}


ACCOUNT_KEY = b64encode(b"a key that nobody may see").decode()
NOBODY_LISTENS = "DefaultEndpointsProtocol=http;TableEndpoint=http://127.0.0.1:1/account"


@pytest.mark.parametrize("act", ["get", "query", "transact"])
@pytest.mark.parametrize(
    "secret", [f"AccountName=account;AccountKey={ACCOUNT_KEY}", "SharedAccessSignature=sv=1&sig=c2lnbmF0dXJl"]
)
def test_an_unreachable_service_is_a_sentence_without_its_key(act: str, secret: str) -> None:
    """It names the address and what to check; neither key nor signature is in it."""
    with azure_table(f"{NOBODY_LISTENS};{secret}", retry_total=0) as table:
        actions: dict[str, Callable[[], object]] = {
            "get": lambda: table.get("p", "k"),
            "query": lambda: list(table.query("p", "a", "z")),
            "transact": lambda: put(table, row("k")),
        }
        with pytest.raises(StateUnavailable) as raised:
            actions[act]()
    said = str(raised.value)
    assert "127.0.0.1:1 could not be reached" in said
    assert "AzureWebJobsStorage" in said
    assert ACCOUNT_KEY not in said
    assert "c2lnbmF0dXJl" not in said


# azure-data-tables asks a parsed error document for its truth
@pytest.mark.filterwarnings("ignore:Testing an element's truth value:DeprecationWarning")
@pytest.mark.azurite
def test_a_refused_key_is_a_sentence(storage_emulator: str) -> None:
    """The service answers, but not to this app: the sentence says where to look."""
    wrong = "AccountKey=" + b64encode(b"wrong").decode()
    parts = [wrong if part.startswith("AccountKey") else part for part in storage_emulator.split(";")]
    with (
        azure_table(";".join(parts)) as table,
        pytest.raises(StateUnavailable, match=r"HTTP 403 \(Auth|does not know this app \(Auth") as raised,
    ):
        table.get("p", "k")
    assert "then try again" in str(raised.value)


class NoIdentity:
    """What an app without a managed identity signs in with."""

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        """Refuse."""
        raise CredentialUnavailableError(message="no managed identity endpoint found")


def test_an_app_without_an_identity_is_told_so() -> None:
    """No request can even be sent; the sentence is about the identity, not about the service."""
    with (
        TableClient("https://account.table.core.example", "Tttt", credential=NoIdentity()) as client,
        pytest.raises(StateUnavailable, match="does not know this app") as raised,
    ):
        AzureTable(client, Meter()).get("p", "k")
    assert "AZURE_CLIENT_ID" in str(raised.value)


def test_conflict_is_no_product_error() -> None:
    """It is a state of affairs for the state's own code: no command line has a sentence for it."""
    assert not issubclass(Conflict, StateUnavailable)
