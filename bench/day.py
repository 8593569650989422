"""A day of many customers on one Halo instance: how long their deltas wait for the request budget they share.

Simulated: the clock, the customers and what their runs ask of Halo. Real: `Budget`, `TableLedger` and its
arithmetic, on a table in memory, and how far the schedule spreads its runs. A run that has to wait comes
back exactly when it would ask again; who of several comes first is drawn.
"""

from __future__ import annotations

import heapq
import itertools
import random
import statistics
import sys
from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bench.report import judged, table
from devstack.memory import MemoryTable
from halo_adsync.errors import BudgetSpent
from halo_adsync.halo.budget import ASK_AGAIN_SECONDS, Budget, Limit
from halo_adsync.schedule import turn
from halo_adsync.state.ledger import TableLedger

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bench.report import Figures

CUSTOMERS = 200
LIMIT = Limit()
HALO_TAKES = 300
"""Requests that Halo takes in five minutes."""
MIDNIGHT = datetime(2026, 11, 29, tzinfo=UTC)
"""A Sunday, on which everybody's weekly reconcile falls due at the same minute."""
QUARTER, HOUR = 900.0, 3600.0
WORK = range(7, 19)
"""The hours in which people change."""
BUSY = 0.4
"""How many of the deltas of these hours find a change."""
OF_A_DELTA = 3
"""Requests of a delta that found a few changes, as measured (`costs`); without any it makes none."""
PEOPLE_PER_REQUEST = 75
"""A reconcile of 1,000 people makes 14 requests, as measured."""
SECONDS_EACH = 1.0
"""How long Halo takes to answer a request."""
IMPORT_AT, IMPORT_PEOPLE, BATCH = 9 * HOUR, 50_000, 25

type Run = Iterator[float]
"""What a run does until it has to wait; it yields the second of the day at which it goes on."""


@dataclass
class Day:
    """A simulated day, and what was seen of it."""

    chance: random.Random = field(default_factory=lambda: random.Random(1))
    now: float = 0.0
    rows: MemoryTable = field(default_factory=MemoryTable)
    sent: list[float] = field(default_factory=list)
    """When each request went out, in order."""
    delta_waits: list[float] = field(default_factory=list)
    """For each delta that had something to do: seconds that it waited for the budget."""
    other_waits: list[float] = field(default_factory=list)
    import_seconds: float = 0.0
    _agenda: list[tuple[float, float, int, Run]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def clock(self) -> datetime:
        """Tell the time."""
        return MIDNIGHT + timedelta(seconds=self.now)

    def begin(self, run: Run, at: float) -> None:
        """Let a run go on at a second of the day."""
        heapq.heappush(self._agenda, (at, self.chance.random(), next(self._numbers), run))

    def pass_by(self) -> None:
        """Let everything happen that was begun, in order."""
        while self._agenda:
            self.now, _, _, run = heapq.heappop(self._agenda)
            if (at := next(run, None)) is not None:
                self.begin(run, at)

    def work(self, requests: int, waits: list[float]) -> Run:
        """Send so many requests, one after the other, and note how long that had to wait."""
        budget = Budget(TableLedger(self.rows, "halo", LIMIT), self.clock, _never, patience_seconds=0)
        waited = 0.0
        for _ in range(requests):
            while (until := _spend(budget)) is not None:
                pause = min((until - self.clock()).total_seconds(), ASK_AGAIN_SECONDS)
                waited += pause
                yield self.now + pause
            self.sent.append(self.now)
            yield self.now + SECONDS_EACH
        budget.close()
        waits.append(waited)

    def customer(self, people: int, late: float) -> Run:
        """Do what a customer's schedule asks for: a delta each quarter of an hour, a reconcile at three.

        Args:
            people: how many it has.
            late: how many seconds after the minute its runs begin.
        """
        for quarter in range(96):
            begins = quarter * QUARTER + late
            if self.now >= begins + QUARTER:
                continue  # the last run took so long that the next one does this one's work
            if self.now < begins:
                yield begins
            hour = quarter / 4
            if hour == 3:  # noqa: PLR2004 - three in the morning
                yield from self.work(1 + -(-people // PEOPLE_PER_REQUEST), self.other_waits)
            elif int(hour) in WORK and self.chance.random() < BUSY:
                yield from self.work(OF_A_DELTA, self.delta_waits)

    def first_import(self) -> Run:
        """Create everybody of a large new customer."""
        yield from self.work(IMPORT_PEOPLE // BATCH + 100, self.other_waits)
        self.import_seconds = self.now - IMPORT_AT

    def fullest(self) -> int:
        """Return how many requests went out in the fullest window."""
        ends = (bisect_left(self.sent, at + LIMIT.seconds) for at in self.sent)
        return max(end - begin for begin, end in enumerate(ends))


def _spend(budget: Budget) -> datetime | None:
    try:
        budget.spend()
    except BudgetSpent as spent:  # it has no patience: here nobody sleeps
        return spent.until
    return None


def _never(_: float) -> None:
    raise AssertionError("somebody slept in a simulation")


def simulate(*, imports: int, customers: int = CUSTOMERS) -> Day:
    """Return a day that has passed, with so many first imports in it, all at the same time."""
    day = Day()
    for number in range(customers):
        late = turn(f"customer-{number}", customers)
        day.begin(day.customer(day.chance.randint(50, 1000), late), 0)
    for _ in range(imports):
        day.begin(day.first_import(), IMPORT_AT)
    day.pass_by()
    return day


def measure(_sizes: Sequence[int], _rounds: int, _cache: Path) -> Figures:
    """Simulate days with and without first imports."""
    print("day: three simulated days", file=sys.stderr)
    return {"days": [_told(imports, simulate(imports=imports)) for imports in (0, 1, 3)]}


def _told(imports: int, day: Day) -> Figures:
    waits = sorted(day.delta_waits)
    return {
        "imports": imports,
        "requests": len(day.sent),
        "deltas": len(waits),
        "median": statistics.median(waits),
        "most": waits[len(waits) * 99 // 100],
        "longest": waits[-1],
        "import_minutes": day.import_seconds / 60,
        "fullest": day.fullest(),
    }


def text(figures: Figures) -> str:
    """Return the section's text."""
    days = figures["days"]
    head = (
        *("first imports", "requests", "deltas with changes", "median wait, s", "99 % wait less than, s"),
        *("longest wait, s", "minutes an import took", "requests in the fullest five minutes"),
    )
    within = all(day["fullest"] <= HALO_TAKES for day in days)
    goal = f"no more than the {HALO_TAKES} requests that Halo takes in any five minutes"
    return (
        f"{CUSTOMERS} customers on one instance with {LIMIT.requests} requests in {LIMIT.seconds} seconds, "
        f"a delta each quarter of an hour, of which {BUSY:.0%} in working hours find a change and make "
        f"{OF_A_DELTA} requests of {SECONDS_EACH:.0f} s each; everybody's reconcile at 3:00; first imports "
        f"of {IMPORT_PEOPLE:,} people at 9:00.\n\n{table(head, [_cells(day) for day in days])}\n\n"
        f"{judged({goal: within})}"
    )


def _cells(day: Figures) -> list[str]:
    took = f"{day['import_minutes']:,.0f}" if day["imports"] else ""
    counts = (f"{day['requests']:,}", f"{day['deltas']:,}")
    waits = (f"{day[name]:,.0f}" for name in ("median", "most", "longest"))
    return [str(day["imports"]), *counts, *waits, took, str(day["fullest"])]
