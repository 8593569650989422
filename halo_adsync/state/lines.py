"""Lines: what becomes of the lines of a stored plan, and how many of them go into one transaction."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from halo_adsync.errors import ConfigurationError
from halo_adsync.model import HaloUserId, Leaver, Link, Parked, Place, RunId
from halo_adsync.plan.types import RENAMES, Change, Record
from halo_adsync.state import known_rows, link_rows, rows
from halo_adsync.state.runs import Run
from halo_adsync.state.shapes import build, reads
from halo_adsync.state.table import MAX_OPERATIONS, MAX_TRANSACTION_BYTES, Operation, Row, payload_bytes

ROOM = MAX_OPERATIONS - 2
"""Operations of a transaction that are left beside the lease and the run."""
ROOM_BYTES = MAX_TRANSACTION_BYTES * 3 // 4
"""Bytes of a transaction that are left beside the lease and the run."""
MAX_LINE_BYTES = 448 * 1024
"""What a line may take in a transaction, so that it fits an entity, twice as long there, and its link too."""
MAX_OUTCOME = 2_000
"""Characters that are kept of an outcome."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a stored plan, and what became of it."""

    number: int
    change: Change
    status: str = "pending"
    """`pending`, `done`, `failed`, `held` where a ticket came up; `noted` where nothing had to be done."""
    outcome: str = ""
    """Halo's words, where it had any."""
    at: str = ""
    """When it was settled, ISO 8601 in UTC."""
    user: HaloUserId | None = None
    """The Halo user or agent concerned, also where this line made them."""

    def as_json(self) -> dict[str, object]:
        """Return the line as `run --json` and the HTTP API show it."""
        said = {"status": self.status, "outcome": self.outcome, "at": self.at}
        return {**self.change.as_json(), "halo_id": self.user or self.change.user, **said}


@dataclass(frozen=True, slots=True)
class Settled:
    """What one line came to, with the link or place that it made or changed."""

    line: Line
    link: Link | None = None
    place: Place | None = None
    leaver: Leaver | None = None
    ticket: bool = False
    """The person's ticket is not due any more."""
    parked: Parked | None = None
    """How Halo's refusal is kept."""
    unparked: str = ""
    """The key of a record that was parked, and is not any more."""


def row_of(customer: str, run: RunId, number: int, change: Change) -> Row:
    """Return the row of a line that is to be applied.

    Raises:
        ConfigurationError: its values are longer than a row may be.
    """
    row = rows.line_row(customer, run, number, change)
    if payload_bytes(row) > MAX_LINE_BYTES:
        raise ConfigurationError(
            f"{change.dn}: the values of its change are longer than the {MAX_LINE_BYTES // 1024} KiB that"
            " one person's may take. Map fewer or shorter attributes under fields in the customer file."
        )
    return row


@reads
def line_of(row: Row) -> Line:
    """Read a line."""
    number, values = int(row.key.rpartition("|")[2]), row.values
    status, outcome, at = (build(str, values.get(name, "")) for name in ("status", "outcome", "at"))
    return Line(
        number, rows.change_of(row), status, outcome, at, build(HaloUserId | None, values.get("user"))
    )


def operations_of(customer: str, run: RunId, at: str, settled: Settled) -> list[Operation]:
    """Return what settling a line writes, beside the run's progress.

    Args:
        customer: whose line.
        run: the run that settles it.
        at: when, ISO 8601 in UTC.
        settled: what the line came to.
    """
    line = settled.line
    row = rows.line_row(customer, run, line.number, line.change)
    values = {**row.values, "status": line.status, "outcome": line.outcome[:MAX_OUTCOME], "at": at}
    if settled.link:
        values["user"] = int(settled.link.user)
    written = [replace(row, values=values)]
    if settled.link:
        is_agent = line.change.record is Record.AGENT
        written.append((link_rows.agent_row if is_agent else link_rows.link_row)(customer, settled.link))
    if settled.place:
        written.append(rows.place_row(customer, settled.place))
    if settled.leaver:
        written.append(known_rows.leaver_row(customer, settled.leaver))
    if settled.parked:
        written.append(known_rows.parked_row(customer, settled.parked))
    operations = [Operation("put", row) for row in written]
    if settled.ticket:
        operations.append(Operation("delete", known_rows.ticket_row(customer, line.change.guid)))
    if settled.unparked:
        operations.append(Operation("delete", Row(customer, known_rows.parked_key(settled.unparked), {})))
    return operations


def portions[Item](
    items: Iterable[Item], operations: Callable[[Item], Sequence[Operation]]
) -> Iterator[tuple[list[Item], list[Operation]]]:
    """Group items, in their order, into as few transactions as hold all operations of each."""
    portion: list[Item] = []
    together: list[Operation] = []
    size = 0
    for item in items:
        own = operations(item)
        own_size = sum(payload_bytes(operation.row) for operation in own)
        if portion and (len(together) + len(own) > ROOM or size + own_size > ROOM_BYTES):
            yield portion, together
            portion, together, size = [], [], 0
        portion.append(item)
        together += own
        size += own_size
    if portion:
        yield portion, together


def with_failed(run: Run, undone: Iterable[Line]) -> Run:
    """Return the run with these lines' people and agents moved from their buckets to `failed`, or `held`."""
    lines = list(undone)
    others = run.others_failed + sum(map(_is_nobodys, lines))
    return replace(run, counts=counted(run, lines), agents=counted_agents(run, lines), others_failed=others)


def _is_nobodys(line: Line) -> bool:
    """Tell whether a line is in no bucket of people or agents, and its failure is told by nobody else's."""
    return line.change.record is Record.TICKET or line.change.kind in RENAMES


def counted_agents(run: Run, failed: Iterable[Line]) -> dict[str, int]:
    """Return the run's counts of agents with those of these lines moved to `failed`."""
    counts = dict(run.agents)
    for kind in (line.change.kind.value for line in failed if line.change.record is Record.AGENT):
        counts[kind] -= 1
        counts["failed"] += 1
    return counts


def counted(run: Run, undone: Iterable[Line]) -> dict[str, int]:
    """Return the run's counts with these lines' people moved from their buckets to `failed`, or `held`."""
    counts = dict(run.counts)
    for line in undone:
        kind = line.change.kind.value
        if line.change.record is Record.USER and kind in counts:
            counts[kind] -= 1
            counts["held" if line.status == "held" else "failed"] += 1
    return counts
