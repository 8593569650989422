"""Leavers from the directory to Halo and back: proofs, absences, tickets, guards, approval; and crashes."""

from collections.abc import Iterator
from contextlib import suppress

import pytest

from devstack.directory import Directory
from devstack.halo import SimulatedHalo
from devstack.memory import MemoryTable
from halo_adsync.approving import approve, reject
from halo_adsync.errors import Busy, NotApproved
from halo_adsync.keeping import held, keep, unkeep
from halo_adsync.plan.types import Kind
from halo_adsync.state.lease import SECONDS as LEASE_SECONDS
from halo_adsync.state.runs import Run, Status
from halo_adsync.terminal import exit_status
from tests.contract.halo_desk import Time
from tests.contract.storage import AnyTable
from tests.contract.sync_stage import (
    BATCH,
    CUSTOMER,
    HEADCOUNT,
    PEOPLE,
    Died,
    Stage,
    directory,
    dn,
    go,
    rules,
)

__all__ = ["directory"]
HOURS = 3600.0


@pytest.fixture
def stage(storage_table: AnyTable, directory: Directory) -> Iterator[Stage]:
    """A customer whose people are all in Halo, and whose leavers are switched off."""
    time = Time()
    with SimulatedHalo(clock=time.seconds) as halo:
        stage = Stage(directory, halo, storage_table, time)
        rules(stage, policy="full")
        assert go(stage).status is Status.OK
        halo.forget_requests()
        yield stage


def user(stage: Stage, number: int) -> int:
    """Return the Halo id of the person of this number."""
    return next(int(u["id"]) for u in stage.halo.people if u["login"] == f"CORP\\p{number:02}")


def is_active(stage: Stage, number: int) -> bool:
    """Tell whether the person of this number is active in Halo."""
    return not stage.halo.users[user(stage, number)]["inactive"]


def people(run: Run) -> dict[str, int]:
    """Return the buckets that are not empty, but for those whom nothing happens to."""
    return {name: n for name, n in run.counts.items() if n and name not in {"unchanged", "skipped"}}


def reasons(stage: Stage, run: Run, kind: Kind) -> list[str]:
    """Return the reasons of a run's lines of one kind."""
    return [line.change.reason for line in stage.state.outcomes(run) if line.change.kind is kind]


def test_a_leaver_with_an_open_ticket_is_held_until_it_is_closed_and_may_come_back(
    stage: Stage, directory: Directory
) -> None:
    """Disabled: held, with the ticket; closed: deactivated by itself; back: the same user again."""
    who = user(stage, 1)
    ticket = stage.halo.add_ticket(who)
    directory.disable(dn(1))
    first = go(stage)
    assert (first.status, people(first)) == (Status.OK, {"held": 1})
    (person,) = held(stage.state)["held"]
    assert (person["halo_id"], person["tickets"], person["ticket_ids"]) == (who, 1, [ticket])
    assert "the account is disabled" in person["reason"]
    assert is_active(stage, 1)
    stage.halo.close_ticket(ticket)
    assert people(go(stage)) == {"deactivate": 1}
    assert not is_active(stage, 1)
    assert held(stage.state)["held"] == []
    stage.halo.forget_requests()
    assert people(go(stage)) == {}
    assert stage.halo.requests == [], "nobody is held any more"
    directory.enable(dn(1))
    assert people(go(stage)) == {"reactivate": 1}
    assert (user(stage, 1), is_active(stage, 1)) == (who, True)


def test_which_tickets_hold_is_the_customers_choice(stage: Stage, directory: Directory) -> None:
    """A closed ticket holds with `any` only; with `ignore` not even an open one does."""
    stage.halo.add_ticket(user(stage, 1), open=False)
    stage.halo.add_ticket(user(stage, 2))
    for number in (1, 2):
        directory.disable(dn(number))
    rules(stage, leavers={"tickets": "any"})
    assert people(go(stage)) == {"held": 2}
    rules(stage, leavers={"tickets": "open"})
    assert people(go(stage)) == {"deactivate": 1, "held": 1}
    rules(stage, leavers={"tickets": "ignore"})
    assert people(go(stage)) == {"deactivate": 1}


