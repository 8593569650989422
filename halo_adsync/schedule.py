"""Schedule: who is due. Worked out anew at every tick from the last runs, so a missed tick does no harm.

Reading the runs of every customer each minute would be dear. So the timer remembers when each mode's work
was last asked for (`state/agenda.py`), and reads the runs only of those who may be due by that.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

from cronsim import CronSim

from halo_adsync.customer import Customer, Schedule
from halo_adsync.customers import valid
from halo_adsync.errors import HaloAdSyncError, StateUnavailable
from halo_adsync.model import Meter
from halo_adsync.pausing import LOOK_BACK, resting_until
from halo_adsync.services import Services
from halo_adsync.state.agenda import NOTHING_SEEN, Agenda, Seen
from halo_adsync.state.customer_state import CustomerState
from halo_adsync.state.queue import Request
from halo_adsync.state.runs import Run, Status
from halo_adsync.sync import Sync

WEIGHT = ("reconcile", "full", "delta")
"""Heaviest first: a heavier run does the lighter one's work as well."""
REASON = "schedule"
"""Why a run was requested that the schedule asked for."""
RELIED_UPON = timedelta(minutes=5)
"""How long it is relied upon that a schedule rests, before the runs are read again."""
APART_SECONDS = 1.0
"""How far apart the runs of two customers begin on average that are due at the same tick."""
SPREAD_SECONDS = 240.0
"""The longest that a run is put off for that: less than most schedules' shortest interval."""
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_log = logging.getLogger(__name__)


def request_due(services: Services) -> Iterator[Request]:
    """Request a run for every enabled customer that is due and has none going on.

    A customer whose kept file is not valid, or whose runs cannot be read, is left out and logged; it stops
    nobody else.

    Raises:
        StateUnavailable: storage does not answer; the next tick asks for what this one left.
    """
    store = services.store(Meter())
    agenda = Agenda(store.table)
    remembered = agenda.seen()
    for customer in valid(store, "A customer is not synced by schedule"):
        seen = remembered.get(customer.key, NOTHING_SEEN)
        if not customer.enabled or not may_be_due(customer, seen, services.now()):
            continue
        try:
            mode = _look(services, store.of(customer.key), customer, agenda, seen)
            if mode:
                delay = _delay(customer, len(remembered), services.now())
                yield Sync(services).request(customer.id, mode, REASON, "timer", delay=delay)
        except StateUnavailable:
            raise
        except HaloAdSyncError as error:
            _log.error("Customer %s is not synced by schedule: %s", customer.key, error)


def turn(customer: str, customers: int) -> float:
    """Return how many seconds after a tick a customer's run may begin: always the same share of the spread.

    Schedules mean the same minutes nearly everywhere, and Halo's budget lasts for few runs at a time.

    Args:
        customer: whose run.
        customers: how many have a schedule; few are not spread far.
    """
    share = int.from_bytes(sha256(customer.encode()).digest()[:4]) / 2**32
    return share * min(customers * APART_SECONDS, SPREAD_SECONDS)


def _delay(customer: Customer, customers: int, now: datetime) -> float:
    """Return how long a run is put off; not at all where it would begin in quiet hours then."""
    delay = turn(customer.key, customers)
    local = (now + timedelta(seconds=delay)).astimezone(ZoneInfo(customer.schedule.timezone))
    return 0 if is_quiet(customer.schedule.quiet, local) else delay


def _look(
    services: Services, state: CustomerState, customer: Customer, agenda: Agenda, seen: Seen
) -> str | None:
    """Return the mode that is due by the customer's runs; where none is, remember why."""
    now = services.now()
    runs = [run for run in state.runs(LOOK_BACK) if not run.status.is_open or state.is_going_on(run)]
    mode = due(customer, runs, now)
    if mode is None and not any(run.status.is_open for run in runs):
        rests = resting_until(runs, now)
        until = min(rests, now + RELIED_UPON) if rests else None
        in_step = last_good(runs) or seen.in_step
        agenda.keep(customer.key, Seen(_asked(runs, now), until, in_step, seen.etag))
    return mode


def last_good(runs: Iterable[Run]) -> datetime | None:
    """Return when the last run was asked for that brought everybody in step, of runs from the newest on."""
    good = (run.requested for run in runs if run.got_through)
    return next((datetime.fromisoformat(when).astimezone(UTC) for when in good), None)


def due(customer: Customer, runs: Sequence[Run], now: datetime) -> str | None:
    """Return the mode that is due at `now` (UTC), the heaviest if several are; None if none is.

    A mode is due when its cron expression has fired, in the customer's time zone, since it was last seen to.
    A customer that never ran is due at once.

    Args:
        customer: whose schedule.
        runs: the latest runs; older ones may be missing.
        now: the time.
    """
    if any(run.status.is_open for run in runs) or resting_until(runs, now):
        return None
    return _due(customer.schedule, _asked(runs, now), now)


def may_be_due(customer: Customer, seen: Seen, now: datetime) -> bool:
    """Tell whether it is worth while to read a customer's runs; most of the time it is not.

    Args:
        customer: whose schedule.
        seen: what its runs told when they were read last.
        now: the time (UTC).
    """
    if seen.rests and now < seen.rests <= now + RELIED_UPON:  # later, a clock was wrong
        return False
    return _due(customer.schedule, seen.asked, now) is not None


def _due(schedule: Schedule, asked: Mapping[str, datetime], now: datetime) -> str | None:
    """Return the heaviest mode that has come due since it was last asked for."""
    zone = ZoneInfo(schedule.timezone)
    if is_quiet(schedule.quiet, now.astimezone(zone)):
        return None
    for mode in WEIGHT:
        expression, last = getattr(schedule, mode), asked.get(mode)
        if expression is None:
            continue
        if last is None or last > now:  # a clock was wrong
            return mode
        # In UTC: two times in the same zone are compared by their clocks, which autumn turns back.
        if next(CronSim(expression, last.astimezone(zone))).astimezone(UTC) <= now:
            return mode
    return None


def _asked(runs: Sequence[Run], now: datetime) -> dict[str, datetime]:
    """Return when the work of each mode was last asked for; a time that has not come was a wrong clock's."""
    asked: dict[str, datetime] = {}
    for mode in WEIGHT:
        times = (datetime.fromisoformat(run.requested) for run in runs if _saw_to(run, mode))
        if past := [when for when in times if when <= now]:
            asked[mode] = max(past)
    return asked


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
