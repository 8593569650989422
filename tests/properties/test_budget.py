"""Properties: the ledger never grants more than the limit in any window."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from halo_adsync.halo.budget import SHARE_LEFT, LedgerState, Limit, block, give_back, grant

LIMITS = st.builds(Limit, requests=st.integers(1, 20), seconds=st.integers(1, 60))
STEPS = st.lists(st.tuples(st.floats(0, 40, allow_nan=False), st.integers(1, 12), st.booleans()), max_size=60)
"""Seconds to wait, how many to ask for, and whether the run has had many."""
type Steps = Sequence[tuple[float, int, bool]]


def play(limit: Limit, steps: Steps) -> list[tuple[float, int]]:
    """Ask for grants at growing times and return what was granted when."""
    state, now, granted = LedgerState(), 1000.0, []
    for wait, want, many in steps:
        now += wait
        state, count, _ = grant(state, now, want, limit, many=many)
        granted.append((now, count))
    return granted


@given(LIMITS, STEPS)
def test_no_window_holds_more_than_the_limit(limit: Limit, steps: Steps) -> None:
    """The grants of any window of the limit's length add up to the limit at most."""
    granted = play(limit, steps)
    for start, _ in granted:
        window = [count for at, count in granted if start <= at < start + limit.seconds]
        assert sum(window) <= limit.requests


@given(LIMITS, STEPS)
def test_a_refusal_names_a_time_that_helps(limit: Limit, steps: Steps) -> None:
    """Who comes back at the time that was named is granted something."""
    state, now = LedgerState(), 1000.0
    for wait, want, many in steps:
        now += wait
        state, count, until = grant(state, now, want, limit, many=many)
        assert (count == 0) == (until is not None)
        if until is not None:
            assert until > now
            assert grant(state, until, want, limit, many=many)[1] > 0


@given(LIMITS, STEPS, st.integers(1, 12))
def test_giving_back_undoes_a_grant(limit: Limit, steps: Steps, want: int) -> None:
    """A grant that is given back whole leaves the ledger as it was."""
    state, now = LedgerState(), 1000.0
    for wait, wanted, many in steps:
        now += wait
        state, _, _ = grant(state, now, wanted, limit, many=many)
    pruned, _, _ = grant(state, now, 0, limit)
    after, count, _ = grant(pruned, now, want, limit)
    assert give_back(after, now, count) == pruned


@given(LIMITS, st.integers(1, 500), st.floats(0, 1000))
def test_a_block_is_never_shortened(limit: Limit, first: int, second: float) -> None:
    """Nothing is granted before the later of two blocks ends, whichever came first."""
    state = block(block(LedgerState(), first), second)
    assert grant(state, max(first, second) - 0.5, 1, limit)[1] == 0


@given(LIMITS, STEPS)
def test_runs_of_many_always_leave_room_for_one_that_wants_few(limit: Limit, steps: Steps) -> None:
    """However many of them ask however often, a fifth is there at once for somebody else."""
    state, now = LedgerState(), 1000.0
    for wait, want, _ in steps:
        now += wait
        state, _, _ = grant(state, now, want, limit, many=True)
        assert grant(state, now, limit.requests, limit)[1] >= limit.requests // SHARE_LEFT
