"""Fuzzing what the app's own table holds: rows of another version, edited by hand, or broken."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import strategies as st

from devstack.memory import MemoryTable
from halo_adsync.customer_file import plain
from halo_adsync.errors import Busy, ConfigurationError, RowUnreadable
from halo_adsync.halo.budget import LedgerState
from halo_adsync.model import (
    CustomerId,
    CustomField,
    Decision,
    DistinguishedName,
    Footing,
    HaloClientId,
    HaloSiteId,
    HaloUserId,
    Keep,
    Leaver,
    Link,
    ObjectGuid,
    Parked,
    Place,
    RunId,
    Tickets,
)
from halo_adsync.plan.types import Change, FieldChange, Kind, Violation
from halo_adsync.state import known_rows, link_rows, notices, rows
from halo_adsync.state.customer_state import CustomerState
from halo_adsync.state.lease import KEY, Lease, is_held
from halo_adsync.state.ledger import BUDGETS, state_of
from halo_adsync.state.lines import Line, line_of
from halo_adsync.state.runs import Run, Status, run_of, run_row
from halo_adsync.state.store import CUSTOMERS, Store
from halo_adsync.state.table import Row
from tests.support.fuzzing import SECRET, Decoder, Fuzz
from tests.support.hostile import DEEP, JSON, TEXTS, broken_text, mutated
from tests.support.plan import customer

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
AT = NOW.isoformat()
CONTOSO = CustomerId("contoso")
RUN = RunId("20261123T120000Z-0a1b2c3d")
GUID = ObjectGuid("5f2c1de0-8f0e-4c63-9f0d-0a1b2c3d4e5f")

LINK = Link(
    GUID, HaloUserId(7), HaloClientId(11), HaloSiteId(101), True, DistinguishedName("CN=x"), {"name": SECRET}
)
PLACE = Place("site:name:leeds@client:id:11", HaloClientId(11), HaloSiteId(101), "Leeds", GUID)
CHANGE = Change(
    Kind.UPDATE,
    GUID,
    "CN=x",
    "changed",
    SECRET,
    HaloUserId(7),
    fields={"title": FieldChange(SECRET, "x")},
    base=LINK,
)
A_RUN = Run(
    RUN, CONTOSO, "full", "manual", "ada", dry_run=False, status=Status.BLOCKED, requested=AT, finished=AT,
    violations=(Violation("deactivate.percent", 10, 34.5, 17, 50, SECRET),), warnings=("w",), paused_until=AT,
    read={"corp": 50},
)  # fmt: skip
LEAVER = Leaver(GUID, 2, RUN, Tickets(2, ((1203, SECRET), (1204, "y"))), AT)
DATA_ROWS = (
    link_rows.link_row(CONTOSO, LINK),
    rows.place_row(CONTOSO, PLACE),
    rows.line_row(CONTOSO, RUN, 3, CHANGE),
    run_row(A_RUN),
    known_rows.leaver_row(CONTOSO, LEAVER),
    known_rows.keep_row(CONTOSO, Keep(GUID, "ada", AT)),
    known_rows.decision_row(CONTOSO, Decision(GUID, "link", HaloUserId(7), "ada", AT)),
    known_rows.parked_row(CONTOSO, Parked(f"user|{GUID}", "d", 2, AT, SECRET)),
)
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.floats() | TEXTS | st.binary(max_size=9)
)


def spoilt(row: Row) -> st.SearchStrategy[Row]:
    """Return what may become of a row: other values, other data in it, pieces gone or put in."""

    def with_values(values: Any) -> Row:
        kept = values if isinstance(values, dict) else {}
        return replace(row, values={str(name): value for name, value in kept.items() if value is not None})

    by_value = mutated(dict(row.values), junk=SCALARS).map(with_values)
    if "data" not in row.values:
        return by_value
    text = rows.unpack_text("data", row.values)

    def with_text(other: str) -> Row:
        return replace(row, values={**row.values, "data": other})

    lines = mutated(list(map(json.loads, text.split("\n"))))  # of a link two, of anything else one
    as_data = lines.map(lambda kept: "\n".join(map(json.dumps, kept if isinstance(kept, list) else [kept])))
    return as_data.map(with_text) | broken_text([text]).map(with_text) | by_value


def packed(row: Row, junk: st.SearchStrategy[Any] = JSON) -> st.SearchStrategy[list[Row]]:
    """Return what may become of a row whose text is compressed."""
    data = json.loads(rows.unpacked([row]))

    def with_data(other: Any) -> list[Row]:
        parts = rows.packed([json.dumps(other)])
        return [replace(row, values={**row.values, **values}) for values in parts]

    return mutated(data, junk=junk).map(with_data) | spoilt(row).map(lambda one: [one])


LEASE = Row(CONTOSO, KEY, {"run": RUN, "until": "1e10", "handed_over": False, "session": "s", "nonce": "n"})
LEDGER = Row(BUDGETS, "x", {"data": "[[[1,2],[3,4]],0]", "nonce": "n"})
FILE = Row(CUSTOMERS, CONTOSO, rows.pack_text("data", rows.to_json(plain(customer()))))
SINGLE = {
    "anchors": Row(CONTOSO, "anchors", {"data": json.dumps({"corp|OU=x": GUID})}),
    "baseline": Row(CONTOSO, "baseline", {"data": '{"corp": 50}'}),
    "custom_fields": Row(
        CONTOSO, "custom-fields", {"data": '{"cfdesk": {"name": "CFDesk", "kind": "choice", "choices": {}}}'}
    ),
    "instance": Row(CONTOSO, "instance", {"url": "https://x.example"}),
    "newcomers": known_rows.ticket_row(CONTOSO, GUID, AT),
    "troubles": notices.troubles_row(
        CONTOSO, {"partial": notices.Trouble(RUN, "full", Status.PARTIAL, ("webhook",))}
    ),
}


def kept(row: Row) -> Store:
    """Return a store whose table holds this row only."""
    table = MemoryTable()
    table.rows[row.partition, row.key] = row
    return Store(table, lambda: NOW)


def known(read: Callable[[CustomerState], Any]) -> Callable[[Row], Any]:
    """Return what reads something of the customer whose table holds a row."""
    return lambda row: read(kept(row).of(CONTOSO))


def leased(row: Row) -> bool:
    """Look whether a run holds the lease, and try to take it."""
    table = kept(row).table
    held = is_held(table, CONTOSO, RUN, NOW)
    Lease(table, CONTOSO, RunId("20261123T120001Z-1"), lambda: NOW).release()
    return held


def usable(_: Row, run: Run) -> None:
    """Whatever is read can be worked with: counted, shown, and written again."""
    assert run_of(run_row(run)) == run
    assert json.dumps(run.summary())
    assert {"create", "held", "failed"} <= run.counts.keys()


def again(write: Callable[..., Any], read: Callable[..., Any]) -> Callable[[Any, Any], None]:
    """Return the law that what was read is read again as the same once it is written."""

    def law(_: Any, value: Any) -> None:
        assert read(write(value)) == value

    return law


BROKEN = Row(CONTOSO, f"link|{GUID}", {})
FINGERPRINT = next(known_rows.fingerprint_rows(CONTOSO, {bytes(16), bytes(range(16))}))
OTHER_RUN = replace(DATA_ROWS[3], values=rows.pack_text("data", json.dumps({**asdict(A_RUN), "id": "-1"})))
NESTED = replace(DATA_ROWS[1], values={"data": "[" * DEEP})
LINKS, PLACES, LINES, RUNS, LEAVERS, KEEPS, DECISIONS, PARKED = map(spoilt, DATA_ROWS)
NOTES = packed(next(rows.note_rows(CONTOSO, RUN, [CHANGE, CHANGE])))
FOOTING = packed(next(known_rows.footing_rows(CONTOSO, Footing({GUID: GUID}, {"rule": {GUID: GUID}}))))
FILES = st.one_of(spoilt(FILE), spoilt(Row(CUSTOMERS, CONTOSO, {"data": json.dumps(SECRET)})))
DECODERS = (
    Decoder("rows: links", LINKS, link_rows.link_of, Link, RowUnreadable,
            again(lambda link: link_rows.link_row(CONTOSO, link), link_rows.link_of), known=(BROKEN,)),
    Decoder("rows: ids of links", LINKS, link_rows.linked_of, tuple[ObjectGuid, HaloUserId], RowUnreadable,
            known=(BROKEN,)),
    Decoder("rows: places", PLACES, rows.place_of, Place, RowUnreadable,
            again(lambda place: rows.place_row(CONTOSO, place), rows.place_of), known=(NESTED,)),
    Decoder("rows: lines", LINES, line_of, Line, RowUnreadable),
    Decoder("rows: runs", RUNS, run_of, Run, RowUnreadable, usable,
            known=(OTHER_RUN,)),
    Decoder("rows: notes", NOTES, rows.notes_of, list[Change], RowUnreadable),
    Decoder("rows: leavers", LEAVERS, known_rows.leaver_of, Leaver, RowUnreadable,
            again(lambda leaver: known_rows.leaver_row(CONTOSO, leaver), known_rows.leaver_of)),
    Decoder("rows: keeps", KEEPS, known_rows.keep_of, Keep, RowUnreadable),
    Decoder("rows: decisions", DECISIONS, known_rows.decision_of, Decision, RowUnreadable),
    Decoder("rows: parked", PARKED, known_rows.parked_of, Parked, RowUnreadable),
    Decoder("rows: footing", FOOTING, known_rows.footing_of, Footing, RowUnreadable),
    Decoder("rows: fingerprints", spoilt(FINGERPRINT).map(lambda row: [row]), known_rows.fingerprints_of,
            frozenset[bytes], RowUnreadable),
    Decoder("rows: ledgers", spoilt(LEDGER), state_of, LedgerState, RowUnreadable),
    Decoder("rows: leases", spoilt(LEASE), leased, bool, (RowUnreadable, Busy)),
    Decoder("rows: anchors", spoilt(SINGLE["anchors"]), known(lambda state: state.known().anchors),
            dict[str, ObjectGuid], RowUnreadable),
    Decoder("rows: baselines", spoilt(SINGLE["baseline"]), known(lambda state: state.known().baseline),
            dict[str, int] | None, RowUnreadable),
    Decoder("rows: custom fields", spoilt(SINGLE["custom_fields"]), known(CustomerState.custom_fields),
            dict[str, CustomField | None], RowUnreadable),
    Decoder("rows: instances", spoilt(SINGLE["instance"]), known(lambda state: state.known().instance),
            str | None, RowUnreadable),
    Decoder("rows: new people", spoilt(SINGLE["newcomers"]), known(lambda state: state.newcomers.due()),
            frozenset[ObjectGuid], RowUnreadable),
    Decoder("rows: notices", spoilt(SINGLE["troubles"]), notices.troubles_of, dict[str, notices.Trouble],
            RowUnreadable, again(lambda kept: notices.troubles_row(CONTOSO, kept), notices.troubles_of)),
    Decoder("rows: customers", FILES, lambda row: kept(row).customer(CONTOSO), type(customer()),
            ConfigurationError),
)  # fmt: skip


@pytest.mark.parametrize("decoder", DECODERS, ids=str)
def test_whatever_the_table_holds_is_read_or_refused(decoder: Decoder, fuzz: Fuzz) -> None:
    """A value of its type or an error that names the row, and tells nobody's data."""
    fuzz.hold(decoder)
