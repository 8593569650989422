"""`./dev bench`: measure what is named, or everything, and write docs/benchmarks.md.

./dev bench                                  # everything, at the usual sizes
./dev bench reader --people 1000 10000 --rounds 5
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from bench import costs, day, memory, reader, tunnel
from bench.report import write_section

SECTIONS = {
    "reader": reader.run,
    "memory": memory.run,
    "costs": costs.run,
    "day": day.run,
    "tunnel": tunnel.run,
}


def main() -> None:
    """Measure section by section; each is written as soon as it is there."""
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help=", ".join(SECTIONS))
    parser.add_argument("--people", nargs="+", type=int, default=[1000, 10_000], metavar="N")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    root = os.environ.get("XDG_CACHE_HOME")
    cache = (Path(root) if root else Path.home() / ".cache") / "halo-adsync" / "bench"
    for name in options.sections or SECTIONS:
        text = SECTIONS[name](options.people, options.rounds, cache)
        write_section(name, text)
        print(text)
    print("written to docs/benchmarks.md", file=sys.stderr)


if __name__ == "__main__":
    main()
