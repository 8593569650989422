"""Unit: the request budget, and the waits of the transport."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from halo_adsync.errors import BudgetSpent
from halo_adsync.halo.budget import (
    ASK_AGAIN_SECONDS,
    MANY,
    Budget,
    Granted,
    LedgerState,
    Limit,
    MemoryLedger,
    block,
    give_back,
    grant,
)
from halo_adsync.halo.transport import wait_seconds

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@dataclass
class Time:
    """A clock that moves only when somebody sleeps."""

    now: datetime = NOON
    slept: list[float] = field(default_factory=list)

    def clock(self) -> datetime:
        """Tell the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


def budget(time: Time, ledger: MemoryLedger | None, patience: float = 400, grant_size: int = 10) -> Budget:
    """Return one run's budget."""
    return Budget(ledger, time.clock, time.sleep, patience, grant_size)


def test_a_spent_window_says_when_to_come_back() -> None:
    """When nothing is left, the wait ends as the oldest grant leaves the window."""
    state, granted, wait = grant(LedgerState(), 100, 3, Limit(5, 60))
    assert (granted, wait) == (3, None)
    state, granted, _ = grant(state, 110, 3, Limit(5, 60))
    assert granted == 2
    state, granted, wait = grant(state, 120, 3, Limit(5, 60))
    assert (granted, wait) == (0, 160)
    assert grant(state, 160, 3, Limit(5, 60))[1] == 3


def test_a_block_stops_everybody_until_it_ends() -> None:
    """During a block nothing is granted; a shorter block does not end a longer one."""
    state = block(block(LedgerState(), 200.5), 150)
    assert grant(state, 150, 1, Limit(5, 60))[1:] == (0, 201)
    assert grant(state, 201, 1, Limit(5, 60))[1:] == (1, None)


def test_what_is_given_back_can_be_granted_again() -> None:
    """Unspent requests leave the window at once; those of a window long past change nothing."""
    state, _, _ = grant(LedgerState(), 100.2, 5, Limit(5, 60))
    state = give_back(state, 100.2, 3)
    assert state.grants == ((101, 2),)
    assert give_back(state, 42, 3) == state
    assert grant(state, 110, 5, Limit(5, 60))[1] == 3


def test_a_limit_of_none_grants_none() -> None:
    """A budget of 0 requests means that none may go out."""
    assert grant(LedgerState(), 100, 1, Limit(0, 60))[1:] == (0, 160)


def test_the_last_fifth_is_for_those_that_want_few() -> None:
    """A run that has had many waits until more than a fifth is free; any other gets what there is."""
    limit = Limit(10, 60)
    state, granted, _ = grant(LedgerState(), 100, 5, limit, many=True)
    assert granted == 5
    state, granted, _ = grant(state, 110, 5, limit, many=True)
    assert granted == 3
    assert grant(state, 120, 5, limit, many=True)[1:] == (0, 160)
    state, granted, _ = grant(state, 120, 5, limit)
    assert granted == 2
    assert grant(state, 130, 5, limit, many=True)[1:] == (0, 160)
    assert grant(state, 160, 5, limit, many=True)[1:] == (3, None)


def test_a_run_of_many_waits_until_enough_has_left_the_window() -> None:
    """The oldest grant alone may not be enough, where others have used the part that is theirs."""
    state = LedgerState(((100, 1), (110, 1), (120, 8)))
    assert grant(state, 130, 5, Limit(10, 60), many=True)[1:] == (0, 180)
    assert grant(state, 130, 5, Limit(10, 60))[1:] == (0, 160)


class Noting(MemoryLedger):
    """A ledger that notes what is asked of it."""

    def __init__(self, limit: Limit) -> None:
        super().__init__(limit)
        self.asked: list[tuple[int, bool]] = []

    def take(self, want: int, now: datetime, *, many: bool = False) -> Granted:
        """Note it, and take."""
        self.asked.append((want, many))
        return super().take(want, now, many=many)


