"""The story of a leaver, on a real domain and a simulated Halo, through the command line.

Disabled with an open ticket, held, the ticket closed, deactivated, back from leave, reactivated. Then what
may never switch anybody off: an emptied directory, and an OU that is gone.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from devstack.halo import SimulatedHalo
from devstack.samba import SambaDomain
from tests.story.conftest import story_settings
from tests.story.stage import customer_file
from tests.story.telling import CommandLine, Summary

pytestmark = [pytest.mark.samba, pytest.mark.azurite]

CUSTOMER = "leavers"
PEOPLE = 12
BLOCKED, FAILED = 3, 5
"""Exit statuses (`docs/operations.md`)."""


@dataclass
class Office:
    """A domain's OU, its Halo, and the command line between them."""

    domain: SambaDomain
    halo: SimulatedHalo
    command_line: CommandLine
    ou: str
    attic: str
    """An OU out of scope."""

    def dn(self, number: int) -> str:
        """Return the DN of a person who is in the OU."""
        return f"CN=Leaver {number:02},{self.ou}"

    def user(self, number: int) -> dict[str, Any]:
        """Return a person's user in Halo."""
        (found,) = (user for user in self.halo.people if user["name"] == f"Leaver {number:02}")
        return found

    def run(self, *arguments: str, status: int = 0) -> Summary:
        """Run a command that answers with one JSON object."""
        done = self.command_line.run(*arguments)
        assert done.returncode == status, done.stderr + done.stdout
        answer: Summary = json.loads(done.stdout)
        return answer

    def sync(self, status: int = 0) -> Summary:
        """Sync, and return the run's summary."""
        return self.run("sync", CUSTOMER, "--json", status=status)

    def inactive(self) -> list[str]:
        """Return the names of those who are switched off in Halo."""
        return sorted(user["name"] for user in self.halo.people if user["inactive"])


@pytest.fixture(scope="module")
def office(domain: SambaDomain, storage: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """An office whose people are all in Halo."""
    with SimulatedHalo() as halo:
        command_line = CommandLine(tmp_path_factory.mktemp("leavers"), story_settings(storage, halo))
        top = domain.add_ou("Office of leavers")
        office = Office(domain, halo, command_line, domain.add_ou("People", top), domain.add_ou("Attic"))
        for number in range(PEOPLE):
            domain.add_user(f"Leaver {number:02}", office.ou, mail=f"leaver{number}@corp.example")
        known = customer_file(domain, halo, CUSTOMER, office.ou)
        applied = command_line.apply(
            {
                **{key: known[key] for key in ("id", "name", "halo", "directories")},
                "policy": "full",
                "scope": {"include": [office.ou]},
                "placement": {"client": {"name": "The office"}},
            }
        )
        assert applied.returncode == 0, applied.stderr
        assert office.sync()["counts"]["create"] == PEOPLE
        yield office


def test_01_who_is_disabled_with_an_open_ticket_is_held(office: Office) -> None:
    """Active still, and listed with the ticket; who has none goes at once."""
    ticket = office.halo.add_ticket(office.user(0)["id"])
    office.domain.disable(office.dn(0))
    office.domain.disable(office.dn(1))
    counts = office.sync()["counts"]
    assert (counts["held"], counts["deactivate"]) == (1, 1)
    assert office.inactive() == ["Leaver 01"]
    (held,) = office.run("held", CUSTOMER, "--json")["held"]
    assert (held["name"], held["tickets"], held["ticket_ids"]) == ("Leaver 00", 1, [ticket])
    assert "disabled" in held["reason"]
    assert office.sync()["counts"]["held"] == 1


def test_02_the_last_ticket_closes_and_the_leaver_goes(office: Office) -> None:
    """By itself, in the next run."""
    for ticket in list(office.halo.tickets):
        office.halo.close_ticket(ticket)
    assert office.sync()["counts"]["deactivate"] == 1
    assert office.inactive() == ["Leaver 00", "Leaver 01"]
    assert office.run("held", CUSTOMER, "--json")["held"] == []


def test_03_back_from_leave_it_is_the_same_user(office: Office) -> None:
    """Reactivated under the id that was there before, and nobody beside it."""
    before = office.user(0)["id"]
    office.domain.enable(office.dn(0))
    assert office.sync()["counts"]["reactivate"] == 1
    assert (office.user(0)["id"], office.inactive()) == (before, ["Leaver 01"])
    assert len(office.halo.people) == PEOPLE


def test_04_who_is_absent_goes_in_the_third_run(office: Office) -> None:
    """The account that reads may not see deleted objects here, so nothing proves that somebody has left."""
    office.domain.delete(office.dn(2))
    for missing in (1, 2):
        assert office.sync()["counts"]["held"] == 1
        (held,) = office.run("held", CUSTOMER, "--json")["held"]
        assert (held["name"], held["missing_runs"]) == ("Leaver 02", missing)
    assert office.sync()["counts"]["deactivate"] == 1
    assert office.inactive() == ["Leaver 01", "Leaver 02"]


def test_05_an_emptied_directory_is_refused(office: Office) -> None:
    """Blocked, exit status 3: every limit is named with the way on, and nobody is switched off."""
    staying = [number for number in range(PEOPLE) if number != 2]
    for number in staying:
        office.domain.move(office.dn(number), f"CN=Leaver {number:02},{office.attic}")
    summary = office.sync(BLOCKED)
    assert summary["status"] == "blocked"
    assert {"directory.empty", "deactivate.percent"} <= {found["rule"] for found in summary["violations"]}
    assert all("approve" in found["message"] for found in summary["violations"])
    assert office.inactive() == ["Leaver 01", "Leaver 02"]
    rejected = office.run("reject", CUSTOMER, summary["run"], "--json")
    assert rejected["status"] == "blocked"
    for number in staying:
        office.domain.move(f"CN=Leaver {number:02},{office.attic}", office.dn(number))
    assert office.sync()["counts"]["unchanged"] == PEOPLE - 2


def test_06_an_ou_that_is_gone_is_no_reason_to_switch_anybody_off(office: Office) -> None:
    """The read is incomplete: exit status 5, and a sentence that names the OU."""
    for number in (number for number in range(PEOPLE) if number != 2):
        office.domain.move(office.dn(number), f"CN=Leaver {number:02},{office.attic}")
    office.domain.delete(office.ou)
    done = office.command_line.run("sync", CUSTOMER, "--json")
    assert done.returncode == FAILED, done.stdout
    assert office.ou in json.loads(done.stdout)["message"]
    assert office.inactive() == ["Leaver 01", "Leaver 02"]
    assert office.halo.violations == []
