"""Fuzzing what a directory answers (entries, names, values, reasons) and what is written to ask it."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import strategies as st

from devstack.directory import ber
from halo_adsync.directory.ber import DamagedAnswerError, messages, search_entry
from halo_adsync.directory.dn import extended_dn
from halo_adsync.directory.entry import (
    RawEntry,
    attribute_value,
    canonical_dn,
    checked_filter,
    format_dn,
    is_group,
    parent_dn,
    parse_dn,
    person_filter,
)
from halo_adsync.directory.memberships import joined_or_left
from halo_adsync.directory.people import PersonCodec
from halo_adsync.directory.results import bind_reason, failure_reason
from halo_adsync.directory.tree import build_tree, dn_key
from halo_adsync.errors import ConfigurationError, IncompleteRead
from halo_adsync.model import AttributeValue, ObjectGuid, Person, Tree
from tests.support.fuzzing import SECRET, Decoder, Fuzz
from tests.support.hostile import TEXTS, broken_text, mutated, noisy

BASE = "DC=corp,DC=example"
PARENT = ObjectGuid("5f2c1de0-8f0e-4c63-9f0d-0a1b2c3d4e5f")
NAMES = (
    BASE,
    f"OU=People,{BASE}",
    f"OU=Leeds,OU=People,{BASE}",
    f"CN=Smith\\, Ada,OU=People,{BASE}",
    f'ou="People" , {BASE}',
    f"CN=x+OU=y,{BASE}",
    "CN=#0C0141,DC=x",
    "1.2.840=\\E4\\BD\\A0",
    "",
)
PUNCTUATION = st.text('CN=ou,+"\\#;<> 0aé\n\0', max_size=12)
DNS = broken_text(NAMES, TEXTS | PUNCTUATION)
EXTENDED = [f"<GUID={PARENT}>;{sid}{name}" for sid in ("", "<SID=S-1-5-21-1>;") for name in NAMES]

BYTES = st.sampled_from([
    b"", b" ", b"0", b"-1", b"512", b"514", b"9" * 5_000, b"1_0", b"\xff\xfe", b"\x01\x05" + bytes(26),
    bytes(16), bytes(range(16)), b"9223372036854775807", b"133500000000000000", b"20261123120000.0Z",
    b"99991231235959-9999", b"00010101000000+9999", b"29990230000000Z", SECRET.encode(), "é".encode() * 80,
]) | st.binary(max_size=30)  # fmt: skip
VALUES = st.lists(BYTES, max_size=4)
ACCOUNT: Mapping[str, Any] = {
    "objectGUID": [bytes(range(16))],
    "userAccountControl": [b"512"],
    "accountExpires": [b"0"],
    "displayName": [SECRET.encode()],
    "mail": [SECRET.encode() + b"@contoso.example"],
    "member;range=0-1499": [b"CN=a,DC=x"],
    "objectSid": [b"\x01\x01" + bytes(10)],
    "pwdLastSet": [b"133500000000000000"],
    "whenCreated": [b"20261123120000.0Z"],
    "userCertificate;binary": [b"\x30\x82"],
}
KEPT = ("displayname", "mail", "objectsid", "pwdlastset", "whencreated", "usercertificate", "member")
ATTRIBUTE_NAMES = st.sampled_from(
    [
        *ACCOUNT,
        "objectguid",
        "member;range=0-0",
        "member;range=1-1",
        "MEMBER;range=0-*",
        "member;range=0-" + "9" * 5_000,
        "accountexpires",
        ";;",
    ]
)
ATTRIBUTES = st.tuples(
    mutated(dict(ACCOUNT), junk=VALUES).filter(lambda data: isinstance(data, dict)),
    st.dictionaries(ATTRIBUTE_NAMES, VALUES, max_size=3),
).map(lambda both: {**both[0], **both[1]})
"""Attributes as LDAP's library gives them: lists of bytes by description."""


def well_typed(attributes: Mapping[str, Any]) -> dict[str, list[bytes]]:
    """Return the attributes that are lists of bytes: the library gives no others."""
    return {
        name: [value for value in values if isinstance(value, bytes)]
        for name, values in attributes.items()
        if isinstance(values, list)
    }


ENTRIES = st.tuples(DNS, ATTRIBUTES.map(well_typed))
TREE = [(name, {"objectGUID": [bytes([number] * 16)]}) for number, name in enumerate(NAMES[:3])]
MORE = st.lists(
    st.tuples(DNS | st.sampled_from(NAMES[:3]), st.fixed_dictionaries({"objectGUID": VALUES})), max_size=4
)
CONTAINERS = MORE | MORE.map(lambda more: [*TREE, *more])


def check_extended(given: str, value: tuple[str | None, str]) -> None:
    """A name with a GUID is taken apart, and any other is left whole."""
    guid, dn = value
    assert given.endswith(dn)
    assert (guid is None) is (dn == given)


def entry(given: tuple[str, Mapping[str, Sequence[bytes]]]) -> RawEntry:
    """Take an entry in."""
    return RawEntry.received(*given)


def person(given: tuple[str, Mapping[str, Sequence[bytes]]]) -> Person:
    """Read a person."""
    return PersonCodec("corp", KEPT).person(entry(given), PARENT)


def check_person(_: object, found: Person) -> None:
    """Canonical: nothing blank, several values sorted and different."""
    for value in found.attributes.values():
        several = value if isinstance(value, tuple) else (value,)
        assert all(text.strip() for text in several)
        assert list(several) == sorted(set(several))


def check_tree(_: object, tree: Tree) -> None:
    """Every container hangs on the top: following parents comes to an end there."""
    for container in tree.containers.values():
        *_, top = tree.ancestry(container.guid)
        assert dn_key(top.dn) == dn_key(BASE)


