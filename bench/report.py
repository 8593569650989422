"""docs/benchmarks.md: sections that are written anew, each by its own benchmark, between marks.

What was measured is kept beside the page as JSON, so that tables and charts are always of the same figures.
"""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
BESIDE = PAGE.with_suffix("")
"""The folder of figures and charts."""


type Figures = dict[str, Any]


def spread(numbers: Sequence[float], digits: int = 1) -> str:
    """Return the median with the least and the greatest: `3.2 (3.1-3.9)`; a single number stands alone."""
    if len(numbers) == 1:
        return f"{numbers[0]:,.{digits}f}"
    low, middle, high = (
        f"{number:,.{digits}f}" for number in (min(numbers), statistics.median(numbers), max(numbers))
    )
    return f"{middle} ({low}-{high})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose first column is text and whose others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def compared(
    title: str,
    reading: Figures,
    head: Sequence[str],
    row: Callable[[str, Any], Sequence[str]],
    verdict: Callable[[Any], str],
) -> str:
    """Return what a comparison came to: a row for each that took part, and the verdict."""
    if "missing" in reading:
        return f"### {title}\n\nNot measured: {reading['missing']}"
    costs = reading["costs"]
    return f"### {title}\n\n{table(head, [row(one, costs) for one in costs])}\n\n{verdict(costs)}"


def judged(reached: Mapping[str, bool]) -> str:
    """Return a paragraph that says of each goal whether it was met."""
    told = [f"{text}: {'met' if met else '**not met**'}" for text, met in reached.items()]
    return f"{'Goal' if len(told) == 1 else 'Goals'}: {'; '.join(told)}."


def affordable(rounds: int, people: int, often: int) -> int:
    """Return how many rounds a size gets: all of them up to `often` people, one beyond."""
    return rounds if people <= often else 1


def in_rounds(rounds: int, often: int) -> str:
    """Say in one sentence in how many rounds sizes were measured, one alone beyond `often` people."""
    if rounds == 1:
        return "Everything was measured once."
    return (
        f"Each number is the median of {rounds} rounds with its range; beyond {often:,} people what has no "
        "range was measured once."
    )


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
    section_of(text, name)
    begin, end = _marks(name)
    head, _, rest = text.partition(begin)
    page.write_text(f"{head}{begin}\n{body.strip()}\n{end}{rest.partition(end)[2]}", "utf-8")


def section_of(text: str, name: str) -> str:
    """Return what stands between a section's marks in the text of a page.

    Raises:
        ValueError: there is no such section.
    """
    begin, end = _marks(name)
    found = re.search(f"{re.escape(begin)}\n(.*?)\n?{re.escape(end)}", text, re.DOTALL)
    if not found:
        raise ValueError(f"The page has no section '{name}': put {begin} and {end} where it belongs.")
    return found[1]


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- begin {name} -->", f"<!-- end {name} -->"


def keep(name: str, figures: Figures, folder: Path = BESIDE) -> None:
    """Keep what a section has measured."""
    folder.mkdir(exist_ok=True)
    text = json.dumps(_rounded(figures), indent=1, ensure_ascii=False)
    # A measurement is one line.
    text = re.sub(r"\{[^{}\[\]]*\}", lambda found: re.sub(r"\s*\n\s*", " ", found[0]), text)
    (folder / f"{name}.json").write_text(f"{text}\n", "utf-8")


def kept(name: str, folder: Path = BESIDE) -> Figures:
    """Return what a section measured last.

    Raises:
        ValueError: it was never measured.
    """
    path = folder / f"{name}.json"
    if not path.exists():
        raise ValueError(f"'{name}' has not been measured yet: run `./dev bench {name}`.")
    figures: Figures = json.loads(path.read_text("utf-8"))
    return figures


def _rounded(value: Any) -> Any:
    """Four places tell all that a measurement says."""
    match value:
        case float():
            return round(value, 4)
        case dict():
            return {name: _rounded(inside) for name, inside in value.items()}
        case list():
            return [_rounded(inside) for inside in value]
    return value
