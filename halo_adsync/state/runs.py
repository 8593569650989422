"""Runs: one row each, from the request to the result."""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

from halo_adsync.model import Cursor, CustomerId, Meter, RunId
from halo_adsync.plan.types import AGENT_BUCKETS, BUCKETS, Violation
from halo_adsync.state.rows import pack_text, run_key, to_json, unpack_text
from halo_adsync.state.shapes import build, moment, reads
from halo_adsync.state.table import Row

RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9A-Za-z-]{0,40}", re.ASCII)
"""What the id of a run looks like."""

type Mode = Literal["delta", "full", "reconcile"]


class Status(StrEnum):
    """How far a run is, or how it ended."""

    QUEUED = "queued"
    RUNNING = "running"
    APPLYING = "applying"
    OK = "ok"
    PARTIAL = "partial"
    BLOCKED = "blocked"
    PLANNED = "planned"
    FAILED = "failed"
    SKIPPED = "skipped"

    @property
    def is_open(self) -> bool:
        """Tell whether the run still has something to do by itself."""
        return self in {Status.QUEUED, Status.RUNNING, Status.APPLYING}


def no_counts() -> dict[str, int]:
    """Return the counts of a run that has none yet."""
    return {bucket.value: 0 for bucket in BUCKETS} | {"failed": 0}


def no_agents() -> dict[str, int]:
    """Return the counts of agents of a run that has none yet."""
    return {bucket.value: 0 for bucket in AGENT_BUCKETS} | {"failed": 0}


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one customer. Times are ISO 8601 in UTC, empty where they have not come yet."""

    id: RunId
    customer: CustomerId
    mode: str
    reason: str
    actor: str
    dry_run: bool
    status: Status
    requested: str
    finished: str = ""
    digest: str = ""
    counts: Mapping[str, int] = field(default_factory=no_counts)
    agents: Mapping[str, int] = field(default_factory=no_agents)
    """How many people's agents are in each bucket."""
    violations: tuple[Violation, ...] = ()
    warnings: tuple[str, ...] = ()
    cost: Mapping[str, float] = field(default_factory=lambda: asdict(Meter()))
    message: str = ""
    """What went wrong and what to do next; empty where nothing did."""
    cause: str = ""
    """The kind of trouble: `configuration`, or the name of the error."""
    total: int = 0
    """How many lines the plan has that have to be applied."""
    settled: int = 0
    """How many of them are settled; they are settled in order."""
    person: str = ""
    """The GUID of the one person whom the run is for; empty means everybody."""
    orderly: bool = True
    """False while a slice is at work: found so afterwards, the slice died and its last batch is in doubt."""
    batch_size: int = 25
    others_failed: int = 0
    """How many lines failed that are no people's, such as tickets."""
    notes: int = 0
    """How many rows hold the plan's lines that need nothing done."""
    settings: str = ""
    """The digest of the customer's settings that the plan was made with."""
    allowed: int = 0
    """How many lines may be applied without anybody's consent; with it, all."""
    read: Mapping[str, int] = field(default_factory=dict)
    """How many people each directory showed, by its id."""
    cursors: Mapping[str, Cursor] = field(default_factory=dict, repr=False)
    """From where the changes of each directory are followed once the run has got through."""
    strikes: int = 0
    """Which run in a row this is that was stopped because too much failed; 0 for one that was not."""
    paused_until: str = ""
    """Until when the schedule rests after that."""
    approved_by: str = ""
    approved: str = ""
    rejected_by: str = ""
    rejected: str = ""

    @property
    def got_through(self) -> bool:
        """Tell whether the run brought everybody in step, as far as single records let it."""
        if self.dry_run or self.person:
            return False
        return self.status is Status.OK or (self.status is Status.PARTIAL and not self.message)

    def next_step(self) -> str:
        """Return what a person may type next where the run waits for one; empty where it does not."""
        if self.status is not Status.BLOCKED or self.rejected:
            return ""
        return (
            f"Next: halo-adsync approve {self.customer} {self.id} --digest {self.digest}"
            f"  or  halo-adsync reject {self.customer} {self.id}"
        )

    def summary(self) -> dict[str, Any]:
        """Return the run as `--json` and the HTTP API show it."""
        return {
            "run": self.id,
            "customer": self.customer,
            "mode": self.mode,
            "status": self.status.value,
            "digest": self.digest,
            "dry_run": self.dry_run,
            "reason": self.reason,
            "actor": self.actor,
            "requested": self.requested,
            "finished": self.finished,
            "counts": dict(self.counts),
            "agents": dict(self.agents),
            "violations": [asdict(violation) for violation in self.violations],
            "warnings": list(self.warnings),
            "cost": dict(self.cost),
            "message": self.message,
            "cause": self.cause,
            "paused_until": self.paused_until,
            "approved_by": self.approved_by,
            "approved": self.approved,
            "rejected_by": self.rejected_by,
            "rejected": self.rejected,
        }


def new_run_id(now: datetime) -> RunId:
    """Return an id that sorts by time: `20261123T115024Z-` and eight random hexadecimal digits."""
    return RunId(f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}")


def run_row(run: Run, etag: str = "") -> Row:
    """Write a run."""
    return Row(run.customer, run_key(run.id), pack_text("data", to_json(asdict(run))), etag)


@reads
def run_of(row: Row) -> Run:
    """Read a run; buckets that it does not count are empty."""
    run: Run = build(Run, json.loads(unpack_text("data", row.values)))
    for time in (run.requested, *filter(None, (run.finished, run.paused_until, run.approved, run.rejected))):
        moment(time)
    if (row.partition, row.key) != (run.customer, run_key(run.id)):
        raise ValueError("a run of another id or customer")
    return replace(run, counts={**no_counts(), **run.counts}, agents={**no_agents(), **run.agents})