def test_a_ticket_that_is_opened_after_the_plan_holds(stage: Stage, directory: Directory) -> None:
    """Tickets are counted again right before the write, and the line says what came up."""
    directory.disable(dn(1))
    who = user(stage, 1)

    def progress(phase: str, done: int, total: int | None) -> None:
        del total
        if (phase, done) == ("Writing to Halo", 0):
            stage.halo.add_ticket(who)

    stage.wait(60)
    run = stage.sync(progress).run(stage.request())
    assert (run.status, people(run)) == (Status.OK, {"held": 1})
    assert is_active(stage, 1)
    (line,) = stage.state.lines(run)
    assert (line.status, "open ticket" in line.outcome) == ("held", True)
    assert held(stage.state)["held"][0]["tickets"] == 1
    assert people(go(stage)) == {"held": 1}


@pytest.mark.parametrize(
    ("proof", "why"),
    [
        ("disabled", "the account is disabled"),
        ("expired", "expired on"),
        ("moved", "in no OU that is in scope"),
        ("excluded", "in an OU that is left out of scope"),
        ("filtered", "does not match scope.filter"),
        ("deleted", "deleted in the directory"),
    ],
)
def test_positive_proof_deactivates_at_once(stage: Stage, directory: Directory, proof: str, why: str) -> None:
    """Whoever the directory itself says has left goes in the next run, with the reason."""
    if proof == "disabled":
        directory.disable(dn(1))
    elif proof == "expired":
        directory.modify(dn(1), {"accountExpires": 132223104000000000})
    elif proof == "moved":
        directory.move(dn(1), f"CN=p1,{directory.add_ou('Elsewhere')}")
    elif proof == "excluded":
        out = directory.add_ou("Out", PEOPLE)
        rules(stage, scope={"include": [PEOPLE], "exclude": [out]})
        directory.move(dn(1), f"CN=p1,{out}")
    elif proof == "filtered":
        rules(stage, scope={"include": [PEOPLE], "filter": "(mail=*)"})
        directory.modify(dn(1), {"mail": None})
    else:
        directory.delete(dn(1))
    run = go(stage)
    assert (run.status, people(run)) == (Status.OK, {"deactivate": 1}), reasons(stage, run, Kind.HELD)
    assert why in reasons(stage, run, Kind.DEACTIVATE)[0]
    assert not is_active(stage, 1)


def test_a_locked_out_account_or_an_old_password_is_no_leaver(stage: Stage, directory: Directory) -> None:
    """Neither `lockoutTime` nor a password that has to be changed makes anybody leave."""
    directory.modify(dn(1), {"lockoutTime": 133000000000000000, "userAccountControl": 0x200 | 0x10})
    directory.modify(dn(2), {"pwdLastSet": 0, "userAccountControl": 0x200 | 0x800000})
    assert people(go(stage)) == {}


def vanish(directory: Directory, number: int) -> None:
    """Let a person's account go without a trace, as where deleted objects may not be seen."""
    directory.delete(dn(number))
    directory.forget_tombstones()


def test_who_is_absent_goes_in_the_run_that_completes_the_number(stage: Stage, directory: Directory) -> None:
    """Two full runs hold, the third deactivates; no dry, failed or one-person run counts."""
    vanish(directory, 1)
    guid = next(u["third_party_guid"] for u in stage.halo.people if u["login"] == "CORP\\p01")
    for missing in (1, 2):
        assert people(go(stage, dry_run=True)) == {"held": 1}
        stage.sync().run(stage.request(person=guid))
        stage.environment["SECRET_AD"] = "wrong"
        assert go(stage).status is Status.FAILED
        stage.environment["SECRET_AD"] = "Gr4ve-Secret!"
        assert people(go(stage)) == {"held": 1}
        assert stage.state.leavers()[guid].missing == missing
    assert is_active(stage, 1)
    assert people(go(stage)) == {"deactivate": 1}
    assert not is_active(stage, 1)
    assert people(go(stage)) == {}
    assert stage.state.leavers() == {}


