"""The life of a run, on one page: request, plan, guard, store, apply, finish; and what happens when it dies.

A run is a row in the customer's state. `request` writes it and puts a message on the queue; `run` takes the
customer's lease and works on it for one slice. Whatever happens to the worker, the rows say how to go on:

- before the plan is stored, nothing was written to Halo: the next slice begins again;
- after that, the next slice goes on with the first line that is not settled. Was the last slice not orderly,
  its batch may have reached Halo, and is looked up there before anything is created.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import Any

from halo_adsync.applying import Applier
from halo_adsync.errors import (
    BudgetSpent,
    Busy,
    ConfigurationError,
    HaloAdSyncError,
    LeaseLost,
    StateUnavailable,
    TooManyFailures,
)
from halo_adsync.following import are_parked
from halo_adsync.halo.port import Halo
from halo_adsync.model import Cursor, Meter, ObjectGuid
from halo_adsync.notifying import Notifier
from halo_adsync.pausing import LOOK_BACK, rest
from halo_adsync.plan.guard import judge, safe_lines
from halo_adsync.plan.select import only
from halo_adsync.planning import Planner
from halo_adsync.services import Services
from halo_adsync.slices import Slice
from halo_adsync.state.customer_state import CustomerState
from halo_adsync.state.knowledge import Known
from halo_adsync.state.lease import SECONDS as LEASE_SECONDS
from halo_adsync.state.lines import with_failed
from halo_adsync.state.queue import Request, queued, request_for
from halo_adsync.state.runs import Run, Status, new_run_id
from halo_adsync.telemetry import ended, phase

_log = logging.getLogger(__name__)
NOTHING: Mapping[str, Any] = {}
SLICE_SECONDS = 480.0
"""How long a slice on the queue goes on taking new batches: far below the host's time limit."""


