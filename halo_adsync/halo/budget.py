"""Halo's request budget: how many requests may go out in a rolling window, and how a run waits for its turn.

Halo allows 300 requests in any five minutes and instance, and answers 429 beyond that. All customers on one
instance share one ledger of grants. A run takes small grants from it and spends them one request at a time.

The arithmetic (`grant`, `give_back`, `block`) is pure: any store can keep a `LedgerState` under an ETag.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Protocol

from halo_adsync.errors import BudgetSpent
from halo_adsync.telemetry import phase, waited

GRANT_SIZE = 10
"""Requests taken from the ledger at once. A run can be late by at most so many requests, for it may spend
a grant long after taking it: leave that much room, for each run at a time, below what Halo really allows."""
FIRST_GRANT = 4
"""Requests taken at first: enough for a run that finds a few changes, and most do not find more."""
MANY = 50
"""A run that has sent so many leaves room for those that want few."""
SHARE_LEFT = 5
"""Of the budget it leaves one part in so many."""
ASK_AGAIN_SECONDS = 15.0
"""How long to wait at most before asking again: others give back what they took and did not need."""
STEP_SECONDS = 5.0
"""The longest sleep between two pulses: much shorter than a lease."""
_SHORTEST_SLEEP = 0.05

type Pulse = Callable[[], None]
"""Called while waiting and before each request; renews the run's lease, and may raise to stop the run."""


def no_pulse() -> None:
    """Do nothing: for callers that hold no lease."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `requests` in any window of `seconds`."""

    requests: int = 250
    seconds: int = 300


@dataclass(frozen=True, slots=True)
class LedgerState:
    """The grants of one Halo instance that still count."""

    grants: tuple[tuple[int, int], ...] = ()
    """(unix seconds, requests), oldest first, one entry a second."""
    blocked_until: int = 0
    """Unix seconds until which Halo takes no request at all, as it said with a 429; 0 when it did not."""


@dataclass(frozen=True, slots=True)
class Granted:
    """`count` requests may go out now; when that is none, ask again at `wait_until`."""

    count: int
    wait_until: datetime | None = None


