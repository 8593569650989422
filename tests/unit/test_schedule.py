"""The schedule: what is due when, across weeks of runs, time zones, clock changes and quiet hours."""

from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest

from devstack.memory import MemoryRequests, MemoryTable
from halo_adsync.customer import Customer
from halo_adsync.model import CustomerId, RunId
from halo_adsync.plan.mapping import Target
from halo_adsync.schedule import due, is_quiet, request_due
from halo_adsync.services import Services
from halo_adsync.state.runs import Run, Status
from halo_adsync.state.store import CUSTOMERS, Store
from tests.support.plan import customer
from tests.support.runs import at, never, run

EVERY_WAY = {"delta": "*/15 * * * *", "full": "0 2 * * *", "reconcile": "0 3 * * sun"}


def scheduled(**schedule: Any) -> Customer:
    """Return a customer with this schedule."""
    return customer(schedule=schedule)


@pytest.mark.parametrize(
    ("now", "mode"),
    [
        ("11-23T10:14:59", None),
        ("11-23T10:15:00", "delta"),
        ("11-23T14:00:00", "delta"),
        ("11-24T01:59:00", "delta"),
        ("11-24T02:00:00", "full"),
        ("11-29T02:59:00", "full"),
        ("11-29T03:00:00", "reconcile"),
        ("12-24T00:00:00", "reconcile"),
    ],
)
def test_the_heaviest_mode_that_is_due_is_asked_for(now: str, mode: str | None) -> None:
    """A missed tick does no harm: whatever came due since the last run is done by the heaviest run."""
    last = run("reconcile", "11-23T10:00:00")
    assert due(scheduled(**EVERY_WAY), [last], at(now)) == mode


def test_a_customer_that_never_ran_is_due_at_once() -> None:
    """The first run is the heaviest that the file has."""
    assert due(scheduled(**EVERY_WAY), [], at("11-23T10:07:00")) == "reconcile"
    assert due(scheduled(delta="0 0 1 1 *"), [], at("11-23T10:07:00")) == "delta"
    assert due(scheduled(), [], at("11-23T10:07:00")) is None


@pytest.mark.parametrize("kept", [50, 5])
def test_a_week_of_ticks_asks_for_each_mode_exactly_when_it_is_due(kept: int) -> None:
    """Only the latest runs are looked at, and the weekly one that has scrolled away is not done again."""
    who, runs, now = scheduled(**EVERY_WAY), [run("reconcile", "11-22T03:00:00")], at("11-22T03:01:00")
    while now < at("11-29T04:00:00"):
        mode = due(who, runs[:kept], now)
        if mode:
            runs.insert(0, run("full" if mode == "delta" else mode, now))
        now += timedelta(minutes=1)
    heavy = [found.requested[5:16] for found in runs if found.mode == "reconcile"]
    assert heavy == ["11-29T03:00", "11-22T03:00"]
    assert len(runs) == 1 + 7 * 24 * 4 + 3


@pytest.mark.parametrize(
    ("last", "mode"),
    [
        (run("full", "11-23T02:00:00", Status.FAILED), None),
        (run("full", "11-23T02:00:00", Status.BLOCKED), None),
        (run("full", "11-23T02:00:00", Status.SKIPPED), "full"),
        (run("full", "11-23T02:00:00", Status.PLANNED, dry_run=True), "full"),
        (run("full", "11-23T02:00:00", person="a-guid"), "full"),
        (run("delta", "11-23T02:00:00", reason="manual"), "full"),
        (run("full", "11-23T02:00:00", reason="manual"), None),
        (run("reconcile", "11-23T02:00:00", reason="manual"), None),
    ],
)
def test_what_counts_as_having_been_done(last: Run, mode: str | None) -> None:
    """A failed run is not tried again each minute; a skipped, dry or one-person run has done nothing."""
    before = run("full", "11-22T02:00:00")
    assert due(scheduled(full="0 2 * * *"), [last, before], at("11-23T08:00:00")) == mode


def test_a_run_of_a_clock_that_was_ahead_holds_nothing_up() -> None:
    """Else nobody would be synced until that time has come."""
    before, ahead = run("full", "11-22T02:00:00"), run("full", "11-26T02:00:00")
    assert due(scheduled(full="0 2 * * *"), [ahead, before], at("11-23T08:00:00")) == "full"
    assert due(scheduled(full="0 2 * * *"), [ahead], at("11-23T08:00:00")) == "full"


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING, Status.APPLYING])
def test_nothing_is_due_while_a_run_is_on_its_way(status: Status) -> None:
    """One run at a time, whoever asked for it."""
    going_on = run("full", "11-20T00:00:00", status, reason="manual")
    assert due(scheduled(**EVERY_WAY), [going_on], at("11-23T10:00:00")) is None


@pytest.mark.parametrize(
    ("zone", "now", "mode"),
    [
        ("Europe/London", "07-02T00:59:00", None),
        ("Europe/London", "07-02T01:00:00", "full"),
        ("Europe/London", "12-02T01:59:00", None),
        ("Europe/London", "12-02T02:00:00", "full"),
        ("Asia/Kolkata", "12-01T20:29:00", None),
        ("Asia/Kolkata", "12-01T20:30:00", "full"),
    ],
)
def test_times_are_the_customers(zone: str, now: str, mode: str | None) -> None:
    """Two in the morning is meant where the customer is, in summer and in winter."""
    who = scheduled(full="0 2 * * *", timezone=zone)
    assert due(who, [run("full", at(now) - timedelta(hours=20))], at(now)) == mode


