"""`./dev bench`: measure what is named, or everything, and write docs/benchmarks.md with its charts.

./dev bench                                          # everything, at every size: hours
./dev bench costs --people 1000 10000 --rounds 3     # one section, at these sizes
./dev bench --kept                                   # write tables and charts of the figures that there are
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bench import charts, costs, day, latency, memory, reader, tunnel
from bench.report import keep, kept, write_section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.report import Figures


class Section(Protocol):
    """A benchmark: a module that measures, and says what it measured."""

    def measure(self, sizes: Sequence[int], rounds: int, cache: Path, /) -> Figures:
        """Measure these sizes, with servers that are kept in the cache."""

    def text(self, figures: Figures, /) -> str:
        """Say in Markdown what was measured."""


SECTIONS: dict[str, Section] = {
    "reader": reader,
    "memory": memory,
    "costs": costs,
    "latency": latency,
    "day": day,
    "tunnel": tunnel,
}
SIZES = [1_000, 10_000, 50_000, 100_000]
LEAST = 200
"""Fewer people would not do for a delta of a hundred."""


def main() -> None:
    """Measure section by section; each is written as soon as it is there."""
    usage = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__, formatter_class=usage)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help=", ".join(SECTIONS))
    parser.add_argument("--people", nargs="+", type=int, default=SIZES, metavar="N")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kept", action="store_true", help="measure nothing, write what was measured last")
    options = parser.parse_args()
    if min(options.people) < LEAST or options.rounds < 1:
        parser.error(f"--people takes {LEAST} or more, --rounds one or more.")
    root = os.environ.get("XDG_CACHE_HOME")
    cache = (Path(root) if root else Path.home() / ".cache") / "halo-adsync" / "bench"
    for name in options.sections or SECTIONS:
        if not options.kept:
            _measure(name, sorted(options.people), options.rounds, cache)
        figures = kept(name)
        text = whole_text(SECTIONS[name], figures)
        write_section(name, text)
        charts.draw(name, figures)
        print(text)
    print("written to docs/benchmarks.md", file=sys.stderr)


def whole_text(section: Section, figures: Figures) -> str:
    """Return a section's text, which ends with how long it took."""
    minutes = round(figures["minutes"])
    took = f"{minutes} minutes" if minutes > 1 else "about a minute"
    return f"{section.text(figures)}\n\nMeasuring this took {took}."


def _measure(name: str, sizes: list[int], rounds: int, cache: Path) -> None:
    begun = time.monotonic()
    figures = SECTIONS[name].measure(sizes, rounds, cache)
    keep(name, {**figures, "minutes": (time.monotonic() - begun) / 60})


if __name__ == "__main__":
    main()
