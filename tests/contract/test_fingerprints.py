"""Fingerprints are kept by full runs for everybody, and by nobody else."""

from typing import Any

import pytest

from devstack.directory import Directory
from halo_adsync.model import Person
from halo_adsync.plan.mapping import Desired, Mapper
from halo_adsync.state.runs import Status
from tests.contract.sync_stage import HEADCOUNT, Stage, directory, dn, go, rules, stage

__all__ = ["directory", "stage"]


@pytest.fixture
def worked_out(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whose wishes are worked out, by DN; disabled accounts aside, whose lines show their names."""
    found: list[str] = []
    desire = Mapper.desire

    def counted(self: Mapper, person: Person, *more: Any) -> Desired:
        if person.enabled:
            found.append(person.dn)
        return desire(self, person, *more)

    monkeypatch.setattr(Mapper, "desire", counted)
    return found


def test_a_full_run_works_out_only_who_changed(
    stage: Stage, directory: Directory, worked_out: list[str]
) -> None:
    """The first one after the import keeps fingerprints; a rehearsal uses them and keeps none."""
    rules(stage, policy="full")
    assert go(stage).counts["create"] == HEADCOUNT
    assert stage.state.fingerprints() == frozenset()
    assert go(stage).counts["unchanged"] == HEADCOUNT
    kept = stage.state.fingerprints()
    assert len(kept) == HEADCOUNT
    directory.modify(dn(1), {"title": "Engineer"})
    worked_out.clear()
    assert go(stage, dry_run=True).counts["update"] == 1
    assert (worked_out, stage.state.fingerprints()) == ([dn(1)], kept)
    run = go(stage)
    assert (run.status, run.counts["update"], run.counts["unchanged"]) == (Status.OK, 1, HEADCOUNT - 1)
    assert worked_out == [dn(1), dn(1)]
    assert len(stage.state.fingerprints() & kept) == HEADCOUNT - 1
    assert go(stage).counts["unchanged"] == HEADCOUNT
    assert len(stage.state.fingerprints()) == HEADCOUNT


@pytest.mark.parametrize("mode", ["delta", "reconcile"])
def test_other_runs_work_everybody_out_whom_they_are_about(
    stage: Stage, directory: Directory, worked_out: list[str], mode: str
) -> None:
    """A reconcile believes Halo and nothing else; a delta is about few. Neither touches what is kept."""
    rules(stage, policy="full")
    for _ in range(2):
        go(stage)
    kept = stage.state.fingerprints()
    go(stage, mode="delta")
    directory.modify(dn(1), {"title": "Engineer"})
    worked_out.clear()
    assert go(stage, mode=mode).counts["update"] == 1
    assert len(worked_out) == (1 if mode == "delta" else HEADCOUNT)
    assert stage.state.fingerprints() == kept


def test_another_file_makes_all_of_them_anew(stage: Stage, worked_out: list[str]) -> None:
    """What they rest on is another, whatever comes of it."""
    rules(stage, policy="full")
    for _ in range(2):
        go(stage)
    kept = stage.state.fingerprints()
    rules(stage, policy="full", match=["login"])
    worked_out.clear()
    assert go(stage).counts["unchanged"] == HEADCOUNT
    assert len(worked_out) == HEADCOUNT
    assert not stage.state.fingerprints() & kept
