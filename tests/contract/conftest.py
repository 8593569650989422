"""What contracts run against: stand-ins, and the real things or Microsoft's emulator of them."""

import contextlib
import itertools
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from devstack.directory import Directory
from devstack.directory.edits import Edits, Values
from devstack.memory import MemoryTable
from devstack.relay import SimulatedRelay, node_listener_missing
from devstack.samba import SambaDomain, samba_missing
from halo_adsync.directory.config import DirectoryConfig
from halo_adsync.directory.ldap import LdapDirectory
from halo_adsync.directory.relay import RelayConfig
from halo_adsync.directory.tunnel import Tunnel
from halo_adsync.model import Meter
from tests.contract.storage import AnyTable, azure_table
from tests.support.cutting import Address, CuttingProxy
from tests.support.emulator import storage_emulator
from tests.support.relay import Listening, OwnKeys, manager_listening, node_listening

__all__ = ["storage_emulator"]  # a fixture

DOMAIN = "DC=corp,DC=example"
HOSTNAME = "dc01.corp.example"
ACCOUNT = "svc-halo@corp.example"
PASSWORD = "Gr4ve-Secret!"


@dataclass
class DirectoryStand:
    """A running directory, what to change in it, and how to read it."""

    edits: Edits
    seed: Callable[[list[tuple[str, dict[str, Values]]]], object]
    ldaps: Address
    ldap: Address
    ca_path: Path
    meter: Meter = field(default_factory=Meter)
    numbers: Iterator[int] = field(default_factory=itertools.count)
    relay: RelayConfig | None = None
    """What its two ports are behind, where they are not to be reached directly."""

    @property
    def users(self) -> str:
        """The DN of the container that every domain has for accounts."""
        return f"CN=Users,{self.edits.base_dn}"

    @property
    def config(self) -> DirectoryConfig:
        """The configuration that is right for this directory."""
        return DirectoryConfig(
            id="corp",
            servers=(f"{HOSTNAME}:636",),
            user=ACCOUNT,
            password=PASSWORD,
            ca_file=str(self.ca_path),
            receive_timeout=20,
        )

    def open(
        self, *, at: dict[str, Address] | None = None, tunnel: Tunnel | None = None, **changes: Any
    ) -> LdapDirectory:
        """Return the adapter for this directory.

        Args:
            at: where to connect to for a `host:port`; the directory's own address for its own name.
            tunnel: the way to it, if not that.
            changes: what differs from the right configuration.
        """
        addresses = {f"{HOSTNAME}:636": self.ldaps, f"{HOSTNAME}:389": self.ldap, **(at or {})}
        self.meter, config = Meter(), replace(self.config, **changes)
        if self.relay and not at and self.relay.connections.keys() >= set(config.servers):
            tunnel = Tunnel(self.relay)
        return LdapDirectory(config, self.meter, addresses, tunnel)

    def person(self, name: str, parent: str, /, **attributes: Values) -> str:
        """Add a person with an account name that nobody else has, and return the DN."""
        account = f"u{next(self.numbers)}"
        return self.edits.add_user(name, parent, **{"sAMAccountName": account, **attributes})

    def crowd(self, parent: str, count: int) -> None:
        """Add many people at once."""
        self.seed(
            [
                (
                    f"CN=Person {number},{parent}",
                    {
                        "objectClass": ["top", "person", "organizationalPerson", "user"],
                        "sAMAccountName": f"crowd{next(self.numbers)}",
                        "userAccountControl": 512,
                        "mail": f"p{number}@corp.example",
                    },
                )
                for number in range(count)
            ]
        )


@contextlib.contextmanager
def demo_stand(**options: Any) -> Iterator[tuple[DirectoryStand, Directory]]:
    """Start the demo directory with a domain that holds the bind account and the domain's own accounts."""
    person = ["top", "person", "organizationalPerson", "user"]
    critical: dict[str, Values] = {"objectClass": person, "isCriticalSystemObject": "TRUE"}
    entries: list[tuple[str, dict[str, Values]]] = [
        (DOMAIN, {"objectClass": ["top", "domain", "domainDNS"], "dc": "corp"}),
        (f"CN=Users,{DOMAIN}", {"objectClass": ["top", "container"], "cn": "Users"}),
        (f"CN=krbtgt,CN=Users,{DOMAIN}", {**critical, "sAMAccountName": "krbtgt", "userAccountControl": 514}),
    ]
    with Directory(entries, certificate_hosts=(HOSTNAME, "127.0.0.1"), **options) as directory:

        def seed(seeds: list[tuple[str, dict[str, Values]]]) -> None:
            for dn, attributes in seeds:
                directory.add(dn, attributes)

        stand = DirectoryStand(
            edits=directory,
            seed=seed,
            ldaps=(directory.host, directory.ldaps_port),
            ldap=(directory.host, directory.ldap_port),
            ca_path=directory.ca_path,
        )
        _add_account(stand)
        yield stand, directory


