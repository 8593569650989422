"""Laws of the directory's codec that hold for every value."""

import struct
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from ldap3.operation import search
from ldap3.protocol import convert

from halo_adsync.directory.entry import (
    canonical_dn,
    checked_filter,
    datetime_from_filetime,
    escape_filter_value,
    format_dn,
    guid_from_bytes,
    guid_to_bytes,
    parent_dn,
    parse_dn,
    sid_from_bytes,
)
from halo_adsync.directory.tree import dn_keys
from halo_adsync.errors import ConfigurationError
from halo_adsync.model import ObjectGuid

EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
TYPES = st.sampled_from(["cn", "ou", "dc", "l", "2.5.4.5", "x-special-type"])
TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20) | st.text(
    alphabet=' ,+"\\#;<>=\0\naé', max_size=6
)
PAIRS = st.tuples(TYPES, TEXTS)
NAMES = st.lists(st.lists(PAIRS, min_size=1, max_size=3).map(tuple), max_size=5).map(tuple)
# The stubs leave ldap3's functions untyped.
LDAP3_SEARCH: Any = search
LDAP3_CONVERT: Any = convert
PUNCTUATION = st.text(alphabet="()&|!*=<>~:; \\abc27.\n", max_size=30)


def as_ldap3_reads(text: str) -> Any:
    """Return ldap3's own tree of a filter, under the options with which the adapter searches."""
    return LDAP3_SEARCH.parse_filter(
        text, None, auto_escape=False, auto_encode=True, validator=None, check_names=False
    )


@given(st.binary(min_size=16, max_size=16))
def test_guid_round_trip(raw: bytes) -> None:
    """Bytes to text and back is the same, and the text is canonical."""
    text = guid_from_bytes(raw)
    assert guid_to_bytes(text) == raw
    assert text == ObjectGuid(str(UUID(text)))


@given(
    st.integers(0, 255),
    st.integers(0, 2**48 - 1),
    st.lists(st.integers(0, 2**32 - 1), max_size=15),
)
def test_sid_round_trip(revision: int, authority: int, parts: list[int]) -> None:
    """A security identifier's text holds all its numbers."""
    raw = (
        bytes([revision, len(parts)]) + authority.to_bytes(6, "big") + struct.pack(f"<{len(parts)}I", *parts)
    )
    head, *rest = sid_from_bytes(raw).split("-")[1:]
    assert [int(head), *(int(part, 0) for part in rest)] == [revision, authority, *parts]


@given(st.datetimes(min_value=datetime(1601, 1, 1, 0, 0, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - st adds it
def test_filetime_round_trip(moment: datetime) -> None:
    """Every moment from 1601 to 9999 comes back."""
    assert datetime_from_filetime((moment - EPOCH) // timedelta(microseconds=1) * 10) == moment


@given(st.integers())
def test_filetime_takes_any_number(ticks: int) -> None:
    """No number is an error: it is a moment or it means never."""
    moment = datetime_from_filetime(ticks)
    assert moment is None or moment > EPOCH - timedelta(seconds=1)


@given(NAMES)
def test_dn_round_trip(rdns: tuple[tuple[tuple[str, str], ...], ...]) -> None:
    """Whatever a name holds, putting it together and taking it apart gives it back."""
    dn = format_dn(rdns)
    assert parse_dn(dn) == rdns
    assert parse_dn(parent_dn(dn)) == rdns[1:]


@given(NAMES)
def test_canonical_dn_is_stable(rdns: tuple[tuple[tuple[str, str], ...], ...]) -> None:
    """The canonical form is its own canonical form, and has as many steps."""
    canonical = canonical_dn(format_dn(rdns))
    assert canonical_dn(canonical) == canonical
    assert len(parse_dn(canonical)) == len(rdns)


@given(st.text() | st.text(alphabet='CN=ou,+"\\#;<> 0aé', max_size=30))
def test_parse_dn_takes_any_text(text: str) -> None:
    """Any text is a name or a ValueError."""
    try:
        parse_dn(text)
    except ValueError:
        return
    assert parent_dn(text) in {"", text[-len(parent_dn(text)) :]}


@given(TEXTS.filter(bool))
def test_escaped_value_stays_one_value(value: str) -> None:
    """An escaped value is accepted, and what ldap3 sends for it is that value and nothing else."""
    text = f"(cn={escape_filter_value(value)})"
    assert checked_filter(text) == text
    (node,) = as_ldap3_reads(text).elements
    assert node.tag == search.MATCH_EQUAL
    assert node.assertion["attr"] == "cn"
    assert LDAP3_CONVERT.prepare_filter_for_sending(node.assertion["value"]) == value.encode()


@given(PUNCTUATION)
def test_filters_are_right_or_refused(text: str) -> None:
    """Any text is refused, or is a filter that ldap3 reads too and that is its own checked form."""
    try:
        checked = checked_filter(text)
    except ConfigurationError:
        return
    assert checked_filter(checked) == checked
    if checked:
        as_ldap3_reads(checked)


@given(st.lists(NAMES.filter(bool), max_size=5), st.sampled_from([",", ", ", " ,", " , "]), PAIRS)
def test_names_together_are_as_each_alone(names: list[Any], comma: str, top: tuple[str, str]) -> None:
    """The canonical forms of many names are those of each, also where they share what they stand in."""
    dns = [comma.join(str(format_dn([rdn])) for rdn in (*name, (top,))) for name in names]
    dns += [dns[0].swapcase(), f"CN=x,{dns[0]}", f"CN=y{comma}{dns[0]}"] if dns else []
    valid = [dn for dn in dns if is_name(dn)]
    assert list(dn_keys(valid)) == [canonical_dn(dn) for dn in valid]


def is_name(text: str) -> bool:
    """Tell whether a text is a distinguished name."""
    try:
        return bool(parse_dn(text))
    except ValueError:
        return False
