"""Laws of reading search entries: what ldap3 writes is read as ldap3 reads it, and damage is an error."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ldap3.protocol import rfc4511
from ldap3.utils import asn1

from devstack.directory import ber
from halo_adsync.directory.ber import LARGEST_MESSAGE, DamagedAnswerError, messages, search_entry
from tests.support.entries import as_ldap3_reads, folded

SEARCH_ENTRY, CONTROLS = 0x64, 0xA0
# The stubs leave ldap3's functions untyped.
RFC4511: Any = rfc4511
ASN1: Any = asn1

NUMBERS = st.integers(1, 2**31 - 1)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-;=*."
DESCRIPTIONS = st.text(LETTERS, min_size=1, max_size=40)
VALUES = st.lists(st.binary(max_size=20) | st.binary(min_size=120, max_size=300), max_size=4)
ATTRIBUTES = st.lists(
    st.tuples(DESCRIPTIONS, VALUES), max_size=6, unique_by=lambda pair: pair[0].lower()
).map(dict)


def encoded(number: int, name: str, attributes: dict[str, list[bytes]]) -> bytes:
    """Return the message as ldap3's own types and encoder write it."""
    entry = RFC4511.SearchResultEntry()
    entry["object"] = RFC4511.LDAPDN(name)
    entry["attributes"] = RFC4511.PartialAttributeList()
    for at, (description, values) in enumerate(attributes.items()):
        attribute = RFC4511.PartialAttribute()
        attribute["type"] = RFC4511.AttributeDescription(description)
        attribute["vals"] = RFC4511.Vals()
        for position, value in enumerate(values):
            attribute["vals"].setComponentByPosition(position, value)
        entry["attributes"].setComponentByPosition(at, attribute)
    message = RFC4511.LDAPMessage()
    message["messageID"] = RFC4511.MessageID(number)
    message["protocolOp"] = RFC4511.ProtocolOp().setComponentByName("searchResEntry", entry)
    return bytes(ASN1.encode(message))


def with_long_lengths(data: bytes, size: int) -> bytes:
    """Return the same elements, those that hold others with lengths of so many bytes, as Microsoft writes."""
    parts = []
    for tag, contents in ber.elements(data):
        if tag & 0x20:
            inner = with_long_lengths(contents, size)
            parts.append(bytes((tag, 0x80 | size)) + len(inner).to_bytes(size) + inner)
        else:
            parts.append(ber.element(tag, contents))
    return b"".join(parts)


def operation_for_ldap3(message: bytes) -> int | None:
    """Return the number of the operation that ldap3 finds in a message; None where it stumbles."""
    try:
        return int(ASN1.decode_message_fast(message)["protocolOp"])
    except (LookupError, ValueError, TypeError):
        return None


def in_pieces(data: bytes, cuts: list[int]) -> Any:
    """Return a `receive` that gives the data in pieces, and fails when it is asked again after the end."""
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    parts = [data[start:end] for start, end in itertools.pairwise(edges)]
    waiting = iter([*parts, b""])
    return lambda: next(waiting)


SHORTEST = st.builds(encoded, NUMBERS, NAMES, ATTRIBUTES)
SIZES = st.sampled_from([2, 3, 4])
MESSAGES = SHORTEST | st.builds(with_long_lengths, SHORTEST, SIZES)
CHANGES = st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=3), st.integers(0, 3)), max_size=4)


@given(NUMBERS, NAMES, ATTRIBUTES)
def test_what_is_written_is_read(number: int, name: str, attributes: dict[str, list[bytes]]) -> None:
    """Number, name, descriptions and values come back as they were, and as ldap3 reads them."""
    message = encoded(number, name, attributes)
    lower = {description.lower(): tuple(values) for description, values in attributes.items()}
    assert search_entry(message) == (number, name, lower)
    assert as_ldap3_reads(message) == (number, name.encode(), folded(attributes))


@given(SHORTEST, SIZES)
def test_long_lengths(message: bytes, size: int) -> None:
    """Lengths may be written longer than need be, as Active Directory does with four bytes."""
    assert search_entry(with_long_lengths(message, size)) == search_entry(message)


def test_values_of_every_length() -> None:
    """Lengths change their form at 128 and 256; on either side of that a value is what it is."""
    for size in range(300):
        message = encoded(1, "CN=a", {"cn": [b"\x80" * size], "x" * (size or 1): [b"a"]})
        expected = (1, "CN=a", {"cn": (b"\x80" * size,), "x" * (size or 1): (b"a",)})
        assert search_entry(message) == search_entry(with_long_lengths(message, 4)) == expected


@given(MESSAGES, CHANGES)
@example(encoded(1, "CN=a", {"cn": [b"a"]}), [(5, b"\x44", 1)]).via("a tag that ldap3 takes for an entry's")
def test_damage_is_an_error_or_does_none(message: bytes, changes: list[tuple[int, bytes, int]]) -> None:
    """Whatever is replaced, put in or cut out: an error, or exactly what ldap3 reads."""
    for where, put, cut in changes:
        at = where % (len(message) + 1)
        message = message[:at] + put + message[at + cut :]
    try:
        found = search_entry(message)
    except DamagedAnswerError:
        return
    if found is None:
        assert operation_for_ldap3(message) != SEARCH_ENTRY & 0x1F
        return
    number, name, attributes = found
    assert as_ldap3_reads(message) == (number, name.encode(), folded(attributes))


@given(MESSAGES, st.data())
def test_cut_off_entries(message: bytes, data: st.DataObject) -> None:
    """No beginning of an entry is an entry."""
    with pytest.raises(DamagedAnswerError):
        search_entry(message[: data.draw(st.integers(0, len(message) - 1))])


