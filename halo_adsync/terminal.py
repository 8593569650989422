"""What the command line shows: bars while it works, sentences for people, one JSON object for machines."""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any, Self, override

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.tree import Tree

from halo_adsync.directory.port import CountedContainer
from halo_adsync.errors import Busy, ConfigurationError, HaloAdSyncError
from halo_adsync.explaining import Step
from halo_adsync.model import Meter, ObjectGuid
from halo_adsync.plan.render import visible
from halo_adsync.plan.types import Change
from halo_adsync.state.runs import Run, Status, no_agents, no_counts

OK, USAGE, BLOCKED, PARTIAL, FAILED, BUSY = 0, 2, 3, 4, 5, 6
"""The exit statuses; they are a contract with scripts."""

_STATUS = {
    Status.OK: OK,
    Status.PLANNED: OK,
    Status.BLOCKED: BLOCKED,
    Status.PARTIAL: PARTIAL,
    Status.FAILED: FAILED,
    Status.SKIPPED: BUSY,
}
_COLOURS = {Status.OK: "green", Status.PLANNED: "green", Status.PARTIAL: "yellow", Status.BLOCKED: "yellow"}


class _Terminal(Console):
    """A console on which what people and OUs are called is seen, and steers nothing."""

    @override
    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(seen(text) if isinstance(text, str) else text for text in objects), **options)


def seen(text: str) -> str:
    """Spell out what would steer a terminal; further lines are set in, so that no name begins one."""
    return "\n  ".join(map(visible, text.split("\n")))


errors = _Terminal(stderr=True, highlight=False, soft_wrap=True)
# No line is folded for a pipe.
output = _Terminal(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200)


def exit_status(run: Run) -> int:
    """Return the exit status that says how a run ended."""
    if run.status is Status.FAILED and run.cause == "configuration":
        return USAGE
    return _STATUS.get(run.status, BUSY)


def error_status(error: HaloAdSyncError) -> int:
    """Return the exit status for an error outside a run."""
    if isinstance(error, ConfigurationError):
        return USAGE
    return BUSY if isinstance(error, Busy) else FAILED


def say(text: str, style: str = "") -> None:
    """Tell a person something, on standard error."""
    errors.print(escape(text), style=style)


def say_error(error: HaloAdSyncError) -> None:
    """Tell a person what went wrong, one line a problem."""
    problems = error.problems if isinstance(error, ConfigurationError) else (str(error),)
    for problem in problems:
        errors.print(f"[red]Error:[/red] {escape(problem)}")


def print_json(data: Mapping[str, Any]) -> None:
    """Print one JSON object on standard output."""
    sys.stdout.write(json_text(data))


def json_text(data: Mapping[str, Any]) -> str:
    """Return one JSON object as the command line prints it."""
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


def failure_json(customer: str, mode: str, error: HaloAdSyncError) -> dict[str, Any]:
    """Return the object that `--json` prints where no run came about."""
    status = "skipped" if isinstance(error, Busy) else "failed"
    cause = "configuration" if isinstance(error, ConfigurationError) else type(error).__name__
    said = {"customer": customer, "mode": mode, "status": status, "message": str(error), "cause": cause}
    empty = {
        "digest": "",
        "counts": no_counts(),
        "agents": no_agents(),
        "violations": [],
        "cost": asdict(Meter()),
    }
    return {"run": None, **said, **empty}


def print_run(run: Run, next_step: str = "") -> None:
    """Tell a person how a run ended, and what to do next."""
    colour = _COLOURS.get(run.status, "red")
    nobody = "nobody changed" if run.mode == "delta" else "nobody in scope"
    counts = ", ".join(f"{number} {bucket}" for bucket, number in run.counts.items() if number) or nobody
    output.print(f"Run {run.id} of {run.customer} ({run.mode}): [{colour}]{run.status.value}[/{colour}]")
    output.print(f"  {counts}")
    agents = ", ".join(f"{number} {bucket}" for bucket, number in run.agents.items() if number)
    if agents:
        output.print(f"  agents: {agents}")
    cost = run.cost
    output.print(
        f"  {cost['halo_requests']:.0f} requests to Halo ({cost['halo_writes']:.0f} writes),"
        f" {cost['ldap_searches']:.0f} LDAP searches ({cost['ldap_entries']:.0f} entries),"
        f" {cost['table_transactions']:.0f} table requests, {cost['seconds']:.1f} s"
    )
    if run.message:
        output.print(f"  {escape(run.message)}")
    for warning in run.warnings:
        output.print(f"  [yellow]Warning:[/yellow] {escape(warning)}")
    for violation in run.violations:
        output.print(f"  [yellow]Limit {violation.rule}:[/yellow] {escape(violation.message)}")
    if next_step:
        output.print(f"  {next_step}")


def print_steps(steps: Sequence[Step], changes: Sequence[Change], guid: str) -> None:
    """Show what becomes of one person, step by step, and each field before and after."""
    for number, step in enumerate(steps, 1):
        output.print(f"{number}. [bold]{step.title}[/bold]: {escape(step.text)}")
    for change in changes:
        if change.guid == guid:
            for name, field in sorted(change.fields.items()):
                before = "" if field.before is None else f"{field.before!r} -> "
                output.print(f"     {name}: {before}{field.after!r}", markup=False)


def print_runs(runs: Sequence[Run]) -> None:
    """List runs, newest first."""
    table = Table(box=None, pad_edge=False)
    for title in ("run", "mode", "status", "create", "update", "move", "failed", "by"):
        table.add_column(title, no_wrap=True)
    for run in runs:
        counts = [str(run.counts[name]) for name in ("create", "update", "move", "failed")]
        table.add_row(run.id, run.mode, run.status.value, *counts, escape(visible(run.actor)))
    output.print(table)


def print_tree(title: str, containers: Sequence[CountedContainer]) -> None:
    """Draw a directory's tree with the people in each container and, in brackets, below it."""
    below = people_below(containers)
    nodes: dict[ObjectGuid | None, Tree] = {}
    root = Tree(escape(visible(title)))
    for counted in containers:
        container = counted.container
        total = below[container.guid]
        if not total and container.parent is not None and _is_system(counted):
            continue
        parent = nodes.get(container.parent, root)
        inside = f"{counted.people}" + (f" ({total})" if total != counted.people else "")
        nodes[container.guid] = parent.add(
            f"{escape(visible(container.name))}  [bold]{inside}[/bold]  [dim]{container.guid}[/dim]"
        )
    output.print(root)


def people_below(containers: Sequence[CountedContainer]) -> dict[ObjectGuid, int]:
    """Return how many people each container holds, those of its sub-containers included."""
    totals = {counted.container.guid: counted.people for counted in containers}
    for counted in reversed(containers):  # parents come before their children
        parent = counted.container.parent
        if parent in totals:
            totals[parent] += totals[counted.container.guid]
    return totals


def _is_system(counted: CountedContainer) -> bool:
    """Tell a container of the system from an organisational unit."""
    return not counted.container.dn.upper().startswith("OU=")


class Bars(AbstractContextManager["Bars"]):
    """Progress bars on standard error, where that is a terminal."""

    def __init__(self, *, hidden: bool = False) -> None:
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}"),
            TimeElapsedColumn(),
            console=errors,
            transient=True,
            disable=hidden or not errors.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def __call__(self, phase: str, done: int, total: int | None) -> None:
        """Show how far a phase is."""
        if phase not in self._tasks:
            self._tasks[phase] = self._bars.add_task(phase, total=total)
        self._bars.update(self._tasks[phase], completed=done, total=total)
