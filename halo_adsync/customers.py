"""The customers, as the command line and the HTTP interface list and keep them."""

import logging
from collections.abc import Iterator
from typing import Any

from halo_adsync.customer import Customer
from halo_adsync.customer_file import parse
from halo_adsync.errors import BadRequest, ConfigurationError, NotFound
from halo_adsync.pausing import LOOK_BACK, resting_until
from halo_adsync.state.store import Store

_log = logging.getLogger(__name__)


def valid(store: Store, what: str) -> Iterator[Customer]:
    """Yield every customer whose kept file is valid; of another it is logged what is left undone.

    Args:
        store: where they are kept.
        what: a sentence that says what is not done for a customer, without its end.
    """
    for read in store.each_customer():
        try:
            customer = read()
        except ConfigurationError as error:
            _log.error("%s: %s", what, error)
        else:
            yield customer


def listed(store: Store) -> Iterator[dict[str, Any]]:
    """Yield every customer in short, with until when its schedule rests, if it does.

    Of one whose kept file is not valid any more, the problem is told.
    """
    for key in store.customer_ids():
        try:
            found = store.customer(key)
        except NotFound:
            continue  # removed just now
        except ConfigurationError as error:
            yield {"id": key, "problem": str(error)}
        else:
            rests = resting_until(store.of(found.key).runs(LOOK_BACK), store.now())
            paused = {"paused_until": rests.isoformat()} if rests else {}
            yield {"id": key, "name": found.name, "enabled": found.enabled, "policy": found.policy, **paused}


def put(store: Store, key: str, text: str, halo_fields: frozenset[str]) -> tuple[bool, bool]:
    """Keep the customer file that somebody sent, checked as `customer apply` does.

    Args:
        store: where it is kept.
        key: the id that it was sent for.
        text: the file, YAML or JSON.
        halo_fields: Halo's user fields, which a mapping may name.

    Returns:
        Whether the customer is new, and whether anything was changed.

    Raises:
        BadRequest: with every problem of the file, each with its line and place.
    """
    try:
        customer = parse(text, halo_fields=halo_fields)
    except ConfigurationError as error:
        raise BadRequest(error.problems) from None
    if customer.id != key:
        raise BadRequest(f'The file is that of "{customer.id}", and the address says "{key}".')
    for block in customer.directories:
        if block.ca_file and not block.ca_file.startswith("/"):
            raise BadRequest(
                f"directories: the ca_file of {block.id} is meant from a folder that nobody here knows. Put"
                " the certificate into the vault and name it in ca_certificate."
            )
    is_new = key not in store.customer_ids()
    return is_new, store.put_customer(customer)
