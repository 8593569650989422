"""A worker dies, at any step whatever: its run or the next one brings everybody to Halo exactly once."""

from collections.abc import Iterator
from contextlib import suppress

import pytest

from devstack.directory import Directory
from devstack.halo import SimulatedHalo
from devstack.memory import MemoryTable
from halo_adsync.errors import Busy, StateUnavailable
from halo_adsync.state.lease import SECONDS as LEASE_SECONDS
from halo_adsync.state.queue import Request
from halo_adsync.state.runs import Run, Status
from tests.contract.halo_desk import Time
from tests.contract.storage import azure_table
from tests.contract.sync_stage import (
    HEADCOUNT,
    OUT_OF_REACH,
    Died,
    Outage,
    Stage,
    company,
    last_run,
)


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    """The company's directory."""
    with company() as running:
        yield running


@pytest.fixture
def halo() -> Iterator[SimulatedHalo]:
    """A simulated Halo, which every attempt empties."""
    with SimulatedHalo(clock=Time().seconds) as running:
        yield running


def fresh(directory: Directory, halo: SimulatedHalo) -> Stage:
    """Return a stage on which nothing has happened yet."""
    halo.reset()
    return Stage(directory, halo, MemoryTable())


def dies(stage: Stage, request: Request, step: int) -> bool:
    """Let a worker take the request up and die before that step; tell whether it did."""
    stage.kill_at(step)
    try:
        stage.sync().run(request)
    except Died:
        return True
    finally:
        stage.kill_at(None)
    return False


def resume(stage: Stage, request: Request) -> Run:
    """Deliver the message again: at once it is busy, or ended; when the lease is over it goes on."""
    with suppress(Busy):
        return stage.sync().run(request)
    stage.wait(LEASE_SECONDS)
    return stage.sync().run(request)


def steps_of_a_run(directory: Directory, halo: SimulatedHalo) -> int:
    """Return how many steps a whole first run has."""
    stage = fresh(directory, halo)
    request = stage.request()
    stage.kill_at(None)
    assert stage.sync().run(request).status is Status.OK
    return stage.builder.fuse.steps


def check_nothing_is_left_to_do(stage: Stage) -> None:
    """Assert that everybody is there once, and that the next run has nothing to send."""
    stage.check_everybody_is_there_once()
    stage.wait(LEASE_SECONDS)  # the worker may have died with its run ended and the lease in hand
    stage.halo.forget_requests()
    run = stage.run()
    assert (run.status, run.counts["unchanged"]) == (Status.OK, HEADCOUNT)
    assert stage.halo.requests == []


def test_the_same_run_goes_on_wherever_its_worker_died(directory: Directory, halo: SimulatedHalo) -> None:
    """At every step: each transaction, each request to Halo, and so at every batch and phase."""
    steps = steps_of_a_run(directory, halo)
    assert steps > 20
    for step in range(steps):
        stage = fresh(directory, halo)
        request = stage.request()
        assert dies(stage, request, step), step
        run = resume(stage, request)
        assert (run.status, run.counts["create"], run.orderly) == (Status.OK, HEADCOUNT, True), step
        assert run.settled == run.total == HEADCOUNT + 3, step
        check_nothing_is_left_to_do(stage)


def test_another_run_puts_right_what_a_dead_one_left(directory: Directory, halo: SimulatedHalo) -> None:
    """The dead run is settled as failed or partial; whom it created unnoticed is adopted, not doubled."""
    for step in range(steps_of_a_run(directory, halo)):
        stage = fresh(directory, halo)
        request = stage.request()
        assert dies(stage, request, step), step
        stage.wait(LEASE_SECONDS)
        next_run = stage.run()
        assert next_run.status is Status.OK, step
        check_nothing_is_left_to_do(stage)
        dead = stage.state.run(request.run)
        if step == 0:
            assert dead.status is Status.QUEUED, "it never came to hold the lease"
        elif dead.status is not Status.OK:  # it may have died after its end, with the lease in hand
            reached = any(line.status == "done" for line in stage.state.lines(dead)) or not dead.orderly
            assert dead.status is (Status.PARTIAL if reached else Status.FAILED), step
            assert sum(dead.counts.values()) in {0, HEADCOUNT + 1}, step
            assert dead.counts["failed"] == dead.total - dead.settled - sites_left(stage, dead), step


