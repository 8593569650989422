"""The matrix: which fault struck in which phase, and how the runs ended; told as tables."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.fuzzing import SOAK

FAILED = "FAILED"


@dataclass
class Matrix:
    """Results by part, fault and phase."""

    parts: dict[str, dict[tuple[str, str], str]] = field(default_factory=dict)

    @contextmanager
    def case(self, part: str, fault: str, phase: str) -> Iterator[Counter[str]]:
        """Yield where to count how runs end; what ends with an error is told as failed."""
        cells = self.parts.setdefault(part, {})
        cells[fault, phase] = FAILED
        outcomes: Counter[str] = Counter()
        yield outcomes
        cells[fault, phase] = ", ".join(f"{outcome} {times}" for outcome, times in sorted(outcomes.items()))

    def tables(self) -> Iterator[str]:
        """Yield the lines of a table for each part."""
        for part, cells in self.parts.items():
            faults = list(dict.fromkeys(fault for fault, _ in cells))
            phases = list(dict.fromkeys(phase for _, phase in cells))
            rows = [[part, *phases]]
            rows += [[fault, *(cells.get((fault, phase), "-") for phase in phases)] for fault in faults]
            widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
            yield ""
            yield _line(rows[0], widths)
            yield "-+-".join("-" * width for width in widths)
            yield from (_line(row, widths) for row in rows[1:])


def some[T](places: Sequence[T], count: int = 2) -> list[T]:
    """Return the places to strike at: in a soak all of them, else so many, from the first to the last."""
    if SOAK:
        return list(places)
    last = len(places) - 1
    return [places[number] for number in dict.fromkeys(last * n // (count - 1) for n in range(count))]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
