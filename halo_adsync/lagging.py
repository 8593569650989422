"""Lagging: how long ago each customer was last brought in step, whatever kept it from that since."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from halo_adsync.customers import valid
from halo_adsync.errors import RowUnreadable
from halo_adsync.model import CustomerId, Meter
from halo_adsync.pausing import LOOK_BACK
from halo_adsync.schedule import has_any, last_good
from halo_adsync.services import Services
from halo_adsync.state.agenda import NOTHING_SEEN, Agenda
from halo_adsync.state.customer_state import CustomerState

_log = logging.getLogger(__name__)
HOUR = timedelta(hours=1)
FEW = 4
"""How many of the latest runs are read first: most often one of them went well."""


def lags(services: Services) -> Iterator[tuple[CustomerId, int]]:
    """Yield every enabled customer with a schedule, and the whole hours since its last good run.

    Good is a run for everybody that got through its plan, also where single records failed. Without any,
    the first run that is remembered counts; a customer without runs is yielded as soon as it has one.
    """
    store, now = services.store(Meter()), services.now()
    remembered = Agenda(store.table).seen()
    for customer in valid(store, "It is not told how far a customer lags behind"):
        if customer.enabled and has_any(customer.schedule):
            seen = remembered.get(customer.key, NOTHING_SEEN)
            try:
                since = _in_step(store.of(customer.key), seen.in_step, now)
            except RowUnreadable as error:  # one customer's damage hides no other's lag
                _log.error("It is not told how far customer %s lags behind: %s", customer.key, error)
                continue
            if since is not None:
                yield customer.key, (now - since) // HOUR


def _in_step(state: CustomerState, seen: datetime | None, now: datetime) -> datetime | None:
    """Return when the last good run was asked for; the first run of all where none was good.

    Args:
        state: the customer's.
        seen: when one was that the timer saw. Within the last hour, no later one can make a difference.
        now: the time (UTC).
    """
    if seen and now - HOUR < seen <= now:
        return seen
    for few in (FEW, LOOK_BACK):
        if found := last_good(state.runs(few)):
            return found
    if seen and seen <= now:
        return seen
    first: str | None = None
    for run in state.history.between(None, None):
        first = run.requested
        if run.got_through:
            break
    return datetime.fromisoformat(first).astimezone(UTC) if first else None
