"""The pure codec of the directory: names, values, filters, entries."""

import base64
import struct
from datetime import UTC, datetime

import pytest

from halo_adsync.directory.dn import extended_dn
from halo_adsync.directory.entry import (
    AccountControl,
    RawEntry,
    account_control,
    attribute_value,
    canonical_dn,
    checked_filter,
    datetime_from_filetime,
    datetime_from_generalized_time,
    escape_filter_value,
    groups_in_group_filter,
    guid_from_bytes,
    guid_to_bytes,
    parent_dn,
    parse_dn,
    people_filter,
    sid_from_bytes,
)
from halo_adsync.directory.memberships import joined_or_left
from halo_adsync.directory.people import PersonCodec
from halo_adsync.directory.tree import build_tree
from halo_adsync.errors import ConfigurationError, IncompleteRead
from halo_adsync.model import ObjectGuid

GUID_BYTES = bytes.fromhex("33221100554477668899aabbccddeeff")
GUID_TEXT = ObjectGuid("00112233-4455-6677-8899-aabbccddeeff")
PARENT = ObjectGuid("11111111-1111-1111-1111-111111111111")
NEVER = 0x7FFFFFFFFFFFFFFF


def entry(dn: str = "CN=Anna,OU=People,DC=corp,DC=example", **attributes: list[bytes]) -> RawEntry:
    """Make an entry of a person who lacks nothing."""
    identity = {"objectGUID": [GUID_BYTES], "userAccountControl": [b"512"]}
    return RawEntry.received(dn, {**identity, **attributes})


def test_guid_is_little_endian_in_its_first_three_groups() -> None:
    """An objectGUID reads as Active Directory's own tools show it, and back."""
    assert guid_from_bytes(GUID_BYTES) == GUID_TEXT
    assert guid_to_bytes(GUID_TEXT) == GUID_BYTES


@pytest.mark.parametrize("raw", [b"", GUID_BYTES[:15], GUID_BYTES + b"\0"])
def test_guid_of_another_length_is_refused(raw: bytes) -> None:
    """What is not 16 bytes is no GUID."""
    with pytest.raises(ValueError, match="16"):
        guid_from_bytes(raw)


def test_sid_reads_as_windows_shows_it() -> None:
    """A domain account's security identifier."""
    raw = (
        bytes([1, 5])
        + (5).to_bytes(6, "big")
        + struct.pack("<5I", 21, 1004336348, 1177238915, 682003330, 512)
    )
    assert sid_from_bytes(raw) == "S-1-5-21-1004336348-1177238915-682003330-512"


def test_sid_with_a_large_authority_is_hexadecimal() -> None:
    """MS-DTYP writes authorities from 2^32 on in hexadecimal."""
    raw = bytes([1, 1]) + (1 << 40).to_bytes(6, "big") + struct.pack("<I", 7)
    assert sid_from_bytes(raw) == "S-1-0x010000000000-7"


@pytest.mark.parametrize("raw", [b"", b"\1\5", bytes([1, 2]) + bytes(6) + bytes(4)])
def test_sid_of_the_wrong_length_is_refused(raw: bytes) -> None:
    """The number of sub-authorities must agree with the length."""
    with pytest.raises(ValueError, match="security identifier"):
        sid_from_bytes(raw)


@pytest.mark.parametrize("ticks", [0, NEVER, -1, 2650467744000000000, 1 << 70])
def test_filetime_without_a_date_means_never(ticks: int) -> None:
    """Both spellings of never, and whatever no date can express."""
    assert datetime_from_filetime(ticks) is None


def test_filetime_counts_from_1601() -> None:
    """The epoch of Unix, and the last moment that Python can express."""
    assert datetime_from_filetime(116444736000000000) == datetime(1970, 1, 1, tzinfo=UTC)
    assert datetime_from_filetime(2650467743999999990) == datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20261123120001.0Z", datetime(2026, 11, 23, 12, 0, 1, tzinfo=UTC)),
        ("202611231200Z", datetime(2026, 11, 23, 12, tzinfo=UTC)),
        ("2026112312,5+0130", datetime(2026, 11, 23, 10, 30, tzinfo=UTC)),
        ("20261123230000-02", datetime(2026, 11, 24, 1, tzinfo=UTC)),
    ],
)
def test_generalized_time(text: str, expected: datetime) -> None:
    """Active Directory's form and the others that RFC 4517 allows."""
    assert datetime_from_generalized_time(text) == expected