def test_a_run_asks_for_few_at_first_and_says_when_it_has_had_many() -> None:
    """Most runs need no more than four; a long one takes tens, so that it seldom has to ask."""
    ledger = Noting(Limit(1000, 60))
    share = budget(Time(), ledger)
    for _ in range(MANY + 15):
        share.spend()
    assert ledger.asked == [(4, False), *[(10, False)] * 5, *[(10, True)] * 2]


def test_a_wait_ends_when_somebody_gives_back_what_they_did_not_need() -> None:
    """The ledger names the time at which there is room for certain; the run asks again before that."""
    time, ledger = Time(), MemoryLedger(Limit(10, 300))
    ledger.take(10, NOON)
    share = budget(time, ledger)

    def pulse() -> None:
        if time.now == NOON + timedelta(seconds=5):
            ledger.give_back(7, NOON)

    share.spend(pulse)
    assert time.now == NOON + timedelta(seconds=ASK_AGAIN_SECONDS)


def test_a_run_waits_in_steps_and_keeps_its_lease() -> None:
    """Waiting for the window beats the pulse at least every five seconds."""
    time, beats = Time(), []
    share = budget(time, MemoryLedger(Limit(2, 60)))
    for _ in range(3):
        share.spend(lambda: beats.append(time.now))
    assert time.now == NOON + timedelta(seconds=60)
    assert len(beats) == 12
    assert max(time.slept) <= 5


def test_a_wait_beyond_patience_ends_the_run() -> None:
    """A run that would have to wait too long says until when, without sleeping."""
    time = Time()
    share = budget(time, MemoryLedger(Limit(1, 60)), patience=30)
    share.spend()
    with pytest.raises(BudgetSpent) as caught:
        share.spend()
    assert caught.value.until == NOON + timedelta(seconds=60)
    assert time.slept == []


def test_closing_gives_the_rest_back() -> None:
    """Of a grant of ten with one spent, nine go back; closing again gives nothing more."""
    time, ledger = Time(), MemoryLedger(Limit(10, 60))
    share = budget(time, ledger)
    share.spend()
    share.close()
    share.close()
    assert ledger.take(10, time.now).count == 9


def test_without_a_ledger_only_a_block_holds_a_run() -> None:
    """A budget that is switched off never waits, but for a 429."""
    time = Time()
    share = budget(time, None)
    for _ in range(1000):
        share.spend()
    assert time.slept == []
    share.blocked(NOON + timedelta(seconds=7))
    share.spend()
    assert time.slept == [5, 2]


def test_a_block_holds_the_requests_already_granted_too() -> None:
    """A 429 stops a run that still has grants in hand, and every other run on the ledger."""
    time, ledger = Time(), MemoryLedger(Limit())
    share = budget(time, ledger)
    share.spend()
    share.blocked(NOON + timedelta(seconds=9))
    assert ledger.take(1, time.now).wait_until == NOON + timedelta(seconds=9)
    share.spend()
    assert time.now == NOON + timedelta(seconds=9)


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [
        ("17", 17, 17),
        ("Mon, 05 Jan 2026 12:00:30 GMT", 30, 30),
        ("Mon, 05 Jan 2026 11:00:00 GMT", 0, 0),
        ("soon", 5, 10),
        ("-3", 5, 10),
        (None, 5, 10),
    ],
)
def test_retry_after_is_honoured(retry_after: str | None, least: float, most: float) -> None:
    """Seconds and dates are obeyed; anything else counts as silence."""
    assert least <= wait_seconds(retry_after, NOON, 0) <= most


@pytest.mark.parametrize(("refusals", "least", "most"), [(1, 10, 20), (2, 20, 40), (3, 30, 60), (40, 30, 60)])
def test_waits_grow_to_a_minute(refusals: int, least: float, most: float) -> None:
    """Each 429 in a row doubles the wait, up to sixty seconds."""
    assert least <= wait_seconds(None, NOON, refusals) <= most
