"""docs/benchmarks.md: sections that are written anew, each by its own benchmark, between marks."""

from __future__ import annotations

import os
import platform
import re
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"


def spread(numbers: Sequence[float], digits: int = 1) -> str:
    """Return the median with the least and the greatest: `3.2 (3.1-3.9)`."""
    low, middle, high = (
        f"{number:,.{digits}f}" for number in (min(numbers), statistics.median(numbers), max(numbers))
    )
    return f"{middle} ({low}-{high})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose first column is text and whose others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def machine() -> str:
    """Say in one sentence what measured: ratios can be compared between machines, times cannot."""
    return (
        f"Measured with Python {platform.python_version()} on {os.cpu_count()} cores "
        f"({platform.machine()}, {platform.system()}) at a load of {os.getloadavg()[0]:.1f}."
    )


def write_section(name: str, body: str, page: Path = PAGE) -> None:
    """Put a section's new text between its marks in the page; everything else stays.

    Raises:
        ValueError: the page has no such section.
    """
    text = page.read_text("utf-8")
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    section = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not section.search(text):
        raise ValueError(f"{page} has no section '{name}': put {begin} and {end} where it belongs.")
    page.write_text(section.sub(lambda _: f"{begin}\n{body.strip()}\n{end}", text), "utf-8")