def sites_left(stage: Stage, run: Run) -> int:
    """Return how many of the lines that were not settled are no people."""
    return sum(line.change.kind.value == "create_site" for line in stage.state.lines(run, run.settled))


@pytest.mark.parametrize("stride", [3, 4, 7])
def test_workers_that_die_again_and_again_get_there(
    directory: Directory, halo: SimulatedHalo, stride: int
) -> None:
    """Each one dies a little later than the one before it, resumed or not; the last one ends the run."""
    stage = fresh(directory, halo)
    request = stage.request()
    deaths = 0
    while dies(stage, request, 2 + stride * deaths):
        deaths += 1
        stage.wait(LEASE_SECONDS)
        assert deaths < 50
    assert deaths > 2
    assert last_run(stage).status is Status.OK
    check_nothing_is_left_to_do(stage)


@pytest.mark.parametrize("kind", ["drop_after_commit", "fail_after_commit", "drop_before_commit"])
def test_a_worker_dies_while_halos_answer_is_in_doubt(
    directory: Directory, halo: SimulatedHalo, kind: str
) -> None:
    """Halo loses the second batch's answer, stored or not, and the worker dies at any step after that."""
    step = 0
    while True:
        stage = fresh(directory, halo)
        request = stage.request()
        halo.faults.add(kind, method="POST", path="/api/Users", after=1)
        died = dies(stage, request, step)
        run = resume(stage, request) if died else last_run(stage)
        assert run.status is Status.OK, step
        check_nothing_is_left_to_do(stage)
        if not died:
            break
        step += 1
    assert step > 20


@pytest.mark.parametrize("unheard", [False, True])
def test_storage_that_fails_once_ends_the_run_with_a_sentence(
    directory: Directory, halo: SimulatedHalo, unheard: bool
) -> None:
    """At every transaction, whether it was done or not; the next run brings whoever is missing."""
    first = 0
    while True:
        stage = fresh(directory, halo)
        request = stage.request()
        stage.builder.outage = Outage(first, 1, unheard)
        with suppress(StateUnavailable):  # it hit the lease itself: the queue delivers again
            run = stage.sync().run(request)
            if run.status is Status.OK and stage.builder.outage.met <= first:
                break
            if run.status.is_open:
                pytest.fail(f"the run stands still: {first}")
            if run.status is not Status.OK:
                assert run.message == OUT_OF_REACH
        stage.builder.outage = Outage(0, 0)
        stage.wait(LEASE_SECONDS)
        assert stage.sync().run(request).finished
        stage.wait(LEASE_SECONDS)
        assert stage.run().status is Status.OK, first
        check_nothing_is_left_to_do(stage)
        first += 1
    assert first > 10


@pytest.mark.parametrize("unheard", [False, True])
def test_storage_that_is_away_for_a_while_only_delays_the_run(
    directory: Directory, halo: SimulatedHalo, unheard: bool
) -> None:
    """From any transaction on: the worker gives the message back, and a later delivery ends the run."""
    for first in range(12):
        stage = fresh(directory, halo)
        request = stage.request()
        stage.builder.outage = Outage(first, float("inf"), unheard)
        with pytest.raises(StateUnavailable):
            stage.sync().run(request)
        stage.builder.outage = Outage(0, 0)
        assert resume(stage, request).status is Status.OK, first
        check_nothing_is_left_to_do(stage)


@pytest.mark.azurite
@pytest.mark.parametrize("step", [3, 12, 17, 20, 23, 26])
def test_it_is_the_same_on_the_storage_emulator(
    directory: Directory, halo: SimulatedHalo, storage_emulator: str, step: int
) -> None:
    """Rows, ETags and transactions of the service carry it as those in memory do."""
    with azure_table(storage_emulator) as table:
        halo.reset()
        stage = Stage(directory, halo, table)
        request = stage.request()
        assert dies(stage, request, step)
        assert resume(stage, request).status is Status.OK
        check_nothing_is_left_to_do(stage)
