"""Tickets for new people, on a real directory and a simulated Halo: who gets one, once, whatever dies."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from devstack.directory import Directory
from devstack.halo import SimulatedHalo
from devstack.memory import MemoryTable
from halo_adsync.customer_file import parse, plain
from halo_adsync.errors import Busy
from halo_adsync.plan.types import Record
from halo_adsync.state.lease import SECONDS as LEASE_SECONDS
from halo_adsync.state.runs import Run, Status
from tests.contract.halo_desk import Time
from tests.contract.sync_stage import CUSTOMER, PEOPLE, Died, Stage, directory

__all__ = ["directory"]
TICKET: dict[str, Any] = {
    "summary": "New starter: {{ displayName or cn }}",
    "details": "Account {{ sAMAccountName }}",
    "type": 3,
    "team": "1st Line Support",
    "priority": 2,
}
NEW = ("ada", "bob")
"""The accounts of those who join after the first run."""


@pytest.fixture
def stage(directory: Directory) -> Iterator[Stage]:
    """A customer whose new people get tickets; nobody is in Halo yet."""
    time = Time()
    with SimulatedHalo(clock=time.seconds) as halo:
        yield staged(directory, halo, time)


def staged(directory: Directory, halo: SimulatedHalo, time: Time, **changes: Any) -> Stage:
    """Return a stage whose customer's file asks for tickets."""
    stage = Stage(directory, halo, MemoryTable(), time)
    onboard(stage, **changes)
    return stage


def onboard(stage: Stage, **changes: Any) -> None:
    """Ask for tickets in the customer's file."""
    data = plain(stage.builder.store().customer(CUSTOMER))
    data["onboarding"] = {"ticket": TICKET | changes}
    stage.builder.store().put_customer(parse(json.dumps(data)))


def _text(data: Any) -> str:
    import json

    return json.dumps(data)


def join(directory: Directory, *accounts: str) -> None:
    """Let people join."""
    for account in accounts:
        directory.add_user(account.title(), f"OU=Leeds,{PEOPLE}", sAMAccountName=account)


def run(stage: Stage, mode: str = "full") -> Run:
    """Do a run, a second after the last one."""
    stage.wait(1)
    return stage.run(mode=mode)


def summaries(stage: Stage) -> list[str]:
    """Return the summaries of all tickets in Halo."""
    return sorted(ticket["summary"] for ticket in stage.halo.tickets.values())


def test_new_people_get_a_ticket_each(stage: Stage, directory: Directory) -> None:
    """Nobody on the first run; afterwards each newcomer, with all that the file says, and once."""
    assert run(stage).status is Status.OK
    assert summaries(stage) == []
    join(directory, *NEW)
    assert run(stage).counts["create"] == 2
    assert summaries(stage) == ["New starter: Ada", "New starter: Bob"]
    ada = next(user for user in stage.halo.people if user["name"] == "Ada")
    ticket = next(t for t in stage.halo.tickets.values() if t["user_id"] == ada["id"])
    assert (ticket["details"], ticket["tickettype_id"], ticket["priority_id"]) == ("Account ada", 3, 2)
    assert (ticket["team"], ticket["site_id"]) == ("1st Line Support", ada["site_id"])
    stage.halo.forget_requests()
    assert run(stage).status is Status.OK
    assert (len(summaries(stage)), stage.halo.requests) == (2, [])


def test_a_ticket_has_a_line_of_its_own(stage: Stage, directory: Directory) -> None:
    """In the plan, before anything is written, and outside the count of people."""
    run(stage)
    join(directory, "ada")
    stage.wait(1)
    planned = stage.run(dry_run=True)
    lines = [line.change for line in stage.state.outcomes(planned)]
    (ticket,) = [line for line in lines if line.record is Record.TICKET]
    assert (planned.counts["create"], lines[0].name, ticket.name) == (1, "Ada", "Ada")
    assert ticket.fields["summary"].after == "New starter: Ada"
    assert stage.state.newcomers.due() == frozenset()


