"""The demo directory behaves as Active Directory does, seen through ldap3 as the product sees it."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ldap3 import BASE, LEVEL, NONE, SUBTREE, Connection, Server, Tls
from ldap3.core.exceptions import LDAPException

from devstack import company, school_trust
from devstack.directory import Directory
from devstack.directory.edits import DISABLED, as_bytes, escape_rdn
from devstack.directory.ldif import read_ldif, write_ldif
from devstack.directory.names import key, parent, rdn_value

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]
BASE_DN = "DC=lab,DC=example"
PASSWORD = "Secret-1"
SHOW_DELETED = ("1.2.840.113556.1.4.417", True, None)
DOMAIN_SCOPE = ("1.2.840.113556.1.4.1339", True, None)
IN_CHAIN = "1.2.840.113556.1.4.1941"
BIT_AND, BIT_OR = "1.2.840.113556.1.4.803", "1.2.840.113556.1.4.804"


@pytest.fixture
def lab() -> Iterator[Directory]:
    """A domain with an account to sign in with and an empty unit."""
    domain = (BASE_DN, {"objectClass": ["top", "domain", "domainDNS"]})
    with Directory([domain]) as directory:
        ou = directory.add_ou("People")
        directory.add_user("svc-halo", BASE_DN, userPassword=PASSWORD)
        assert ou == f"OU=People,{BASE_DN}"
        yield directory


@contextmanager
def connected(
    directory: Directory,
    user: str = "svc-halo@lab.example",
    password: str = PASSWORD,
    *,
    name: str | None = None,
    start_tls: bool = False,
    seconds: int = 5,
) -> Iterator[Any]:
    """Sign in with the certificate checked; over LDAPS unless StartTLS is asked for."""
    tls = Tls(
        ca_certs_file=str(directory.ca_path),
        validate=ssl.CERT_REQUIRED,
        valid_names=[name or directory.hostname],
    )
    port = directory.ldap_port if start_tls else directory.ldaps_port
    server = Server(directory.host, port, use_ssl=not start_tls, tls=tls, get_info=NONE, connect_timeout=5)
    connection: Any = Connection(
        server,
        user,
        password,
        check_names=False,
        return_empty_attributes=False,
        receive_timeout=seconds,
        auto_range=False,
    )
    try:
        if start_tls:
            assert connection.start_tls()
        connection.bind()
        yield connection
    finally:
        # ldap3 leaves the socket open when its farewell cannot be sent.
        stream = connection.socket
        with suppress(LDAPException):
            connection.unbind()
        if stream:
            stream.close()


def names_found(connection: Any, search_filter: str, base: str = BASE_DN, **options: Any) -> set[str]:
    """Return the common names (or names) of what a search finds."""
    options.setdefault("search_scope", SUBTREE)
    connection.search(base, search_filter, attributes=["name"], **options)
    return {
        entry["attributes"]["name"][0] for entry in connection.response if entry["type"] == "searchResEntry"
    }


def refusal(directory: Directory, user: str, password: str = PASSWORD) -> str:
    """Return the reason in hexadecimal for which a sign-in is refused, or an empty text."""
    with connected(directory, user, password) as connection:
        message = str(connection.result["message"])
        return message.partition("AcceptSecurityContext error, data ")[2].partition(",")[0]


@pytest.mark.parametrize(
    "user", ["svc-halo@lab.example", f"CN=svc-halo,{BASE_DN}", "LAB\\svc-halo", "lab\\SVC-HALO"]
)
def test_every_spelling_of_a_name_signs_in(lab: Directory, user: str) -> None:
    """UPN, DN and DOMAIN-backslash-user are all good for a simple bind."""
    with connected(lab, user) as connection:
        assert connection.bound
        assert connection.extend.standard.who_am_i() == "u:LAB\\svc-halo"


@pytest.mark.parametrize(
    ("changes", "data"),
    [
        ({"userAccountControl": 512 | DISABLED}, "533"),
        ({"accountExpires": 131_000_000_000_000_000}, "701"),
        ({"pwdLastSet": 0}, "773"),
        ({"lockoutTime": 131_000_000_000_000_000}, "775"),
        ({"accountExpires": 0x7FFFFFFFFFFFFFFF}, ""),
    ],
)
def test_refused_sign_ins_carry_active_directorys_reason(
    lab: Directory, changes: dict[str, int], data: str
) -> None:
    """The state of the account decides which Windows error code stands in the text."""
    lab.modify(f"CN=svc-halo,{BASE_DN}", changes)
    assert refusal(lab, "svc-halo@lab.example") == data


def test_wrong_names_and_passwords_are_told_apart(lab: Directory) -> None:
    """52e is a wrong password, 525 an unknown user, and a fault can ask for any reason."""
    assert refusal(lab, "svc-halo@lab.example", "wrong") == "52e"
    assert refusal(lab, "nobody@lab.example") == "525"
    assert refusal(lab, "OTHER\\svc-halo") == "525"
    lab.faults.refuse_bind = "530"
    assert refusal(lab, "svc-halo@lab.example") == "530"


def test_plain_binds_are_refused_and_start_tls_is_not(lab: Directory) -> None:
    """Without TLS the bind ends with strongerAuthRequired; after StartTLS it succeeds."""
    server = Server(lab.host, lab.ldap_port, get_info=NONE)
    connection: Any = Connection(server, "svc-halo@lab.example", PASSWORD, receive_timeout=5)
    assert not connection.bind()
    assert connection.result["description"] == "strongerAuthRequired"
    connection.unbind()
    with connected(lab, start_tls=True) as secured:
        assert names_found(secured, "(cn=svc-halo)") == {"svc-halo"}


def test_anonymous_clients_may_read_the_root_only(lab: Directory) -> None:
    """The rootDSE is open; any other search needs a bind first (000004DC)."""
    with connected(lab, "", "") as connection:
        connection.search("", "(objectClass=*)", BASE, attributes=["*"])
        root = connection.response[0]["attributes"]
        assert root["defaultNamingContext"] == [BASE_DN]
        assert root["configurationNamingContext"] == [f"CN=Configuration,{BASE_DN}"]
        assert root["dnsHostName"] == [lab.hostname]
        assert int(root["highestCommittedUSN"][0]) == lab.usn
        connection.search(BASE_DN, "(objectClass=*)")
        assert connection.result["description"] == "operationsError"
        assert "000004DC" in connection.result["message"]


def test_the_invocation_id_is_found_from_the_root(lab: Directory) -> None:
    """A cursor is kept with the controller's invocationId, read at its dsServiceName."""
    with connected(lab) as connection:
        connection.search("", "(objectClass=*)", BASE, attributes=["dsServiceName"])
        service = connection.response[0]["attributes"]["dsServiceName"][0]
        connection.search(service, "(objectClass=*)", BASE, attributes=["invocationId"])
        assert len(connection.response[0]["raw_attributes"]["invocationId"][0]) == 16


