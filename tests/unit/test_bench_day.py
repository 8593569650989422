"""A simulated day of two hundred customers: within Halo's budget, and nobody is starved."""

import pytest

from bench.day import BATCH, CUSTOMERS, HALO_TAKES, IMPORT_PEOPLE, LIMIT, Day, simulate


@pytest.fixture(scope="module")
def busy_day() -> Day:
    """A day on which somebody imports 50,000 people."""
    return simulate(imports=1)


def test_halo_is_never_asked_more_than_it_allows(busy_day: Day) -> None:
    """Not in any five minutes of the day; and the day is busy enough for that to mean something."""
    assert len(busy_day.sent) > 50 * CUSTOMERS
    assert LIMIT.requests <= busy_day.fullest() <= HALO_TAKES


def test_a_first_import_starves_nobody(busy_day: Day) -> None:
    """No delta waits for longer than one window of the budget, and the import gets a third of it."""
    assert len(busy_day.delta_waits) > 10 * CUSTOMERS
    assert max(busy_day.delta_waits) < LIMIT.seconds
    assert busy_day.import_seconds < 3 * (IMPORT_PEOPLE / BATCH) * LIMIT.seconds / LIMIT.requests
