"""Parking and pausing, as pure rules: when a record is tried again, and when a run has failed too often."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from halo_adsync.errors import TooManyFailures
from halo_adsync.model import CustomerId, Parked, RunId
from halo_adsync.pausing import check_failures, rest, resting_until
from halo_adsync.plan.parking import key_of, over, park, refused, waiting
from halo_adsync.plan.types import WRITES, Change, FieldChange, Kind, Record
from halo_adsync.state.runs import Run, Status, no_counts
from tests.support.plan import NOW

CHANGE = Change(
    Kind.UPDATE, "g", "CN=Zoë", "changed in the directory", "Zoë", fields={"title": FieldChange("", "Boss")}
)


def parked(times: int, change: Change = CHANGE) -> Parked:
    """Return what is kept of a record that was refused so many times in a row."""
    one = None
    for _ in range(times):
        one = refused(change, one, "no such title", NOW)
    assert one is not None
    return one


@pytest.mark.parametrize(("times", "hours"), [(1, 0), (2, 6), (3, 12), (4, 24), (5, 24), (50, 24)])
def test_each_refusal_makes_the_next_try_come_later(times: int, hours: int) -> None:
    """The next run, then 6, 12, 24 hours, then a day each."""
    one = parked(times)
    assert one.failures == times
    assert datetime.fromisoformat(one.until) == NOW + timedelta(hours=hours)
    assert waiting({one.key: one}, NOW + timedelta(hours=hours)) == {}
    assert bool(waiting({one.key: one}, NOW + timedelta(hours=hours, seconds=-1))) is (hours > 0)


def test_no_time_that_a_wrong_clock_wrote_is_waited_for() -> None:
    """Nothing waits longer than a day, neither a record nor a schedule."""
    one, run = parked(4), stopped(1, [])
    earlier = NOW - timedelta(days=3)
    assert waiting({one.key: one}, earlier) == {}
    assert resting_until([run], earlier) is None


def test_what_is_parked_is_held_with_halos_words() -> None:
    """And with nothing left in the line that applying would do."""
    change = replace(CHANGE, place="p", adopts=True)
    line = park(change, {key_of(change): parked(3, change)})
    assert (line.kind, line.is_work, line.place) == (Kind.HELD, False, "")
    assert "refused 3 times in a row" in line.reason
    assert "no such title; changed in the directory" in line.reason


@pytest.mark.parametrize(
    "other",
    [
        replace(CHANGE, fields={"title": FieldChange("", "Chief")}),
        replace(CHANGE, kind=Kind.REACTIVATE),
        replace(CHANGE, place="elsewhere"),
        replace(CHANGE, record=Record.AGENT),
        replace(CHANGE, guid="h"),
        replace(CHANGE, kind=Kind.SKIPPED),
    ],
)
def test_anything_else_is_tried(other: Change) -> None:
    """Another value, another deed, another place, another record: nobody has refused that yet."""
    one = parked(3)
    assert park(other, {one.key: one}) == other
    if other.kind in WRITES and key_of(other) == one.key:
        assert refused(other, one, "", NOW).failures == 1


def test_what_stands_in_halo_does_not_matter() -> None:
    """The same value over another one is the same try."""
    one = parked(3)
    other = replace(CHANGE, fields={"title": FieldChange("Clerk", "Boss")})
    assert park(other, {one.key: one}).kind is Kind.HELD


def test_long_words_are_cut() -> None:
    """A row holds no page of HTML."""
    assert len(refused(CHANGE, None, "x" * 10_000, NOW).said) == 500


def test_a_record_that_needs_nothing_is_over() -> None:
    """Whoever is written or held is not."""
    one = parked(1)
    assert list(over({one.key: one}, [])) == [one.key]
    assert list(over({one.key: one}, [replace(CHANGE, kind=Kind.SKIPPED)])) == [one.key]
    assert list(over({one.key: one}, [CHANGE])) == []
    assert list(over({one.key: one}, [replace(CHANGE, kind=Kind.HELD)])) == []


def run(*, total: int = 100, settled: int = 0, failed: int = 0, number: int = 1) -> Run:
    """Return a run of which so much is settled and has failed."""
    text = f"20260105T0900{number:02}Z-x"
    made = Run(
        RunId(text), CustomerId("c"), "full", "", "", False, Status.PARTIAL, NOW.isoformat(), digest="d"
    )
    return replace(made, total=total, settled=settled, counts={**no_counts(), "failed": failed})


@pytest.mark.parametrize(
    ("total", "settled", "failed", "stops"),
    [
        (1, 1, 1, False),
        (3, 3, 3, False),
        (4, 4, 4, True),
        (10, 10, 4, False),
        (10, 10, 5, True),
        (1000, 25, 20, False),
        (1000, 25, 21, True),
        (1000, 50, 20, False),
        (1000, 50, 21, True),
        (1000, 500, 200, False),
        (1000, 500, 201, True),
        (0, 0, 0, False),
    ],
)
def test_more_than_forty_per_cent_stops_a_run(total: int, settled: int, failed: int, stops: bool) -> None:
    """Of what was tried, never by three failures, and never by the luck of the first few."""
    one = run(total=total, settled=settled, failed=failed)
    if not stops:
        check_failures(one)
        return
    with pytest.raises(TooManyFailures, match=f"{failed} of {settled} changes failed"):
        check_failures(one)


def stopped(number: int, earlier: list[Run]) -> Run:
    """Return a run that was stopped after these."""
    one = run(number=number)
    strikes, until = rest(one, earlier, NOW)
    return replace(one, message="Stopped", strikes=strikes, paused_until=until)


def test_the_rest_grows_and_ends() -> None:
    """6, 12, 24, 24 hours, until a run goes well; a failed, blocked or dry one says nothing."""
    runs: list[Run] = []
    for number, hours in enumerate((6, 12, 24, 24), 1):
        runs.insert(0, stopped(number, runs))
        assert resting_until(runs, NOW) == NOW + timedelta(hours=hours)
        assert resting_until(runs, NOW + timedelta(hours=hours)) is None
    good = run(number=9)
    for beside in (
        replace(good, status=Status.FAILED, message="no"),
        replace(good, status=Status.BLOCKED),
        replace(good, status=Status.OK, dry_run=True),
        replace(good, status=Status.OK, person="g"),
        replace(good, message="Halo did not answer"),
    ):
        assert resting_until([beside, *runs], NOW) is not None
    for ends in (replace(good, status=Status.OK), good):
        assert resting_until([ends, *runs], NOW) is None
        assert rest(run(number=10), [ends, *runs], NOW)[0] == 1
    assert resting_until([], NOW) is None
