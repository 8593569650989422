"""How what a run costs grows with the number of people: exponents, and whether the goals of growth are met.

A quantity that grows as people to the power of e is a straight line of slope e once both are logarithms;
e is the slope of the line that fits best by least squares. What every run costs, however small, makes e
smaller than it would be among large customers, so e is taken without the smallest size, too.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

from bench.report import judged, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.process import Cost

NO_CHANGE, SAME_CHANGES = "delta, no change", "delta, 100 people changed"
DELTAS = (NO_CHANGE, SAME_CHANGES)
"""Runs that have the same to do at every size."""
COUNTED = ("ldap_searches", "ldap_entries", "halo_requests", "halo_writes", "table_transactions")
QUANTITIES = {
    "seconds": "seconds",
    "cpu": "CPU s",
    "peak_mib": "peak MiB",
    "ldap_searches": "searches",
    "ldap_entries": "entries",
    "halo_requests": "Halo requests",
    "halo_writes": "writes",
    "table_transactions": "transactions",
}
"""What a run costs, and what its column is called."""
LINEAR, NOISE = 1.0, 0.1
"""The greatest exponent, and what a time or a peak that was measured may exceed it by."""
ROUNDING = 0.01
"""What a count may exceed it by: one that is rounded up to whole batches."""
GROWN = 1.3
"""How many times a delta with the same changes may cost among the most people what it costs among few."""

type Sizes = Mapping[int, Mapping[str, Sequence[Cost]]]
"""By people, then by run, what each round measured."""


@dataclass(frozen=True)
class Growth:
    """How one quantity of one run grows; None where it is nothing at every size.

    Attributes:
        exponent: over all sizes.
        upper: without the smallest size; the same where there are only two.
        factor: what it is among the most people, as a multiple of what it is among the fewest.
    """

    exponent: float | None
    upper: float | None
    factor: float | None


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the least-squares line through the logarithms of at least two points."""
    return statistics.linear_regression([log(x) for x, _ in points], [log(y) for _, y in points]).slope


def growth(points: Sequence[tuple[int, float]]) -> Growth:
    """Tell how a quantity grows, from its values at two sizes or more, the smallest first."""
    if not any(value for _, value in points):
        return Growth(None, None, None)
    # A logarithm needs something: one is the least that there is to count, a hundredth of what is measured.
    least = 1 if all(float(value).is_integer() for _, value in points) else 0.01
    some = [(float(people), max(value, least)) for people, value in points]
    upper = some[1:] if len(some) > 2 else some  # noqa: PLR2004 - a line takes two points
    return Growth(exponent(some), exponent(upper), some[-1][1] / some[0][1])


def growths(sizes: Sizes) -> dict[str, dict[str, Growth]]:
    """Return by run and by quantity how it grows, each size told by its median."""
    ordered = sorted(sizes)
    return {
        run: {
            name: growth([(people, _median(sizes[people][run], name)) for people in ordered])
            for name in QUANTITIES
        }
        for run in sizes[ordered[0]]
    }


def text(sizes: Sizes) -> str:
    """Return the tables of growth with what they say of the goals; nothing where there is one size only."""
    if len(sizes) < 2:  # noqa: PLR2004 - growth takes two
        return ""
    found, small, large = growths(sizes), min(sizes), max(sizes)
    head = ["exponent", *QUANTITIES.values()]
    exponents = [[run, *map(_exponents, of.values())] for run, of in found.items()]
    factors = [[run, *map(_factor, found[run].values())] for run in DELTAS]
    pairs = zip(sizes[small][NO_CHANGE], sizes[large][NO_CHANGE], strict=False)  # who was stopped has fewer
    ratio = statistics.median(many["cpu"] / few["cpu"] for few, many in pairs)
    least = f"CPU of a delta without a change, {ratio:.2f} times that of {small:,} people (at most {GROWN})"
    return (
        "An exponent of 1 is growth in proportion to the people, 0 is none. Fitted to the medians at"
        f" {', '.join(f'{people:,}' for people in sorted(sizes))} people by least squares of the logarithms;"
        " the second number is without the smallest size, where what every run costs hides growth."
        f"\n\n{table(head, exponents)}\n\n"
        f"What the deltas cost that have the same to do at every size, {large:,} people as a multiple of "
        f"{small:,}:\n\n{table(['delta', *QUANTITIES.values()], factors)}\n\n"
        f"{judged({**_verdicts(found), least: ratio <= GROWN})}"
    )


def faster(found: Mapping[str, Mapping[str, Growth]]) -> dict[str, float]:
    """Return what grows faster than the people, with its greater exponent."""
    return {
        f"{QUANTITIES[name]} of {run}": most
        for run, of in found.items()
        for name, one in of.items()
        if one.exponent is not None and one.upper is not None
        if (most := max(one.exponent, one.upper)) > LINEAR + (ROUNDING if name in COUNTED else NOISE)
    }


def dearer(found: Mapping[str, Mapping[str, Growth]]) -> dict[str, float]:
    """Return what of a delta grows though it has the same to do, with how many times it is."""
    return {
        f"{QUANTITIES[name]} of {run}": one.factor
        for run in DELTAS
        for name, one in found[run].items()
        if one.factor is not None and one.factor > GROWN
    }


def _verdicts(found: Mapping[str, Mapping[str, Growth]]) -> dict[str, bool]:
    too_fast, too_dear = faster(found), dearer(found)
    most = f"exponents at most {LINEAR:g}, of times and memory {LINEAR + NOISE:g}"
    linear = f"nothing grows faster than the people ({most})"
    changes = f"what deltas cost grows with the changes only (at most {GROWN} times)"
    return {linear + _listed(too_fast): not too_fast, changes + _listed(too_dear): not too_dear}


def _listed(exceptions: Mapping[str, float]) -> str:
    if not exceptions:
        return ""
    return f", but {', '.join(f'{name} {number:.2f}' for name, number in exceptions.items())}"


def _median(costs: Sequence[Cost], name: str) -> float:
    return statistics.median(cost[name] for cost in costs)


def _exponents(one: Growth) -> str:
    if one.exponent is None or one.upper is None:
        return "none"
    return f"{one.exponent:.2f}, {one.upper:.2f}"


def _factor(one: Growth) -> str:
    return "none" if one.factor is None else f"{one.factor:.2f}"
