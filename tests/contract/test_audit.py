"""What was done, to whom, at whose request: kept with the plan, exported, deleted when its time is over."""

import csv
import io
import json
from typing import Any

import pytest

from devstack.directory import Directory
from halo_adsync.approving import approve
from halo_adsync.auditing import COLUMNS, as_csv, audit
from halo_adsync.forgetting import forget_old
from halo_adsync.state.runs import Status
from tests.contract.sync_stage import HEADCOUNT, PEOPLE, Stage, directory, dn, go, rules, stage

__all__ = ["directory", "stage"]
DAY = 24 * 3600.0


@pytest.fixture(autouse=True)
def rule(stage: Stage) -> None:
    """Leavers go; more than one at a time has to be approved."""
    rules(stage, policy="full", limits={"deactivate": {"always": 1}})


def entries(stage: Stage, **asked: Any) -> list[Any]:
    """Return what was done."""
    return list(audit(stage.state, **asked).entries)


def test_everybody_who_was_touched_has_an_entry(stage: Stage, directory: Directory) -> None:
    """Before and after, who asked, and what Halo answered; nothing of who was left alone."""
    stage.halo.faults.add("status", method="POST", path="/api/Users", contains='p03"', status=400, times=None)
    first = go(stage)
    done = entries(stage)
    people = [entry for entry in done if entry["record"] == "user"]
    assert len(people) == HEADCOUNT
    assert len(done) == first.total, "sites as well"
    by_login = {entry["after"]["login"]: entry for entry in people}
    made = by_login["CORP\\p01"]
    assert (made["kind"], made["status"], made["answer"]) == ("create", "done", "accepted")
    assert made["halo_id"] == next(u["id"] for u in stage.halo.people if u["login"] == "CORP\\p01")
    assert (made["run"], made["actor"], made["reason"]) == (first.id, "tester", "test")
    assert made["before"] == {}
    assert made["at"].startswith("2026-01-05T09:00:01")
    failed = by_login["CORP\\p03"]
    assert failed["status"] == "failed"
    assert failed["answer"]
    directory.modify(dn(1), {"title": "Boss"})
    second = go(stage)
    (changed,) = entries(stage, since=None, person="p01@corp.example")[:1]
    assert (changed["run"], changed["before"], changed["after"]) == (
        second.id,
        {"title": ""},
        {"title": "Boss"},
    )
    by_other_names = [entries(stage, person=name) for name in ("p01", "CORP\\P01", dn(1), made["guid"])]
    assert all([entry["run"] for entry in found] == [second.id, first.id] for found in by_other_names)


def test_an_approved_deactivation_says_who_approved(stage: Stage, directory: Directory) -> None:
    """What waits is no deed: only what was done stands there, with the name of who let it happen."""
    go(stage)
    for number in (1, 2, 3):
        directory.disable(dn(number))
    blocked = go(stage)
    assert blocked.status is Status.BLOCKED
    assert all(entry["run"] != blocked.id for entry in entries(stage))
    stage.sync().run(approve(stage.builder.services(), "contoso", blocked.id, blocked.digest, "Zoë"))
    gone = [entry for entry in entries(stage) if entry["run"] == blocked.id]
    assert [(entry["kind"], entry["approved_by"]) for entry in gone] == [("deactivate", "Zoë")] * 3


def test_a_span_of_time_and_a_number_bound_it(stage: Stage, directory: Directory) -> None:
    """From a time on, before a time, and the newest so many, with word of there being more."""
    go(stage)
    between = stage.time.clock()
    stage.wait(DAY)
    directory.modify(dn(1), {"title": "Boss"})
    go(stage)
    assert len(entries(stage, since=between)) == HEADCOUNT + 3 + 1, "that second included"
    later = stage.time.clock()
    assert len(entries(stage, since=later)) == 1
    assert len(entries(stage, until=later)) == HEADCOUNT + 3
    some = audit(stage.state, limit=2)
    assert (len(some.entries), some.truncated) == (2, True)
    everything = audit(stage.state, limit=HEADCOUNT + 4)
    assert (len(everything.entries), everything.truncated) == (HEADCOUNT + 4, False)


def test_as_csv_it_is_safe_to_open(stage: Stage, directory: Directory) -> None:
    """A name that is a formula is text; before and after are JSON."""
    directory.add_user("=HYPERLINK(1)", PEOPLE, sAMAccountName="evil", mail="evil@corp.example")
    go(stage)
    table = list(csv.DictReader(io.StringIO(as_csv(entries(stage, person="evil")))))
    (row,) = table
    assert tuple(row) == COLUMNS
    assert row["name"] == "'=HYPERLINK(1)"
    assert json.loads(row["after"])["login"] == "CORP\\evil"


def test_what_is_over_is_deleted(stage: Stage, directory: Directory) -> None:
    """Idle runs after 30 days, others after `audit.days`, with every row; links and the latest run stay."""
    rules(stage, audit={"days": 100})
    services = stage.builder.services()
    worked = go(stage)
    idle = go(stage)
    assert list(forget_old(services)) == []
    stage.wait(31 * DAY)
    directory.modify(dn(1), {"title": "Boss"})
    recent = go(stage)
    ((customer, runs, _),) = forget_old(services)
    assert (customer, runs) == ("contoso", 1)
    assert {run.id for run in stage.state.runs(10)} == {worked.id, recent.id}
    assert not [key for key in stage.rows() if idle.id in key]
    stage.wait(70 * DAY)
    assert [(runs, rows > worked.total) for _, runs, rows in forget_old(services)] == [(1, True)]
    assert {key.split("|")[1] for key in stage.rows() if key.startswith("line|")} == {recent.id}
    stage.wait(400 * DAY)
    assert list(forget_old(services)) == [], "the latest run says how things stand"
    assert len(stage.state.links()) == HEADCOUNT
    assert list(forget_old(services, seconds=0)) == []