@pytest.mark.parametrize("text", ["", "20261123", "20261399120000Z", "00010101000000+01", "yesterday"])
def test_generalized_time_that_is_none(text: str) -> None:
    """What is no time is an error of one kind."""
    with pytest.raises(ValueError, match=r".+"):
        datetime_from_generalized_time(text)


@pytest.mark.parametrize(
    ("dn", "value"),
    [
        (r"CN=Smith\, Anna,DC=example", "Smith, Anna"),
        (r"CN=Smith\2C Anna,DC=example", "Smith, Anna"),
        ('CN="Smith, Anna",DC=example', "Smith, Anna"),
        (r'CN="a \"quoted\" name",DC=example', 'a "quoted" name'),
        (r"CN=\"Bob\" \+ \\ \<x\>\;,DC=example", '"Bob" + \\ <x>;'),
        (r"CN=\ two blanks \ ,DC=example", " two blanks  "),
        (r"CN=\#hash,DC=example", "#hash"),
        (r"CN=Lu\C4\8Di\C4\87,DC=example", "Lučić"),
        ("CN=Jürgen 🦊,DC=example", "Jürgen 🦊"),
        ("CN=#0C034A6F65,DC=example", "Joe"),
        ("CN=#1E04004A00F6,DC=example", "Jö"),
        ("CN = a=b ,DC=example", "a=b"),
        (r"CN=old\0ADEL:1234,DC=example", "old\nDEL:1234"),
        ("CN=,DC=example", ""),
    ],
)
def test_dn_values(dn: str, value: str) -> None:
    """Every way to write a value comes out as the plain text, and the parent is spelled as it was."""
    assert parse_dn(dn)[0] == (("cn", value),)
    assert parent_dn(dn) == "DC=example"


def test_dn_steps_with_several_pairs() -> None:
    """A plus sign joins pairs into one step; OIDs are types too."""
    assert parse_dn("CN=a+OID.2.5.4.5=7,O=x") == ((("cn", "a"), ("2.5.4.5", "7")), (("o", "x"),))
    assert parent_dn("CN=a+SN=b,O=x") == "O=x"


def test_dn_without_steps() -> None:
    """The empty name is the root's and has no parent."""
    assert parse_dn("") == ()
    assert parent_dn("DC=example") == ""


@pytest.mark.parametrize(
    "dn",
    [
        "people",
        "OU=a,",
        "OU=a,,DC=b",
        'OU="a',
        r"OU=a\x",
        "OU=a;DC=b",
        "OU=<a>",
        "=a",
        r"OU=\C3,DC=b",
        "OU=#02",
    ],
)
def test_dn_that_is_none(dn: str) -> None:
    """What is no distinguished name is refused with a sentence that shows it."""
    with pytest.raises(ValueError, match="distinguished name"):
        parse_dn(dn)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("OU=People,DC=Corp", "ou=PEOPLE , dc=corp"),
        (r"OU=A\, B,DC=c", 'OU="A, B",DC=c'),
        ("OU=Größe,DC=c", "ou=GRÖSSE,dc=C"),
        ("OU=Cafe\u0301,DC=c", "OU=Café,DC=c"),
        ("CN=a+SN=b,DC=c", "SN=B+CN=A,DC=c"),
    ],
)
def test_dns_that_are_equal(first: str, second: str) -> None:
    """Case, blanks, escapes, the order of pairs and how accents are encoded make no difference."""
    assert canonical_dn(first) == canonical_dn(second)


@pytest.mark.parametrize(
    ("first", "second"), [("OU=a b,DC=c", "OU=a  b,DC=c"), (r"OU=a\,DC\=b", "OU=a,DC=b")]
)
def test_dns_that_differ(first: str, second: str) -> None:
    """Canonical names stay apart where the names do."""
    assert canonical_dn(first) != canonical_dn(second)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("title", [b"Nurse"], "Nurse"),
        ("title", [], None),
        ("title", [b"", b"  "], None),
        ("proxyaddresses", [b"smtp:b@x", b"SMTP:a@x"], ("SMTP:a@x", "smtp:b@x")),
        ("objectguid", [GUID_BYTES], GUID_TEXT),
        ("objectsid", [bytes([1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0])], "S-1-5-18"),
        ("thumbnailphoto", [b"JFIF"], base64.b64encode(b"JFIF").decode()),
        ("extensiondata", [b"\xff\xfe"], base64.b64encode(b"\xff\xfe").decode()),
        ("whencreated", [b"20261123120001.0Z"], "2026-11-23T12:00:01Z"),
        ("pwdlastset", [b"116444736000000000"], "1970-01-01T00:00:00Z"),
        ("accountexpires", [str(NEVER).encode()], None),
        ("lastlogon", [b"0"], None),
        ("department", ["Größe 🦊".encode()], "Größe 🦊"),
        ("whencreated", [b"20261123120001Z", b"20261123120001.0Z"], "2026-11-23T12:00:01Z"),
    ],
)
def test_attribute_values(name: str, values: list[bytes], expected: str | tuple[str, ...] | None) -> None:
    """One value is text, several are sorted, binary is base64, times are ISO 8601, nothing is nothing."""
    assert attribute_value(name, values) == expected