def grant(
    state: LedgerState, now: float, want: int, limit: Limit, *, many: bool = False
) -> tuple[LedgerState, int, int | None]:
    """Grant up to `want` requests at `now` (unix seconds).

    Args:
        state: the grants so far.
        now: the time.
        want: how many are wanted.
        limit: how many there are.
        many: whether the run has had many already; the last of the budget is not for it.

    Returns:
        The new state, the number granted, and, when that is 0, the unix second at which to ask again.
    """
    current = replace(state, grants=tuple(g for g in state.grants if now < g[0] + limit.seconds))
    if now < state.blocked_until:
        return current, 0, state.blocked_until
    allowed = limit.requests - (limit.requests // SHARE_LEFT if many else 0)
    free = allowed - sum(count for _, count in current.grants)
    granted = min(want, free)
    if granted <= 0:
        return current, 0, _first_free(current, free, ceil(now)) + limit.seconds
    # Rounded up, so that a grant never leaves the window before the requests made with it do.
    by_second = dict(current.grants)
    by_second[ceil(now)] = by_second.get(ceil(now), 0) + granted
    return replace(current, grants=tuple(sorted(by_second.items()))), granted, None


def _first_free(state: LedgerState, free: int, now: int) -> int:
    """Return when the grant was made with whose end there is a request again; `free` is 0 or less."""
    for at, count in state.grants:
        free += count
        if free > 0:
            return at
    return now


def give_back(state: LedgerState, taken: float, count: int) -> LedgerState:
    """Take `count` unspent requests, granted at `taken` (unix seconds), out of the window again."""
    rest = tuple((at, had - count if at == ceil(taken) else had) for at, had in state.grants)
    return replace(state, grants=tuple(g for g in rest if g[1] > 0))


def block(state: LedgerState, until: float) -> LedgerState:
    """Let nobody send anything before `until` (unix seconds); an earlier block that lasts longer stays."""
    return replace(state, blocked_until=max(state.blocked_until, ceil(until)))


class Ledger(Protocol):
    """The grants of one Halo instance, shared by every run that talks to it."""

    def take(self, want: int, now: datetime, *, many: bool = False) -> Granted:
        """Take up to `want` requests out of the budget, for a run that has had `many` already or has not."""
        ...

    def give_back(self, count: int, taken: datetime) -> None:
        """Return `count` unspent requests of a grant that was taken at `taken`, the `now` of that `take`."""
        ...

    def block(self, until: datetime) -> None:
        """Let nobody send anything before `until`: Halo answered 429."""
        ...


class MemoryLedger:
    """A ledger for one process: a command line without storage, and tests."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.state = LedgerState()

    def take(self, want: int, now: datetime, *, many: bool = False) -> Granted:
        """Take up to `want` requests out of the budget, for a run that has had `many` already or has not."""
        self.state, count, wait_until = grant(self.state, now.timestamp(), want, self.limit, many=many)
        return Granted(count, None if wait_until is None else datetime.fromtimestamp(wait_until, UTC))

    def give_back(self, count: int, taken: datetime) -> None:
        """Return unspent requests."""
        self.state = give_back(self.state, taken.timestamp(), count)

    def block(self, until: datetime) -> None:
        """Let nobody send anything before `until`."""
        self.state = block(self.state, until.timestamp())


class Budget:
    """One run's share of the budget. Every wait for Halo happens here, in steps that keep the lease alive."""

    def __init__(
        self,
        ledger: Ledger | None,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
        patience_seconds: float,
        grant_size: int = GRANT_SIZE,
    ) -> None:
        """Share out what `ledger` grants.

        Args:
            ledger: where grants come from; None where the budget is switched off.
            clock: tells the time, in UTC.
            sleep: sleeps for so many seconds.
            patience_seconds: the longest single wait; beyond it `BudgetSpent` is raised.
            grant_size: how many requests to take from the ledger at once.
        """
        self._ledger = ledger
        self._clock = clock
        self._sleep = sleep
        self._patience = timedelta(seconds=patience_seconds)
        self._grant_size = grant_size
        self._left = self._spent = 0
        self._taken = datetime.min.replace(tzinfo=UTC)
        self._blocked_until = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        """Return the time (UTC)."""
        return self._clock()

    def spend(self, pulse: Pulse = no_pulse) -> None:
        """Take one request out of the budget, waiting for it when need be.

        Raises:
            BudgetSpent: the wait would be longer than this run's patience.
        """
        until = self._next()
        if until is None:
            return
        begun = self._clock()
        with phase("wait for Halo's budget"):
            try:
                while until is not None:
                    self._wait_until(until, pulse)
                    until = self._next()
            finally:
                waited((self._clock() - begun).total_seconds())

    def blocked(self, until: datetime) -> None:
        """Note that Halo takes no request before `until`, for every run on the instance."""
        self._blocked_until = max(self._blocked_until, until)
        if self._ledger is not None:
            self._ledger.block(until)

    def pause(self, seconds: float, pulse: Pulse = no_pulse) -> None:
        """Sleep before a request is tried again."""
        self._sleep_until(self._clock() + timedelta(seconds=seconds), pulse)

    def close(self) -> None:
        """Give back what was taken and not spent; safe to call twice."""
        if self._ledger is not None and self._left:
            self._ledger.give_back(self._left, self._taken)
        self._left = 0

    def _next(self) -> datetime | None:
        """Spend one request and return None, or return when to try again."""
        now = self._clock()
        if now < self._blocked_until:
            return self._blocked_until
        if self._ledger is None:
            return None
        if not self._left:
            want = self._grant_size if self._spent else min(self._grant_size, FIRST_GRANT)
            granted = self._ledger.take(want, now, many=self._spent >= MANY)
            self._left, self._taken = granted.count, now
        if not self._left:
            return granted.wait_until or now
        self._left -= 1
        self._spent += 1
        return None

    def _wait_until(self, until: datetime, pulse: Pulse) -> None:
        if until - self._clock() > self._patience:
            raise BudgetSpent(until)
        self._sleep_until(min(until, self._clock() + timedelta(seconds=ASK_AGAIN_SECONDS)), pulse)

    def _sleep_until(self, until: datetime, pulse: Pulse) -> None:
        remaining = max((until - self._clock()).total_seconds(), _SHORTEST_SLEEP)
        while remaining > 0:
            pulse()
            self._sleep(min(remaining, STEP_SECONDS))
            remaining = (until - self._clock()).total_seconds()
