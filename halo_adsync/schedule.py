"""Schedule: who is due. Worked out anew at every tick from the last runs, so a missed tick does no harm."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from cronsim import CronSim

from halo_adsync.customer import Customer, Schedule
from halo_adsync.customers import valid
from halo_adsync.model import Meter
from halo_adsync.pausing import LOOK_BACK, resting_until
from halo_adsync.services import Services
from halo_adsync.state.queue import Request
from halo_adsync.state.runs import Run, Status
from halo_adsync.sync import Sync

WEIGHT = ("reconcile", "full", "delta")
"""Heaviest first: a heavier run does the lighter one's work as well."""
REASON = "schedule"
"""Why a run was requested that the schedule asked for."""
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def request_due(services: Services) -> Iterator[Request]:
    """Request a run for every enabled customer that is due and has none going on.

    A customer whose kept file is not valid is left out and logged; it stops nobody else.
    """
    store = services.store(Meter())
    for customer in valid(store, "A customer is not synced by schedule"):
        if not customer.enabled or not has_any(customer.schedule):
            continue
        state = store.of(customer.key)
        runs = [run for run in state.runs(LOOK_BACK) if not run.status.is_open or state.is_going_on(run)]
        mode = due(customer, runs, services.now())
        if mode:
            yield Sync(services).request(customer.id, mode, REASON, "timer")


def due(customer: Customer, runs: Sequence[Run], now: datetime) -> str | None:
    """Return the mode that is due at `now` (UTC), the heaviest if several are; None if none is.

    A mode is due when its cron expression has fired, in the customer's time zone, since it was last seen to.
    A customer that never ran is due at once.

    Args:
        customer: whose schedule.
        runs: the latest runs; older ones may be missing.
        now: the time.
    """
    schedule = customer.schedule
    zone = ZoneInfo(schedule.timezone)
    if any(run.status.is_open for run in runs) or is_quiet(schedule.quiet, now.astimezone(zone)):
        return None
    if resting_until(runs, now):
        return None
    for mode in WEIGHT:
        expression = getattr(schedule, mode)
        if expression is None:
            continue
        asked = (datetime.fromisoformat(run.requested) for run in runs if _saw_to(run, mode))
        seen = [when for when in asked if when <= now]  # else a clock was wrong
        # In UTC: two times in the same zone are compared by their clocks, which autumn turns back.
        if not seen or next(CronSim(expression, max(seen).astimezone(zone))).astimezone(UTC) <= now:
            return mode
    return None


def _saw_to(run: Run, mode: str) -> bool:
    """Tell whether nothing of this mode was left to do when the run was requested.

    Either the run does this work itself; a failed one does not come again before the next time. Or the
    schedule asked for lighter work then, which it does only where nothing heavier is due.
    """
    if run.dry_run or run.person:
        return False
    if WEIGHT.index(run.mode) <= WEIGHT.index(mode):
        return run.status is not Status.SKIPPED
    return run.reason == REASON


def is_quiet(spans: Sequence[str], local: datetime) -> bool:
    """Tell whether a local time lies in one of the spans, such as `mon-fri 09:00-11:00` or `22:00-06:00`."""
    return any(_lies_in(span, local) for span in spans)


def _lies_in(span: str, local: datetime) -> bool:
    days, _, hours = span.rpartition(" ")
    begin, end = (time.fromisoformat(text) for text in hours.split("-"))
    today, yesterday = local.weekday(), (local.weekday() - 1) % 7
    now = local.time()
    if begin <= end:
        return begin <= now < end and _is_day(days, today)
    return (now >= begin and _is_day(days, today)) or (now < end and _is_day(days, yesterday))


def _is_day(days: str, day: int) -> bool:
    if not days:
        return True
    first, _, last = days.partition("-")
    begin, end = _DAYS.index(first), _DAYS.index(last or first)
    return begin <= day <= end if begin <= end else day >= begin or day <= end


def has_any(schedule: Schedule) -> bool:
    """Tell whether the schedule asks for anything at all."""
    return any(getattr(schedule, mode) for mode in WEIGHT)
