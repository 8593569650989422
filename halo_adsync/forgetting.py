"""Forgetting: runs with their plans and outcomes are deleted when the time is over that they are kept for."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from time import monotonic

from halo_adsync.customer import Customer
from halo_adsync.customers import valid
from halo_adsync.model import Meter
from halo_adsync.services import Services
from halo_adsync.state.customer_state import CustomerState
from halo_adsync.state.runs import Run

DAYS_OF_THE_IDLE = 30
"""How long a run is kept at most that changed nothing: there are many, and they say little."""
SECONDS = 480.0
"""How long one go takes at most: far below the host's time limit. What is left goes the next time."""


def forget_old(services: Services, seconds: float = SECONDS) -> Iterator[tuple[str, int, int]]:
    """Delete what is older than the customers' files say.

    A customer whose kept file is not valid any more is left out and logged; it stops nobody else.

    Args:
        services: where it is kept.
        seconds: after which no further run is begun with.

    Yields:
        A customer's id, how many of its runs were deleted, and how many rows these had.
    """
    ends = monotonic() + seconds
    store = services.store(Meter())
    for customer in valid(store, "Old runs of a customer are not deleted"):
        if monotonic() >= ends:
            return
        state, runs, rows = store.of(customer.key), 0, 0
        for run in _old(services, customer, state):
            if monotonic() >= ends:
                break
            rows += state.history.forget(run)
            runs += 1
        if runs:
            yield customer.id, runs, rows


def _old(services: Services, customer: Customer, state: CustomerState) -> Iterator[Run]:
    """Yield the runs whose time is over; never the latest one, and none that is going on."""
    days, now = customer.audit.days, services.now()
    changed = now - timedelta(days=days)
    idle = now - timedelta(days=min(days, DAYS_OF_THE_IDLE))
    latest = {run.id for run in state.runs(1)}
    for run in list(state.history.between(None, idle)):
        over = not run.settled or datetime.fromisoformat(run.requested) < changed
        if over and run.id not in latest and not state.is_going_on(run):
            yield run
