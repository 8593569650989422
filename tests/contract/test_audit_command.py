"""`halo-adsync audit`, on a storage emulator: what it prints, and what it writes to a file."""

import csv
from pathlib import Path

import pytest

from tests.contract.commands import Run, directory, halo, run

__all__ = ["directory", "halo", "run"]
pytestmark = pytest.mark.azurite


def test_what_was_done_is_exported(run: Run, tmp_path: Path) -> None:
    """As JSON on standard output, as CSV in a file; one person's by any name."""
    ended = run("sync", "company", "--json")
    found = run("audit", "company", "--format", "json")
    assert {entry["run"] for entry in found["entries"]} == {ended["run"]}
    people = [entry for entry in found["entries"] if entry["record"] == "user"]
    assert len(people) == ended["counts"]["create"] > 0
    one = people[0]
    alone = run("audit", "company", "--format", "json", "--person", one["dn"])
    assert alone["entries"] == [one]
    assert run("audit", "company", "--format", "json", "--until", "2020-01-01")["entries"] == []
    path = tmp_path / "audit.csv"
    run("audit", "company", "--out", str(path), "--since", "2020-01-01T00:00:00")
    table = list(csv.DictReader(path.read_text("utf-8").splitlines()))
    assert len(table) == len(found["entries"])
