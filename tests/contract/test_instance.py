"""A customer whose file is pointed at another Halo."""

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
