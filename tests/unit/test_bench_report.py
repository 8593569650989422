"""The page of the benchmarks: sections are written anew, each alone, and numbers say how sure they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.__main__ import SECTIONS, whole_text
from bench.charts import CHARTS, digest
from bench.reader import leads
from bench.report import (
    BESIDE,
    PAGE,
    affordable,
    in_rounds,
    judged,
    keep,
    kept,
    section_of,
    spread,
    table,
    write_section,
)
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


@pytest.mark.parametrize("name", SECTIONS)
def test_the_page_says_what_was_measured(name: str) -> None:
    """Tables and verdicts are those of the figures beside the page; nobody has written in between."""
    figures = kept(name)
    assert section_of(PAGE.read_text("utf-8"), name) == whole_text(SECTIONS[name], figures).strip()


@pytest.mark.parametrize("chart", CHARTS)
def test_the_charts_show_what_was_measured(chart: str) -> None:
    """Each is of the figures beside it, stands on the page, and holds no date that would change it."""
    section, _ = CHARTS[chart]
    drawn = (BESIDE / f"{chart}.svg").read_text("utf-8")
    assert digest(kept(section)) in drawn
    assert "<dc:date>" not in drawn
    assert f"](benchmarks/{chart}.svg)" in PAGE.read_text("utf-8")


def test_figures_are_kept(tmp_path: Path) -> None:
    """As JSON with four places, a measurement a line; what was never measured is missed by name."""
    keep(
        "one",
        {"rounds": 2, "costs": [{"cpu": 0.123456, "entries": 10}, {"cpu": 1.0, "entries": 11}]},
        tmp_path,
    )
    assert '{ "cpu": 0.1235, "entries": 10 },\n' in (tmp_path / "one.json").read_text()
    assert kept("one", tmp_path) == {
        "rounds": 2,
        "costs": [{"cpu": 0.1235, "entries": 10}, {"cpu": 1.0, "entries": 11}],
    }
    with pytest.raises(ValueError, match="'two' has not been measured yet"):
        kept("two", tmp_path)


def test_each_goal_is_told() -> None:
    """One sentence says which were met and which were not."""
    assert judged({"fast": True, "small": False}) == "Goals: fast: met; small: **not met**."
    assert judged({"fast": True}) == "Goal: fast: met."


def test_large_sizes_get_one_round() -> None:
    """What takes minutes is measured once."""
    assert [affordable(5, people, 10_000) for people in (1_000, 10_000, 10_001)] == [5, 5, 1]


def test_the_page_says_how_often_it_measured() -> None:
    """One round is called one; of several it is said which sizes did not get them."""
    assert in_rounds(1, 10_000) == "Everything was measured once."
    assert "median of 5 rounds with its range; beyond 10,000 people" in in_rounds(5, 10_000)


def test_numbers_have_their_range() -> None:
    """A number is the median of the rounds, with the least and the greatest; one measurement has no range."""
    assert spread([3.25], 1) == "3.2"
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
