"""Deltas: only who changed is looked at, and all ends as if everybody had been."""

from collections.abc import Collection

import pytest

from devstack.directory import Directory
from devstack.directory.edits import escape_rdn
from halo_adsync import sync, terminal
from halo_adsync.model import HaloUserId, Link, Meter, ObjectGuid
from halo_adsync.plan.types import Record
from halo_adsync.state.customer_state import CustomerState
from halo_adsync.state.runs import Run, Status
from tests.contract.sync_stage import DOMAIN, HEADCOUNT, PEOPLE, Stage, crew, directory, dn, go, rules, stage

__all__ = ["directory", "stage"]


def people(run: Run) -> dict[str, int]:
    """Return the buckets that are not empty."""
    return {bucket: number for bucket, number in run.counts.items() if number}


@pytest.fixture
def settled(stage: Stage) -> Stage:
    """A customer whose people are all in Halo, and whose changes are followed."""
    rules(stage, policy="full")
    assert go(stage, mode="delta").mode == "full", "the first run reads everybody"
    stage.halo.forget_requests()
    return stage


def test_no_change_costs_next_to_nothing(settled: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """One bind, three searches, no request to Halo, not even for a token, and few transactions."""
    run = go(settled, mode="delta")
    assert (run.mode, run.status, people(run)) == ("delta", Status.OK, {})
    assert settled.halo.requests == []
    assert run.cost["ldap_searches"] <= 3
    assert run.cost["table_transactions"] < 10
    terminal.print_run(run)
    assert "nobody changed" in capsys.readouterr().out


def test_the_cost_counts_the_transaction_that_writes_it(
    settled: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the run's last one."""
    meters: list[Meter] = []

    def counted() -> Meter:
        meters.append(Meter())
        return meters[-1]

    monkeypatch.setattr(sync, "Meter", counted)
    run = go(settled, mode="delta")
    assert run.cost["table_transactions"] == max(meter.table_transactions for meter in meters)


@pytest.fixture
def everybody(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often everybody's links were read."""
    found: list[str] = []
    links, linked = CustomerState.links, CustomerState.linked

    def told(self: CustomerState) -> dict[ObjectGuid, Link]:
        found.append("links")
        return links(self)

    def ids_told(self: CustomerState, record: Record) -> dict[ObjectGuid, HaloUserId]:
        found.append("linked")
        return linked(self, record)

    monkeypatch.setattr(CustomerState, "links", told)
    monkeypatch.setattr(CustomerState, "linked", ids_told)
    return found


def test_a_delta_reads_the_links_of_those_it_is_about(
    settled: Stage, directory: Directory, everybody: list[str]
) -> None:
    """A change, a move and a few leavers: what that costs does not go by how many people there are."""
    directory.modify(dn(1), {"title": "Engineer"})
    directory.disable(dn(2))
    run = go(settled, mode="delta")
    assert (run.mode, run.status, people(run)) == ("delta", Status.OK, {"update": 1, "deactivate": 1})
    assert everybody == []


def test_who_is_adopted_must_be_nobody_elses(
    settled: Stage, directory: Directory, everybody: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The links of the users who may be adopted are looked up, in planning and again in writing."""
    site = next(number for number, site in settled.halo.sites.items() if site["client_id"] == settled.client)
    asked: list[list[int]] = []
    linked_to = CustomerState.linked_to

    def told(self: CustomerState, users: Collection[HaloUserId]) -> dict[ObjectGuid, HaloUserId]:
        asked.append(sorted(users))
        return linked_to(self, users)

    monkeypatch.setattr(CustomerState, "linked_to", told)
    login, mail = "CONTOSO\\n1", "n1@corp.example"
    user = settled.halo.add_user(name="Nora New", site_id=site, login=login, emailaddress=mail)
    directory.add_user("Nora New", f"OU=Leeds,{PEOPLE}", sAMAccountName="n1", mail=mail)
    run = go(settled, mode="delta")
    assert (run.mode, run.status) == ("delta", Status.OK)
    assert people(run) == {"move": 1}
    assert (asked, everybody) == ([[user], [user]], [])


def test_nobody_is_given_the_user_of_somebody_whom_the_delta_is_not_about(
    settled: Stage, directory: Directory, everybody: list[str]
) -> None:
    """A new account has the address that somebody else's user has in Halo, where the mark was taken off."""
    taken = next(link for link in settled.state.links().values() if link.dn == dn(1))
    settled.halo.users[taken.user] |= {"emailaddress": "shared@corp.example", "third_party_guid": ""}
    directory.add_user("Nora New", f"OU=Leeds,{PEOPLE}", sAMAccountName="n1", mail="shared@corp.example")
    everybody.clear()
    run = go(settled, mode="delta")
    assert (run.mode, run.status, people(run)) == ("delta", Status.OK, {"create": 1})
    assert everybody == []
    users = [link.user for link in settled.state.links().values()]
    assert len(set(users)) == len(users) == HEADCOUNT + 1


def test_a_delta_does_what_a_full_run_would(settled: Stage, directory: Directory) -> None:
    """Changed, moved, disabled, deleted, moved out of scope, new; nobody else is looked at."""
    directory.modify(dn(1), {"title": "Engineer"})
    directory.disable(dn(2))
    (name,) = (name for account, name, _ in crew() if account == "p07")
    directory.move(dn(7), f"CN={escape_rdn(name)},OU=Leeds,{PEOPLE}")
    directory.delete(dn(8))
    (name,) = (name for account, name, _ in crew() if account == "p09")
    directory.move(dn(9), f"CN={escape_rdn(name)},CN=Users,{DOMAIN}")
    directory.add_user("Nora New", f"OU=Leeds,{PEOPLE}", sAMAccountName="n1")
    run = go(settled, mode="delta")
    assert (run.mode, run.status) == ("delta", Status.OK)
    assert people(run) == {"create": 1, "update": 1, "move": 1, "deactivate": 3}
    settled.halo.forget_requests()
    full = go(settled)
    assert (full.status, people(full)["unchanged"]) == (Status.OK, HEADCOUNT - 2)
    assert settled.writes() == []


def test_an_ou_that_changes_makes_it_a_full_run(settled: Stage, directory: Directory) -> None:
    """An OU is renamed, and nothing says who stands in it."""
    directory.move(f"OU=York,{PEOPLE}", f"OU=Whitby,{PEOPLE}")
    run = go(settled, mode="delta")
    assert (run.mode, run.status) == ("full", Status.OK)
    assert "Directory corp: everybody was read, because an OU was made" in " ".join(run.warnings)
    assert go(settled, mode="delta").mode == "delta"


def test_a_container_that_somebody_moves_into_is_watched_from_then_on(
    settled: Stage, directory: Directory
) -> None:
    """It is no OU, and who stands in it may be somewhere else when it is moved; until it is empty."""
    box, moved, name = f"CN=Box,{PEOPLE}", f"CN=Crate,{PEOPLE}", dn(1).partition(",OU=")[0]
    watched = settled.state.known().cursors["corp"].watched
    directory.add(box, {"objectClass": ["top", "container"]})
    directory.move(dn(1), f"{name},{box}")
    assert go(settled, mode="delta").mode == "delta"
    directory.move(box, moved)
    assert go(settled, mode="delta").mode == "full"
    directory.move(f"{name},{moved}", dn(1))
    assert go(settled, mode="delta").mode == "delta"
    directory.add_ou("New", PEOPLE)
    assert go(settled, mode="delta").mode == "full"
    assert settled.state.known().cursors["corp"].watched == watched


def test_another_customer_file_makes_it_a_full_run(settled: Stage) -> None:
    """Whom a new rule touches is known only when everybody is read."""
    rules(settled, policy="upsert_only")
    assert go(settled, mode="delta").mode == "full"
    assert go(settled, mode="delta").mode == "delta"


def test_what_failed_is_tried_again_by_the_next_delta(settled: Stage, directory: Directory) -> None:
    """Halo refused the record, and in the directory nothing about it changes any more."""
    directory.modify(dn(1), {"title": "Engineer"})
    settled.halo.faults.add("status", method="POST", path="/api/Users", status=400, times=None)
    assert go(settled, mode="delta").status is Status.PARTIAL
    settled.halo.faults.clear()
    run = go(settled, mode="delta")
    assert (run.mode, people(run)) == ("delta", {"update": 1})
    assert people(go(settled, mode="delta")) == {}


def test_a_leaver_with_a_ticket_is_looked_at_by_every_delta(settled: Stage, directory: Directory) -> None:
    """Though the directory says nothing new of them; when the ticket is closed they go."""
    user = next(int(user["id"]) for user in settled.halo.people if user["login"] == "CORP\\p02")
    ticket = settled.halo.add_ticket(user)
    directory.disable(dn(2))
    assert people(go(settled, mode="delta")) == {"held": 1}
    assert people(go(settled, mode="delta")) == {"held": 1}
    settled.halo.close_ticket(ticket)
    assert people(go(settled, mode="delta")) == {"deactivate": 1}
    assert people(go(settled, mode="delta")) == {}


def test_changes_are_followed_where_deltas_are_expected(stage: Stage, directory: Directory) -> None:
    """DirSync begins with the whole directory, and whose schedule has no deltas does not pay for that."""
    rules(stage, policy="full")
    assert go(stage).status is Status.OK
    plain = go(stage)
    assert stage.state.known().cursors == {}
    rules(stage, schedule={"delta": "*/15 * * * *"})
    followed = go(stage)
    assert followed.cost["ldap_entries"] > plain.cost["ldap_entries"] + HEADCOUNT
    assert stage.state.known().cursors.keys() == {"corp"}
    directory.modify(dn(1), {"title": "Engineer"})
    run = go(stage, mode="delta")
    assert (run.mode, people(run)) == ("delta", {"update": 1})


def test_a_delta_by_hand_follows_changes_too(settled: Stage, directory: Directory) -> None:
    """It goes on from the last one, whatever full runs there were in between."""
    directory.modify(dn(1), {"title": "Engineer"})
    before = settled.state.known().cursors
    assert people(go(settled))["update"] == 1
    assert settled.state.known().cursors == before
    directory.modify(dn(2), {"title": "Engineer"})
    run = go(settled, mode="delta")
    assert (run.mode, people(run)) == ("delta", {"unchanged": 1, "update": 1})
    assert people(go(settled, mode="delta")) == {}


def test_a_dry_run_moves_no_cursor(settled: Stage, directory: Directory) -> None:
    """What it saw is seen again."""
    directory.modify(dn(1), {"title": "Engineer"})
    assert people(go(settled, mode="delta", dry_run=True)) == {"update": 1}
    assert people(go(settled, mode="delta")) == {"update": 1}
    assert people(go(settled, mode="delta")) == {}
