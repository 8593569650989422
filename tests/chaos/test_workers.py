"""Workers are killed, come twice, stall, and live by clocks that jump; at any step of a run."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

import pytest

from halo_adsync.errors import Busy
from halo_adsync.state.lease import SECONDS as LEASE_SECONDS
from halo_adsync.state.queue import Request
from halo_adsync.state.runs import Status
from tests.chaos.matrix import Matrix, some
from tests.chaos.worker import Job, end, start
from tests.chaos.world import CHANGES, FIRST, QUIET, Company, HastyBuilder, World
from tests.contract.storage import azure_table
from tests.contract.sync_stage import Died, Fuse

PART, DAYS = "Workers and clocks", (FIRST, CHANGES, QUIET)


@dataclass
class Meanwhile(Fuse):
    """Lets something else happen before a step."""

    happens: Callable[[], None] = lambda: None

    def step(self) -> None:
        """Count a step."""
        self.steps += 1
        if self.steps - 1 == self.at:
            self.happens()


def steps_of(company: Company, day: str) -> list[int]:
    """Return at which steps of a day's run something happens."""
    world = company.begin(day)
    request = world.stage.request()
    world.stage.kill_at(None)
    assert world.attempt(request) == "ok"
    return some(range(world.stage.builder.fuse.steps), 12)


def another(world: World) -> HastyBuilder:
    """Return another worker of the same customer."""
    stage = world.stage
    return HastyBuilder(stage.table, stage.time, stage.environment)


@pytest.mark.azurite
@pytest.mark.parametrize("day", DAYS)
def test_the_process_is_killed(company: Company, matrix: Matrix, storage_emulator: str, day: str) -> None:
    """At any step, with the table in the emulator: the message comes again, and all ends well."""
    with matrix.case(PART, "is killed (SIGKILL)", day) as outcomes:
        for step in steps_of(company, day):
            name = f"T{uuid4().hex}"
            with azure_table(storage_emulator, name) as table:
                world = company.begin(day, table)
                request = world.stage.request()
                job = Job(
                    storage_emulator, name, world.stage.environment, world.stage.time.now, request, step
                )
                assert end(start(job)) == -signal.SIGKILL
                outcomes["killed"] += 1
                world.recover(request)


@pytest.mark.azurite
@pytest.mark.parametrize("same", [True, False], ids=["one message", "two runs"])
@pytest.mark.parametrize("day", DAYS)
def test_two_processes_at_once(
    company: Company, matrix: Matrix, storage_emulator: str, day: str, same: bool
) -> None:
    """However they meet, one of them does the work."""
    what = "two processes at once, " + ("one message" if same else "two runs")
    with matrix.case(PART, what, day) as outcomes:
        for _ in range(3):
            name = f"T{uuid4().hex}"
            with azure_table(storage_emulator, name) as table:
                world = company.begin(day, table)
                requests = [world.stage.request()] * 2 if same else [world.stage.request() for _ in "12"]
                environment, now = world.stage.environment, world.stage.time.now
                jobs = [Job(storage_emulator, name, environment, now, request) for request in requests]
                for process in [start(job) for job in jobs]:
                    assert end(process) in {0, 1}  # 1: busy, so that the queue delivers the message again
                world.contended = True
                runs = [world.stage.state.run(request.run).status for request in requests]
                assert Status.OK in runs
                outcomes[", ".join(sorted(runs[: 1 if same else 2]))] += 1
                world.recover(requests[1])


@pytest.mark.parametrize("same", [True, False], ids=["one message", "two runs"])
@pytest.mark.parametrize("day", DAYS)
def test_a_second_worker_comes(company: Company, matrix: Matrix, day: str, same: bool) -> None:
    """At steps of the first: it finds the customer busy and keeps its hands off."""
    what = "a second worker comes, " + ("one message" if same else "two runs")
    with matrix.case(PART, what, day) as outcomes:
        for step in steps_of(company, day):
            world = company.begin(day)
            request = world.stage.request()
            second = request if same else world.stage.request()
            others: list[str] = []

            def come(world: World = world, second: Request = second, others: list[str] = others) -> None:
                try:
                    others.append(another(world).sync().run(second).status)
                except Busy:
                    others.append("busy")

            world.stage.builder.fuse = Meanwhile(step, happens=come)
            world.contended = True
            outcomes[f"{world.attempt(request)} ({others[0]})"] += 1
            world.recover(second)


@pytest.mark.parametrize("same", [True, False], ids=["one message", "two runs"])
@pytest.mark.parametrize("day", DAYS)
def test_a_worker_stalls_and_is_taken_for_dead(
    company: Company, matrix: Matrix, day: str, same: bool
) -> None:
    """At any step: another does the work, and the one that wakes up again writes nothing more."""
    what = "stalls and is overtaken, " + ("one message" if same else "two runs")
    with matrix.case(PART, what, day) as outcomes:
        for step in steps_of(company, day):
            world = company.begin(day)
            request = world.stage.request()
            second = request if same else world.stage.request()

            def stall(world: World = world, second: Request = second) -> None:
                world.stage.wait(LEASE_SECONDS + 1)
                overtaking = another(world).sync().run(second)
                assert overtaking.status is Status.OK
                world.stage.halo.forget_requests()

            world.stage.builder.fuse = Meanwhile(step, happens=stall)
            world.contended = True
            outcomes[world.attempt(request)] += 1
            assert world.stage.writes() == [], "it wrote after it had lost its lease"
            world.recover(request)


@pytest.mark.parametrize("dies", [False, True], ids=["it goes on", "it dies"])
@pytest.mark.parametrize("days", [3, -3], ids=["ahead", "back"])
@pytest.mark.parametrize("day", DAYS)
def test_the_clock_jumps(company: Company, matrix: Matrix, day: str, days: int, dies: bool) -> None:
    """At any step, and then it is put right: nobody waits for a time that never was."""
    what = f"the clock jumps {days:+} days{', and it dies' if dies else ''}"
    with matrix.case(PART, what, day) as outcomes:
        for step in steps_of(company, day):
            world = company.begin(day)
            request = world.stage.request()
            right = world.stage.time.now

            def jump(world: World = world) -> None:
                world.stage.wait(days * 86_400)
                world.stage.kill_at(1 if dies else None)

            world.stage.builder.fuse = Meanwhile(step, happens=jump)
            try:
                outcomes[world.attempt(request)] += 1
            except Died:
                outcomes["killed"] += 1
            world.stage.time.now = right
            world.stage.kill_at(None)
            world.recover(request)
