"""The use cases of the sync, on a table in memory and on the storage emulator."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from devstack.directory import Directory
from devstack.halo import SimulatedHalo
from devstack.memory import MemoryTable
from halo_adsync.errors import Busy, NotFound
from halo_adsync.model import CustomerId
from halo_adsync.plan.types import Kind
from halo_adsync.state.lease import KEY as LEASE
from halo_adsync.state.lease import SECONDS as LEASE_SECONDS
from halo_adsync.state.queue import Request
from halo_adsync.state.runs import Run, Status
from tests.contract.halo_desk import Time
from tests.contract.storage import AnyTable, run_id
from tests.contract.sync_stage import (
    BATCH,
    CUSTOMER,
    HEADCOUNT,
    OFFICES,
    PEOPLE,
    Died,
    Fuse,
    Stage,
    company,
    delivered,
    last_run,
)


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    """The company's directory, for tests that leave it as it is."""
    with company() as running:
        yield running


@pytest.fixture
def stage(storage_table: AnyTable, directory: Directory) -> Iterator[Stage]:
    """A customer of whom nobody is in Halo yet."""
    time = Time()
    with SimulatedHalo(clock=time.seconds) as halo:
        yield Stage(directory, halo, storage_table, time)


def people(run: Run) -> dict[str, int]:
    """Return the buckets that are not empty."""
    return {name: number for name, number in run.counts.items() if number}


def test_a_dry_run_writes_nothing_to_halo(stage: Stage) -> None:
    """The plan is stored and can be looked at; no link is made, and no site."""
    run = stage.run(dry_run=True)
    assert (run.status, people(run)) == (Status.PLANNED, {"create": HEADCOUNT, "skipped": 1})
    assert run.finished
    assert stage.writes() == []
    assert stage.halo.people == []
    assert stage.state.links() == {}
    lines = list(stage.state.lines(run))
    assert [line.change.kind for line in lines] == [Kind.CREATE_SITE] * 3 + [Kind.CREATE] * HEADCOUNT
    assert {line.status for line in lines} == {"pending"}
    assert [note.kind for note in stage.state.notes(run)] == [Kind.SKIPPED]
    assert run.cost["halo_writes"] == 0


def test_the_first_run_brings_everybody_and_the_second_sends_nothing(stage: Stage) -> None:
    """Everybody arrives once; then Halo hears nothing at all, not even a sign-in."""
    first = stage.run()
    assert (first.status, people(first)) == (Status.OK, {"create": HEADCOUNT, "skipped": 1})
    assert (first.settled, first.orderly, first.message) == (first.total, True, "")
    stage.check_everybody_is_there_once()
    batches = [request.elements for request in stage.writes() if request.path.lower() == "/api/users"]
    assert batches == [BATCH, BATCH, HEADCOUNT - 2 * BATCH]
    stage.halo.forget_requests()
    second = stage.run()
    assert (second.status, people(second)) == (Status.OK, {"unchanged": HEADCOUNT, "skipped": 1})
    assert (second.cost["halo_requests"], stage.halo.requests) == (0, [])
    assert second.cost["table_transactions"] < 20
    assert [run.id for run in stage.state.runs(10)].index(first.id) >= 0


def test_reconcile_finds_what_was_changed_in_halo(stage: Stage) -> None:
    """A full run trusts the links; a reconcile reads what Halo holds and repairs it."""
    stage.run()
    stage.halo.people[0]["name"] = "Somebody else"
    assert people(stage.run())["unchanged"] == HEADCOUNT
    repaired = stage.run(mode="reconcile")
    assert (repaired.status, people(repaired)["update"]) == (Status.OK, 1)
    stage.check_everybody_is_there_once()