@contextlib.contextmanager
def samba_stand() -> Iterator[DirectoryStand]:
    """Start Samba's domain controller."""
    with SambaDomain() as domain:
        stand = DirectoryStand(
            edits=domain,
            seed=domain.seed,
            ldaps=(domain.host, domain.port),
            ldap=(domain.host, domain.ldap_port),
            ca_path=domain.ca_path,
        )
        _add_account(stand)
        yield stand


def _add_account(stand: DirectoryStand) -> None:
    stand.edits.add_user("svc-halo", stand.users, sAMAccountName="svc-halo", userPassword=PASSWORD)


@contextlib.contextmanager
def relayed_stand() -> Iterator[DirectoryStand]:
    """Start a demo directory that is reached through a relay, by the likeness of what customers run."""
    with demo_stand() as (stand, _), SimulatedRelay() as relay, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(relay.ca_path))
        with (
            manager_listening(relay, "{}:{}".format(*stand.ldaps), "ldaps"),
            manager_listening(relay, "{}:{}".format(*stand.ldap), "ldap"),
        ):
            connections = {f"{HOSTNAME}:636": "ldaps", f"{HOSTNAME}:389": "ldap"}
            yield replace(stand, relay=RelayConfig(relay.host, connections, OwnKeys(relay)))


@pytest.fixture(scope="session", params=["demo", "relayed", pytest.param("samba", marks=pytest.mark.samba)])
def directory_stand(request: pytest.FixtureRequest) -> Iterator[DirectoryStand]:
    """One directory of each kind for all tests; every test works in an OU of its own."""
    if request.param == "demo":
        with demo_stand() as (stand, _):
            yield stand
        return
    if request.param == "relayed":
        with relayed_stand() as stand:
            yield stand
        return
    if missing := samba_missing():
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with samba_stand() as stand:
        yield stand


@pytest.fixture
def directory_demo() -> Iterator[tuple[DirectoryStand, Directory]]:
    """A demo directory for this test alone, to switch faults on."""
    with demo_stand() as both:
        yield both


@pytest.fixture
def directory_expired() -> Iterator[DirectoryStand]:
    """A demo directory whose certificate has expired."""
    with demo_stand(valid_days=-1) as (stand, _):
        yield stand


@pytest.fixture
def directory_ou(directory_stand: DirectoryStand) -> str:
    """An organisational unit for this test alone, by its DN."""
    return directory_stand.edits.add_ou(f"Test {next(directory_stand.numbers)}")


@pytest.fixture
def directory_proxy() -> Iterator[Callable[[Address, int | None], CuttingProxy]]:
    """Make proxies in front of a server that cut its answers off."""
    proxies: list[CuttingProxy] = []

    def make(target: Address, limit: int | None) -> CuttingProxy:
        proxies.append(CuttingProxy(target, limit))
        return proxies[-1]

    yield make
    for proxy in proxies:
        proxy.close()


@pytest.fixture
def directory_closed_port() -> Address:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
    return host, port


@pytest.fixture(params=["memory", pytest.param("azurite", marks=pytest.mark.azurite)])
def storage_table(request: pytest.FixtureRequest) -> Iterator[AnyTable]:
    """A table of each kind, which nobody has written to yet."""
    if request.param == "memory":
        yield MemoryTable()
        return
    with azure_table(request.getfixturevalue("storage_emulator")) as table:
        yield table


@pytest.fixture
def relay(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedRelay]:
    """A relay for this test alone, which this process trusts."""
    with SimulatedRelay() as running:
        monkeypatch.setenv("SSL_CERT_FILE", str(running.ca_path))
        yield running


@pytest.fixture(params=["manager", "hyco-ws"])
def relay_listening(request: pytest.FixtureRequest, relay: SimulatedRelay) -> Listening:
    """Stand at a customer's and listen for a `host:port`, with either program."""
    if request.param == "manager":
        return lambda endpoint: manager_listening(relay, endpoint)
    missing = node_listener_missing()
    if missing and os.environ.get("CI"):
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    return lambda endpoint: node_listening(relay, endpoint)