def check_name(text: str, steps: tuple[Any, ...]) -> None:
    """Written and read again it is the same name, its canonical form is its own, and a parent is shorter."""
    assert parse_dn(format_dn(steps)) == steps
    canonical = canonical_dn(text)
    assert canonical_dn(canonical) == canonical
    assert parse_dn(parent_dn(text)) == steps[1:]


def check_filter(_: str, checked: str) -> None:
    """What was checked is its own checked form."""
    assert checked_filter(checked) == checked


FILTERS = broken_text(
    ["(mail=*)", "(&(objectClass=user)(!(cn=a*b*)))", "( | (a=b)( c>=d ) )", "(x:dn:1.2.3:=v)", "(cn=\\2a)"],
    TEXTS | st.text("()&|!*=<>~:; \\abc27.\n", max_size=8) | st.sampled_from(["(" * 99, ")" * 99, "(!" * 60]),
)
RESULTS = st.fixed_dictionaries(
    {
        "result": st.integers(0, 120),
        "description": TEXTS,
        "message": st.none()
        | broken_text(["80090308: LdapErr: DSID-0C090446, data 52e, v4563", "data " + "f" * 9_000]),
    }
)


def names_somebody(key: str) -> bool:
    """Tell whether a key gets as far as a filter: blank ones and halves of characters are refused before."""
    return bool(key.rpartition("\\")[2].strip()) and not any("\ud800" <= one <= "\udfff" for one in key)


def check_reason(result: Mapping[str, Any], text: str) -> None:
    """The server's own words stand in it once or twice, and nothing else can make it long."""
    assert len(text) < 400 + 2 * len(result["description"])


ON_THE_WIRE = noisy(ENTRIES.map(lambda given: sent(*given))) | st.binary(max_size=60)
STREAM = st.lists(ENTRIES, max_size=3).map(lambda some: b"".join(sent(*one) for one in some))
STREAMS = st.tuples(noisy(STREAM), st.integers(1, 64))


def sent(dn: str, attributes: Mapping[str, Sequence[bytes]]) -> bytes:
    """Return an entry as a server sends it."""
    parts = (
        ber.element(ber.SEQUENCE, ber.octets(name), ber.element(ber.SET, *map(ber.octets, values)))
        for name, values in attributes.items()
    )
    entry = ber.element(0x64, ber.octets(dn.encode(errors="replace")), ber.element(ber.SEQUENCE, *parts))
    return ber.element(ber.SEQUENCE, ber.integer(7), entry)


def received(message: bytes) -> Person | None:
    """Read a person from a message; None where it holds something else."""
    found = search_entry(message)
    return None if found is None else person(found[1:])


def cut(given: tuple[bytes, int]) -> list[bytes]:
    """Cut a stream that comes in pieces of so many bytes into messages."""
    data, size = given
    pieces = iter(range(0, len(data), max(1, abs(size))))
    return list(messages(lambda: data[(at := next(pieces, len(data))) : at + max(1, abs(size))]))


def check_cut(given: tuple[bytes, int], found: list[bytes]) -> None:
    """Nothing is lost, changed or made up: the messages are the beginning of the stream."""
    assert given[0].startswith(b"".join(found))


DECODERS = (
    Decoder("LDAP: people", ENTRIES, person, Person, IncompleteRead, check_person,
            known=((BASE, {"objectguid": [bytes(16)], "member;range=0-" + "9" * 5_000: []}),
                   ("x" * 9_000, {}))),
    Decoder("LDAP: containers", CONTAINERS, lambda some: build_tree(map(entry, some), BASE),
            Tree, IncompleteRead, check_tree, known=([("=" * 9_000, {"objectGUID": [bytes(16)]})],
                   [(name, {"objectGUID": [bytes(16)]}) for name in NAMES[:2]])),
    Decoder("LDAP: entries on the wire", ON_THE_WIRE, received, Person | None,
            (DamagedAnswerError, IncompleteRead)),
    Decoder("LDAP: messages on the wire", STREAMS, cut, list[bytes], DamagedAnswerError, check_cut),
    Decoder("LDAP: groups", ENTRIES, lambda given: is_group(entry(given)), bool, IncompleteRead),
    Decoder("LDAP: values", st.tuples(st.sampled_from([*KEPT, "objectguid", "lockouttime", "cn"]), VALUES),
            lambda given: attribute_value(*given), AttributeValue | None),
    Decoder("LDAP: names", DNS, parse_dn, tuple[tuple[tuple[str, str], ...], ...], ValueError, check_name,
            known=("x" * 9_000,)),
    Decoder("LDAP: names with GUIDs", broken_text(EXTENDED, DNS), extended_dn, tuple[str | None, str],
            law=check_extended, known=(f"<GUID={PARENT}>;<SID=" + "S" * 9_000,)),
    Decoder("LDAP: who joined or left a group", ENTRIES, lambda given: joined_or_left(entry(given)),
            frozenset[str] | None, IncompleteRead, known=((BASE, {"member;range=1-1": [b"\xff"]}),)),
    Decoder("LDAP: filters", FILTERS, checked_filter, str, ConfigurationError, check_filter,
            known=("(" * 9_000,)),
    Decoder("LDAP: who is asked for", TEXTS | DNS,
            lambda key: person_filter(key) if names_somebody(key) else "", str, law=check_filter),
    Decoder("LDAP: results", RESULTS, lambda result: f"{failure_reason(result)} {bind_reason(result)}", str,
            law=check_reason),
)  # fmt: skip


@pytest.mark.parametrize("decoder", DECODERS, ids=str)
def test_whatever_a_directory_answers_is_read_or_refused(decoder: Decoder, fuzz: Fuzz) -> None:
    """A value of its type or the declared error, whose sentence tells nobody's data."""
    fuzz.hold(decoder)
