"""A customer whose file is pointed at another Halo, and other ways to ask for what cannot be."""

from pathlib import Path

import pytest

from devstack.directory import Directory
from devstack.halo import SimulatedHalo
from tests.contract.commands import FILE, Run, directory, halo, run

__all__ = ["directory", "halo", "run"]
pytestmark = pytest.mark.azurite


def test_links_are_not_used_on_another_halo(run: Run, halo: SimulatedHalo, directory: Directory) -> None:
    """The same ids are other people there: nothing is sent, and the way on is told."""
    assert run("sync", "company", "--json")["counts"]["create"] > 0
    people = len(halo.people)
    with SimulatedHalo(client_secret=halo.client_secret) as other:
        file = Path("other.yaml")
        file.write_text(FILE.format(halo=other, directory=directory), "utf-8")
        run("customer", "apply", str(file))
        refused = run("sync", "company", "--json", status=2)
        assert refused["status"] == "failed"
        assert "customer remove company" in refused["message"]
        assert not [
            request for request in other.requests if request.method == "POST" and "Users" in request.path
        ]
        run("customer", "remove", "company", "--yes")
        run("customer", "apply", str(file))
        assert run("sync", "company", "--json")["status"] == "ok"
        assert len(other.people) == people


def test_a_mistyped_first_address_is_simply_corrected(
    run: Run, halo: SimulatedHalo, directory: Directory
) -> None:
    """Nothing is linked yet, so the corrected file is as good as a first one."""
    file = Path("company.yaml")
    text = FILE.format(halo=halo, directory=directory)
    file.write_text(text.replace(halo.url, "http://localhost:1"), "utf-8")
    run("customer", "apply", str(file))
    assert run("sync", "company", "--dry-run", "--json", status=5)["cause"] == "HaloUnavailable"
    file.write_text(text, "utf-8")
    run("customer", "apply", str(file))
    assert run("sync", "company", "--json")["status"] == "ok"


def test_what_is_not_written_is_told_before_the_run(run: Run) -> None:
    """A plan is not made in vain for want of a folder; blank and broken names of people are refused."""
    run("plan", "company", "--out", "no-such-folder/plan.csv", status=2)
    run("explain", "company", " ", status=2)
    run("explain", "company", "\udcff", status=2)


def test_a_refused_write_changes_nothing_and_says_so(run: Run, halo: SimulatedHalo) -> None:
    """Where the first write is refused, the run failed; it is not partial."""
    halo.add_client("Company")
    halo.faults.add("status", method="POST", path="/api/Users", status=403, times=None)
    refused = run("sync", "company", "--json", status=5)
    assert refused["status"] == "failed"
    assert not halo.people