@given(MESSAGES, st.binary(min_size=1, max_size=5))
def test_something_after_an_entry(message: bytes, rest: bytes) -> None:
    """What follows an entry in its message has to be controls; these are passed over."""
    ((_, contents),) = ber.elements(message)
    controls = ber.element(CONTROLS, ber.element(ber.SEQUENCE, ber.octets("1.2.3")))
    assert search_entry(ber.element(ber.SEQUENCE, contents, controls)) == search_entry(message)
    for follows in (ber.element(ber.OCTETS, rest), controls + rest, controls[:-1]):
        with pytest.raises(DamagedAnswerError):
            search_entry(ber.element(ber.SEQUENCE, contents, follows))


@given(st.binary(max_size=200))
def test_noise_is_an_error_or_nothing(noise: bytes) -> None:
    """Bytes by chance raise nothing but the one error."""
    for read in (search_entry, lambda data: list(messages(in_pieces(data, [])))):
        with contextlib.suppress(DamagedAnswerError):
            read(noise)


@given(st.lists(MESSAGES, max_size=4), st.lists(st.integers(0, 10_000), max_size=10), st.integers(0, 30))
def test_messages_however_they_arrive(sent: list[bytes], cuts: list[int], missing: int) -> None:
    """A stream is cut into its messages wherever its pieces end; one that has not come whole is none."""
    stream = b"".join(sent)
    arrived = stream[: len(stream) - missing] if missing else stream
    whole = [message for at, message in enumerate(sent) if len(b"".join(sent[: at + 1])) <= len(arrived)]
    assert list(messages(in_pieces(arrived, cuts))) == whole


def test_lengths_that_arrive_byte_by_byte() -> None:
    """A length is not taken for shorter while its last bytes are under way."""
    stream = with_long_lengths(encoded(1, "CN=a", {"cn": [b"x" * 300]}), 4)
    assert list(messages(in_pieces(stream * 2, list(range(2 * len(stream)))))) == [stream, stream]


@pytest.mark.parametrize(
    "head",
    [
        b"\x30\x80",  # an indefinite length
        b"\x30\x85\x00\x00\x00\x00\x01",  # a length of five bytes
        b"\x30\xff",
        b"\x30\x84" + (LARGEST_MESSAGE + 1).to_bytes(4),
        b"HTTP/1.1 400",
        b"\x15\x03\x01",  # a TLS alert
    ],
)
def test_no_more_is_waited_for_than_may_come(head: bytes) -> None:
    """What cannot begin a message is refused at once, before anything more is received."""
    with pytest.raises(DamagedAnswerError):
        next(messages(iter([head]).__next__))


def entry(*attributes: bytes, number: bytes = b"\x01", extra: bytes = b"") -> bytes:
    """Encode a message with an entry, from attributes that are encoded already."""
    operation = ber.element(SEARCH_ENTRY, ber.octets("CN=a"), ber.element(ber.SEQUENCE, *attributes), extra)
    return ber.element(ber.SEQUENCE, ber.element(ber.INTEGER, number), operation)


def attribute(*values: bytes, tag: int = ber.SEQUENCE, extra: bytes = b"") -> bytes:
    """Encode an attribute, from values that are encoded already."""
    return ber.element(tag, ber.octets("cn"), ber.element(ber.SET, *values), extra)


GOOD = attribute(ber.octets("a"))


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (entry(GOOD, GOOD), "twice"),
        (entry(GOOD, GOOD.replace(b"cn", b"CN")), "twice"),
        (entry(GOOD, number=b""), "number"),
        (entry(GOOD, number=b"\0\0\0\0\1"), "number"),
        (entry(GOOD, extra=GOOD), "than its attributes"),
        (entry(GOOD[:-1]), "longer than its entry"),
        (entry(attribute(ber.octets("a"), extra=ber.octets("b"))), "than its values"),
        (entry(attribute(b"\x04\x02a")), "longer than its attribute"),
        (entry(attribute(ber.integer(1))), "tag"),
        (entry(attribute(ber.octets("a"), tag=ber.SET)), "tag"),
        (entry(ber.element(ber.SEQUENCE, ber.integer(1), ber.element(ber.SET, ber.octets("a")))), "tag"),
        (
            entry(ber.element(ber.SEQUENCE, ber.octets("cn"), ber.element(ber.SEQUENCE, ber.octets("a")))),
            "tag",
        ),
        (entry(ber.element(ber.SEQUENCE, ber.octets("ü"), ber.element(ber.SET))), "text"),
        (entry(GOOD).replace(b"CN", b"\xff\xff"), "text"),
        (entry(GOOD)[:5] + b"\x44" + entry(GOOD)[6:], "tag"),
        (entry(attribute(ber.octets("a"), tag=0x10)), "tag"),
        (entry(b"\x30\x84\0"), "cut off"),
        (entry(b"\x30\x81\x04\x04\x02abc\x31\x79\x04\x77" + b"a" * 119), "tag"),
        (entry(b"\x30\x84\0\0\0\x8c\x04\x81\x7f" + b"a" * 128 + b"\x31\x84\0\0\0\2\4\0"), "tag"),
        (entry(GOOD) + b"\0", "fill"),
        (b"\x30\x84\0", "cut off"),
    ],
)
def test_everything_that_can_be_wrong(message: bytes, why: str) -> None:
    """Each rule of the encoding is held, one by one; the sentence says which was broken."""
    assert search_entry(entry(GOOD)) == (1, "CN=a", {"cn": (b"a",)})
    with pytest.raises(DamagedAnswerError, match=why):
        search_entry(message)


def test_numbers_are_signed() -> None:
    """A number is an INTEGER with a sign, so 0xFF is no number that anybody has given."""
    assert search_entry(entry(number=b"\xff")) == (-1, "CN=a", {})
