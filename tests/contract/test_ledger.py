"""The budget ledger in a table: the same arithmetic as in memory, and safe with many runs at a time."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devstack.memory import MemoryTable
from halo_adsync.errors import StateUnavailable
from halo_adsync.halo.budget import Granted, Ledger, Limit, MemoryLedger
from halo_adsync.state.ledger import TableLedger
from halo_adsync.state.table import Operation
from tests.contract.storage import AnyTable, RacedTable, RepeatingTable, azure_table

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
LIMIT = Limit(requests=40, seconds=300)
INSTANCE = "contoso.halopsa.com:443"


def later(seconds: float) -> datetime:
    """Return the time so many seconds after the beginning."""
    return NOW + timedelta(seconds=seconds)


def test_runs_of_all_customers_share_one_budget(storage_table: AnyTable) -> None:
    """What one takes another cannot; when nothing is left, it is said when to ask again."""
    one, other = (TableLedger(storage_table, INSTANCE, LIMIT) for _ in range(2))
    assert one.take(30, NOW) == Granted(30)
    assert other.take(30, later(1)) == Granted(10)
    assert one.take(1, later(2)) == Granted(0, later(300))
    assert one.take(50, later(300)) == Granted(30)


def test_each_instance_has_a_budget_of_its_own(storage_table: AnyTable) -> None:
    """Two instances are told apart by host and port."""
    hosts = ["contoso.halopsa.com", INSTANCE, "127.0.0.1:8380", "[::1]:80", "fabrikam.halopsa.com"]
    for host in hosts:
        assert TableLedger(storage_table, host, LIMIT).take(99, NOW) == Granted(40)


def test_a_block_holds_for_everybody(storage_table: AnyTable) -> None:
    """After a 429 nobody gets anything before the time is over, however much is left."""
    TableLedger(storage_table, INSTANCE, LIMIT).block(later(60.5))
    other = TableLedger(storage_table, INSTANCE, LIMIT)
    assert other.take(10, later(60)) == Granted(0, later(61))
    assert other.take(10, later(61)) == Granted(10)


def test_what_was_not_spent_is_given_back(storage_table: AnyTable) -> None:
    """It can be granted again at once."""
    ledger = TableLedger(storage_table, INSTANCE, LIMIT)
    ledger.take(40, NOW)
    ledger.give_back(7, NOW)
    assert ledger.take(40, later(1)) == Granted(7)


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["take", "give_back", "block"]), st.integers(0, 50), st.floats(0, 400, width=16)
    ),
    max_size=25,
)


@given(moves=MOVES)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_it_reckons_as_the_ledger_in_memory_does(moves: list[tuple[str, int, float]]) -> None:
    """Whatever happens in whatever order, rows and memory say the same."""
    table, memory = TableLedger(MemoryTable(), INSTANCE, LIMIT), MemoryLedger(LIMIT)

    def move(ledger: Ledger, verb: str, number: int, at: datetime) -> Granted | None:
        if verb == "take":
            return ledger.take(number, at)
        if verb == "give_back":
            ledger.give_back(number, at)
        else:
            ledger.block(at + timedelta(seconds=number))
        return None

    elapsed = 0.0
    for verb, number, seconds in moves:
        elapsed += seconds
        assert move(table, verb, number, later(elapsed)) == move(memory, verb, number, later(elapsed))


@pytest.mark.parametrize("verb", ["take", "give_back"])
def test_a_change_whose_answer_was_lost_is_made_once(storage_table: AnyTable, verb: str) -> None:
    """The client sends it again and meets its own first attempt: nothing is taken or given back twice."""
    repeating = RepeatingTable(storage_table)
    ledger = TableLedger(repeating, INSTANCE, LIMIT)
    assert ledger.take(20, NOW) == Granted(20)
    repeating.repeats = 1
    if verb == "take":
        assert ledger.take(5, NOW) == Granted(5)
        left = 15
    else:
        ledger.give_back(5, NOW)
        left = 25
    assert repeating.repeats == 0
    assert ledger.take(99, NOW) == Granted(left)


def test_the_first_change_of_all_may_lose_its_answer_too(storage_table: AnyTable) -> None:
    """There was no row before, so its second attempt finds one."""
    ledger = TableLedger(RepeatingTable(storage_table, repeats=1), INSTANCE, LIMIT)
    assert ledger.take(30, NOW) == Granted(30)
    assert ledger.take(30, NOW) == Granted(10)


@pytest.mark.parametrize("used", [0, 10])
def test_of_two_that_take_at_once_none_is_forgotten(storage_table: AnyTable, used: int) -> None:
    """Both saw the same budget; the slower one looks again."""
    other = TableLedger(storage_table, INSTANCE, LIMIT)
    if used:
        other.take(used, NOW)
    raced = RacedTable(storage_table, other=lambda: other.take(25, NOW))
    assert TableLedger(raced, INSTANCE, LIMIT).take(25, NOW) == Granted(15 - used)


def test_whoever_is_always_too_late_says_so_in_the_end(storage_table: AnyTable) -> None:
    """Rather than going round for ever."""
    plenty = Limit(1000, LIMIT.seconds)
    other = TableLedger(storage_table, INSTANCE, plenty)

    class Crowded(RepeatingTable):
        def transact(self, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
            other.take(1, NOW)
            return super().transact(partition, operations)

    crowded = Crowded(storage_table)
    with pytest.raises(StateUnavailable, match="100 times in a row"):
        TableLedger(crowded, INSTANCE, plenty).take(1, NOW)
    assert len(crowded.sent) == 100


def together(number: int, work: Callable[[int], None]) -> None:
    """Do the work in so many threads that begin at the same time."""
    gate = threading.Barrier(number)

    def begin(index: int) -> None:
        gate.wait(10)
        work(index)

    with ThreadPoolExecutor(number) as pool:
        list(pool.map(begin, range(number)))


@pytest.mark.azurite
def test_many_runs_at_once_never_get_more_than_the_limit(storage_emulator: str) -> None:
    """Six workers, each with a client of its own, ask until nothing is left: they got the limit exactly."""
    granted: list[int] = []

    def work(_index: int) -> None:
        with azure_table(storage_emulator, "Crowd") as table:
            ledger = TableLedger(table, INSTANCE, LIMIT)
            while count := ledger.take(3, NOW).count:
                granted.append(count)

    together(6, work)
    assert sum(granted) == LIMIT.requests
