"""Asking: what a directory is to be asked for, by the customer's file. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from halo_adsync.customer import Customer, DirectoryBlock
from halo_adsync.directory.dn import canonical_dn
from halo_adsync.directory.port import ReadRequest, StaffRequest, Watch
from halo_adsync.model import ObjectGuid


def account_request(
    customer: Customer, directory: DirectoryBlock, key: str, anchors: Mapping[str, ObjectGuid]
) -> ReadRequest:
    """Say how to find one account, whether it is in scope or not."""
    request = read_request(customer, directory, anchors)
    ous = (*request.include, *request.exclude, *request.anchors)
    return replace(
        request, include=(), exclude=(), filter="", anchors=ous, person=key, managers=False, staff=None
    )


def guids_request(
    anchors: Mapping[str, ObjectGuid],
    customer: Customer,
    directory: DirectoryBlock,
    guids: frozenset[ObjectGuid],
) -> ReadRequest:
    """Say how to find accounts by GUID, whether they are in scope or not."""
    return replace(account_request(customer, directory, "", anchors), guids=guids)


def watch_of(customer: Customer, directory: DirectoryBlock) -> Watch:
    """Say which changes of a directory are wanted."""
    return Watch(
        directory.delta,
        customer.attributes(),
        customer.scope.filter,
        customer.settings_digest(),
        managers=customer.reads_managers(),
    )


def read_request(
    customer: Customer,
    directory: DirectoryBlock,
    anchors: Mapping[str, ObjectGuid],
    agents: frozenset[ObjectGuid] = frozenset(),
) -> ReadRequest:
    """Say what one directory has to be asked for; `agents` are the accounts that are agents by now."""
    prefix = f"{directory.id}|"
    base = canonical_dn(directory.base_dn) if directory.base_dn and len(customer.directories) > 1 else ""

    def mine(dns: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dn for dn in dns if f",{canonical_dn(dn)}".endswith(f",{base}" if base else ""))

    block = customer.agents
    marks = tuple(dict.fromkeys((*block.teams, *block.roles)))
    staff = StaffRequest(mine(block.groups), mine(block.ous), mine(marks), agents)
    return ReadRequest(
        attributes=customer.attributes(),
        include=mine(customer.scope.include),
        exclude=mine(customer.scope.exclude),
        filter=customer.scope.filter,
        anchors=mine(customer.placement_ous()),
        groups=mine(tuple(dict.fromkeys((*customer.scope.groups, *customer.placement_groups())))),
        staff=staff if block.asked_for else None,
        managers=customer.reads_managers(),
        known={key.removeprefix(prefix): guid for key, guid in anchors.items() if key.startswith(prefix)},
    )
