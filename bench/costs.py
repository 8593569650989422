"""What a customer costs: a first sync, runs without a change, deltas, a reconcile, at several sizes.

All sizes stand ready at the same time, and in each round every size has its turn. Whoever stops it keeps what
was measured so far.
"""

from __future__ import annotations

import contextlib
import json
import math
import statistics
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Self

from bench import growth, samba
from bench.customer import BATCH, MeasuredCustomer, customer
from bench.growth import NO_CHANGE, QUANTITIES, SAME_CHANGES
from bench.process import Cost, measured
from bench.report import affordable, in_rounds, judged, machine, spread, table
from devstack.azurite import azurite_missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from bench.report import Figures

SHARE, WASTE, LEAST = 0.5, 1.05, (0, 3, 9)
FULL_MIB, DELTA_MIB = 350, 120
"""The goals."""
OFTEN = 10_000
"""Up to so many people, every run is done in every round."""
FIRST, FULL, RECONCILE, LDAP3 = "first sync", "full, no change", "reconcile, no change", "ldap3"
AFTER = "full, the next one"
"""Nothing has changed for it either, but it finds out by what people are recognised as unchanged."""
SHARE_CHANGED = "delta, 1 % changed"
_SAME = 100
_DIGITS = {"seconds": 2, "cpu": 2}

type Costs = dict[str, list[Cost]]


def measure(sizes: Sequence[int], rounds: int, cache: Path) -> Figures:
    """Measure every size, small ones in every round."""
    figures: Figures = {"machine": machine(), "rounds": rounds, "sizes": [], "missing": []}
    if missing := azurite_missing():
        figures["missing"].append(missing)
        return figures
    with contextlib.ExitStack() as stack:
        stands: list[_Stand] = []
        for size in sorted(sizes):
            print(f"costs: preparing {size:,} people", file=sys.stderr)
            try:
                stands.append(stack.enter_context(_Stand(size, cache)))
            except samba.SambaError as error:
                figures["missing"].append(f"{size:,} people: {error}")
        try:
            for at in range(rounds):
                for stand in stands:
                    stand.take_turn(whole=at < affordable(rounds, stand.people, OFTEN))
        except KeyboardInterrupt:
            figures["missing"].append("what was left when somebody stopped it.")
    done = [stand for stand in stands if stand.costs]
    figures["sizes"] = [{"people": stand.people, "costs": stand.costs} for stand in done]
    return figures


