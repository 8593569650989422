"""The page of the benchmarks: sections are written anew, each alone, and numbers say how sure they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.__main__ import SECTIONS
from bench.reader import leads
from bench.report import PAGE, spread, table, write_section
from bench.tunnel import DIRECT, ratios, verdict

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
# Page
<!-- begin one -->
old
<!-- end one -->
kept
<!-- begin two -->
other
<!-- end two -->
"""


def test_a_section_is_written_anew(tmp_path: Path) -> None:
    """What stands between a section's marks is replaced, as it is; the rest of the page stays."""
    page = tmp_path / "benchmarks.md"
    page.write_text(TEXT)
    write_section("one", r"new \1 text", page)
    write_section("one", r"newer \1 text", page)
    assert page.read_text() == TEXT.replace("old", r"newer \1 text")


def test_a_section_that_the_page_lacks(tmp_path: Path) -> None:
    """Numbers never get lost silently: the page has to have a place for them."""
    page = tmp_path / "benchmarks.md"
    page.write_text(TEXT)
    with pytest.raises(ValueError, match="no section 'three'"):
        write_section("three", "numbers", page)
    assert page.read_text() == TEXT


def test_the_page_has_a_place_for_every_section() -> None:
    """Each benchmark finds its marks in docs/benchmarks.md, once."""
    text = PAGE.read_text("utf-8")
    for name in SECTIONS:
        assert [text.count(f"<!-- {mark} {name} -->") for mark in ("begin", "end")] == [1, 1]


def test_numbers_have_their_range() -> None:
    """A number is the median of the rounds, with the least and the greatest."""
    assert spread([3.0, 1.0, 20.0]) == "3.0 (1.0-20.0)"
    assert spread([12345.6, 12345.6], 0) == "12,346 (12,346-12,346)"


def test_tables_are_markdown() -> None:
    """The first column is text, the others are numbers."""
    assert table(["client", "lead"], [["ldap3", "1"]]) == "| client | lead |\n| --- | ---: |\n| ldap3 | 1 |"


def test_leads_are_taken_round_by_round() -> None:
    """A lead compares what ran in the same round: noise that hit both is no lead of either."""
    costs = {"ours": [{"cpu": 1.0}, {"cpu": 10.0}], "ldap3": [{"cpu": 8.0}, {"cpu": 80.0}]}
    assert leads(costs, "ldap3") == [8.0, 8.0]


def test_throughput_of_the_tunnel() -> None:
    """A way's share is that of the direct way in the same round, and the goal is judged by the median."""
    direct = [{"read": 1.0}, {"read": 2.0}, {"read": 4.0}]
    costs = {DIRECT: direct, "fast": [{"read": 1.0}] * 3, "slow": [{"read": 4.0}] * 3}
    assert ratios(costs, "fast") == [1.0, 2.0, 4.0]
    assert ratios(costs, "slow") == [0.25, 0.5, 1.0]
    assert verdict(costs).endswith("fast: 2.00, met; slow: 0.50, **not met**.")
