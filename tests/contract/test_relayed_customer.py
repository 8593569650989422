"""A customer behind a relay, from the file to the directory: identity, keys, and what a check says."""

from collections.abc import Iterator
from typing import Any

import pytest

from devstack.directory import Directory
from devstack.identity import SimulatedIdentity
from devstack.relay import SimulatedRelay
from halo_adsync.bootstrap import Builder
from halo_adsync.checks import check_customer
from halo_adsync.customer import Customer
from halo_adsync.errors import DirectoryRefused, HaloAdSyncError
from halo_adsync.model import Meter
from halo_adsync.settings import Settings
from tests.contract.conftest import ACCOUNT, HOSTNAME, PASSWORD, DirectoryStand
from tests.support.relay import CONNECTION, manager_listening
from tests.support.vault import identity

__all__ = ["identity"]  # a fixture

OTHER = "contoso-dc02"


@pytest.fixture
def listening(
    relay: SimulatedRelay, directory_demo: tuple[DirectoryStand, Directory]
) -> Iterator[DirectoryStand]:
    """A directory behind a relay."""
    stand, _ = directory_demo
    with manager_listening(relay, "{}:{}".format(*stand.ldaps)):
        yield stand


def customer(stand: DirectoryStand, relay: SimulatedRelay, *more: str, **changes: Any) -> Customer:
    """Return a customer whose file is right; `more` are connections to a second server and so on."""
    servers = [f"{HOSTNAME}:636", *(f"{HOSTNAME}:{637 + number}" for number in range(len(more)))]
    directory = {
        "id": "corp",
        "servers": servers,
        "ca_file": str(stand.ca_path),
        "bind": {"user": ACCOUNT, "password": {"secret": "corp-ad"}},
        "connect": {"relay": {"namespace": relay.host, "connection": [CONNECTION, *more], **changes}},
    }
    halo = {
        "url": "http://127.0.0.1:9",
        "client_id": "x",
        "client_secret": {"secret": "halo"},
        "budget": "off",
    }
    whole = {"id": "contoso", "name": "Contoso", "halo": halo, "directories": [directory]}
    return Customer.model_validate({**whole, "placement": {"client": {"name": "Contoso"}}})


def builder(client_id: str | None = None, **secrets: str) -> Builder:
    """Return a builder with these secrets in the environment."""
    environment = {"SECRET_CORP_AD": PASSWORD, "SECRET_HALO": "x", **secrets}
    return Builder(Settings(client_id=client_id, environment=environment))


def people(build: Builder, one: Customer) -> int:
    """Count the people in a customer's directory."""
    with build.directory(one.directories[0], Meter()) as directory:
        return sum(counted.people for counted in directory.containers(lambda _: None))


def said(build: Builder, one: Customer) -> list[tuple[str, HaloAdSyncError | None]]:
    """Return what a check says of the directory."""
    found = [(finding.text, finding.error) for finding in check_customer(build, one)]
    return [(text, error) for text, error in found if text.startswith("directory corp")]


def test_by_the_identity(
    listening: DirectoryStand, relay: SimulatedRelay, identity: SimulatedIdentity
) -> None:
    """The app's identity opens the relay with its role, by one token for several readings."""
    build, one = builder(identity.client_id), customer(listening, relay)
    with pytest.raises(DirectoryRefused, match="role Azure Relay Sender"):
        people(build, one)
    relay.grant(identity.client_id, CONNECTION)
    assert people(build, one) == people(build, one) > 0
    assert identity.asked == ["https://relay.azure.net"]
    headers = [it.headers["ServiceBusAuthorization"] for it in relay.upgrades if "=connect" in it.target]
    assert headers
    assert not any(header.lower().startswith("bearer") for header in headers)


def test_token_that_has_expired(
    listening: DirectoryStand, relay: SimulatedRelay, identity: SimulatedIdentity
) -> None:
    """A token of the identity that the relay takes for too old is refused with a sentence."""
    relay.grant(identity.client_id, CONNECTION)
    identity.lifetime = -60
    with pytest.raises(DirectoryRefused, match="does not accept the app's token"):
        people(builder(identity.client_id), customer(listening, relay))


@pytest.mark.usefixtures("identity")
def test_without_an_identity(listening: DirectoryStand, relay: SimulatedRelay) -> None:
    """An identity that is not there is the app's own trouble, and the relay is not asked."""
    relay.upgrades.clear()
    with pytest.raises(DirectoryRefused, match="You have to check AZURE_CLIENT_ID"):
        people(builder("somebody-else"), customer(listening, relay))
    assert relay.upgrades == []


def test_by_a_key(listening: DirectoryStand, relay: SimulatedRelay) -> None:
    """A rule and its key do without an identity."""
    key = relay.connections[CONNECTION].rules["send"].key
    one = customer(listening, relay, sas={"rule": "send", "key": {"secret": "corp-relay"}})
    assert people(builder(SECRET_CORP_RELAY=key), one) > 0


def test_check_tells_of_the_way(
    listening: DirectoryStand, relay: SimulatedRelay, identity: SimulatedIdentity
) -> None:
    """It says which relay was used, and names a second connection that would fail when it is needed."""
    relay.grant(identity.client_id, CONNECTION, OTHER)
    relay.add_connection(OTHER, "127.0.0.1:9")
    build = builder(identity.client_id)
    (first, _), *_ = found = said(build, customer(listening, relay))
    assert f"answers through the relay {relay.host}, and shows" in first
    assert not any(error for _, error in found)
    (wrong,) = (text for text, error in said(build, customer(listening, relay, OTHER)) if error)
    assert f"the hybrid connection {OTHER} of {relay.host} has nobody who listens" in wrong


def test_check_of_a_relay_that_refuses(
    listening: DirectoryStand, relay: SimulatedRelay, identity: SimulatedIdentity
) -> None:
    """It says whose move it is."""
    relay.faults.refuse = (403, "No")
    ((text, error),) = said(builder(identity.client_id), customer(listening, relay))
    assert "does not let the app send (HTTP 403). You have to" in text
    assert isinstance(error, DirectoryRefused)