def test_who_was_there_already_gets_none(stage: Stage, directory: Directory) -> None:
    """Neither by adoption, nor on coming back, nor where a reconcile repairs."""
    run(stage)
    site = next(int(s["id"]) for s in stage.halo.sites.values() if s["name"] == "Leeds")
    stage.halo.add_user(name="Ada", site_id=site, login="CORP\\ada")
    join(directory, "ada")
    run(stage)
    next(user for user in stage.halo.people if user["login"] == "CORP\\p01")["inactive"] = True
    assert run(stage, "reconcile").counts["reactivate"] == 1
    join(directory, "bob")
    assert run(stage, "reconcile").counts["create"] == 1
    assert summaries(stage) == []


def test_who_was_made_by_hand_meanwhile_gets_none(stage: Stage, directory: Directory) -> None:
    """The create failed, somebody made the user in Halo, and it is adopted: no ticket, then or later."""
    run(stage)
    join(directory, "ada")
    stage.halo.faults.add("status", method="POST", path="/api/Users", status=400, times=None)
    assert run(stage).counts["failed"] == 1
    assert len(stage.state.newcomers.due()) == 1
    stage.halo.faults.clear()
    site = next(int(s["id"]) for s in stage.halo.sites.values() if s["name"] == "Leeds")
    stage.halo.add_user(name="Ada", site_id=site, login="CORP\\ada")
    for _ in range(2):
        assert run(stage).status is Status.OK
    assert (summaries(stage), stage.state.newcomers.due()) == ([], frozenset())


def test_so_many_at_once_are_no_new_starters(stage: Stage, directory: Directory) -> None:
    """Above the limit nobody gets a ticket, and the run says why."""
    run(stage)
    onboard(stage, limit=1)
    join(directory, *NEW)
    ended = run(stage)
    assert (ended.status, ended.counts["create"], summaries(stage)) == (Status.OK, 2, [])
    assert "onboarding.ticket.limit (1)" in ended.warnings[0]


def test_a_ticket_that_fails_stops_nobody_and_is_tried_again(stage: Stage, directory: Directory) -> None:
    """The person is there, the run is partial; when Halo takes the ticket, the next run opens it."""
    run(stage)
    onboard(stage, team="Nobody's team")
    join(directory, "ada")
    ended = run(stage)
    assert (ended.status, ended.counts["create"], ended.counts["failed"]) == (Status.PARTIAL, 1, 0)
    (line,) = [line for line in stage.state.lines(ended) if line.status == "failed"]
    assert "no team" in line.outcome
    onboard(stage)
    assert run(stage).status is Status.OK
    assert summaries(stage) == ["New starter: Ada"]


def test_an_answer_that_got_lost_opens_no_second_ticket(stage: Stage, directory: Directory) -> None:
    """Halo opened it and the connection dropped: a look finds it."""
    run(stage)
    join(directory, "ada")
    stage.halo.faults.add("drop_after_commit", method="POST", path="/api/Tickets")
    assert run(stage).status is Status.OK
    assert summaries(stage) == ["New starter: Ada"]


def test_whatever_dies_everybody_has_one_ticket(directory: Directory) -> None:
    """A worker dies at each step of the second run; its run goes on, or another one: one ticket each."""
    for takes_over in (False, True):
        step = 0
        while (left := dies_at(directory, step, takes_over=takes_over)) is not None:
            assert left == ["New starter: Ada", "New starter: Bob"], (step, takes_over)
            step += 1
        assert step > 10


def dies_at(directory: Directory, step: int, *, takes_over: bool) -> list[str] | None:
    """Let a worker die before that step, let another go on; return Halo's tickets, None where nobody died."""
    for account in NEW:
        with suppress(LookupError):
            directory.delete(f"CN={account.title()},OU=Leeds,{PEOPLE}")
    time = Time()
    with SimulatedHalo(clock=time.seconds) as halo:
        stage = staged(directory, halo, time)
        run(stage)
        join(directory, *NEW)
        stage.wait(1)
        request = stage.request()
        stage.kill_at(step)
        try:
            stage.sync().run(request)
        except Died:
            pass
        else:
            return None
        finally:
            stage.kill_at(None)
        stage.wait(LEASE_SECONDS + 1)
        if takes_over:
            run(stage)
        else:
            with suppress(Busy):
                stage.sync().run(request)
        return summaries(stage)
