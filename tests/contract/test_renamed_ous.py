"""A renamed OU and its site, through a whole sync on a real directory and a simulated Halo."""

from collections.abc import Iterator
from typing import Any

import pytest

from devstack.directory import Directory
from devstack.halo import SimulatedHalo
from devstack.memory import MemoryTable
from halo_adsync import yaml_text
from halo_adsync.customer_file import parse, plain
from halo_adsync.state.runs import Status
from tests.contract.halo_desk import Time
from tests.contract.sync_stage import CUSTOMER, HEADCOUNT, PEOPLE, Died, Stage, company


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A customer whose people are in Halo, and whose OU Leeds is called Bradford since."""
    time = Time()
    with company() as directory, SimulatedHalo(clock=time.seconds) as halo:
        stage = Stage(directory, halo, MemoryTable(), time)
        assert stage.run().status is Status.OK
        rename(directory, "Leeds", "Bradford")
        yield stage


def rename(directory: Directory, old: str, new: str) -> None:
    """Give an OU of the company another name."""
    directory.move(f"OU={old},{PEOPLE}", f"OU={new},{PEOPLE}")


def mirror(stage: Stage, **more: Any) -> None:
    """Keep the customer's file with this added to its mirror rule."""
    data = plain(stage.builder.store().customer(CUSTOMER))
    data["placement"]["rules"][0].update(more)
    stage.builder.store().put_customer(parse(yaml_text.dump(data)))


def homes(stage: Stage) -> list[int]:
    """Return in which site each person stands, by id."""
    return [user["site_id"] for user in stage.halo.people]


def names(stage: Stage) -> set[str]:
    """Return what Halo's sites are called."""
    return {site["name"] for site in stage.halo.sites.values()}


def test_a_renamed_ou_changes_nothing_unasked(stage: Stage) -> None:
    """Nobody moves, no site is made or renamed, and not a single request is sent."""
    stage.halo.forget_requests()
    assert stage.run().counts["unchanged"] == HEADCOUNT
    assert stage.writes() == []
    assert "Leeds" in names(stage)


def test_a_renamed_ou_renames_its_site_where_asked(stage: Stage) -> None:
    """One request that names the site's id; everybody stays in it, and the next run has nothing to do."""
    before = homes(stage)
    mirror(stage, rename_sites=True)
    stage.halo.forget_requests()
    run = stage.run()
    assert (run.status, run.counts["unchanged"], len(stage.writes())) == (Status.OK, HEADCOUNT, 1)
    assert "Bradford" in names(stage)
    assert "Leeds" not in names(stage)
    assert homes(stage) == before
    stage.halo.forget_requests()
    assert (stage.run().total, stage.writes()) == (0, [])
    assert stage.halo.violations == []


def test_a_worker_may_die_while_it_renames(stage: Stage) -> None:
    """At each step of the run: the next one gives the site its name, and makes none beside it."""
    mirror(stage, rename_sites=True)
    count, step, name = len(stage.halo.sites), 0, "Bradford"
    while True:
        stage.kill_at(step)
        try:
            stage.run()
        except Died:
            stage.kill_at(None)
            stage.wait(3600)
            assert stage.run().status is Status.OK
        else:
            break
        assert name in names(stage)
        assert len(stage.halo.sites) == count
        step, old = step + 1, name
        name = f"Name {step}"
        rename(stage.directory, old, name)
    assert step > 5


@pytest.mark.parametrize("kind", ["drop_before_commit", "drop_after_commit"])
def test_a_rename_without_an_answer_is_sent_again(stage: Stage, kind: str) -> None:
    """Done twice, it comes to the same."""
    mirror(stage, rename_sites=True)
    stage.halo.faults.add(kind, method="POST", path="/api/Site")
    assert stage.run().status is Status.OK
    assert "Bradford" in names(stage)


def test_a_rename_that_halo_refuses_stops_nobody_else(stage: Stage) -> None:
    """The line fails and the run is partial; people are synced all the same, and the next run tries again."""
    mirror(stage, rename_sites=True)
    stage.halo.faults.add("status", method="POST", path="/api/Site", status=400, times=None)
    stage.directory.add_user("New", f"OU=Bradford,{PEOPLE}", sAMAccountName="new", mail="new@corp.example")
    run = stage.run()
    assert (run.status, run.counts["create"]) == (Status.PARTIAL, 1)
    assert [line.outcome != "" for line in stage.state.lines(run) if line.status == "failed"] == [True]
    assert len(stage.halo.people) == HEADCOUNT + 1
    stage.halo.faults.clear()
    assert stage.run().status is Status.OK
    assert "Bradford" in names(stage)