def test_the_certificate_is_good_for_its_names_only(lab: Directory) -> None:
    """A client that expects another controller does not sign in."""
    context = ssl.create_default_context(cafile=str(lab.ca_path))
    for name in (lab.hostname, "localhost", "127.0.0.1"):
        with connect_tls(lab, context, name) as stream:
            assert stream.version()
    with pytest.raises(ssl.SSLCertVerificationError), connect_tls(lab, context, "dc02.lab.example"):
        pass


@contextmanager
def connect_tls(directory: Directory, context: ssl.SSLContext, name: str) -> Iterator[ssl.SSLSocket]:
    """Shake hands with the LDAPS port, expecting a certificate for this name."""
    import socket

    with (
        socket.create_connection((directory.host, directory.ldaps_port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=name) as stream,
    ):
        yield stream


def test_an_expired_certificate_can_be_played() -> None:
    """With a negative validity no client that checks gets through."""
    domain = (BASE_DN, {"objectClass": "domainDNS"})
    with Directory([domain], valid_days=-2) as directory:
        context = ssl.create_default_context(cafile=str(directory.ca_path))
        with (
            pytest.raises(ssl.SSLCertVerificationError, match="expired"),
            connect_tls(directory, context, "localhost"),
        ):
            pass


def test_the_netbios_name_is_read_from_the_partitions(lab: Directory) -> None:
    """A crossRef object names the domain as on a real controller."""
    with connected(lab) as connection:
        search_filter = f"(&(objectClass=crossRef)(nCName={BASE_DN}))"
        connection.search(
            f"CN=Partitions,CN=Configuration,{BASE_DN}", search_filter, attributes=["nETBIOSName"]
        )
        assert [entry["attributes"]["nETBIOSName"] for entry in connection.response] == [["LAB"]]


def test_filters_match_as_in_active_directory(lab: Directory) -> None:
    """Every kind of filter, with case ignored and absent attributes failing comparisons."""
    ou = f"OU=People,{BASE_DN}"
    lab.add_user("Anna", ou, mail="anna@lab.example", employeeID=12)
    lab.add_user("Åsa", ou, title="Head of Åre")
    lab.add_user("Ben", ou, userAccountControl=512 | DISABLED, mail="ben@lab.example")
    lab.add(f"CN=PC,{ou}", {"objectClass": ["top", "person", "user", "computer"], "userAccountControl": 4096})
    expected = {
        "(cn=ANNA)": {"Anna"},
        "(mail=*)": {"Anna", "Ben"},
        "(!(mail=*))": {"Åsa", "PC"},
        "(!(mail=anna@lab.example))": {"Åsa", "Ben", "PC"},
        "(title=head*Å*e)": {"Åsa"},
        "(title=*of)": set(),
        "(employeeID>=12)": {"Anna"},
        "(employeeID<=11)": set(),
        "(cn~=ben)": {"Ben"},
        "(objectCategory=person)": {"Anna", "Åsa", "Ben"},
        "(objectClass=user)": {"Anna", "Åsa", "Ben", "PC"},
        f"(&(objectCategory=person)(!(userAccountControl:{BIT_AND}:=2)))": {"Anna", "Åsa"},
        f"(userAccountControl:{BIT_OR}:=4098)": {"Ben", "PC"},
        "(|(cn=anna)(cn=ben))": {"Anna", "Ben"},
        f"(distinguishedName=cn=anna, OU=people,{BASE_DN})": {"Anna"},
    }
    with connected(lab) as connection:
        found = {text: names_found(connection, text, ou, search_scope=LEVEL) for text in expected}
    assert found == expected


def test_groups_are_followed_through_nesting(lab: Directory) -> None:
    """The in-chain rule finds indirect members, and survives a circle."""
    ou = f"OU=People,{BASE_DN}"
    anna, ben = lab.add_user("Anna", ou), lab.add_user("Ben", ou)
    inner = lab.add_group("Inner", ou, [anna])
    outer = lab.add_group("Outer", ou, [inner, ben])
    lab.set_members(inner, [anna, outer])
    with connected(lab) as connection:
        assert names_found(connection, f"(memberOf={outer})") == {"Inner", "Ben"}
        chain = f"(memberOf:{IN_CHAIN}:={outer})"
        assert names_found(connection, chain) == {"Inner", "Ben", "Anna", "Outer"}
        assert names_found(connection, f"(memberOf:{IN_CHAIN}:=CN=None,{ou})") == set()


def test_objects_are_found_by_their_guid(lab: Directory) -> None:
    """Both as escaped bytes in a filter and as a search base, dashed or in hexadecimal."""
    dn = lab.add_user("Anna", f"OU=People,{BASE_DN}")
    (guid,) = lab.values(dn, "objectGUID")
    (sid,) = lab.values(dn, "objectSid")
    with connected(lab) as connection:
        for attribute, value in (("objectGUID", guid), ("objectSid", sid)):
            escaped = "".join(f"\\{byte:02x}" for byte in value)
            assert names_found(connection, f"({attribute}={escaped})") == {"Anna"}
        for spelt in (str(uuid.UUID(bytes_le=guid)), guid.hex()):
            base = f"<GUID={spelt}>"
            assert names_found(connection, "(objectClass=*)", base, search_scope=BASE) == {"Anna"}


def test_only_the_requested_attributes_are_sent(lab: Directory) -> None:
    """A star means all but secrets and computed ones, 1.1 none, and a list just these."""
    dn = lab.add_user("Anna", f"OU=People,{BASE_DN}", mail="anna@lab.example", userPassword="x")
    with connected(lab) as connection:

        def read(*attributes: str) -> dict[str, list[bytes]]:
            connection.search(dn, "(objectClass=*)", BASE, attributes=list(attributes))
            found: dict[str, list[bytes]] = connection.response[0]["raw_attributes"]
            return found

        assert dict(read("MAIL", "nothing", "userPassword")) == {"mail": [b"anna@lab.example"]}
        assert dict(read("1.1")) == {}
        assert {"mail", "objectGUID", "uSNChanged", "whenCreated"} <= set(read("*"))
        assert not {"userPassword", "parentGUID"} & set(read("*"))
        assert read("parentGUID")["parentGUID"] == lab.values(f"OU=People,{BASE_DN}", "objectGUID")


def test_a_missing_base_names_the_nearest_ancestor(lab: Directory) -> None:
    """NoSuchObject comes with the part of the name that does exist."""
    with connected(lab) as connection:
        connection.search(f"CN=X,OU=Gone,OU=People,{BASE_DN}", "(objectClass=*)")
        assert connection.result["description"] == "noSuchObject"
        assert connection.result["dn"] == f"OU=People,{BASE_DN}"


def test_large_answers_need_paging(lab: Directory) -> None:
    """Without the control 1,000 entries come with an error; with it all of them, once."""
    ou = f"OU=People,{BASE_DN}"
    for number in range(1203):
        lab.add_user(f"Person {number}", ou)
    with connected(lab) as connection:
        connection.search(ou, "(objectClass=user)", attributes=["1.1"])
        assert connection.result["description"] == "sizeLimitExceeded"
        assert len(connection.response) == 1000
        pages = connection.extend.standard.paged_search(
            ou, "(objectClass=user)", attributes=["1.1"], paged_size=5000, generator=True
        )
        assert len({entry["dn"] for entry in pages}) == 1203
        connection.search(ou, "(objectClass=user)", paged_size=100)
        cookie = connection.result["controls"]["1.2.840.113556.1.4.319"]["value"]["cookie"]
    with connected(lab) as other:
        other.search(ou, "(objectClass=user)", paged_size=100, paged_cookie=cookie)
        assert other.result["description"] == "unavailableCriticalExtension"


def test_long_memberships_come_in_ranges(lab: Directory) -> None:
    """More than 1,500 values are cut, and the rest is asked for by range."""
    ou = f"OU=People,{BASE_DN}"
    group = lab.add_group("Everybody", ou, [f"CN=P{number},{ou}" for number in range(3100)])
    with connected(lab) as connection:

        def read(attribute: str) -> dict[str, int]:
            connection.search(group, "(objectClass=*)", BASE, attributes=[attribute])
            return {name: len(v or []) for name, v in connection.response[0]["raw_attributes"].items()}

        assert read("member") == {"member": 0, "member;range=0-1499": 1500}
        assert read("member;range=1500-*") == {"member;range=1500-2999": 1500}
        assert read("member;range=3000-*") == {"member;range=3000-*": 100}
        assert read("member;range=0-9") == {"member;range=0-9": 10}


def test_the_domains_root_refers_to_its_other_partition(lab: Directory) -> None:
    """A search below the root brings a referral unless the domain-scope control forbids it."""
    with connected(lab) as connection:
        connection.search(BASE_DN, "(cn=svc-halo)")
        assert [entry["type"] for entry in connection.response] == ["searchResEntry", "searchResRef"]
        connection.search(BASE_DN, "(cn=svc-halo)", controls=[DOMAIN_SCOPE])
        assert [entry["type"] for entry in connection.response] == ["searchResEntry"]


def test_moves_take_children_and_links_along(lab: Directory) -> None:
    """GUIDs stay, names change, memberships follow, and only the moved object's USN rises."""
    ou = f"OU=People,{BASE_DN}"
    anna = lab.add_user("Anna", ou)
    group = lab.add_group("Staff", BASE_DN, [anna])
    guid, usn = lab.values(anna, "objectGUID"), lab.values(anna, "uSNChanged")
    lab.move(ou, f"OU=Persons,{BASE_DN}")
    moved = f"CN=Anna,OU=Persons,{BASE_DN}"
    assert lab.values(moved, "objectGUID") == guid
    assert lab.values(moved, "uSNChanged") == usn
    assert lab.values(moved, "memberOf") == [group.encode()]
    assert lab.values(group, "member") == [moved.encode()]
    lab.move(moved, f"CN=Anna Smith,{BASE_DN}")
    assert lab.values(f"CN=Anna Smith,{BASE_DN}", "name") == [b"Anna Smith"]
    assert lab.values(f"CN=Anna Smith,{BASE_DN}", "uSNChanged") == [str(lab.usn).encode()]


def test_deletions_leave_tombstones(lab: Directory) -> None:
    """They are seen with the show-deleted control only, keep the GUID, and lose most attributes."""
    ou = f"OU=People,{BASE_DN}"
    anna = lab.add_user("Anna", ou, mail="anna@lab.example")
    group = lab.add_group("Staff", ou, [anna])
    guid = lab.values(anna, "objectGUID")
    lab.delete(anna)
    assert lab.values(group, "member") == []
    with connected(lab) as connection:
        assert names_found(connection, "(isDeleted=TRUE)") == set()
        connection.search(
            f"CN=Deleted Objects,{BASE_DN}",
            f"(&(isDeleted=TRUE)(uSNChanged>={lab.usn}))",
            LEVEL,
            attributes=["*"],
            controls=[SHOW_DELETED],
        )
        (tombstone,) = [entry["raw_attributes"] for entry in connection.response]
    assert tombstone["objectGUID"] == guid
    assert tombstone["lastKnownParent"] == [ou.encode()]
    assert not {"mail", "objectCategory", "displayName"} & set(tombstone)
    assert lab.values(lab.add_user("Anna", ou), "objectGUID") != guid


def test_a_tree_is_deleted_and_forgotten(lab: Directory) -> None:
    """With all below it; the container of deleted objects stays."""
    ou = f"OU=People,{BASE_DN}"
    anna = lab.add_user("Anna", lab.add_ou("Inner", ou))
    lab.add_group("Staff", BASE_DN, [anna])
    lab.delete_tree(ou)
    with connected(lab) as connection:
        found = names_found(connection, "(|(isDeleted=TRUE)(cn=Anna)(ou=*))", controls=[SHOW_DELETED])
    assert found == {"Deleted Objects"}
    assert lab.values(f"CN=Staff,{BASE_DN}", "member") == []


def test_impossible_edits_are_refused(lab: Directory) -> None:
    """A taken name, a missing parent, a missing object, and an object with children."""
    ou = f"OU=People,{BASE_DN}"
    anna = lab.add_user("Anna", ou)
    with pytest.raises(ValueError, match="exists already"):
        lab.add_user("ANNA", ou)
    with pytest.raises(ValueError, match="no parent"):
        lab.add_user("Ben", f"OU=Nowhere,{BASE_DN}")
    with pytest.raises(ValueError, match="no parent"):
        lab.move(anna, f"CN=Anna,OU=Nowhere,{BASE_DN}")
    with pytest.raises(LookupError):
        lab.modify(f"CN=Ben,{ou}", {"title": "x"})
    with pytest.raises(ValueError, match="children"):
        lab.delete(ou)


def test_faults_strike_when_switched_on(lab: Directory) -> None:
    """A controller that dies in the middle of a page, one that hangs, and one that talks nonsense."""
    for number in range(20):
        lab.add_user(f"Person {number}", f"OU=People,{BASE_DN}")
    for fault, value in (("die_after", 7), ("garbage", True), ("hang", True)):
        setattr(lab.faults, fault, value)
        with connected(lab, seconds=1) as connection, pytest.raises((LDAPException, LookupError)):
            connection.search(BASE_DN, "(objectClass=user)")
        lab.faults.die_after, lab.faults.garbage, lab.faults.hang = None, False, False
    with connected(lab) as connection:
        assert len(names_found(connection, "(cn=Person*)")) == 20


def test_a_search_may_end_with_any_result_after_half_of_its_entries(lab: Directory) -> None:
    """As one that runs into a limit does, or one that is referred elsewhere."""
    for number in range(20):
        lab.add_user(f"Person {number}", f"OU=People,{BASE_DN}")
    lab.faults.result = 11
    with connected(lab) as connection:
        connection.search(BASE_DN, "(cn=Person*)")
        assert len([each for each in connection.response if each["type"] == "searchResEntry"]) == 10
        assert connection.result["description"] == "adminLimitExceeded"


@pytest.mark.parametrize("start_tls", [True, False])
def test_a_restart_of_the_controller_cuts_clients_off(lab: Directory, start_tls: bool) -> None:
    """Connections end, whichever way they became secure, and new ones are taken."""
    with connected(lab, start_tls=start_tls) as connection:
        lab.drop_connections()
        with pytest.raises(LDAPException):
            connection.search(BASE_DN, "(objectClass=user)")
    with connected(lab, start_tls=start_tls) as connection:
        assert connection.bound


def test_writes_over_ldap_are_refused(lab: Directory) -> None:
    """The directory is changed through its methods only."""
    with connected(lab) as connection:
        assert not connection.delete(f"OU=People,{BASE_DN}")
        assert connection.result["description"] == "unwillingToPerform"


@pytest.mark.parametrize("value", ["a,b", "#a", " a ", 'a"b', "a+b;c<d>e=f", "Ü \\ ✨", "a"])
def test_names_survive_escaping(value: str) -> None:
    """What is escaped for a DN comes back unescaped, and splits off its parent."""
    dn = f"CN={escape_rdn(value)},{BASE_DN}"
    assert rdn_value(dn) == value
    assert parent(dn) == BASE_DN
    assert key(dn)[1:] == key(BASE_DN.lower())


def test_ldif_round_trips(tmp_path: Path) -> None:
    """Binary, long, empty-looking and non-ASCII values come back as they were."""
    values = [b"plain", b"", b" leading", b"trailing ", b"\x00\xff", b":colon", "Ünï ✨".encode(), b"x" * 500]
    entries = [(f"CN=Ü{'y' * 90},{BASE_DN}", {"description": values, "cn": [b"a\nb"]})]
    path = tmp_path / "some.ldif"
    write_ldif(path, entries, "a comment")
    assert list(read_ldif(path)) == entries
    assert all(len(line.encode()) <= 80 for line in path.read_text(encoding="utf-8").splitlines())


def test_broken_ldif_is_named(tmp_path: Path) -> None:
    """An error says which file and what is wrong with it."""
    path = tmp_path / "broken.ldif"
    path.write_text("cn: x\n")
    with pytest.raises(ValueError, match="instead of 'dn'"):
        list(read_ldif(path))
    path.write_text("dn: CN=x\nno colon here\n")
    with pytest.raises(ValueError, match="has no colon"):
        list(read_ldif(path))


@pytest.mark.parametrize("organisation", [school_trust, company])
def test_the_ldif_files_are_what_their_generators_make(organisation: Any) -> None:
    """Whoever changes a generator must write its file anew."""
    assert list(read_ldif(organisation.PATH)) == organisation.generate()


def test_the_school_trust_has_the_numbers_it_says() -> None:
    """Kinds are counted from the entries, as the generator's docstring states them."""
    office, schools = "OU=Office,DC=trust,DC=example", "OU=Schools,DC=trust,DC=example"
    counts, people = _count(school_trust.generate())
    assert counts == {
        "person": 400,
        "disabled": 14,
        "shared mailbox": 7,
        "service": 5,
        "computer": 12,
        "system": 3,
        "group": 10,
        "unit": 58,
    }
    assert sum(dn.endswith(office) for dn in people) == 22
    assert sum(dn.endswith(schools) for dn in people) == 378
    assert sum("mail" not in attributes for attributes in people.values()) == 20
    mails = [attributes["mail"][0] for attributes in people.values() if "mail" in attributes]
    assert len(mails) - len(set(mails)) == 1
    assert max(len(attributes["displayName"][0].decode()) for attributes in people.values()) == 120
    assert all(any(sign in dn for dn in people) for sign in ("'", "\\,", "ü", "✨", "\\+", "\\#", '\\"'))


def test_the_company_has_the_numbers_it_says() -> None:
    """Kinds are counted from the entries, as the generator's docstring states them."""
    counts, people = _count(company.generate())
    assert counts == {
        "person": 60,
        "disabled": 4,
        "service": 3,
        "computer": 6,
        "system": 3,
        "group": 4,
        "unit": 6,
    }
    assert sum("OU=Lyon" in dn for dn in people) == 20


def _count(entries: list[Any]) -> tuple[dict[str, int], dict[str, Any]]:
    """Count the kinds of objects, and return the real people."""
    counts: dict[str, int] = {}
    people = {}
    for dn, attributes in entries:
        if (kind := _kind(dn, attributes)) is not None:
            counts[kind] = counts.get(kind, 0) + 1
        if kind == "person":
            people[dn] = attributes
    return counts, people


def _kind(dn: str, attributes: dict[str, list[bytes]]) -> str | None:
    classes = attributes["objectClass"]
    is_disabled = bool(int(attributes.get("userAccountControl", [b"0"])[0]) & DISABLED)
    tests = {
        "computer": b"computer" in classes,
        "group": b"group" in classes,
        "unit": b"organizationalUnit" in classes,
        "system": "isCriticalSystemObject" in attributes,
        "service": b"user" in classes and "OU=Service Accounts" in dn,
        "shared mailbox": attributes.get("description") == [b"Shared mailbox"],
        "disabled": is_disabled,
        "person": b"user" in classes,
    }
    return next((kind for kind, applies in tests.items() if applies), None)


def test_four_hundred_people_are_listed_quickly() -> None:
    """The demo's full read takes well under a second, and finds 406 enabled accounts in all."""
    with Directory.from_ldif(school_trust.PATH) as trust:
        assert (trust.base_dn, trust.netbios) == ("DC=trust,DC=example", "TRUST")
        with connected(trust, trust.user, trust.password) as connection:
            started = time.monotonic()
            search_filter = f"(&(objectCategory=person)(!(userAccountControl:{BIT_AND}:=2)))"
            pages = connection.extend.standard.paged_search(
                trust.base_dn, search_filter, attributes=["*"], paged_size=100, controls=[DOMAIN_SCOPE]
            )
            assert len(list(pages)) == 406
            assert time.monotonic() - started < 1


def test_guids_are_the_same_at_each_start() -> None:
    """A person's identity outlives a restart of the demo."""
    dn = "CN=svc-halo,OU=Service Accounts,OU=Office,DC=trust,DC=example"
    first, second = (Directory(read_ldif(school_trust.PATH)).values(dn, "objectGUID") for _ in range(2))
    assert first == second


def test_it_runs_as_a_process(tmp_path: Path) -> None:
    """The ready file tells where it listens, and SIGTERM ends it cleanly."""
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "devstack.directory", str(company.PATH), "--ready-file", str(ready)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY) as process:
        deadline = time.monotonic() + 20
        while not ready.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        facts = json.loads(ready.read_text())
        tls = Tls(ca_certs_file=facts["ca_path"], validate=ssl.CERT_REQUIRED, valid_names=[facts["hostname"]])
        server = Server(facts["host"], facts["ldaps_port"], use_ssl=True, tls=tls, get_info=NONE)
        connection: Any = Connection(server, facts["user"], facts["password"], receive_timeout=5)
        assert connection.bind()
        connection.unbind()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_values_of_every_kind_become_bytes() -> None:
    """Tests hand over text, numbers, bytes, lists of them, or nothing."""
    assert as_bytes(None) == as_bytes([]) == []
    assert as_bytes("ü") == ["ü".encode()]
    assert as_bytes([1, b"\xff", "a"]) == [b"1", b"\xff", b"a"]
