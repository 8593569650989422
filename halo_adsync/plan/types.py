"""What a plan is made of. A plan is frozen data that survives a table, a queue and an approval elsewhere."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from halo_adsync.model import HaloUserId, Link


class Kind(StrEnum):
    """What a plan says of a client, a site or a person. Every person ends in exactly one of `BUCKETS`."""

    CREATE_CLIENT = "create_client"
    CREATE_SITE = "create_site"
    RENAME_CLIENT = "rename_client"
    RENAME_SITE = "rename_site"
    CREATE = "create"
    UPDATE = "update"
    MOVE = "move"
    REACTIVATE = "reactivate"
    DEACTIVATE = "deactivate"
    UNCHANGED = "unchanged"
    HELD = "held"
    SKIPPED = "skipped"
    CONFLICT = "conflict"


class Record(StrEnum):
    """Which kind of record in Halo a line speaks of, where it speaks of one person's."""

    USER = "user"
    AGENT = "agent"
    TICKET = "ticket"


RENAMES = (Kind.RENAME_CLIENT, Kind.RENAME_SITE)
STRUCTURE = (Kind.CREATE_CLIENT, Kind.CREATE_SITE, *RENAMES)
SITE = "site"
"""The entry of a change's fields that stands for its place, by name, and is no field of Halo's."""
FINGERPRINT_BYTES = 16
"""How long the fingerprint of somebody who is as they should be is: no two of different people are equal."""
BUCKETS = tuple(kind for kind in Kind if kind not in STRUCTURE)
AGENT_BUCKETS = tuple(kind for kind in BUCKETS if kind is not Kind.MOVE)
"""The buckets of agents, who stand in no site."""
WRITES = (Kind.CREATE, Kind.UPDATE, Kind.MOVE, Kind.REACTIVATE, Kind.DEACTIVATE)
"""The buckets that are sent to Halo."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field's value in Halo before and after; None before means that there is no record yet."""

    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a plan: a client or site to create, or what becomes of one person and why."""

    kind: Kind
    guid: str
    """The objectGUID of the person, or of the OU that the client or site follows (else empty)."""
    dn: str
    reason: str
    name: str = field(default="", repr=False)
    """The person's, client's or site's name, for people who read the plan."""
    user: HaloUserId | None = None
    """The Halo user concerned; None where there is none yet."""
    place: str = ""
    """The key of the place: where the person is to stand, or the client or site to create itself."""
    client: str = ""
    """For a site to create: the key of its client."""
    fields: Mapping[str, FieldChange] = field(default_factory=dict, repr=False)
    """Halo fields that change. `site` stands for the site, by name."""
    base: Link | None = field(default=None, repr=False)
    """What Halo holds of the person before the change; the link is made from it when the line is settled."""
    adopts: bool = False
    """First contact with a user that was there already: settling this line makes the link."""
    record: Record = Record.USER
    """Which of a person's records in Halo the line is about; somebody may have more than one.

    For an agent, `user` is the agent's id and `base` the link to the agent.
    """
    hands_to: HaloUserId | None = None
    """The agent who gets the open tickets of one that is disabled."""
    placed_by: str = ""
    """The placement rule that says where the person is to stand, for people who read the plan."""

    @property
    def is_work(self) -> bool:
        """Tell whether applying this line does anything, in Halo or to the links."""
        return self.kind in STRUCTURE or self.kind in WRITES or self.adopts

    def as_json(self) -> dict[str, object]:
        """Return the line as `plan --format json` shows it."""
        placed = {"placed_by": self.placed_by} if self.placed_by else {}
        return {
            "kind": self.kind.value,
            "record": None if self.kind in STRUCTURE else self.record.value,
            "guid": self.guid,
            "dn": self.dn,
            "name": self.name,
            "halo_id": self.user,
            "reason": self.reason,
            **placed,
            "fields": {name: {"before": c.before, "after": c.after} for name, c in self.fields.items()},
        }


@dataclass(frozen=True, slots=True)
class Violation:
    """A limit that the plan would break, with its numbers and the way on."""

    rule: str
    limit: float
    actual: float
    count: int
    population: int
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that one run would do, in order, and what it leaves alone and why."""

    customer: str
    mode: str
    settings: str
    """The digest of the customer's settings that the plan was made with."""
    changes: tuple[Change, ...]
    """Every line but those of people with nothing to do, in the order of applying."""
    unchanged: int
    """How many people are as they should be."""
    warnings: tuple[str, ...] = ()
    rest: tuple[Change, ...] = field(default=(), repr=False)
    """The lines of the unchanged, as far as they are at hand: they are not stored."""
    fingerprints: frozenset[bytes] = field(default=frozenset(), repr=False)
    """Of the unchanged, where the plan was asked for them."""
    agents_unchanged: int = 0
    """How many agents are as they should be."""

    def agent_counts(self) -> dict[str, int]:
        """Return how many people's agents are in each bucket, and in `failed`, of which a plan knows none."""
        counted = Counter(change.kind for change in self.changes if change.record is Record.AGENT)
        counted[Kind.UNCHANGED] += self.agents_unchanged
        return {bucket.value: counted[bucket] for bucket in AGENT_BUCKETS} | {"failed": 0}

    def counts(self) -> dict[str, int]:
        """Return how many people are in each bucket, and in `failed`, of which a plan knows none.

        Everybody counts once, as a user; their other records are counted elsewhere.
        """
        counted = Counter(change.kind for change in self.changes if change.record is Record.USER)
        counted[Kind.UNCHANGED] += self.unchanged
        return {bucket.value: counted[bucket] for bucket in BUCKETS} | {"failed": 0}

    def work(self) -> tuple[Change, ...]:
        """Return the lines that applying has to settle, in order."""
        return tuple(change for change in self.changes if change.is_work)

    def notes(self) -> Iterator[Change]:
        """Yield the lines that need nothing done: held, skipped, conflict."""
        return (change for change in self.changes if not change.is_work)

    def digest(self) -> str:
        """Return a digest over everything that applying depends on; equal plans have equal digests."""
        digest = hashlib.sha256(json.dumps([self.customer, self.settings]).encode())
        for c in self.work():  # one by one: all of them at once are hundreds of megabytes of text
            line = [c.as_json(), c.place, c.client, c.adopts, c.hands_to]
            digest.update(b"\n" + json.dumps(line, sort_keys=True).encode())
        return digest.hexdigest()[:16]


def people(counts: Mapping[str, int], buckets: Iterable[Kind] = BUCKETS) -> int:
    """Return how many people the given buckets hold."""
    return sum(counts[bucket.value] for bucket in buckets)
