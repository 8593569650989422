"""The NetBIOS name of a domain, as logins need it: from the forest's partitions, not from the DNS name."""

import os
from collections.abc import Iterator

import pytest

from devstack.directory import Directory
from devstack.samba import SambaDomain, samba_missing
from halo_adsync.directory.config import DirectoryConfig
from halo_adsync.directory.ldap import LdapDirectory
from halo_adsync.directory.port import ReadRequest
from halo_adsync.model import DirectoryRead, Meter
from halo_adsync.plan.mapping import Mapper
from tests.support.plan import TARGET, customer

BASE = "DC=company,DC=example"
NETBIOS = "OLDCO"
PASSWORD = "Gr4ve-Secret!"

type Domain = Directory | SambaDomain


def demo() -> Directory:
    """Return a demo directory whose NetBIOS name is not the first label of its DNS name."""
    users = f"CN=Users,{BASE}"
    return Directory(
        [
            (BASE, {"objectClass": ["top", "domain", "domainDNS"], "dc": "company"}),
            (users, {"objectClass": ["top", "container"], "cn": "Users"}),
        ],
        netbios=NETBIOS,
    )


@pytest.fixture(params=["demo", pytest.param("samba", marks=pytest.mark.samba)])
def domain(request: pytest.FixtureRequest) -> Iterator[Domain]:
    """A domain of each kind that was renamed in DNS and kept its old NetBIOS name."""
    if request.param == "samba" and (missing := samba_missing()):
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    made: Domain = (
        demo() if request.param == "demo" else SambaDomain(realm="COMPANY.EXAMPLE", netbios=NETBIOS)
    )
    with made as running:
        running.add_user("svc-halo", f"CN=Users,{BASE}", sAMAccountName="svc-halo", userPassword=PASSWORD)
        yield running


def read(domain: Domain) -> DirectoryRead:
    """Read everybody in the OU of people."""
    port = domain.ldaps_port if isinstance(domain, Directory) else domain.port
    config = DirectoryConfig(
        id="corp",
        servers=(f"{domain.hostname}:{port}",),
        user=f"svc-halo@{BASE.replace('DC=', '').replace(',', '.')}",
        password=PASSWORD,
        ca_file=str(domain.ca_path),
    )
    with LdapDirectory(config, Meter(), {f"{domain.hostname}:{port}": (domain.host, port)}) as directory:
        request = ReadRequest(attributes=frozenset({"cn", "samaccountname"}), include=(f"OU=People,{BASE}",))
        return directory.read(request, lambda _: None)


def logins(found: DirectoryRead) -> list[str]:
    """Return the logins that the default mapping gives."""
    mapper = Mapper(customer(), TARGET)
    return [mapper.desire(person, found.netbios).fields["login"] for person in found.people]


def test_the_login_has_the_name_that_windows_presents(domain: Domain) -> None:
    """A domain that is called otherwise in DNS signs in as the partitions say."""
    domain.add_user("Ada", domain.add_ou("People"), sAMAccountName="ada")
    found = read(domain)
    assert found.netbios == NETBIOS
    assert logins(found) == [f"{NETBIOS}\\ada"]


def test_other_domains_of_the_forest_are_passed_over() -> None:
    """Children, trees and application partitions stand there, too; the domain that is read is meant."""
    with demo() as domain:
        domain.add_user("svc-halo", f"CN=Users,{BASE}", sAMAccountName="svc-halo", userPassword=PASSWORD)
        partitions = f"CN=Partitions,CN=Configuration,{BASE}"
        kind = {"objectClass": ["top", "crossRef"]}
        domain.add(f"CN=A,{partitions}", {**kind, "nCName": f"DC=a,{BASE}", "nETBIOSName": "A"})
        domain.add(f"CN=Z,{partitions}", {**kind, "nCName": "DC=other,DC=example", "nETBIOSName": "Z"})
        domain.add(f"CN=DNS,{partitions}", {**kind, "nCName": f"DC=DomainDnsZones,{BASE}"})
        domain.add_user("Ada", domain.add_ou("People"), sAMAccountName="ada")
        assert logins(read(domain)) == [f"{NETBIOS}\\ada"]
