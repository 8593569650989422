"""The lease: one run per customer at a time; a dead run blocks nobody, a revived one writes nothing."""

from dataclasses import replace

import pytest

from halo_adsync.errors import Busy, LeaseLost, StateUnavailable
from halo_adsync.model import Meter, RunId
from halo_adsync.plan.types import Kind
from halo_adsync.state.customer_state import CustomerState
from halo_adsync.state.lease import RENEW_AFTER, SECONDS, Lease, is_held
from halo_adsync.state.lines import Settled
from halo_adsync.state.runs import Run, Status
from halo_adsync.state.store import Store
from halo_adsync.state.table import Conflict, Operation, Row
from tests.contract.storage import (
    CONTOSO,
    AnyTable,
    Clock,
    LosingTransport,
    RacedTable,
    RepeatingTable,
    SilentTable,
    a_change,
    a_link,
    a_plan,
    a_run,
    azure_table,
    run_id,
)

FIRST, SECOND = run_id(1), run_id(2)


@pytest.fixture
def clock() -> Clock:
    """A clock that moves only when it is told to."""
    return Clock()


@pytest.fixture
def state(storage_table: AnyTable, clock: Clock) -> CustomerState:
    """The state of a customer without a run."""
    return Store(storage_table, clock.now).of(CONTOSO)


def write(lease: Lease, key: str = "x", value: int = 1) -> None:
    """Write a row under the lease."""
    lease.transact([Operation("put", Row(CONTOSO, key, {"v": value}))])


def read(table: AnyTable, key: str = "x") -> object:
    """Return what stands in the row."""
    row = table.get(CONTOSO, key)
    return row and row.values["v"]


def test_a_second_run_is_busy(state: CustomerState) -> None:
    """It learns who is going on, and that waiting helps; so does a second slice of the same run."""
    lease = state.lease(FIRST)
    for run in (SECOND, FIRST):
        with pytest.raises(Busy, match=f"Run {FIRST} of customer contoso is going on") as raised:
            state.lease(run)
        assert raised.value.holder == FIRST
    write(lease)


def test_a_released_lease_is_free_at_once(state: CustomerState) -> None:
    """Its run is over, so the next one finds nobody to bury."""
    state.lease(FIRST).release()
    lease = state.lease(SECOND)
    assert lease.previous is None
    with pytest.raises(Busy):
        state.lease(FIRST)


def test_a_lease_lasts_its_time_and_no_longer(state: CustomerState, clock: Clock) -> None:
    """A second before its end it holds; at its end anybody may take it, and learns whose it was."""
    state.lease(FIRST)
    clock.pass_by(SECONDS - 1)
    with pytest.raises(Busy):
        state.lease(SECOND)
    clock.pass_by(1)
    assert state.lease(SECOND).previous == FIRST


def test_a_lease_by_a_clock_that_was_far_ahead_is_nobodys(state: CustomerState, clock: Clock) -> None:
    """Nobody waits three days for it; one by a clock that differs a little lasts its time."""
    clock.pass_by(3 * 86_400)
    dead = state.lease(FIRST)
    clock.pass_by(-3 * 86_400)
    assert not is_held(dead._table, CONTOSO, FIRST, clock.now())
    clock.pass_by(50)
    state.lease(SECOND)
    clock.pass_by(-50)
    with pytest.raises(Busy):
        state.lease(FIRST)
    with pytest.raises(LeaseLost):
        write(dead)


def test_every_write_renews_it(state: CustomerState, clock: Clock) -> None:
    """A run that goes on writing is never taken for a dead one."""
    lease = state.lease(FIRST)
    for _ in range(5):
        clock.pass_by(SECONDS - 1)
        write(lease)
    with pytest.raises(Busy):
        state.lease(SECOND)


def test_a_pulse_renews_it_only_when_some_time_is_over(storage_table: AnyTable, clock: Clock) -> None:
    """A sign of life before every request to Halo must not cost a transaction each."""
    meter = Meter()
    lease = Lease(storage_table.with_meter(meter), CONTOSO, FIRST, clock.now)
    spent = meter.table_transactions
    lease.pulse()
    clock.pass_by(RENEW_AFTER)
    lease.pulse()
    assert meter.table_transactions == spent
    clock.pass_by(0.5)
    lease.pulse()
    lease.pulse()
    assert meter.table_transactions == spent + 1
    clock.pass_by(SECONDS - 1)
    with pytest.raises(Busy):
        Lease(storage_table, CONTOSO, SECOND, clock.now)