def asked(who: Customer, begin: str, end: str) -> list[str]:
    """Return when (UTC) a tick each minute asks for a run, from the first to the last minute."""
    runs, now, times = [run("full", at(begin) - timedelta(minutes=1))], at(begin), []
    while now <= at(end):
        if due(who, runs, now):
            times.append(f"{now:%m-%dT%H:%M}")
            runs = [run("full", now)]
        now += timedelta(minutes=1)
    return times


def test_no_run_is_lost_or_doubled_when_the_clock_goes_forward() -> None:
    """In the night of 29 March 2026 London has no 01:30: the run comes at once after the gap, once."""
    who = scheduled(full="30 1 * * *", timezone="Europe/London")
    assert asked(who, "03-28T00:00:00", "03-30T12:00:00") == ["03-28T01:30", "03-29T01:00", "03-30T00:30"]


def test_no_run_is_lost_or_doubled_when_the_clock_goes_back() -> None:
    """In the night of 25 October 2026 London has 01:30 twice: a daily run comes once, quarters eight."""
    who = scheduled(full="30 1 * * *", timezone="Europe/London")
    assert asked(who, "10-24T00:00:00", "10-26T12:00:00") == ["10-24T00:30", "10-25T00:30", "10-26T01:30"]
    quarters = scheduled(full="*/15 * * * *", timezone="Europe/London")
    expected = [f"10-25T{hour:02}:{minute:02}" for hour in (0, 1) for minute in (0, 15, 30, 45)]
    assert asked(quarters, "10-25T00:00:00", "10-25T01:59:00") == expected


@pytest.mark.parametrize(
    ("span", "when", "quiet"),
    [
        ("mon-fri 09:00-11:00", "11-23T09:00:00", True),
        ("mon-fri 09:00-11:00", "11-23T10:59:59", True),
        ("mon-fri 09:00-11:00", "11-23T11:00:00", False),
        ("mon-fri 09:00-11:00", "11-23T08:59:59", False),
        ("mon-fri 09:00-11:00", "11-28T10:00:00", False),
        ("sat 09:00-11:00", "11-28T10:00:00", True),
        ("fri-mon 09:00-11:00", "11-28T10:00:00", True),
        ("fri-mon 09:00-11:00", "11-24T10:00:00", False),
        ("22:00-06:00", "11-23T23:00:00", True),
        ("22:00-06:00", "11-23T05:59:00", True),
        ("22:00-06:00", "11-23T06:00:00", False),
        ("fri 22:00-06:00", "11-27T22:00:00", True),
        ("fri 22:00-06:00", "11-28T05:00:00", True),
        ("fri 22:00-06:00", "11-27T05:00:00", False),
        ("sun 22:00-06:00", "11-23T05:00:00", True),
        ("09:00-09:00", "11-23T09:00:00", False),
    ],
)
def test_quiet_hours(span: str, when: str, *, quiet: bool) -> None:
    """The end is not part of a span, days may wrap, and a night belongs to the day it begins on."""
    assert is_quiet([span], at(when)) == quiet


def test_what_quiet_hours_held_back_comes_right_after_them() -> None:
    """Quiet hours are the customer's own time, and put off what fell into them."""
    who = scheduled(full="0 9 * * *", timezone="Europe/London", quiet=["mon-fri 09:00-11:00"])
    assert asked(who, "07-01T07:00:00", "07-01T12:00:00") == ["07-01T10:00"]


def test_a_tick_asks_for_everybody_who_is_due_and_nobody_else() -> None:
    """Disabled, unscheduled and recently run customers are left; an invalid one stops nobody."""
    now = at("11-23T10:00:00")
    table, requests = MemoryTable(), MemoryRequests()
    store = Store(table, lambda: now)
    customers: dict[str, dict[str, Any]] = {
        "due": {"schedule": EVERY_WAY},
        "disabled": {"schedule": EVERY_WAY, "enabled": False},
        "manual": {},
        "done": {"schedule": EVERY_WAY},
        "invalid": {"schedule": EVERY_WAY},
    }
    for name, blocks in customers.items():
        store.put_customer(customer(id=name, **blocks))
    done = replace(run("reconcile", "11-23T10:00:00"), customer=CustomerId("done"))
    store.of(CustomerId("done")).add_run(done)
    row = table.rows[CUSTOMERS, "invalid"]
    table.rows[CUSTOMERS, "invalid"] = replace(row, values={"data": '{"id": "invalid"}'})
    services = Services(lambda _: store, requests, never, never, never, never, lambda: now, Target())
    assert [(request.customer, request.mode) for request in request_due(services)] == [("due", "reconcile")]
    assert [(sent.customer, sent.reason) for sent, _ in requests.sent] == [("due", "schedule")]
    assert list(request_due(services)) == [], "its run is on its way"
    assert isinstance(requests.sent[0][0].run, str)
    assert RunId(requests.sent[0][0].run).startswith(f"{now.astimezone(UTC):%Y%m%d}")