def test_a_run_that_is_planned_again_counts_an_absence_once(stage: Stage, directory: Directory) -> None:
    """Its worker dies at each step and another goes on: nobody is missing twice in one run."""
    vanish(directory, 1)
    request = stage.request()
    for step in range(1, 12):
        stage.kill_at(step)
        with suppress(Died, Busy):
            stage.sync().run(request)
        stage.wait(LEASE_SECONDS)
    stage.kill_at(None)
    stage.sync().run(request)
    assert [row.missing for row in stage.state.leavers().values()] == [1]


def test_a_worker_that_dies_at_any_step_deactivates_each_leaver_once(directory: Directory) -> None:
    """At every step of a run with leavers, one of whom is held: the resumed run ends as it should."""
    for number in (1, 2, 3):
        directory.disable(dn(number))
    step, died = 0, True
    while died:
        with SimulatedHalo(clock=Time().seconds) as halo:
            for number in (1, 2, 3):
                directory.enable(dn(number))
            stage = Stage(directory, halo, MemoryTable())
            rules(stage, policy="full")
            assert go(stage).status is Status.OK
            halo.add_ticket(user(stage, 3))
            for number in (1, 2, 3):
                directory.disable(dn(number))
            request = stage.request()
            stage.kill_at(step)
            try:
                run = stage.sync().run(request)
                died = False
            except Died:
                stage.kill_at(None)
                stage.wait(LEASE_SECONDS)
                run = stage.sync().run(request)
            assert run.status is Status.OK, step
            assert [is_active(stage, n) for n in (1, 2, 3, 4)] == [False, False, True, True], step
            assert sum(link.active for link in stage.state.links().values()) == HEADCOUNT - 2, step
        step += 1
    assert step > 8


def test_who_is_kept_is_never_switched_off(stage: Stage, directory: Directory) -> None:
    """By the file or by a person; taken back, the directory decides again."""
    for number in (1, 2, 3):
        directory.disable(dn(number))
    rules(stage, leavers={"keep": ["p01", dn(2)]})
    services, customer = stage.builder.services(), stage.builder.store().customer(CUSTOMER)
    kept = keep(services, customer, "p03@corp.example", "Zoë")
    assert people(go(stage)) == {"held": 3}
    assert {person["reason"].partition(" on ")[0] for person in held(stage.state)["held"]} >= {"kept by Zoë"}
    assert stage.writes() == []
    assert unkeep(services, customer, "p03") == kept.guid
    rules(stage, leavers={})
    assert people(go(stage)) == {"deactivate": 3}


def test_somebody_who_was_deactivated_by_hand_is_found_by_a_reconcile(stage: Stage) -> None:
    """A full run trusts the link; a reconcile reactivates whoever the directory says is there."""
    stage.halo.people[0]["inactive"] = True
    assert people(go(stage)) == {}
    assert people(go(stage, mode="reconcile")) == {"reactivate": 1}
    assert not stage.halo.people[0]["inactive"]


@pytest.mark.parametrize("traceless", [False, True])
def test_a_leaver_who_is_switched_on_by_hand_is_switched_off_by_a_reconcile(
    stage: Stage, directory: Directory, traceless: bool
) -> None:
    """A full run trusts the link; a reconcile sees that somebody is active who left long ago."""
    directory.delete(dn(1))
    assert people(go(stage)) == {"deactivate": 1}
    if traceless:
        directory.forget_tombstones()
    stage.halo.users[user(stage, 1)]["inactive"] = False
    assert people(go(stage)) == {}
    assert people(go(stage, mode="reconcile")) == {"deactivate": 1}
    assert not is_active(stage, 1)


