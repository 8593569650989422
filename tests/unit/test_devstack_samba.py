"""The Samba domain that other tests rest on: provisioned, reachable with TLS, seeded, changed, restarted."""

from __future__ import annotations

import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

import pytest
from ldap3 import BASE, LEVEL

from devstack import company
from devstack.samba import SambaDomain, SambaError, samba_missing

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.samba
SHOW_DELETED = ("1.2.840.113556.1.4.417", True, None)
PERSON = ["top", "person", "organizationalPerson", "user"]


@pytest.fixture(scope="module")
def domain() -> Iterator[SambaDomain]:
    """One domain for all tests of this file; each test works in a unit of its own."""
    with SambaDomain() as started:
        yield started


@pytest.fixture
def administrator(domain: SambaDomain) -> Iterator[Any]:
    """A connection of the administrator."""
    connection = domain.connect()
    yield connection
    connection.unbind()


def test_nothing_is_missing_here() -> None:
    """Where these tests run, Samba must be there."""
    assert samba_missing() is None


def test_the_certificate_names_the_controller(domain: SambaDomain) -> None:
    """A client connects to the address and checks the name; another name is refused."""
    context = ssl.create_default_context(cafile=str(domain.ca_path))
    with (
        socket.create_connection((domain.host, domain.port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=domain.hostname) as stream,
    ):
        assert ("DNS", domain.hostname) in stream.getpeercert()["subjectAltName"]  # type: ignore[index]
    with (
        socket.create_connection((domain.host, domain.port), timeout=5) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(plain, server_hostname="dc02.corp.example")


def test_it_is_the_domain_that_was_asked_for(domain: SambaDomain, administrator: Any) -> None:
    """The rootDSE names the base, the partitions container the NetBIOS name."""
    administrator.search("", "(objectClass=*)", BASE, attributes=["defaultNamingContext", "dnsHostName"])
    root = administrator.response[0]["attributes"]
    assert root["defaultNamingContext"] == ["DC=corp,DC=example"] == [domain.base_dn]
    assert root["dnsHostName"] == [domain.hostname]
    search_filter = f"(&(objectClass=crossRef)(nCName={domain.base_dn}))"
    partitions = f"CN=Partitions,CN=Configuration,{domain.base_dn}"
    administrator.search(partitions, search_filter, attributes=["nETBIOSName"])
    assert administrator.response[0]["attributes"]["nETBIOSName"] == ["CORP"]


def test_edits_arrive(domain: SambaDomain, administrator: Any) -> None:
    """Add, modify, disable, enable, membership, rename, move and delete, down to the tombstone."""
    ou = domain.add_ou("Edits, all of them")
    other = domain.add_ou("Elsewhere", ou)
    anna = domain.add_user("Anna O'Neill", ou, mail="anna@corp.example", userPassword="Anna-Pass-1")
    domain.connect("anna.oneill@corp.example", "Anna-Pass-1").unbind()
    guid = domain.values(anna, "objectGUID")
    domain.modify(anna, {"title": "Head", "mail": None, "otherTelephone": ["1", "2"]})
    assert domain.values(anna, "title") == [b"Head"]
    assert domain.values(anna, "mail") == []
    assert sorted(domain.values(anna, "otherTelephone")) == [b"1", b"2"]
    domain.disable(anna)
    assert domain.values(anna, "userAccountControl") == [b"514"]
    domain.enable(anna)
    assert domain.values(anna, "userAccountControl") == [b"512"]
    group = domain.add_group("Staff", ou, [anna])
    assert domain.values(anna, "memberOf") == [group.encode()]
    domain.set_members(group, [])
    assert domain.values(anna, "memberOf") == []
    moved = f"CN=Anna Smith,{other}"
    domain.move(anna, moved)
    assert domain.values(moved, "objectGUID") == guid
    domain.move(other, f"OU=Here,{ou}")
    domain.delete(f"CN=Anna Smith,OU=Here,{ou}")
    administrator.search(
        f"CN=Deleted Objects,{domain.base_dn}",
        "(isDeleted=TRUE)",
        LEVEL,
        attributes=["objectGUID"],
        controls=[SHOW_DELETED],
    )
    assert guid in [entry["raw_attributes"]["objectGUID"] for entry in administrator.response]


def test_many_people_are_seeded_and_paged(domain: SambaDomain, administrator: Any) -> None:
    """300 people with managers and a group, in seconds, while the controller runs; a second time is none."""
    ou = domain.add_ou("Seeded")
    people = [f"CN=Person {number},{ou}" for number in range(300)]
    entries: list[tuple[str, Any]] = [
        (
            dn,
            {
                "objectClass": PERSON,
                "sAMAccountName": f"seed{number}",
                "userAccountControl": 512,
                "manager": people[number + 1] if number < 299 else None,
            },
        )
        for number, dn in enumerate(people)
    ]
    group = f"CN=Seeded,{ou}"
    entries.append((group, {"objectClass": ["top", "group"], "sAMAccountName": "Seeded", "member": people}))
    started = time.monotonic()
    assert domain.seed(entries) == 301
    assert time.monotonic() - started < 15
    assert domain.seed(entries) == 0
    found = administrator.extend.standard.paged_search(
        ou, f"(memberOf={group})", attributes=["manager"], paged_size=100, generator=True
    )
    assert sum(bool(entry["attributes"].get("manager")) for entry in found) == 299


def test_a_refused_seed_adds_nothing(domain: SambaDomain) -> None:
    """The error names the object, and the transaction is undone."""
    ou = domain.add_ou("Refused")
    good: tuple[str, Any] = (f"CN=Good,{ou}", {"objectClass": PERSON, "sAMAccountName": "good"})
    bad: tuple[str, Any] = (f"CN=Bad,OU=Nowhere,{ou}", {"objectClass": PERSON, "sAMAccountName": "bad"})
    with pytest.raises(SambaError, match="CN=Bad"):
        domain.seed([good, bad])
    assert domain.seed([good]) == 1


def test_the_demo_company_fits_into_samba(domain: SambaDomain) -> None:
    """The same LDIF fills the demo directory and a real domain, beside another one; its account signs in."""
    with SambaDomain(realm="COMPANY.EXAMPLE", netbios="COMPANY") as company_domain:
        assert (company_domain.host, company_domain.port) != (domain.host, domain.port)
        built_in = 5
        assert company_domain.seed_ldif(company.PATH) == len(company.generate()) - built_in
        connection: Any = company_domain.connect("svc-halo@company.example", "Halo-Sync-1")
        connection.search(company_domain.base_dn, "(&(objectCategory=person)(title=*))", attributes=["1.1"])
        assert len([entry for entry in connection.response if "dn" in entry]) == 60
        connection.unbind()


def test_a_restart_keeps_everything(domain: SambaDomain) -> None:
    """While it is down nobody answers; afterwards the objects are still there."""
    ou = domain.add_ou("Kept")
    domain.stop()
    with pytest.raises(OSError):  # noqa: PT011 - any failure to connect will do
        socket.create_connection((domain.host, domain.ldap_port), timeout=1)
    domain.restart()
    assert domain.values(ou, "ou") == [b"Kept"]
