"""Checks: does everything that a customer's sync needs answer? Reads only."""

from collections.abc import Iterator
from dataclasses import dataclass

from halo_adsync.bootstrap import Builder
from halo_adsync.customer import Customer, DirectoryBlock
from halo_adsync.customer_login import Entra
from halo_adsync.errors import ConfigurationError, HaloAdSyncError, IncompleteRead
from halo_adsync.following import how_followed
from halo_adsync.model import Meter
from halo_adsync.state.store import Store


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `error` is what is wrong with it."""

    text: str
    error: HaloAdSyncError | None = None


def check_storage(store: Store) -> str:
    """Read from Table Storage.

    Raises:
        StateUnavailable: it does not answer.
    """
    number = len(store.customers())
    return f"ok   storage answers; {number} {'customer' if number == 1 else 'customers'}"


def check_customer(builder: Builder, customer: Customer) -> Iterator[Finding]:
    """Check a customer's secrets, then each directory, Halo and Entra."""
    missing = list(_missing_secrets(builder, customer))
    yield from missing
    if missing:
        return
    yield Finding(f"{len(set(customer.secrets()))} secrets are there")
    for block in customer.directories:
        yield from _directory(builder, customer, block)
    try:
        with builder.halo(customer, Meter(), lambda: None) as halo:
            yield Finding(halo.check())
    except HaloAdSyncError as error:
        yield Finding(f"Halo: {error}", error)
    if customer.login.entra is not None:
        yield _entra(builder, customer.login.entra)


def _missing_secrets(builder: Builder, customer: Customer) -> Iterator[Finding]:
    for name in dict.fromkeys(customer.secrets()):
        try:
            builder.secrets().get(name)
        except ConfigurationError as error:
            yield Finding(str(error), error)


def _directory(builder: Builder, customer: Customer, block: DirectoryBlock) -> Iterator[Finding]:
    """Read the directory; where it has several servers, sign in to each, so that none fails unseen."""
    try:
        with builder.directory(block, Meter()) as directory:
            people = sum(counted.people for counted in directory.containers(lambda _: None))
            failing = directory.unreachable() if len(block.servers) > 1 else ()
            followed = how_followed(directory, customer, block)
    except HaloAdSyncError as error:
        yield Finding(f"directory {block.id}: {error}", error)
        return
    way = "" if block.connect == "direct" else f" through the relay {block.connect.relay.namespace}"
    yield Finding(f"directory {block.id} answers{way}, and shows {people} people's accounts")
    yield Finding(f"directory {block.id}: {followed}")
    for sentence in failing:
        yield Finding(f"directory {block.id}: {sentence}", IncompleteRead(sentence))


def _entra(builder: Builder, block: Entra) -> Finding:
    try:
        with builder.entra(block, lambda: None) as tenant:
            number = len(tenant.accounts())
    except HaloAdSyncError as error:
        return Finding(f"Entra: {error}", error)
    return Finding(f"Entra answers, and shows {number} accounts that come from a directory")