def test_the_policy_holds_leavers_back_without_asking_halo(stage: Stage, directory: Directory) -> None:
    """With upsert_only a leaver is visible, held by the policy, and no ticket is counted."""
    directory.disable(dn(1))
    rules(stage, policy="upsert_only")
    run = go(stage)
    assert people(run) == {"held": 1}
    assert "policy upsert_only does not deactivate" in reasons(stage, run, Kind.HELD)[0]
    assert stage.halo.requests == []


def empty(directory: Directory) -> None:
    """Move everybody out of sight."""
    out = directory.add_ou("Gone")
    for number in range(1, HEADCOUNT + 1):
        directory.move(dn(number), f"CN=p{number},{out}")
    directory.move(f"CN=Gone,{PEOPLE}", f"CN=Gone,{out}")


def test_an_emptied_directory_is_refused_and_counts_for_nothing(stage: Stage, directory: Directory) -> None:
    """Every guard that it trips is named with its numbers; nothing is written, however often it is tried."""
    empty(directory)
    for _ in range(4):
        run = go(stage)
        assert run.status is Status.BLOCKED
        rules_hit = {violation.rule for violation in run.violations}
        assert rules_hit >= {"directory.empty", "deactivate.percent", "site.percent"}
        assert "approve" in run.next_step()
        assert run.digest in run.next_step()
    assert stage.writes() == []
    assert stage.state.leavers() == {}
    assert all(link.active for link in stage.state.links().values())


def test_half_a_read_is_refused_and_counts_for_nothing(stage: Stage, directory: Directory) -> None:
    """The run fails, exit status 5, and names the server; the whole read after it finds no change."""
    baseline = stage.state.known().baseline
    directory.faults.die_after = HEADCOUNT - 1
    for _ in range(4):
        run = go(stage)
        assert (run.status, run.cause, exit_status(run)) == (Status.FAILED, "IncompleteRead", 5)
        assert f"localhost:{directory.ldaps_port} ended the connection" in run.message
    assert stage.writes() == []
    assert (stage.state.leavers(), stage.state.known().baseline) == ({}, baseline)
    directory.faults.die_after = None
    assert people(go(stage)) == {}
    assert all(link.active for link in stage.state.links().values())


def test_a_blocked_plan_is_applied_exactly_once_approved(stage: Stage, directory: Directory) -> None:
    """Only with its digest, only once; who approved and when is kept, and the baseline follows."""
    for number in range(1, 6):
        directory.disable(dn(number))
    run = go(stage)
    assert (run.status, stage.writes()) == (Status.BLOCKED, [])
    services = stage.builder.services()
    with pytest.raises(NotApproved, match="digest"):
        approve(services, CUSTOMER, run.id, "0" * 16, "Zoë")
    directory.disable(dn(7))
    request = approve(services, CUSTOMER, run.id, run.digest, "Zoë")
    done = stage.sync().run(request)
    assert (done.status, people(done), done.approved_by) == (Status.OK, {"deactivate": 5}, "Zoë")
    assert done.approved
    assert [is_active(stage, n) for n in (1, 5, 6, 7)] == [False, False, True, True]
    with pytest.raises(NotApproved, match="not blocked"):
        approve(services, CUSTOMER, run.id, run.digest, "Zoë")


def test_an_approved_run_is_resumed_wherever_its_worker_died(stage: Stage, directory: Directory) -> None:
    """Approval survives the death of whoever applies it."""
    for number in range(1, 8):
        directory.disable(dn(number))
    run = go(stage)
    request = approve(stage.builder.services(), CUSTOMER, run.id, run.digest, "Zoë")
    for step in range(1, 6):
        stage.kill_at(step)
        with suppress(Died, Busy):
            stage.sync().run(request)
        stage.wait(LEASE_SECONDS)
    stage.kill_at(None)
    done = stage.sync().run(request)
    assert (done.status, people(done)) == (Status.OK, {"deactivate": 7})
    assert not any(is_active(stage, number) for number in range(1, 8))