class Sync:
    """The use cases."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def new_run(
        self, customer: str, mode: str, reason: str, actor: str, *, dry_run: bool = False, person: str = ""
    ) -> Request:
        """Record a run to be done, for one person (by GUID) or for everybody.

        Raises:
            ConfigurationError: there is no such customer.
        """
        store, now = self._services.store(Meter()), self._services.now()
        found = store.customer(customer)
        request = Request(found.key, new_run_id(now), mode, reason, actor, dry_run, person)
        store.of(found.key).add_run(queued(request, now))
        return request

    def request(
        self,
        customer: str,
        mode: str,
        reason: str,
        actor: str,
        *,
        dry_run: bool = False,
        person: str = "",
        delay: float = 0,
    ) -> Request:
        """Record a run and put it on the queue, for a worker to take after `delay` seconds."""
        request = self.new_run(customer, mode, reason, actor, dry_run=dry_run, person=person)
        try:
            self._services.requests.send(request, delay)
        except StateUnavailable as error:
            self._settle_unsent(request, error)
            raise
        return request

    def _settle_unsent(self, request: Request, error: StateUnavailable) -> None:
        state = self._services.store(Meter()).of(request.customer)
        run = replace(state.run(request.run), status=Status.FAILED, message=str(error), cause=_cause(error))
        state.skip_run(replace(run, finished=self._services.now().isoformat()))

    def run(self, request: Request, *, slice_seconds: float = float("inf")) -> Run:
        """Work on a run for one slice, and return it as it is then.

        Safe to call any number of times for the same request, as a queue that delivers at least once does.
        A run that is not finished when the slice is over has put itself on the queue again.

        Raises:
            Busy: an earlier slice of this same run still holds the lease, or died less than 80 seconds ago.
            ConfigurationError: there is no such customer.
        """
        meter = Meter()
        store = self._services.store(meter)
        customer = store.customer(request.customer)
        state = store.of(customer.key)
        try:
            lease = state.lease(request.run)
        except Busy as busy:
            return self._skip(self._recorded(request, state), state, busy)
        part = Slice(customer, state, lease, meter, monotonic() + slice_seconds)
        with self._services.telemetry.slice(customer.key, request.run, meter):
            return self._worked_on(request, part)

    def _worked_on(self, request: Request, part: Slice) -> Run:
        state, lease = part.state, part.lease
        try:
            run = self._recorded(request, state)  # as it is now that nobody else can go on with it
            if not run.status.is_open:
                lease.release()
                return run
            part.in_doubt = run.status is Status.APPLYING and not run.orderly
            return self._slice(run, part)
        except LeaseLost:
            return state.run(run.id)
        except BudgetSpent as spent:  # the batch under way is in doubt: its run stays marked as not orderly
            wait = (spent.until - self._services.now()).total_seconds()
            return self._hand_over(state.run(run.id), part, max(wait, 1.0))
        except Exception:
            with suppress(StateUnavailable):
                lease.hand_over()  # whoever tries this run again may do so at once
            raise

    def _recorded(self, request: Request, state: CustomerState) -> Run:
        """Return the run that is asked for; one that is not recorded is somebody else's message."""
        run = state.find_run(request.run)
        if run is None:
            run = queued(request, self._services.now())
            state.add_run(run)
        return run

    def fail(self, request: Request, message: str) -> Run | None:
        """Settle a run whose message could not be worked on: the queue gave up on it."""
        meter = Meter()
        store = self._services.store(meter)
        state = store.of(request.customer)
        run = state.find_run(request.run)
        if run is None or not run.status.is_open:
            return run
        lease = state.lease(run.id)
        run = state.run(run.id)
        if run.status.is_open:
            run = state.give_up(run, message, lease)
            with self._services.telemetry.slice(run.customer, run.id, meter):
                ended(run.mode, run.status, run.counts)
            with suppress(ConfigurationError):  # without a file that can be read there is nobody to tell
                Notifier(self._services, store.customer(request.customer), run, state, lease).tell()
        lease.release()
        return run

    def _slice(self, run: Run, part: Slice) -> Run:
        try:
            known = part.state.known()
            part.troubles = known.troubles
            part.check_instance(known)
            with self._services.open_halo(part.customer, part.meter, part.lease.pulse) as halo:
                if run.status is not Status.APPLYING:
                    run = self._plan(run, part, known, halo)
                if run.status is Status.APPLYING:
                    run = self._apply(run, part, halo)
        except (LeaseLost, BudgetSpent):
            raise
        except HaloAdSyncError as error:
            return self._broken(part.state.run(run.id), part, error)
        except KeyboardInterrupt:
            stopped = HaloAdSyncError("The run was interrupted; the next one goes on from what is done.")
            return self._broken(part.state.run(run.id), part, stopped)
        if run.status is not Status.APPLYING:
            return self._finish(run, part)
        if run.settled < run.allowed:
            return self._hand_over(run, part, 0)
        if run.settled < run.total:
            return self._finish(replace(run, status=Status.BLOCKED), part)
        return self._got_through(run, part)

    def _got_through(self, run: Run, part: Slice) -> Run:
        """Finish a run whose plan is settled, and keep what the next one goes on from."""
        failed = run.counts["failed"] or run.agents["failed"] or run.others_failed
        cursors = run.cursors if not failed or are_parked(run, part.state) else {}
        run = replace(run, status=Status.PARTIAL if failed else Status.OK)
        return self._finish(run, part, read=run.read, cursors=cursors)

    def _plan(self, run: Run, part: Slice, known: Known, halo: Halo) -> Run:
        """Read, plan, guard and store; the run is then `planned`, `blocked` or `applying`."""
        whole = not run.person
        mode = run.mode if whole or run.mode == "reconcile" else "full"
        run = replace(run, mode=mode, status=Status.RUNNING, batch_size=part.customer.halo.batch_size)
        part.state.save_run(run, part.lease)
        planner = Planner(self._services, part.customer, mode, part.meter, part.lease.pulse)
        retry = not (whole or run.dry_run)  # who asks for one person has mended something
        planned = planner.plan(part.state, known, halo, run.id, counts=whole, retry=retry)
        plan = planned.plan if whole else only(planned.plan, ObjectGuid(run.person))
        violations = judge(part.customer, plan, planned.ground)
        allowed = safe_lines(part.customer, plan, planned.ground)
        status = Status.BLOCKED if violations and not allowed else Status.APPLYING
        run = replace(run, status=Status.PLANNED if run.dry_run else status)
        shown = planned.ground.read if whole and planned.ground.read != planned.ground.before else {}
        run = replace(run, mode=plan.mode, allowed=allowed, read=shown, cursors=planned.cursors)
        if whole and not violations and not run.dry_run:
            part.state.keep_leavers(planned.leavers, planned.leavers_before, part.lease)
            part.state.unpark(planned.over, part.lease)
            part.state.keep_fingerprints(plan.fingerprints, planned.fingerprints_before, part.lease)
        learnt, footing = (planned.places, planned.anchors), planned.footing
        with phase("store"):
            return part.state.save_plan(run, plan, violations, *learnt, lease=part.lease, footing=footing)

    @phase("apply")
    def _apply(self, run: Run, part: Slice, halo: Halo) -> Run:
        """Settle what is left of the plan, as far as this slice gets."""
        if run.settled >= run.allowed:
            return run
        run = replace(run, orderly=False)
        part.state.save_run(run, part.lease)

        def go_on(now: Run) -> bool:
            self._services.progress("Writing to Halo", now.settled, now.total)
            return monotonic() < part.ends

        applier = Applier(part.state, halo, part.lease, part.customer, self._services.now)
        run = applier.apply(run, go_on, in_doubt=part.in_doubt)
        return replace(run, orderly=True)

    def _skip(self, run: Run, state: CustomerState, busy: Busy) -> Run:
        """Record that another run was going on; an earlier slice of this run is no other run."""
        if not run.status.is_open:
            return run
        if run.status is not Status.QUEUED or busy.holder == run.id:
            raise busy
        now = self._services.now().isoformat()
        state.skip_run(replace(run, status=Status.SKIPPED, message=str(busy), finished=now))
        return state.run(run.id)  # another worker may have taken it up, and done it

    def _hand_over(self, run: Run, part: Slice, delay: float) -> Run:
        """End this slice and ask for the next one."""
        run = replace(run, cost=part.cost(run))
        part.state.save_run(run, part.lease)
        part.lease.hand_over()
        self._services.requests.send(request_for(run), min(delay, LEASE_SECONDS / 2))
        return run

    def _broken(self, run: Run, part: Slice, error: HaloAdSyncError) -> Run:
        """Finish a run that cannot go on: `failed` where nothing was changed, else `partial`."""
        touched = part.meter.halo_writes > 0 or run.cost["halo_writes"] > 0 or run.settled or part.in_doubt
        status = Status.PARTIAL if touched else Status.FAILED
        run = replace(with_failed(run, part.state.lines(run, run.settled)), status=status)
        run = replace(run, message=str(error), cause=_cause(error))
        if isinstance(error, TooManyFailures):
            strikes, until = rest(run, part.state.runs(LOOK_BACK), self._services.now())
            run = replace(run, strikes=strikes, paused_until=until)
            part.state.unpark(part.state.parked(), part.lease)  # the fault lies elsewhere
            _log.error("The schedule of customer %s rests until %s: %s", run.customer, until, error)
        return self._finish(run, part)

    @phase("finish")
    def _finish(
        self,
        run: Run,
        part: Slice,
        *,
        read: Mapping[str, int] = NOTHING,
        cursors: Mapping[str, Cursor] = NOTHING,
    ) -> Run:
        finished = "" if run.status is Status.BLOCKED else self._services.now().isoformat()
        run = replace(run, finished=finished, orderly=True)
        Notifier(self._services, part.customer, run, part.state, part.lease).tell(part.troubles)
        run = replace(run, cost=part.cost(run, to_come=1))
        part.state.end_run(run, part.lease, read=read, cursors=cursors)
        ended(run.mode, run.status, run.counts)
        return run


def _cause(error: HaloAdSyncError) -> str:
    return "configuration" if isinstance(error, ConfigurationError) else type(error).__name__
