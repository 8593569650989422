"""Charts of what was measured, as SVG beside the page: the same figures give the same bytes."""

from __future__ import annotations

import hashlib
import json
import statistics
from typing import TYPE_CHECKING, Any

from bench import costs, latency, reader
from bench.report import BESIDE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from bench.process import Cost
    from bench.report import Figures

_INK = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#505050")
"""Colours that can be told apart by everybody (Okabe and Ito)."""
_MARKS = "osD^vPX"
_STYLE = {
    "svg.hashsalt": "halo-adsync",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#e0e0e0",
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}
_SHOWN = {
    "seconds": "seconds",
    "cpu": "processor's time, s",
    "ldap_entries": "entries read from the directory",
    "table_transactions": "storage transactions",
}


def draw(name: str, figures: Figures, folder: Path = BESIDE) -> list[Path]:
    """Draw the charts of a section, and return where they are: none where it has none or measured nothing.

    Each chart says in its description of which figures it is: `digest`.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    drawn = []
    for chart, (section, draw_on) in CHARTS.items():
        if section != name:
            continue
        with mpl.rc_context(_STYLE):
            figure = Figure(figsize=(9, 4.2))
            draw_on(figure, figures)
            path = folder / f"{chart}.svg"
            # A date would make every drawing another file.
            figure.savefig(path, metadata={"Date": None, "Description": digest(figures)})
        drawn.append(path)
    return drawn


def digest(figures: Figures) -> str:
    """Return what tells figures from all others."""
    return hashlib.sha256(json.dumps(figures, sort_keys=True).encode()).hexdigest()


def _reader(figure: Any, figures: Figures) -> None:
    """Entries per CPU second, a panel for each server, a group of bars for each client."""
    measured = [reading for reading in figures["readings"] if "costs" in reading]
    servers = list(dict.fromkeys(reading["server"] for reading in measured))
    for server, axes in zip(servers, _panels(figure, 1, len(servers)), strict=True):
        readings = [reading for reading in measured if reading["server"] == server]
        clients = [client for client in readings[0]["costs"] if client in reader.SHORT]
        height = 0.8 / len(readings)
        for at, reading in enumerate(readings):
            rates = [_rate(reading["costs"][client]) for client in clients]
            places = [row + (at - (len(readings) - 1) / 2) * height for row in range(len(clients))]
            axes.barh(places, rates, height * 0.92, color=_INK[at], label=f"{reading['people']:,} people")
        axes.set_yticks(range(len(clients)), [reader.SHORT[client] for client in clients])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set(title=server, xlabel="entries per CPU second")
    _legend(figure, axes)


def _growth(figure: Any, figures: Figures) -> None:
    """Four quantities by people, both logarithmic, beside a line of slope 1."""
    figure.set_size_inches(9, 7.5)
    sizes = _sizes(figures)
    for axes, name in zip(_panels(figure, 2, 2), _SHOWN, strict=True):
        _lines(axes, sizes, name)
        axes.set(xscale="log", yscale="log", title=_SHOWN[name], xlabel="people")
        axes.yaxis.set_major_formatter("{x:,g}")
        few, many = min(sizes), max(sizes)
        low = axes.get_ylim()[0]
        axes.plot(
            [few, many], [low, low * many / few], "--", color="#808080", label="in proportion to people"
        )
        _ticks(axes, sizes)
    _legend(figure, axes)


def _memory(figure: Any, figures: Figures) -> None:
    """Peaks of memory by people, with the goals."""
    sizes = _sizes(figures)
    (axes,) = _panels(figure, 1, 1)
    _lines(axes, sizes, "peak_mib")
    goals = {costs.FULL_MIB: "goal for runs that read everybody", costs.DELTA_MIB: "goal for deltas"}
    for goal, whose in goals.items():
        axes.axhline(goal, ls="--", color="#808080")
        axes.annotate(whose, (min(sizes), goal), (0, 3), textcoords="offset points", color="#606060")
    axes.set(xscale="log", title="peak memory of a run's process", xlabel="people", ylabel="MiB")
    axes.set_ylim(0, 1.1 * max(costs.FULL_MIB, axes.get_ylim()[1]))
    _ticks(axes, sizes)
    _legend(figure, axes)


def _latency(figure: Any, figures: Figures) -> None:
    """How long a run takes, by how long Halo does."""
    panels = _panels(figure, 1, len(figures["sizes"]))
    for axes, size in zip(panels, figures["sizes"], strict=True):
        for at, (run, by_delay) in enumerate(size["costs"].items()):
            seconds = [_median([cost["seconds"] for cost in rounds]) for rounds in by_delay]
            axes.plot(latency.DELAYS, seconds, color=_INK[at], marker=_MARKS[at], label=run)
        axes.set(
            title=f"{size['people']:,} people", xlabel="delay of a request to Halo, ms", ylabel="seconds"
        )
        axes.set_ylim(bottom=0)
    _legend(figure, axes)


def _sizes(figures: Figures) -> dict[int, Mapping[str, Sequence[Cost]]]:
    return {size["people"]: costs.runs_of(size["costs"]) for size in figures["sizes"]}


def _lines(axes: Any, sizes: Mapping[int, Mapping[str, Sequence[Cost]]], name: str) -> None:
    """One line for each run; a quantity that is nothing at some size has no logarithm and no line."""
    for at, run in enumerate(next(iter(sizes.values()))):
        values = [_median([cost[name] for cost in of[run]]) for of in sizes.values()]
        if all(values):
            # Lines that lie on each other are seen, as each is thinner than the one below it.
            axes.plot(
                [*sizes], values, color=_INK[at], marker=_MARKS[at], ms=6 - at / 2, lw=3 - at / 2.5, label=run
            )


def _ticks(axes: Any, sizes: Mapping[int, object]) -> None:
    axes.set_xticks([*sizes], [f"{people:,}" for people in sizes])
    axes.minorticks_off()


def _panels(figure: Any, rows: int, columns: int) -> list[Any]:
    return list(figure.subplots(rows, columns, squeeze=False).flat)


def _legend(figure: Any, axes: Any) -> None:
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)


def _rate(readings: Sequence[Cost]) -> float:
    return _median([reading["entries"] / reading["cpu"] for reading in readings])


def _median(numbers: Sequence[float]) -> float:
    return statistics.median(numbers)


CHARTS: Mapping[str, tuple[str, Callable[[Any, Figures], None]]] = {
    "reader": ("reader", _reader),
    "growth": ("costs", _growth),
    "memory": ("costs", _memory),
    "latency": ("latency", _latency),
}
"""By file name, the section whose figures a chart shows, and what draws it."""
