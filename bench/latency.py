"""What a slower Halo costs: a first sync and a delta, when each request to Halo takes longer."""

from __future__ import annotations

import statistics
import sys
from typing import TYPE_CHECKING

from bench import samba
from bench.customer import customer
from bench.report import affordable, in_rounds, machine, spread, table
from devstack.azurite import azurite_missing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.process import Cost
    from bench.report import Figures
    from devstack.samba import SambaDomain

DELAYS = (0, 50, 200)
"""Milliseconds that a request takes on top."""
OFTEN, MOST = 1_000, 10_000
"""Up to so many people every round counts, and more are not measured: requests grow with people alike."""
FIRST, CHANGED = "first sync", "delta, 1 % changed"

type Costs = dict[str, list[list[Cost]]]
"""By run, for each delay, what each round measured."""


def measure(sizes: Sequence[int], rounds: int, cache: Path) -> Figures:
    """Measure every size that is not too large for it, with every delay in turn."""
    figures: Figures = {"machine": machine(), "rounds": rounds, "sizes": [], "missing": []}
    if missing := azurite_missing():
        figures["missing"].append(missing)
        return figures
    for size in [size for size in sizes if size <= MOST] or [min(sizes)]:
        print(f"latency: {size:,} people", file=sys.stderr)
        try:
            with samba.domain(size, cache) as controller:
                costs = _costs(controller, size, affordable(rounds, size, OFTEN))
        except samba.SambaError as error:
            figures["missing"].append(f"{size:,} people: {error}")
            continue
        figures["sizes"].append({"people": size, "costs": costs})
    return figures


def _costs(controller: SambaDomain, size: int, rounds: int) -> Costs:
    costs: Costs = {run: [[] for _ in DELAYS] for run in (FIRST, CHANGED)}
    for _ in range(rounds):
        for at, milliseconds in enumerate(DELAYS):
            with customer(controller, delay=milliseconds / 1000) as measured:
                costs[FIRST][at].append(measured.run("full"))
                measured.change(max(1, size // 100))
                costs[CHANGED][at].append(measured.run("delta"))
    return costs


def text(figures: Figures) -> str:
    """Return the section's text."""
    method = (
        f"{figures['machine']} {in_rounds(figures['rounds'], OFTEN)} In a round each delay has its turn, each"
        " with a new customer. The last column is how much longer the run took than without a delay in the"
        " same round, for each request."
    )
    parts = [method, *(f"Not measured: {why}" for why in figures["missing"])]
    head = ["run", "delay of a request, ms", "seconds", "Halo requests", "added by a request, ms"]
    for size in figures["sizes"]:
        costs: Costs = size["costs"]
        rows = [_row(run, at, costs[run]) for run in costs for at in range(len(DELAYS))]
        parts.append(f"### {size['people']:,} people, a slower Halo\n\n{table(head, rows)}")
    return "\n\n".join(parts)


def _row(run: str, at: int, costs: Sequence[Sequence[Cost]]) -> list[str]:
    requests = statistics.median(cost["halo_requests"] for cost in costs[at])
    added = spread(added_by_a_request(costs, at), 0) if DELAYS[at] else ""
    seconds = spread([cost["seconds"] for cost in costs[at]], 2)
    return [run, str(DELAYS[at]), seconds, f"{requests:,.0f}", added]


def added_by_a_request(costs: Sequence[Sequence[Cost]], at: int) -> list[float]:
    """Return, round by round, by how many milliseconds a request made a run longer."""
    return [
        1000 * (slow["seconds"] - fast["seconds"]) / slow["halo_requests"]
        for fast, slow in zip(costs[0], costs[at], strict=True)
    ]
