"""Lagging: how long ago each customer was last brought in step, whatever kept it from that since."""

from collections.abc import Iterator
from datetime import UTC, datetime

from halo_adsync.customers import valid
from halo_adsync.model import CustomerId, Meter
from halo_adsync.pausing import LOOK_BACK
from halo_adsync.schedule import has_any
from halo_adsync.services import Services
from halo_adsync.state.customer_state import CustomerState


def lags(services: Services) -> Iterator[tuple[CustomerId, int]]:
    """Yield every enabled customer with a schedule, and the whole hours since its last good run.

    Good is a run for everybody that got through its plan, also where single records failed. Without any,
    the first run that is remembered counts; a customer without runs is yielded as soon as it has one.
    """
    store, now = services.store(Meter()), services.now()
    for customer in valid(store, "It is not told how far a customer lags behind"):
        if customer.enabled and has_any(customer.schedule):
            since = _in_step(store.of(customer.key))
            if since is not None:
                yield customer.key, int((now - since).total_seconds() // 3600)


def _in_step(state: CustomerState) -> datetime | None:
    """Return when the last good run was asked for; the first run of all where none was good."""
    latest = state.runs(LOOK_BACK)  # usually enough, and cheap
    first: str | None = None
    for run in latest if any(run.got_through for run in latest) else state.history.between(None, None):
        first = run.requested
        if run.got_through:
            break
    return datetime.fromisoformat(first).astimezone(UTC) if first else None