def test_a_revived_run_writes_nothing(state: CustomerState, storage_table: AnyTable, clock: Clock) -> None:
    """Another run has taken over: neither a write nor a sign of life gets through, now or later."""
    old = state.lease(FIRST)
    write(old, value=1)
    clock.pass_by(SECONDS + 1)
    new = state.lease(SECOND)
    for _ in range(2):
        with pytest.raises(LeaseLost, match=FIRST):
            write(old, value=2)
        clock.pass_by(RENEW_AFTER + 1)
        with pytest.raises(LeaseLost):
            old.pulse()
    assert read(storage_table) == 1
    old.release()
    old.hand_over()
    with pytest.raises(Busy) as raised:
        state.lease(FIRST)
    assert raised.value.holder == SECOND
    write(new, value=3)


def test_a_run_that_was_late_and_missed_by_nobody_goes_on(state: CustomerState, clock: Clock) -> None:
    """Nobody took its lease over, so nothing is lost."""
    lease = state.lease(FIRST)
    clock.pass_by(10 * SECONDS)
    write(lease)
    with pytest.raises(Busy):
        state.lease(SECOND)


def test_a_handed_over_lease_lets_in_the_same_run_alone(
    state: CustomerState, storage_table: AnyTable, clock: Clock
) -> None:
    """The next slice goes on at once, and the last one is fenced off; other runs wait for its end."""
    old = state.lease(FIRST)
    old.hand_over()
    with pytest.raises(Busy):
        state.lease(SECOND)
    new = state.lease(FIRST)
    assert new.previous is None
    with pytest.raises(LeaseLost):
        write(old)
    write(new, value=2)
    assert read(storage_table) == 2
    new.hand_over()
    clock.pass_by(SECONDS)
    assert state.lease(SECOND).previous == FIRST


def test_a_dead_slice_holds_up_its_own_run_too(state: CustomerState, clock: Clock) -> None:
    """It may be alive and slow: only when its time is over may the run go on, as itself."""
    state.lease(FIRST)
    with pytest.raises(Busy):
        state.lease(FIRST)
    clock.pass_by(SECONDS)
    assert state.lease(FIRST).previous is None


@pytest.mark.parametrize("run", [FIRST, SECOND])
@pytest.mark.parametrize("released", [False, True])
def test_of_two_that_come_at_once_one_is_let_in(
    storage_table: AnyTable, clock: Clock, run: RunId, released: bool
) -> None:
    """Both saw a free lease; the slower one is told who was faster, also when that is its own run."""
    if released:
        Lease(storage_table, CONTOSO, SECOND, clock.now).release()
    taken: list[Lease] = []
    raced = RacedTable(
        storage_table, other=lambda: taken.append(Lease(storage_table, CONTOSO, FIRST, clock.now))
    )
    with pytest.raises(Busy) as raised:
        Lease(raced, CONTOSO, run, clock.now)
    assert raised.value.holder == FIRST
    write(taken[0])


@pytest.mark.parametrize("there", [False, True])
def test_taking_it_survives_a_lost_answer(storage_table: AnyTable, clock: Clock, there: bool) -> None:
    """The client repeats the request and meets its own first attempt: nobody else holds the lease."""
    if there:
        Lease(storage_table, CONTOSO, FIRST, clock.now).release()
    table = RepeatingTable(storage_table, repeats=1)
    lease = Lease(table, CONTOSO, SECOND, clock.now)
    write(lease)
    table.repeats = 1
    write(lease, value=2)
    table.repeats = 1
    lease.release()
    Lease(storage_table, CONTOSO, FIRST, clock.now)
    assert read(storage_table) == 2


@pytest.mark.azurite
def test_a_lease_survives_answers_lost_on_the_wire(storage_emulator: str, clock: Clock) -> None:
    """With Azure's own client, which sends again by itself: taking, writing, renewing, handing over."""
    transport = LosingTransport()
    with azure_table(storage_emulator, transport=transport, retry_backoff_factor=0.01) as table:
        lease = Lease(table, CONTOSO, FIRST, clock.now)
        transport.lose = 1
        write(lease)
        transport.lose = 1
        clock.pass_by(RENEW_AFTER + 1)
        lease.pulse()
        transport.lose = 1
        lease.hand_over()
        assert read(table) == 1
        transport.lose = 2
        write(Lease(table, CONTOSO, FIRST, clock.now), value=2)
        assert (read(table), transport.lose) == (2, 0)