class _Stand(contextlib.ExitStack):
    """A domain of one size with its customer, and what was measured of it.

    Raises:
        SambaError: there is no such domain.
    """

    def __init__(self, people: int, cache: Path) -> None:
        super().__init__()
        self.people = people
        self.costs: Costs = {}
        self._cache = cache
        self._now = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._controller = self.enter_context(samba.domain(self.people, self._cache))
        self.push(self._now)
        return self

    def take_turn(self, *, whole: bool) -> None:
        """Measure every run on a new customer, or on the one that there is those that cost little."""
        if whole:
            self._now.close()
            self._customer = self._now.enter_context(customer(self._controller))
        turn: dict[str, Cost] = {}
        for name, cost in self._everything() if whole else self._deltas():
            print(f"costs: {self.people:,} people, {name}: {cost['cpu']:.2f} s of CPU", file=sys.stderr)
            turn[name] = cost
        for name, cost in turn.items():
            self.costs.setdefault(name, []).append(cost)

    def _everything(self) -> Iterator[tuple[str, Cost]]:
        of = self._customer
        yield FIRST, of.run("full")
        yield AFTER, of.run("full")
        yield FULL, of.run("full")
        target = json.dumps(asdict(samba.target(self._controller)))
        yield LDAP3, measured("bench.clients", LDAP3, target)
        yield from self._deltas()
        yield SHARE_CHANGED, _changed(of, max(1, self.people // 100))
        yield RECONCILE, of.run("reconcile")

    def _deltas(self) -> Iterator[tuple[str, Cost]]:
        yield NO_CHANGE, self._customer.run("delta")
        yield SAME_CHANGES, _changed(self._customer, min(_SAME, self.people // 2))


def _changed(of: MeasuredCustomer, count: int) -> Cost:
    of.change(count)
    cost = of.run("delta")
    if cost["changed"] != count:
        raise RuntimeError(f"A delta found {cost['changed']} of {count} changed people.")
    return cost


def text(figures: Figures) -> str:
    """Return the section's text."""
    method = (
        f"{figures['machine']} {in_rounds(figures['rounds'], OFTEN)} In a round each size has its turn, each"
        " run in a process of its own, by LDAPS from Samba AD; the processor's time is that of the run,"
        f" start-up apart, and the peak that of the process{_idle(figures)}. Halo is simulated on this"
        f" machine, storage the emulator; {BATCH} people a batch, no budget of requests."
    )
    parts = [method, *figures.get("notes", []), *(f"Not measured: {why}" for why in figures["missing"])]
    sizes: dict[int, Costs] = {size["people"]: size["costs"] for size in figures["sizes"]}
    for people, costs in sizes.items():
        rows = [_row(name, runs) for name, runs in runs_of(costs).items()]
        head = ["run", *QUANTITIES.values()]
        parts.append(f"### {people:,} people\n\n{table(head, rows)}\n\n{judged(verdicts(people, costs))}")
    if grown := growth.text({people: runs_of(costs) for people, costs in sizes.items()}):
        parts.append(f"### Growth\n\n{grown}")
    return "\n\n".join(parts)


def _idle(figures: Figures) -> str:
    first = [run for size in figures["sizes"] for run in size["costs"][FIRST]]
    return (
        f", {statistics.median(run['idle_mib'] for run in first):.0f} MiB of it before the run begins"
        if first
        else ""
    )


def runs_of(costs: Costs) -> Costs:
    """Return what was measured of our runs."""
    return {name: runs for name, runs in costs.items() if name != LDAP3}


def _row(name: str, runs: Sequence[Cost]) -> list[str]:
    return [name, *(_cell([run[key] for run in runs], _DIGITS.get(key, 0)) for key in QUANTITIES)]


def _cell(numbers: Sequence[float], digits: int) -> str:
    return spread(numbers[:1] if len(set(numbers)) == 1 else numbers, digits)


def verdicts(people: int, costs: Mapping[str, Sequence[Cost]]) -> dict[str, bool]:
    """Say of each goal whether it was met among so many people."""
    first, least = costs[FIRST][0], costs[NO_CHANGE]
    ours, theirs = (statistics.median(run["cpu"] for run in costs[name]) for name in (FULL, LDAP3))
    share = ours / theirs
    needed = math.ceil(first["changed"] / BATCH) + first["sites"]
    writes = max(run["halo_writes"] for run in costs[FIRST]) / needed
    names = ("halo_requests", "ldap_searches", "table_transactions")
    spent = [max(run[name] for run in least) for name in names]
    asked, searches, transactions = (f"{number:.0f}" for number in spent)
    full, fulls = _peaks(costs, (FIRST, AFTER, FULL))
    reconcile, reconciles = _peaks(costs, (RECONCILE,))
    delta, deltas = _peaks(costs, (NO_CHANGE, SAME_CHANGES, SHARE_CHANGED))
    read = f"full run without a change, {share:.2f} of the CPU of a read with plain ldap3 (at most {SHARE})"
    # Among few people what every run costs is most of it; the goal is about 10,000.
    return ({read: share <= SHARE} if people >= OFTEN else {}) | {
        f"first sync, {writes:.3f} times the writes that its people and sites need (at most {WASTE})": (
            writes <= WASTE
        ),
        f"delta without a change, {asked} requests to Halo, {searches} searches, {transactions} transactions"
        f" (at most {', '.join(map(str, LEAST))})": all(a <= b for a, b in zip(spent, LEAST, strict=True)),
        f"memory of full runs, {fulls} MiB (less than {FULL_MIB})": full < FULL_MIB,
        f"memory of a reconcile, {reconciles} MiB (less than {FULL_MIB}, too)": reconcile < FULL_MIB,
        f"memory of deltas, {deltas} MiB (less than {DELTA_MIB})": delta < DELTA_MIB,
    }


def _peaks(costs: Mapping[str, Sequence[Cost]], names: Sequence[str]) -> tuple[float, str]:
    peaks = [max(run["peak_mib"] for run in costs[name]) for name in names]
    return max(peaks), ", ".join(f"{peak:.0f}" for peak in peaks)
