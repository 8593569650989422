"""Approving: a person lets a blocked run's stored plan be applied exactly as it is, or rejects it."""

from dataclasses import replace
from datetime import datetime, timedelta

from halo_adsync.customer import Customer
from halo_adsync.errors import NotApproved
from halo_adsync.model import Meter
from halo_adsync.services import Services
from halo_adsync.state.customer_state import CustomerState
from halo_adsync.state.queue import Request
from halo_adsync.state.runs import Run, Status

VALID_FOR = timedelta(hours=24)
"""How long a stored plan may be approved."""
LOOK_BACK = 1_000
"""How many runs are looked through for one that has changed something since."""


def approve(services: Services, customer: str, run: str, digest: str, actor: str) -> Request:
    """Approve a blocked run, so that it applies what is left of its plan; return what works on it.

    Args:
        services: where the run is kept.
        customer: whose run.
        run: the run.
        digest: the plan's digest, as whoever approves has seen it.
        actor: who approves, for the record.

    Raises:
        NotFound: there is no such customer or run.
        NotApproved: the plan is not the one that was seen, or does not hold any more; the text says why.
        Busy: a run of the customer is going on.
    """
    store = services.store(Meter())
    file = store.customer(customer)
    state = store.of(file.key)
    lease = state.lease(state.run(run).id)
    try:
        found = state.run(run)
        now = services.now()
        _check(found, digest, file, state, now)
        approved = replace(
            found,
            status=Status.APPLYING,
            allowed=found.total,
            approved_by=actor,
            approved=now.isoformat(),
        )
        state.save_run(approved, lease)
        lease.hand_over()
    except Exception:
        lease.release()
        raise
    return Request(found.customer, found.id, found.mode, found.reason, found.actor, person=found.person)


def reject(services: Services, customer: str, run: str, actor: str) -> Run:
    """Reject a blocked run: its plan is never applied, or what is left of it; return the run.

    Raises:
        NotFound: there is no such customer or run.
        NotApproved: the run is not blocked.
        Busy: a run of the customer is going on.
    """
    store = services.store(Meter())
    state = store.of(store.customer(customer).key)
    lease = state.lease(state.run(run).id)
    try:
        found = state.run(run)
        _check_is_waiting(found)
        now = services.now().isoformat(timespec="seconds")
        found = replace(found, rejected_by=actor, rejected=now, finished=now)
        state.save_run(found, lease)
    finally:
        lease.release()
    return found


def _check(run: Run, digest: str, customer: Customer, state: CustomerState, now: datetime) -> None:
    _check_is_waiting(run)
    again = f"Plan again with `halo-adsync sync {customer.id}`."
    if digest != run.digest:
        raise NotApproved(
            f'The digest "{digest}" is not that of run {run.id}: look at its plan with `halo-adsync run'
            f" {customer.id} {run.id}`, and give the digest that stands there."
        )
    age = now - datetime.fromisoformat(run.requested)
    if age > VALID_FOR:
        raise NotApproved(f"Run {run.id} is older than {VALID_FOR // timedelta(hours=1)} hours. {again}")
    if run.settings != customer.settings_digest():
        raise NotApproved(f"The customer file of {customer.id} has changed since run {run.id}. {again}")
    newer = next((other for other in state.runs(LOOK_BACK) if _has_changed_since(other, run)), None)
    if newer is not None:
        raise NotApproved(f"Run {run.id} is superseded: run {newer.id} has changed something since. {again}")


def _check_is_waiting(run: Run) -> None:
    if run.rejected:
        raise NotApproved(f"Run {run.id} was rejected by {run.rejected_by} on {run.rejected}.")
    if run.status is not Status.BLOCKED:
        raise NotApproved(
            f"Run {run.id} is {run.status.value}, not blocked: only a run that a guard has blocked waits for"
            f" anybody. `halo-adsync runs {run.customer}` lists them."
        )


def _has_changed_since(other: Run, run: Run) -> bool:
    """Tell whether another run wrote something after this one was planned."""
    if other.id == run.id or not other.settled:
        return False
    times = [datetime.fromisoformat(text) for text in (other.requested, other.approved) if text]
    return max(times) > datetime.fromisoformat(run.requested)