def test_a_lease_is_not_lost_by_a_write_that_nobody_confirmed(storage_table: AnyTable, clock: Clock) -> None:
    """Its own unconfirmed write is nobody else's: the next write goes on from there."""
    table = SilentTable(storage_table)
    lease = Lease(table, CONTOSO, FIRST, clock.now)
    table.down = True
    with pytest.raises(StateUnavailable):
        write(lease, value=1)
    table.down = False
    write(lease, value=2)
    assert read(storage_table) == 2


def test_a_condition_that_fails_by_itself_is_not_taken_for_done(
    state: CustomerState, storage_table: AnyTable
) -> None:
    """The lease is there, but another row's condition does not hold: nothing is written, and it is said."""
    lease = state.lease(FIRST)
    write(lease, "there")
    with pytest.raises((LeaseLost, Conflict)):
        lease.transact(
            [
                Operation("put", Row(CONTOSO, "x", {"v": 1})),
                Operation("insert", Row(CONTOSO, "there", {"v": 2})),
            ]
        )
    assert read(storage_table) is None


@pytest.fixture
def dying(state: CustomerState) -> tuple[Run, Lease]:
    """A run that is about to apply three changes, and will not come far."""
    run = a_run(1, status=Status.APPLYING)
    lease = state.lease(run.id)
    plan = a_plan(a_change(0), a_change(1), a_change(2, Kind.UPDATE), unchanged=4)
    return state.save_plan(run, plan, (), (), {}, lease=lease), lease


def test_a_dead_run_is_buried_by_the_next(
    state: CustomerState, clock: Clock, dying: tuple[Run, Lease]
) -> None:
    """It had changed nothing, so it failed; whom it did not come to are counted as failed."""
    run, _ = dying
    clock.pass_by(SECONDS)
    state.lease(SECOND)
    buried = state.run(run.id)
    assert (buried.status, buried.finished) == (Status.FAILED, clock.now().isoformat())
    assert (buried.counts["failed"], buried.counts["create"], buried.counts["unchanged"]) == (3, 0, 4)
    assert f"died after 0 of 3 changes; run {SECOND} took over" in buried.message


def test_a_dead_run_that_had_changed_something_is_partial(
    state: CustomerState, clock: Clock, dying: tuple[Run, Lease]
) -> None:
    """What it settled stays settled."""
    run, lease = dying
    first = next(state.lines(run))
    state.settle(run, [Settled(first, link=a_link(0))], lease)
    clock.pass_by(SECONDS)
    state.lease(SECOND)
    buried = state.run(run.id)
    assert (buried.status, buried.settled) == (Status.PARTIAL, 1)
    assert (buried.counts["failed"], buried.counts["create"]) == (2, 1)


def test_a_dead_run_whose_first_batch_is_in_doubt_is_partial(
    state: CustomerState, clock: Clock, dying: tuple[Run, Lease]
) -> None:
    """It may have reached Halo: nobody may say that nothing was changed."""
    run, lease = dying
    state.save_run(replace(run, orderly=False), lease)
    clock.pass_by(SECONDS)
    state.lease(SECOND)
    assert state.run(run.id).status is Status.PARTIAL


def test_a_run_that_ended_without_letting_go_is_left_as_it_is(
    state: CustomerState, clock: Clock, dying: tuple[Run, Lease]
) -> None:
    """It died between its last row and its lease."""
    run, lease = dying
    ended = a_run(1, status=Status.OK, message="done")
    state.save_run(ended, lease)
    clock.pass_by(SECONDS)
    state.lease(SECOND)
    assert state.run(run.id) == ended


def test_a_dead_run_without_a_row_is_nothing_to_bury(state: CustomerState, clock: Clock) -> None:
    """A removal of the customer holds the lease as well, and has no row."""
    state.lease(FIRST)
    clock.pass_by(SECONDS)
    assert state.lease(SECOND).previous == FIRST
    assert state.find_run(FIRST) is None