def test_person() -> None:
    """A person has the attributes that were asked for, under lower-case names, and no others."""
    raw = entry(Title=[b"Nurse"], mail=[b""], sn=[b"Miller"], accountExpires=[b"116444736000000000"])
    person = PersonCodec("corp", {"title", "mail"}).person(raw, PARENT)
    assert (person.guid, person.dn, person.directory, person.parent) == (GUID_TEXT, raw.dn, "corp", PARENT)
    assert person.enabled
    assert person.expires == datetime(1970, 1, 1, tzinfo=UTC)
    assert person.attributes == {"title": "Nurse"}
    assert "Nurse" not in repr(person)


@pytest.mark.parametrize(
    ("control", "enabled"), [(b"512", True), (b"514", False), (b"66050", False), (b"544", True)]
)
def test_disabled_accounts(control: bytes, enabled: bool) -> None:
    """The flag for disabled counts, whatever other flags are set."""
    person = PersonCodec("corp", ()).person(entry(userAccountControl=[control]), PARENT)
    assert person.enabled is enabled


def test_account_control_keeps_flags_it_does_not_know() -> None:
    """Flags without a name do no harm, and a negative number is what the directory's 32 bits make of it."""
    flags = account_control(entry(userAccountControl=[str(-0x7FFFFFFE).encode()]))
    assert AccountControl.DISABLED in flags
    assert AccountControl.PASSWORD_NEVER_EXPIRES not in flags


@pytest.mark.parametrize(
    "missing",
    [
        {"objectGUID": []},
        {"userAccountControl": []},
        {"userAccountControl": [b"x"]},
        {"accountExpires": [b"soon"]},
    ],
)
def test_person_without_identity_or_state_is_an_error(missing: dict[str, list[bytes]]) -> None:
    """An account of which the state is unknown must not pass for an enabled or a missing one."""
    raw = RawEntry.received(
        "CN=Anna,DC=corp", {"objectGUID": [GUID_BYTES], "userAccountControl": [b"512"], **missing}
    )
    with pytest.raises(IncompleteRead, match="CN=Anna"):
        PersonCodec("corp", ()).person(raw, PARENT)


def test_attribute_options_are_taken_off() -> None:
    """A range belongs to the attribute, and says where the next one begins."""
    raw = RawEntry.received(
        "CN=g", {"member": [], "member;range=0-1": [b"CN=a", b"CN=b"], "userCertificate;binary": [b"\x30"]}
    )
    assert raw.texts("member") == ["CN=a", "CN=b"]
    assert raw.continued == {"member": 2}
    assert raw.attributes["usercertificate"] == (b"\x30",)
    assert not RawEntry.received("CN=g", {"member;Range=2-*": [b"CN=c"]}).continued


