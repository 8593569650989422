"""Growth: the exponent is that of the law behind the numbers, and the verdicts fall where they must."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bench.costs import AFTER, FIRST, FULL, LDAP3, RECONCILE, SHARE_CHANGED, verdicts
from bench.growth import (
    DELTAS,
    NO_CHANGE,
    QUANTITIES,
    SAME_CHANGES,
    dearer,
    exponent,
    faster,
    growth,
    growths,
    text,
)
from bench.latency import added_by_a_request

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (1_000, 10_000, 50_000, 100_000)
RUNS = (FIRST, *DELTAS)


def measured(law: Callable[[int, str, str], float]) -> dict[int, dict[str, list[dict[str, float]]]]:
    """Return measurements by a law of people, run and quantity."""
    return {
        people: {run: [{name: law(people, run, name) for name in QUANTITIES}] for run in RUNS}
        for people in SIZES
    }


@pytest.mark.parametrize("power", [-0.5, 0, 0.5, 1, 1.2, 2])
def test_the_exponent_is_the_power_of_the_law(power: float) -> None:
    """Whatever it is multiplied by."""
    assert exponent([(people, 7 * people**power) for people in SIZES]) == pytest.approx(power)


def test_the_exponent_fits_all_points() -> None:
    """Least squares: what one point is off is shared by all of them."""
    assert exponent([(1, 1), (10, 100), (100, 100)]) == pytest.approx(1)


def test_a_fixed_cost_hides_growth_from_the_first_exponent_only() -> None:
    """A cost of 1,000 for every run beside one for each of the people: linear where people are many."""
    grown = growth([(people, 1_000 + people) for people in SIZES])
    assert grown.exponent is not None
    assert grown.upper is not None
    assert grown.exponent < grown.upper < 1
    assert grown.factor == pytest.approx(50.5)


def test_what_is_nothing_does_not_grow() -> None:
    """A delta without a change asks Halo nothing at any size; something at one size only is growth."""
    assert growth([(people, 0.0) for people in SIZES]).exponent is None
    appearing = growth([(1_000, 0), (10_000, 10), (100_000, 100)])
    assert appearing.exponent == pytest.approx(1)


def test_proportion_is_no_faster_than_the_people() -> None:
    """What grows in proportion, and what does not grow, meets both goals."""
    found = growths(measured(lambda people, run, _: people / 10 if run == FIRST else 7))
    assert faster(found) == {}
    assert dearer(found) == {}


def test_a_count_may_not_exceed_proportion_at_all() -> None:
    """Noise is allowed to what was measured, not to what was counted."""
    found = growths(measured(lambda people, run, _: people**1.05 if run == FIRST else 7))
    counted = {"searches", "entries", "Halo requests", "writes", "transactions"}
    assert faster(found) == pytest.approx({f"{name} of {FIRST}": 1.05 for name in counted})


@pytest.mark.parametrize(
    ("law", "is_early"),
    [
        (lambda people: 1e6 + people**1.5, False),  # a cost of every run hides it where people are few
        (lambda people: min(people, 20_000) ** 2, True),  # it ends where people are many
    ],
)
def test_growth_that_shows_in_one_exponent_only(law: Callable[[int], float], is_early: bool) -> None:
    """Over all sizes or without the smallest: either is too fast, and the greater one is told."""
    found = growths(measured(lambda people, run, _: law(people) if run == FIRST else 7))
    grown = found[FIRST]["cpu"]
    assert grown.exponent is not None
    assert grown.upper is not None
    assert (grown.exponent > 1.1, grown.upper > 1.1) == (is_early, not is_early)
    assert faster(found)[f"CPU s of {FIRST}"] == max(grown.exponent, grown.upper)


def test_a_delta_with_the_same_to_do_may_not_cost_more() -> None:
    """Neither in time nor in anything that is counted, and growth far below proportion is too much."""
    grown = growths(
        measured(lambda people, run, name: people**0.1 if (run, name) == (NO_CHANGE, "cpu") else 7)
    )
    assert faster(grown) == {}
    assert dearer(grown) == pytest.approx({f"CPU s of {NO_CHANGE}": 10**0.2})
    grown = growths(measured(lambda people, run, _: people**0.05 if run == SAME_CHANGES else 7))
    assert dearer(grown) == {}


def test_what_misses_a_goal_is_named() -> None:
    """The page says which quantity of which run, and by how much."""
    said = text(measured(lambda people, run, name: people**1.5 if (run, name) == (FIRST, "seconds") else 7))
    assert "but seconds of first sync 1.50: **not met**; what deltas cost" in said
    assert f"| {FIRST} | 1.50, 1.50 | 0.00, 0.00 |" in said
    assert "CPU of a delta without a change, 1.00 times that of 1,000 people (at most 1.3): met." in said


def test_a_delta_that_grows_misses_both_of_its_goals() -> None:
    """A delta without a change that costs twice as much among many is told as such, and as what grew."""
    said = text(measured(lambda people, run, _: 14 if run == NO_CHANGE and people == 100_000 else 7))
    assert "CPU s of delta, no change 2.00" in said
    assert "writes of delta, no change 2.00, transactions of delta, no change 2.00: **not met**" in said
    assert "2.00 times that of 1,000 people (at most 1.3): **not met**." in said


def test_the_cpu_of_a_delta_is_compared_round_by_round() -> None:
    """A busy minute that hit both sizes alike is no growth."""
    figures = measured(lambda *_: 7)
    for people, factor in ((1_000, 1), (100_000, 1.2)):
        one = figures[people][NO_CHANGE][0]
        figures[people][NO_CHANGE] = [{**one, "cpu": noise * factor} for noise in (1, 5, 3)]
    assert "1.20 times that of 1,000 people (at most 1.3): met." in text(figures)


def test_one_size_has_no_growth() -> None:
    """A line takes two points."""
    figures = measured(lambda *_: 7)
    assert text({1_000: figures[1_000]}) == ""


# ---- the goals of one size -------------------------------------------------------------------------


def costs(**other: dict[str, float]) -> dict[str, list[Any]]:
    """Return what runs cost that meet every goal, but for what is given by run."""
    usual = {
        "seconds": 1,
        "cpu": 0.4,
        "peak_mib": 119,
        "halo_requests": 0,
        "halo_writes": 42,
        "ldap_searches": 3,
        "table_transactions": 9,
        "changed": 1_000,
        "sites": 2,
    }
    runs = (FIRST, AFTER, FULL, LDAP3, RECONCILE, NO_CHANGE, SAME_CHANGES, SHARE_CHANGED)
    return {run: [usual | {"cpu": 0.8 if run == LDAP3 else 0.4} | other.get(run, {})] for run in runs}


def test_goals_that_are_met() -> None:
    """Exactly at every limit."""
    assert list(verdicts(10_000, costs()).values()) == [True] * 6
    assert len(verdicts(9_999, costs())) == 5


@pytest.mark.parametrize(
    ("run", "spent", "missed"),
    [
        (FULL, {"cpu": 0.41}, "full run without a change, 0.51 of the CPU"),
        (FIRST, {"halo_writes": 45}, "first sync, 1.071 times the writes"),
        (NO_CHANGE, {"halo_requests": 1}, "delta without a change, 1 requests to Halo"),
        (NO_CHANGE, {"ldap_searches": 4}, "delta without a change, 0 requests to Halo, 4 searches"),
        (NO_CHANGE, {"table_transactions": 10}, "delta without a change"),
        (FIRST, {"peak_mib": 350}, "memory of full runs, 350, 119, 119 MiB"),
        (AFTER, {"peak_mib": 350}, "memory of full runs, 119, 350, 119 MiB"),
        (FULL, {"peak_mib": 350}, "memory of full runs, 119, 119, 350 MiB"),
        (RECONCILE, {"peak_mib": 350}, "memory of a reconcile, 350 MiB"),
        (NO_CHANGE, {"peak_mib": 120}, "memory of deltas, 120, 119, 119 MiB"),
        (SAME_CHANGES, {"peak_mib": 120}, "memory of deltas, 119, 120, 119 MiB"),
        (SHARE_CHANGED, {"peak_mib": 120}, "memory of deltas, 119, 119, 120 MiB"),
    ],
)
def test_a_goal_that_is_missed(run: str, spent: dict[str, float], missed: str) -> None:
    """One step beyond a limit misses that goal and no other, with the number that missed it."""
    told = verdicts(10_000, costs(**{run: spent}))
    (text_,) = [text for text, met in told.items() if not met]
    assert text_.startswith(missed)


# ---- a slower Halo ---------------------------------------------------------------------------------


def test_what_a_request_adds_is_taken_round_by_round() -> None:
    """In milliseconds for each request, against the run without a delay in the same round."""
    fast = [{"seconds": 1.0, "halo_requests": 10.0}, {"seconds": 3.0, "halo_requests": 10.0}]
    slow = [{"seconds": 1.5, "halo_requests": 10.0}, {"seconds": 3.6, "halo_requests": 10.0}]
    assert added_by_a_request([fast, slow], 1) == pytest.approx([50, 60])
