"""Laws of the codec of rows: what is read is what was written, whatever it is."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from halo_adsync.model import (
    CustomerId,
    DistinguishedName,
    HaloClientId,
    HaloSiteId,
    HaloUserId,
    Link,
    ObjectGuid,
    Place,
    RunId,
)
from halo_adsync.plan.types import Change, FieldChange, Kind, Record, Violation
from halo_adsync.state import link_rows, rows
from halo_adsync.state.runs import Run, Status, no_counts, run_of, run_row
from halo_adsync.state.table import FORBIDDEN_IN_KEYS, Operation, Row, check_limits

RUN = RunId("20260105T090000Z-00000000")
ANY = st.text(st.characters(codec=None), max_size=60)
"""Text of every character there is, halves of pairs among them, which Halo's own cutting can leave behind."""
NUMBERS = st.integers(0, 2**31 - 1)
GUIDS = st.uuids().map(lambda value: ObjectGuid(str(value)))
LINKS = st.builds(
    Link,
    GUIDS,
    NUMBERS.map(HaloUserId),
    NUMBERS.map(HaloClientId),
    NUMBERS.map(HaloSiteId),
    active=st.booleans(),
    dn=ANY.map(DistinguishedName),
    fields=st.dictionaries(ANY, ANY, max_size=4),
)
CHANGES = st.builds(
    Change,
    st.sampled_from(Kind),
    GUIDS | st.just(""),
    ANY,
    ANY,
    name=ANY,
    user=st.none() | NUMBERS.map(HaloUserId),
    place=ANY,
    client=ANY,
    fields=st.dictionaries(ANY, st.builds(FieldChange, st.none() | ANY, ANY), max_size=4),
    base=st.none() | LINKS,
    adopts=st.booleans(),
    record=st.sampled_from(Record),
)


def fits(*written: Row) -> bool:
    """Tell whether Table Storage takes these rows."""
    check_limits(written[0].partition, [Operation("put", row) for row in written])
    return True


@given(ANY, ANY)
def test_different_texts_have_different_keys(one: str, other: str) -> None:
    """And no key holds what the service refuses."""
    assert (rows.encode_key(one) == rows.encode_key(other)) == (one == other)
    assert not FORBIDDEN_IN_KEYS.search(rows.encode_key(one))


@given(st.text(st.characters(codec=None), max_size=8), st.integers(1, 30_000))
@settings(max_examples=30)
def test_long_texts_are_put_together_as_they_were(text: str, times: int) -> None:
    """However they are cut."""
    assert rows.unpack_text("data", rows.pack_text("data", text * times)) == text * times


@given(LINKS)
def test_a_link_reads_back(link: Link) -> None:
    """It is the licence to change a record: nothing of it may change on the way."""
    written = link_rows.link_row("contoso", link)
    assert fits(written)
    assert link_rows.link_of(written) == link


@given(
    st.builds(
        Place, ANY, NUMBERS.map(HaloClientId), st.none() | NUMBERS.map(HaloSiteId), ANY, st.none() | GUIDS
    )
)
@example(Place("site:name:\ud800@client:id:1", HaloClientId(1), HaloSiteId(2), "\ud800"))
def test_a_place_reads_back(place: Place) -> None:
    """Clients (which are no site) and sites, with an OU or without."""
    written = rows.place_row("contoso", place)
    assert fits(written)
    assert rows.place_of(written) == place


@given(CHANGES, st.integers(0, 9_999_999))
def test_a_line_reads_back(change: Change, number: int) -> None:
    """Whatever is planned."""
    written = rows.line_row("contoso", RUN, number, change)
    assert fits(written)
    assert rows.change_of(written) == change


@given(st.lists(CHANGES, max_size=8))
def test_notes_read_back(changes: list[Change]) -> None:
    """Packed together, in their order."""
    written = list(rows.note_rows("contoso", RUN, changes))
    assert fits(*written) if changes else written == []
    assert rows.notes_of(written) == changes


TEXTS = dict.fromkeys(("reason", "actor", "digest", "message", "cause"), ANY)
TIMES = st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
RUNS: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {
        **TEXTS,
        "requested": TIMES,
        "finished": TIMES | st.just(""),
        "dry_run": st.booleans(),
        "orderly": st.booleans(),
        "status": st.sampled_from(Status),
        "counts": st.fixed_dictionaries(dict.fromkeys(no_counts(), NUMBERS)),
        "cost": st.dictionaries(ANY, st.floats(0, 1e6), max_size=3),
        "warnings": st.lists(ANY, max_size=3).map(tuple),
        "violations": st.lists(
            st.builds(Violation, ANY, st.floats(0, 1e6), st.floats(0, 1e6), NUMBERS, NUMBERS, ANY), max_size=3
        ).map(tuple),
        "total": NUMBERS,
        "settled": NUMBERS,
        "batch_size": NUMBERS,
        "notes": NUMBERS,
        "person": GUIDS | st.just(""),
    }
)


@given(RUNS)
def test_a_run_reads_back(parts: dict[str, Any]) -> None:
    """With all that can be said of one."""
    blank = Run(RUN, CustomerId("contoso"), "full", "", "", dry_run=False, status=Status.OK, requested="")
    run = replace(blank, **parts)
    written = run_row(run)
    assert fits(written)
    assert run_of(written) == run