def test_filter_values_are_escaped() -> None:
    """Whatever could end a value, or be trimmed from it, is written in hexadecimal."""
    assert escape_filter_value("a*(b)\\\0 ü") == r"a\2a\28b\29\5c\00\20\c3\bc"
    assert escape_filter_value(GUID_BYTES[:4]) == r"3\22\11\00".replace("\\22", '"')
    assert groups_in_group_filter("CN=x)(cn=*") == r"(&(objectClass=group)(memberOf=CN=x\29\28cn=\2a))"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" (mail=*) ", "(mail=*)"),
        ("(& (mail=*)\n   (!(title=a b)) )", "(&(mail=*)(!(title=a b)))"),
        ("(|(cn=a*b*c)(cn=*x)(cn=x*)(cn=*x*))", "(|(cn=a*b*c)(cn=*x)(cn=x*)(cn=*x*))"),
        (
            "(userAccountControl:1.2.840.113556.1.4.803:=2)",
            "(userAccountControl:1.2.840.113556.1.4.803:=2)",
        ),
        (r"(cn=a\2a\28ü)", r"(cn=a\2a\28ü)"),
        ("(whenCreated>=20260101000000.0Z)", "(whenCreated>=20260101000000.0Z)"),
    ],
)
def test_filters_that_are_right(text: str, expected: str) -> None:
    """A filter comes out without the blanks between its parts."""
    assert checked_filter(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "mail=*",
        "(mail=*",
        "(mail=*))",
        "(mail=*)(cn=*)",
        "(&)",
        "(!(a=1)(b=2))",
        "(mail)",
        "(mail=)",
        "(ma il=x)",
        r"(cn=a\)",
        r"(cn=a\zz)",
        "(&(a=1)b=2)",
        "()",
        "(cn=a>=b*c",
        "(" * 500 + "cn=a" + ")" * 500,
        "(!" * 500 + "(cn=a)" + ")" * 500,
    ],
)
def test_filters_that_are_wrong(text: str) -> None:
    """A wrong filter is refused with the place where it goes wrong."""
    with pytest.raises(ConfigurationError, match="wrong at character"):
        people_filter(text)


def test_the_customers_filter_only_narrows() -> None:
    """The customer's filter is one operand of an AND with the filter for people."""
    assert people_filter("(|(a=1)(b=2))").endswith("(|(a=1)(b=2)))")
    assert people_filter("(|(a=1)(b=2))").startswith("(&(&(objectCategory=person)")


def container(dn: str, number: int) -> RawEntry:
    """Make a container's entry."""
    return RawEntry.received(dn, {"objectGUID": [number.to_bytes(16, "little")]})


def test_tree_links_containers_by_name() -> None:
    """Parents come before children, spelling does not matter, and what hangs on no container is left out."""
    tree = build_tree(
        [
            container(r"OU=B\, C,OU=People,DC=corp", 3),
            container("CN=Devices,CN=Anna,OU=People,DC=corp", 4),
            container("OU=People,DC=corp", 2),
            container("OU=A,ou=people,dc=CORP", 5),
            container("DC=corp", 1),
        ],
        "dc=Corp",
    )
    assert [c.name for c in tree.containers.values()] == ["corp", "People", "A", "B, C"]
    below = {c.name: c.guid for c in tree.containers.values()}
    assert [c.name for c in tree.ancestry(below["B, C"])] == ["B, C", "People", "corp"]


def test_tree_without_its_base_is_an_error() -> None:
    """A base that is no container, or cannot be seen, leaves nothing to rely on."""
    with pytest.raises(IncompleteRead, match="OU=Gone"):
        build_tree([container("DC=corp", 1)], "OU=Gone,DC=corp")


GUID = "5f2c1de0-8f0e-4c63-9f0d-0a1b2c3d4e5f"


@pytest.mark.parametrize("sid", ["", "<SID=S-1-5-21-1-2-3-1105>;"])
def test_names_with_guids(sid: str) -> None:
    """The GUID is taken off whatever its case, and a plain name is left as it is."""
    name = "CN=a\\0ADEL:x;y,DC=corp"
    assert extended_dn(f"<GUID={GUID.upper()}>;{sid}{name}") == (GUID, name)
    assert extended_dn(name) == (None, name)
    assert extended_dn(f"<GUID={GUID[1:]}>;{name}")[0] is None


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, frozenset()),
        ({"member;range=1-1": [f"<GUID={GUID}>;CN=a"]}, {GUID}),
        ({"member;range=0-0": [f"<GUID={GUID}>;CN=a"]}, {GUID}),
        ({"member;range=0-0": [f"<GUID={GUID}>;CN=a"], "member;range=1-1": []}, {GUID}),
        ({"member": [f"<GUID={GUID}>;CN=a"]}, None),
        ({"member": []}, None),
        ({"member;range=0-1499": [f"<GUID={GUID}>;CN=a"]}, None),
        ({"member;range=1-1": [f"<GUID={GUID}>;CN=a", "CN=b"]}, None),
    ],
)
def test_who_joined_or_left(attributes: dict[str, list[str]], expected: set[str] | None) -> None:
    """Only where the controller says just that, and by GUID."""
    raw = {name: [value.encode() for value in values] for name, values in attributes.items()}
    assert joined_or_left(RawEntry.received("CN=g", raw)) == expected