def test_a_finished_run_that_is_delivered_again_does_nothing(stage: Stage) -> None:
    """A queue delivers at least once: nothing is sent, nothing is written, the answer is the same."""
    request = stage.request()
    first = stage.sync().run(request)
    stage.halo.forget_requests()
    before = stage.rows()
    for again in (request, delivered(request)):
        assert stage.sync().run(again) == first
    after = stage.rows()
    del before[LEASE], after[LEASE]  # it was looked at under the lease
    assert (after, stage.halo.requests, stage.queue.sent) == (before, [], [])


def test_a_run_for_one_person_brings_just_that_person(stage: Stage) -> None:
    """With the site that it needs; everybody else waits for a run for everybody."""
    planned = stage.run(dry_run=True)
    person = next(line.change for line in stage.state.lines(planned) if line.change.kind is Kind.CREATE)
    run = stage.sync().run(stage.request(person=person.guid))
    assert (run.status, people(run)) == (Status.OK, {"create": 1})
    (user,) = stage.halo.people
    assert user["third_party_guid"] == person.guid
    assert len(stage.halo.sites) == 2
    assert stage.run().status is Status.OK
    stage.check_everybody_is_there_once()


def test_a_slice_that_is_over_hands_over_to_the_next(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each does what it has time for; their costs add up, and only this run may go on at once."""
    watch = Time()
    late = watch.now + timedelta(seconds=100)
    monkeypatch.setattr("halo_adsync.sync.monotonic", watch.seconds)

    def progress(phase: str, done: int, total: int | None) -> None:
        del total
        if (phase, done) == ("Writing to Halo", len(OFFICES) + BATCH) and watch.now < late:
            watch.now = late

    request = stage.request()
    first = stage.sync(progress).run(request, slice_seconds=60)
    assert (first.status, first.settled) == (Status.APPLYING, len(OFFICES) + BATCH)
    assert len(stage.halo.people) == BATCH
    ((message, delay),) = stage.queue.sent
    assert (message, delay) == (request, 0)
    beside = stage.run()
    assert beside.status is Status.SKIPPED
    assert first.id in beside.message
    second = stage.sync(progress).run(message, slice_seconds=60)
    assert (second.status, second.settled, second.finished != "") == (Status.OK, second.total, True)
    for what in ("halo_requests", "halo_writes", "ldap_searches"):
        assert second.cost[what] >= first.cost[what] > 0
    assert second.cost["halo_writes"] == len(OFFICES) + 3
    stage.check_everybody_is_there_once()


def test_a_slice_without_time_still_gets_the_run_on(stage: Stage) -> None:
    """Planning took all of it: the plan is stored, and the next slice does not plan again."""
    request = stage.request()
    planned = stage.sync().run(request, slice_seconds=0)
    assert (planned.status, planned.settled, planned.orderly) == (Status.APPLYING, 0, True)
    assert stage.writes() == []
    done = stage.sync().run(request)
    assert (done.status, done.digest) == (Status.OK, planned.digest)
    assert done.cost["ldap_searches"] == planned.cost["ldap_searches"]
    stage.check_everybody_is_there_once()


def check_failed(stage: Stage, run: Run, cause: str, *said: str) -> None:
    """Assert that a run failed with a sentence that says why, wrote nothing, and is in nobody's way."""
    assert (run.status, run.cause, people(run)) == (Status.FAILED, cause, {})
    assert run == last_run(stage)
    assert run.finished
    for text in said:
        assert text in run.message
    assert stage.writes() == []
    assert stage.halo.people == []
    assert stage.state.links() == {}
    stage.state.lease(run_id(99)).release()


def test_a_wrong_halo_secret_fails(stage: Stage) -> None:
    """The sentence names the sign-in; the secret is not in it."""
    stage.environment["SECRET_HALO"] = "not-the-right-one"
    run = stage.run()
    check_failed(stage, run, "HaloRefused", "client")
    assert "not-the-right-one" not in run.message


@pytest.mark.parametrize(("variable", "name"), [("SECRET_HALO", "halo"), ("SECRET_AD", "ad")])
def test_a_missing_secret_fails(stage: Stage, variable: str, name: str) -> None:
    """The sentence says which and where to put it."""
    del stage.environment[variable]
    check_failed(stage, stage.run(), "configuration", f'The secret "{name}" is missing', variable)


def test_a_wrong_password_fails(stage: Stage) -> None:
    """The domain controller says no; the password is not in the sentence."""
    stage.environment["SECRET_AD"] = "not-the-password"
    run = stage.run()
    check_failed(stage, run, "DirectoryRefused", "svc-halo@corp.example")
    assert "not-the-password" not in run.message


def test_a_missing_ou_fails(stage: Stage) -> None:
    """It is named: whoever stood in it must not look like a leaver."""
    stage.keep(include=f"OU=Nowhere,{PEOPLE}")
    check_failed(stage, stage.run(), "IncompleteRead", f"OU=Nowhere,{PEOPLE}")


def test_an_unreachable_domain_controller_fails(stage: Stage) -> None:
    """It is named, so that somebody can look after it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = f"localhost:{listener.getsockname()[1]}"
    stage.keep(server=server)
    check_failed(stage, stage.run(), "IncompleteRead", server)


def test_an_unreachable_halo_fails_and_comes_back(stage: Stage) -> None:
    """Nothing was changed, so the next run begins anew."""
    stage.halo.faults.add("status", status=503, times=None)
    run = stage.run()
    assert (run.status, run.cause) == (Status.FAILED, "HaloUnavailable")
    stage.halo.faults.clear()
    assert stage.run().status is Status.OK
    stage.check_everybody_is_there_once()


def test_a_halo_that_breaks_down_midway_leaves_a_partial_run(stage: Stage) -> None:
    """What was written stays, with links; who was not reached counts as failed and arrives next time."""
    stage.halo.faults.add("status", method="POST", path="/api/Users", after=1, times=None, status=401)
    run = stage.run()
    assert (run.status, run.cause) == (Status.PARTIAL, "HaloRefused")
    assert people(run) == {"create": BATCH, "failed": HEADCOUNT - BATCH, "skipped": 1}
    assert len(stage.state.links()) == len(stage.halo.people) == BATCH
    stage.halo.faults.clear()
    again = stage.run()
    assert (again.status, people(again)["create"]) == (Status.OK, HEADCOUNT - BATCH)
    stage.check_everybody_is_there_once()


def test_one_record_that_halo_refuses_stops_nobody_else(stage: Stage) -> None:
    """Its line says why in Halo's words; the run is partial, and only that one is tried again."""
    stage.halo.faults.add("status", method="POST", contains="p07@corp.example", times=None, status=400)
    run = stage.run()
    assert (run.status, people(run)) == (
        Status.PARTIAL,
        {"create": HEADCOUNT - 1, "failed": 1, "skipped": 1},
    )
    (failed,) = [line for line in stage.state.lines(run) if line.status == "failed"]
    assert failed.change.fields["login"].after == "CORP\\p07"
    assert failed.outcome
    stage.halo.faults.clear()
    assert people(stage.run())["create"] == 1
    stage.check_everybody_is_there_once()


def test_a_spent_budget_hands_over_and_marks_the_batch(stage: Stage) -> None:
    """Halo says that it takes nothing for an hour: the run waits on the queue, and then goes on."""
    stage.halo.faults.add(
        "status", method="POST", path="/api/Users", after=1, times=1, status=429, retry_after=3600
    )
    request = stage.request()
    first = stage.sync().run(request)
    assert (first.status, first.orderly) == (Status.APPLYING, False)
    assert first.settled == len(OFFICES) + BATCH
    ((message, delay),) = stage.queue.sent
    assert 0 < delay <= LEASE_SECONDS
    sent = len(stage.halo.requests)
    stage.wait(delay)
    assert stage.sync().run(message).status is Status.APPLYING
    assert len(stage.halo.requests) == sent, "the block holds for every slice"
    stage.wait(3600)
    last = stage.sync().run(message)
    assert (last.status, last.orderly, people(last)["create"]) == (Status.OK, True, HEADCOUNT)
    stage.check_everybody_is_there_once()


def test_a_budget_that_is_spent_while_planning_plans_again(stage: Stage) -> None:
    """Nothing was stored yet."""
    stage.halo.faults.add("status", path="/api/Client", times=1, status=429, retry_after=3600)
    request = stage.request()
    first = stage.sync().run(request)
    assert (first.status, first.total) == (Status.RUNNING, 0)
    stage.wait(3600)
    assert stage.sync().run(stage.queue.sent[0][0]).status is Status.OK
    stage.check_everybody_is_there_once()


def test_a_second_run_beside_a_running_one_is_skipped(stage: Stage) -> None:
    """It is recorded with the reason; the running one is not disturbed."""
    running = stage.request()
    lease = stage.state.lease(running.run)
    second = stage.run()
    assert (second.status, second.finished != "") == (Status.SKIPPED, True)
    assert running.run in second.message
    assert stage.state.run(second.id) == second
    with pytest.raises(Busy):
        stage.sync().run(running)
    assert stage.state.run(running.run).status is Status.QUEUED
    lease.release()
    assert stage.sync().run(running).status is Status.OK
    assert stage.sync().run(replace(running, run=second.id)).status is Status.SKIPPED


def test_a_run_whose_lease_was_taken_over_stops(stage: Stage) -> None:
    """It was slow, another run took it for dead and buried it: it writes nothing more to the table."""
    taken: list[dict[str, object]] = []

    def progress(phase: str, done: int, total: int | None) -> None:
        del total
        if (phase, done, taken) == ("Writing to Halo", len(OFFICES) + BATCH, []):
            stage.wait(LEASE_SECONDS + 1)
            stage.state.lease(run_id(99))
            taken.append(dict(stage.rows()))

    request = stage.request()
    run = stage.sync(progress).run(request)
    assert (run.status, run.settled) == (Status.PARTIAL, len(OFFICES) + BATCH)
    assert run_id(99) in run.message
    assert stage.rows() == taken[0]
    stage.wait(LEASE_SECONDS + 1)
    assert stage.run().status is Status.OK
    stage.check_everybody_is_there_once()


def test_a_message_that_nobody_recorded_is_a_run_all_the_same(stage: Stage) -> None:
    """Somebody put it on the queue by hand; delivered twice it is one run."""
    request = Request(CUSTOMER, run_id(3), "full", "by hand", "Zoë")
    run = stage.sync().run(request)
    assert (run.status, run.reason, run.actor) == (Status.OK, "by hand", "Zoë")
    assert stage.sync().run(request) == run
    assert [run.id for run in stage.state.runs(10)] == [request.run]


def test_an_unknown_customer_is_not_found(stage: Stage) -> None:
    """Neither a run nor a row of it comes to be."""
    with pytest.raises(NotFound):
        stage.sync().request("nobody", "full", "test", "tester")
    with pytest.raises(NotFound):
        stage.sync().run(Request(CustomerId("nobody"), run_id(3)))
    assert stage.queue.sent == []
    assert list(stage.table.query("nobody", "", "~")) == []


def test_a_request_is_recorded_before_it_is_sent(stage: Stage) -> None:
    """Whoever asks for the run's status finds it, however slow the workers are."""
    request = stage.sync().request(CUSTOMER, "full", "test", "tester", dry_run=True)
    assert stage.queue.sent == [(request, 0)]
    run = last_run(stage)
    assert (run.id, run.status, run.dry_run) == (request.run, Status.QUEUED, True)


def test_a_message_that_was_given_up_fails_its_run(stage: Stage) -> None:
    """Once; its lease is free. One that ended meanwhile, or never was, is left alone."""
    request = stage.request()
    failed = stage.sync().fail(request, "given up")
    assert failed == last_run(stage)
    assert (failed.status, failed.message, failed.finished != "") == (Status.FAILED, "given up", True)
    assert stage.sync().fail(request, "again") == failed
    assert stage.sync().fail(Request(CUSTOMER, run_id(7)), "never was") is None
    done = stage.run()
    assert done.status is Status.OK
    assert stage.sync().fail(Request(CUSTOMER, done.id), "too late") == done


def test_a_run_that_was_given_up_midway_is_partial(stage: Stage) -> None:
    """What it wrote stays, and whom it did not come to counts as failed."""
    stage.halo.faults.add(
        "status", method="POST", path="/api/Users", after=1, times=1, status=429, retry_after=3600
    )
    request = stage.request()
    assert stage.sync().run(request).status is Status.APPLYING
    ended = stage.sync().fail(request, "given up")
    assert ended == last_run(stage)
    assert (ended.status, people(ended)) == (
        Status.PARTIAL,
        {"create": BATCH, "failed": HEADCOUNT - BATCH, "skipped": 1},
    )


@dataclass(kw_only=True)
class BatchFuse(Fuse):
    """Kills the worker as soon as Halo has stored its first batch."""

    halo: SimulatedHalo

    def step(self) -> None:
        """Live on until then."""
        if self.halo.people:
            raise Died


def test_a_first_batch_in_doubt_is_never_called_nothing(stage: Stage) -> None:
    """Its worker died with the answer on its way; the next slice is refused by Halo before it can look."""
    for office in OFFICES:
        stage.halo.add_site(stage.client, office)
    request = stage.request()
    stage.builder.fuse = BatchFuse(halo=stage.halo)
    with pytest.raises(Died):
        stage.sync().run(request)
    assert (len(stage.halo.people), stage.state.links()) == (BATCH, {})
    stage.wait(LEASE_SECONDS)
    stage.kill_at(None)
    stage.environment["SECRET_HALO"] = "not-the-right-one"
    run = stage.sync().run(request)
    assert (run.status, run.settled, run.cause) == (Status.PARTIAL, 0, "HaloRefused")


def test_an_interrupted_run_says_so_and_the_next_goes_on(stage: Stage) -> None:
    """Ctrl-C between two batches: what is done stays, and nobody has to wait for a lease."""

    def progress(phase: str, done: int, total: int | None) -> None:
        del total
        if (phase, done) == ("Writing to Halo", len(OFFICES) + BATCH):
            raise KeyboardInterrupt

    run = stage.sync(progress).run(stage.request())
    assert (run.status, people(run)["create"], people(run)["failed"]) == (
        Status.PARTIAL,
        BATCH,
        HEADCOUNT - BATCH,
    )
    assert "interrupted" in run.message
    assert stage.run().status is Status.OK
    stage.check_everybody_is_there_once()


def test_an_unforeseen_error_lets_the_same_message_try_again_at_once(stage: Stage) -> None:
    """The queue tries it again: it need not wait for the lease, and goes on where it stood."""
    calls: list[int] = []

    def progress(phase: str, done: int, total: int | None) -> None:
        del total
        if (phase, done, calls) == ("Writing to Halo", len(OFFICES) + BATCH, []):
            calls.append(done)
            raise ZeroDivisionError

    request = stage.request()
    with pytest.raises(ZeroDivisionError):
        stage.sync(progress).run(request)
    run = stage.sync(progress).run(request)
    assert (run.status, people(run)["create"]) == (Status.OK, HEADCOUNT)
    stage.check_everybody_is_there_once()


def test_no_secret_stands_in_any_row(stage: Stage) -> None:
    """Neither of the file's secrets, whatever was planned, written or failed."""
    stage.run(dry_run=True)
    stage.halo.faults.add("status", method="POST", contains="p07@corp.example", times=None, status=400)
    stage.run()
    stage.environment["SECRET_AD"] = "not-the-password"
    stage.run()
    table = stage.table
    if isinstance(table, MemoryTable):
        text = repr(table.rows)
        assert len(text) > 10_000
        assert not any(secret in text for secret in stage.environment.values())
