"""What Halo refuses: parked, tried ever more rarely, stopping nobody else; too much of it stops the run."""

from datetime import datetime, timedelta

import pytest

from devstack.directory import Directory
from halo_adsync import terminal
from halo_adsync.customers import listed
from halo_adsync.plan.types import Kind
from halo_adsync.schedule import request_due
from halo_adsync.state.runs import Run, Status
from tests.contract.sync_stage import HEADCOUNT, Stage, directory, dn, go, rules, stage

__all__ = ["directory", "stage"]
BAD_NUMBER = 3
BAD = f"p{BAD_NUMBER:02}"
HOURLY = "0 * * * *"


def refuse(stage: Stage, account: str) -> None:
    """Let Halo choke on everything that holds an account's name, whenever it is sent."""
    stage.halo.faults.add(
        "status", method="POST", path="/api/Users", contains=f'\\\\{account}"', status=400, times=None
    )


def held(stage: Stage, run: Run) -> list[str]:
    """Return why people are held in a run."""
    return [change.reason for change in stage.state.notes(run) if change.kind is Kind.HELD]


def creations(stage: Stage) -> int:
    """Return how many requests that write users Halo has had since the last look."""
    return sum(request.path == "/api/Users" for request in stage.writes())


def test_who_is_refused_is_tried_ever_more_rarely(stage: Stage) -> None:
    """In the next run, then after 6, 12 and 24 hours, then daily; everybody else is in Halo at once."""
    refuse(stage, BAD)
    run = go(stage)
    assert (run.status, run.counts["failed"], run.counts["create"]) == (Status.PARTIAL, 1, HEADCOUNT - 1)
    assert len(stage.halo.people) == HEADCOUNT - 1
    assert go(stage).counts["failed"] == 1, "the next run tries at once"
    for hours in (6, 12, 24, 24, 24):
        stage.wait((hours - 1) * 3600)
        stage.halo.forget_requests()
        resting = go(stage)
        assert (resting.status, resting.counts["held"]) == (Status.OK, 1), hours
        (why,) = held(stage, resting)
        assert "times in a row, tried again from 20" in why
        assert creations(stage) == 0
        stage.wait(3600)
        assert go(stage).counts["failed"] == 1, hours
    stage.halo.faults.clear()
    stage.wait(24 * 3600)
    assert go(stage).counts["create"] == 1
    assert stage.state.parked() == {}
    stage.check_everybody_is_there_once()


def test_a_change_in_the_directory_is_tried_at_once(stage: Stage, directory: Directory) -> None:
    """Whoever mends the account need not wait; refused again, it begins anew."""
    refuse(stage, BAD)
    for _ in range(3):
        go(stage)
    (parked,) = stage.state.parked().values()
    assert parked.failures == 2
    directory.modify(dn(BAD_NUMBER), {"title": "Mended"})
    assert go(stage).counts["failed"] == 1
    (parked,) = stage.state.parked().values()
    assert parked.failures == 1


def test_who_asks_for_one_person_is_not_made_to_wait(stage: Stage) -> None:
    """`explain` says that the record is parked; `explain --apply` tries it, and lets go of it."""
    refuse(stage, BAD)
    go(stage)
    go(stage)
    stage.halo.faults.clear()
    (key,) = stage.state.parked()
    guid = key.partition("|")[2]
    looked = stage.sync().run(stage.request(dry_run=True, person=guid))
    assert looked.counts["held"] == 1
    assert stage.sync().run(stage.request(person=guid)).counts["create"] == 1
    assert stage.state.parked() == {}


def test_what_needs_nothing_any_more_is_forgotten(stage: Stage, directory: Directory) -> None:
    """Who leaves before Halo ever took them leaves no row behind."""
    refuse(stage, BAD)
    go(stage)
    assert stage.state.parked()
    directory.disable(dn(BAD_NUMBER))
    assert go(stage).status is Status.OK
    assert stage.state.parked() == {}


def scheduled(stage: Stage) -> list[str]:
    """Let the timer look who is due, and return the modes."""
    return [request.mode for request in request_due(stage.builder.services())]


def test_a_run_in_which_too_much_fails_is_stopped_and_the_schedule_rests(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """It says what failed and until when; 6, 12, then 24 hours; a run that goes well ends that."""
    rules(stage, schedule={"full": HOURLY})
    stage.halo.faults.add("status", method="POST", path="/api/Users", status=400, times=None)
    for hours in (6, 12, 24, 24):
        run = go(stage)
        until = stage.time.clock() + timedelta(hours=hours)
        assert run.status is Status.PARTIAL
        assert terminal.exit_status(run) == terminal.PARTIAL
        assert "which is more than 40 per cent" in run.message
        assert f"halo-adsync run contoso {run.id}" in run.message
        assert datetime.fromisoformat(run.paused_until) == until
        assert "rests until" in caplog.text
        caplog.clear()
        assert next(iter(listed(stage.builder.store())))["paused_until"] == run.paused_until
        stage.wait((hours - 0.1) * 3600)
        assert scheduled(stage) == []
    stage.halo.faults.clear()
    stage.wait(0.2 * 3600)
    assert scheduled(stage) == ["full"]
    assert stage.sync().run(stage.queue.sent[-1][0]).status is Status.OK
    stage.check_everybody_is_there_once()
    assert "paused_until" not in next(iter(listed(stage.builder.store())))


def test_a_run_by_hand_ends_the_rest(stage: Stage) -> None:
    """Who has mended the cause syncs, and the schedule goes on; no record is parked for its part in it."""
    rules(stage, schedule={"full": HOURLY})
    stage.halo.faults.add("status", method="POST", path="/api/Users", status=400, times=None)
    for _ in range(3):
        assert go(stage).paused_until
    stage.halo.faults.clear()
    stage.wait(3600)
    assert scheduled(stage) == []
    assert go(stage).status is Status.OK
    stage.wait(3600)
    assert scheduled(stage) == ["full"]