def test_what_does_not_hold_any_more_is_not_approved(stage: Stage, directory: Directory) -> None:
    """Too old, another file, superseded, rejected: each is refused with its reason."""
    for number in range(1, 6):
        directory.disable(dn(number))
    services = stage.builder.services()

    def refused(run: Run, why: str) -> None:
        with pytest.raises(NotApproved, match=why):
            approve(services, CUSTOMER, run.id, run.digest, "Zoë")
        assert stage.writes() == []

    old = go(stage)
    stage.wait(24 * HOURS + 1)
    refused(old, "older than 24 hours")
    changed = go(stage)
    rules(stage, limits={"create": 7})
    refused(changed, "customer file of contoso has changed")
    rejected = go(stage)
    assert reject(services, CUSTOMER, rejected.id, "Zoë").rejected_by == "Zoë"
    refused(rejected, "rejected by Zoë")
    blocked = go(stage)
    stage.wait(1)
    directory.add_user("New", PEOPLE, sAMAccountName="new1")
    guid = next(
        line.change.guid
        for line in stage.state.lines(go(stage, dry_run=True))
        if line.change.kind is Kind.CREATE
    )
    assert stage.sync().run(stage.request(person=guid)).status is Status.OK
    with pytest.raises(NotApproved, match="superseded"):
        approve(services, CUSTOMER, blocked.id, blocked.digest, "Zoë")


def test_a_blocked_customer_goes_on_with_what_is_safe_where_the_file_says_so(
    stage: Stage, directory: Directory
) -> None:
    """Newcomers arrive, the deactivations wait; approved, the rest of the same plan is applied."""
    rules(stage, limits={"blocked": "deactivations"})
    for number in range(1, 6):
        directory.disable(dn(number))
    directory.add_user("New", PEOPLE, sAMAccountName="new1")
    run = go(stage)
    assert (run.status, run.settled, run.total) == (Status.BLOCKED, 1, 6)
    assert len(stage.halo.people) == HEADCOUNT + 1
    assert all(is_active(stage, number) for number in range(1, 6))
    done = stage.sync().run(approve(stage.builder.services(), CUSTOMER, run.id, run.digest, "Zoë"))
    assert (done.status, people(done)) == (Status.OK, {"create": 1, "deactivate": 5})
    assert not any(is_active(stage, number) for number in range(1, 6))


def test_who_is_held_is_looked_at_within_a_bound(
    stage: Stage, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two look-ups a run: those who were not looked at for longest come first, and nobody is forgotten."""
    monkeypatch.setattr("halo_adsync.departing.LOOK_UPS", 2)
    rules(stage, limits={"deactivate": {"always": 5}})
    tickets = [stage.halo.add_ticket(user(stage, number)) for number in range(1, 6)]
    for number in range(1, 6):
        directory.disable(dn(number))
    assert people(go(stage)) == {"held": 5}
    for ticket in tickets:
        stage.halo.close_ticket(ticket)
    counts = []
    for _ in range(3):
        stage.wait(60)
        stage.halo.forget_requests()
        counts.append(people(go(stage)).get("deactivate", 0))
        asked = [r for r in stage.halo.requests if r.path.lower() == "/api/tickets"]
        assert len(asked) <= 4, "two for the plan, and one more for each before its write"
    assert counts == [2, 2, 1]


def test_batches_of_leavers_are_as_large_as_any(stage: Stage, directory: Directory) -> None:
    """Seven leavers take two writes."""
    rules(stage, limits={"deactivate": {"always": 7}})
    for number in range(1, 8):
        directory.disable(dn(number))
    assert people(go(stage)) == {"deactivate": 7}
    assert [request.elements for request in stage.writes()] == [BATCH, 2]


def test_links_of_another_user_are_never_touched(stage: Stage, directory: Directory) -> None:
    """A user whom no link covers stays as it is, whatever leaves."""
    stranger = stage.halo.add_user(name="Stranger", site_id=int(next(iter(stage.halo.sites))))
    before = dict(stage.halo.users[stranger])
    directory.disable(dn(1))
    assert people(go(stage, mode="reconcile")) == {"deactivate": 1}
    assert stage.halo.users[stranger] == before
