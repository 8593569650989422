"""Security: what the threat model says is held is held by something that is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
MODEL = (ROOT / "SECURITY.md").read_text("utf-8")
THREATS = MODEL.partition("## Threats")[2].partition("\n## ")[0]
ROWS = [line.strip("| ").split(" | ") for line in THREATS.splitlines() if line.startswith("| ")][1:]


def test_there_are_threats() -> None:
    """The table is read as it is meant: what threatens, what answers it, and what holds the answer."""
    assert len(ROWS) > 10
    assert {len(row) for row in ROWS} == {3}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_holds_an_answer_is_there(row: list[str]) -> None:
    """Each test, folder or command by its name; a test that was renamed is noticed."""
    named = re.findall(r"`([^`]+)`", row[2])
    assert named
    for name in named:
        places = (HERE, ROOT)
        assert any(any(place.glob(name.removeprefix("./").split()[0])) for place in places), name


def test_every_suite_of_this_folder_holds_something() -> None:
    """No test of security stands beside the model."""
    told = set(re.findall(r"`(test_\w+\.py)`", THREATS))
    assert told == {path.name for path in HERE.glob("test_*.py")} - {Path(__file__).name}
