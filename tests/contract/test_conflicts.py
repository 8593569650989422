"""Conflicts, from the plan to the decision and its carrying out, by the command line and on real parts."""

import pytest

from devstack.directory import Directory
from devstack.halo import SimulatedHalo
from tests.contract.commands import Run, directory, halo, run

__all__ = ["directory", "halo", "run"]

pytestmark = pytest.mark.azurite


@pytest.fixture
def twins(halo: SimulatedHalo, directory: Directory) -> tuple[str, list[int]]:
    """An account's DN, and the ids of the two Halo users who have its login."""
    dn = next(
        o.dn for o in directory.walk() if o.dn.endswith("OU=Leeds,DC=company,DC=example") and "CN=" in o.dn
    )
    login = directory.values(dn, "sAMAccountName")[0].decode()
    client = halo.add_client("Company")
    site = next(int(s["id"]) for s in halo.sites.values() if int(s["client_id"]) == client)
    ids = [halo.add_user(name=f"Twin {n}", site_id=site, login=f"COMPANY\\{login}") for n in (1, 2)]
    return dn, ids


def test_a_conflict_is_listed_settled_and_carried_out(
    run: Run, halo: SimulatedHalo, twins: tuple[str, list[int]]
) -> None:
    """Nobody is touched until somebody decides; then the chosen user is adopted, and nobody else."""
    dn, (first, second) = twins
    assert run("sync", "company", "--json")["counts"]["conflict"] == 1
    assert not {halo.users[user].get("third_party_guid") for user in (first, second)} - {None, ""}
    listed = run("conflict", "list", "company", "--json")["conflicts"]
    assert [line["dn"] for line in listed] == [dn]
    run("conflict", "link", "company", dn, str(second))
    counts = run("sync", "company", "--json")["counts"]
    assert (counts["conflict"], counts["update"] + counts["move"]) == (0, 1)
    assert halo.users[second]["third_party_guid"] == listed[0]["guid"]
    assert halo.users[first].get("third_party_guid") in {None, ""}
    assert run("sync", "company", "--json")["cost"]["halo_requests"] == 0


def test_an_account_can_be_created_all_the_same(
    run: Run, halo: SimulatedHalo, twins: tuple[str, list[int]]
) -> None:
    """Who is none of the two becomes a third."""
    dn, ids = twins
    run("conflict", "create", "company", dn)
    before = len(halo.people)
    counts = run("sync", "company", "--json")["counts"]
    assert counts["conflict"] == 0
    assert len(halo.people) == before + counts["create"]
    assert all(not halo.users[user].get("third_party_guid") for user in ids)


def test_an_account_can_be_left_out_and_taken_back(run: Run, twins: tuple[str, list[int]]) -> None:
    """Ignored, it is skipped; forgotten, it is a conflict again."""
    dn, _ = twins
    run("conflict", "ignore", "company", dn)
    assert run("sync", "company", "--dry-run", "--json")["counts"]["conflict"] == 0
    run("conflict", "forget", "company", dn)
    assert run("sync", "company", "--dry-run", "--json")["counts"]["conflict"] == 1


def test_a_choice_that_cannot_be_is_told_in_the_plan(run: Run, twins: tuple[str, list[int]]) -> None:
    """A user who is not there leaves the account in conflict, with the reason."""
    dn, _ = twins
    run("conflict", "link", "company", dn, "999999")
    run("sync", "company", "--json")
    (line,) = run("conflict", "list", "company", "--json")["conflicts"]
    assert "999999" in line["reason"]
    assert "not in Halo" in line["reason"]
