"""Every entry of a directory, schema and configuration included, is read as ldap3 reads it."""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING, Any

from ldap3 import NONE, Connection, Server, Tls

from devstack.samba import SambaDomain
from halo_adsync.directory.ber import search_entry
from halo_adsync.directory.connection import Session
from halo_adsync.directory.entry import EVERYTHING, RawEntry
from halo_adsync.model import Meter
from tests.contract.conftest import ACCOUNT, DOMAIN, HOSTNAME, PASSWORD
from tests.support.entries import as_ldap3_reads, folded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from halo_adsync.model import DistinguishedName
    from tests.contract.conftest import DirectoryStand

DEMO = {DOMAIN: 1, f"CN=Configuration,{DOMAIN}": 1}
REAL = {DOMAIN: 200, f"CN=Configuration,{DOMAIN}": 1500, f"CN=Schema,CN=Configuration,{DOMAIN}": 1500}
"""The partitions that each kind of directory has, with the least number of entries in them."""
ATTRIBUTES = ["*", "+", "memberOf", "msDS-User-Account-Control-Computed", "parentGUID"]
DOMAIN_SCOPE = ("1.2.840.113556.1.4.1339", False, None)


@contextlib.contextmanager
def plain_ldap3(stand: DirectoryStand) -> Iterator[tuple[Any, list[bytes]]]:
    """Sign in with ldap3 alone; the list fills with the messages that it receives."""
    tls = Tls(ca_certs_file=str(stand.ca_path), validate=ssl.CERT_REQUIRED, valid_names=[HOSTNAME])
    server = Server(*stand.ldaps, use_ssl=True, tls=tls, get_info=NONE)
    connection: Any = Connection(
        server,
        ACCOUNT,
        PASSWORD,
        auto_bind=True,
        auto_range=False,
        check_names=False,
        return_empty_attributes=False,
        receive_timeout=20,
    )
    received: list[bytes] = []
    receiving = connection.strategy.receiving

    def recording() -> list[bytes]:
        arrived: list[bytes] = receiving()
        received.extend(arrived)
        return arrived

    connection.strategy.receiving = recording
    try:
        yield connection, received
    finally:
        connection.unbind()


@contextlib.contextmanager
def product(stand: DirectoryStand) -> Iterator[Session]:
    """Sign in as the product does."""
    config = stand.config
    (endpoint,) = config.endpoints({config.servers[0]: stand.ldaps})
    with contextlib.closing(Session(endpoint, config, config.tls_context(), Meter())) as session:
        yield session


def test_every_entry_of_every_partition(directory_stand: DirectoryStand) -> None:
    """Each message is decoded as ldap3 decodes it, and each entry gets through the product's connection."""
    people = directory_stand.edits.add_ou(f"Entries {next(directory_stand.numbers)}")
    for number in range(3):
        directory_stand.person(f"Ünal {number}", people, description="x" * 100 * (number + 1), mail="a@b.c")
    for base, fewest in (REAL if isinstance(directory_stand.edits, SambaDomain) else DEMO).items():
        with plain_ldap3(directory_stand) as (ldap3, messages), product(directory_stand) as session:
            paged = ldap3.extend.standard.paged_search(
                base, EVERYTHING, attributes=ATTRIBUTES, paged_size=500, controls=[DOMAIN_SCOPE]
            )
            theirs = [as_entry(item) for item in paged]
            ours = [entry for page in session.pages(base, EVERYTHING, ATTRIBUTES) for entry in page]
        decoded = [(message, found) for message in messages if (found := search_entry(message))]
        assert len(decoded) == len(theirs) >= fewest
        for message, (number, dn, attributes) in decoded:
            assert as_ldap3_reads(message) == (number, dn.encode(), folded(attributes))
        assert by_name(ours) == by_name(theirs)


def test_long_groups_are_continued_alike(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """A server that gives values in ranges says where to go on, and we and ldap3 understand the same."""
    directory_stand.crowd(directory_ou, 1600)
    members = [f"CN=Person {number},{directory_ou}" for number in range(1600)]
    group = directory_stand.edits.add_group("Long", directory_ou, members=members)
    with plain_ldap3(directory_stand) as (ldap3, _), product(directory_stand) as session:
        ldap3.search(group, EVERYTHING, "BASE", attributes=["member"])
        (item,) = ldap3.response
        ours = session.find(group, ["member"])
    assert ours == as_entry(item)
    assert len(ours.attributes["member"]) in {1500, 1600}


def as_entry(item: dict[str, Any]) -> RawEntry:
    """Make the product's entry of one of ldap3's."""
    attributes = {name: tuple(values) for name, values in folded(item["raw_attributes"]).items()}
    return RawEntry.received(item["raw_dn"].decode(), attributes)


def by_name(entries: list[RawEntry]) -> dict[DistinguishedName, RawEntry]:
    """Return entries by DN; a second one of the same name would be lost, so there is none."""
    found = {entry.dn: entry for entry in entries}
    assert len(found) == len(entries)
    return found
