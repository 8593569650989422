"""What was learnt and decided of a customer: kept beside its links and runs, and outliving them."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import batched

from halo_adsync.errors import RowUnreadable
from halo_adsync.model import (
    Cursor,
    CustomerId,
    CustomField,
    Decision,
    Footing,
    Keep,
    Leaver,
    ObjectGuid,
    Parked,
)
from halo_adsync.state import known_rows, notices, rows
from halo_adsync.state.lease import Lease
from halo_adsync.state.lines import ROOM, portions
from halo_adsync.state.notices import Trouble, Troubles
from halo_adsync.state.table import Conflict, Operation, Row, Table

ANCHORS, BASELINE, CURSORS = "anchors", "baseline", "cursors"
CUSTOM_FIELDS, INSTANCE = "custom-fields", "instance"


@dataclass(frozen=True, slots=True)
class Known:
    """What a run has to know before it reads anything; each as `Knowledge` returns it by itself."""

    anchors: Mapping[str, ObjectGuid] = field(default_factory=dict)
    baseline: Mapping[str, int] | None = None
    cursors: Mapping[str, Cursor] = field(default_factory=dict)
    """Up to where the changes of each directory have been followed, by its id."""
    decisions: Mapping[ObjectGuid, Decision] = field(default_factory=dict)
    footing: Footing = field(default_factory=Footing)
    instance: str | None = None
    keeps: Mapping[ObjectGuid, Keep] = field(default_factory=dict)
    leavers: Mapping[ObjectGuid, Leaver] = field(default_factory=dict)
    troubles: Troubles = field(default_factory=dict)
    """Of which trouble people were told."""


class Knowledge:
    """Decisions, resolved DNs, custom fields, where OUs stood, and which Halo instance it is about."""

    def __init__(self, table: Table, customer: CustomerId, now: Callable[[], datetime]) -> None:
        self._table, self.customer, self._now = table, customer, now

    def known(self) -> Known:
        """Return what is known, in one query: but for the lease, nothing else stands between these keys."""
        found = {row.key: row for row in self._table.query(self.customer, ANCHORS, rows.after("leaver|"))}

        def one[Kept](key: str, read: Callable[[Row], Kept], otherwise: Kept) -> Kept:
            return read(found[key]) if key in found else otherwise

        def each(prefix: str) -> list[Row]:
            return [row for key, row in sorted(found.items()) if key.startswith(prefix)]

        return Known(
            anchors=one(ANCHORS, known_rows.anchors_of, {}),
            baseline=one(BASELINE, known_rows.numbers_of, None),
            cursors=one(CURSORS, known_rows.cursors_of, {}),
            decisions={one.guid: one for one in map(known_rows.decision_of, each("decision|"))},
            footing=known_rows.footing_of(each("footing|")),
            instance=one(INSTANCE, known_rows.url_of, None),
            keeps={one.guid: one for one in map(known_rows.keep_of, each("keep|"))},
            leavers={one.guid: one for one in map(known_rows.leaver_of, each("leaver|"))},
            troubles=one(notices.KEY, notices.troubles_of, {}),
        )

    def decisions(self) -> dict[ObjectGuid, Decision]:
        """Return what people decided, by GUID."""
        found = self._table.query(self.customer, "decision|", rows.after("decision|"))
        return {decision.guid: decision for decision in map(known_rows.decision_of, found)}

    def decide(self, decision: Decision) -> None:
        """Keep a decision, in the place of an earlier one about the same account."""
        self._table.transact(
            self.customer, [Operation("put", known_rows.decision_row(self.customer, decision))]
        )

    def undecide(self, guid: ObjectGuid) -> None:
        """Forget a decision, if there is one."""
        with suppress(Conflict):
            gone = Row(self.customer, known_rows.decision_key(guid), {})
            self._table.transact(self.customer, [Operation("delete", gone)])

    def leavers(self) -> dict[ObjectGuid, Leaver]:
        """Return what is kept of people who may have left, by GUID."""
        found = self._table.query(self.customer, "leaver|", rows.after("leaver|"))
        return {leaver.guid: leaver for leaver in map(known_rows.leaver_of, found)}

    def keep_leavers(
        self, leavers: Mapping[ObjectGuid, Leaver], known: Mapping[ObjectGuid, Leaver], lease: Lease
    ) -> None:
        """Keep these rows of people who may have left, in the place of those that are known."""
        changed = [leaver for guid, leaver in leavers.items() if known.get(guid) != leaver]
        operations = [Operation("put", known_rows.leaver_row(self.customer, leaver)) for leaver in changed]
        operations += [
            Operation("delete", Row(self.customer, known_rows.leaver_key(guid), {}))
            for guid in sorted(known.keys() - leavers.keys())
        ]
        for some in batched(operations, ROOM, strict=False):
            lease.transact(some)

    def keeps(self) -> dict[ObjectGuid, Keep]:
        """Return who is kept whatever the directory says, by GUID."""
        found = self._table.query(self.customer, "keep|", rows.after("keep|"))
        return {keep.guid: keep for keep in map(known_rows.keep_of, found)}

    def keep(self, keep: Keep) -> None:
        """Keep somebody whatever the directory says."""
        self._table.transact(self.customer, [Operation("put", known_rows.keep_row(self.customer, keep))])

    def unkeep(self, guid: ObjectGuid) -> None:
        """Let the directory decide about somebody again."""
        with suppress(Conflict):
            gone = Row(self.customer, known_rows.keep_key(guid), {})
            self._table.transact(self.customer, [Operation("delete", gone)])

    def parked(self) -> dict[str, Parked]:
        """Return the records that Halo refused, by key."""
        found = self._table.query(self.customer, "parked|", rows.after("parked|"))
        return {parked.key: parked for parked in map(known_rows.parked_of, found)}

    def unpark(self, keys: Iterable[str], lease: Lease) -> None:
        """Forget records that were parked."""
        gone = [Operation("delete", Row(self.customer, known_rows.parked_key(key), {})) for key in keys]
        for some in batched(gone, ROOM, strict=False):
            lease.transact(some)

    def fingerprints(self) -> frozenset[bytes]:
        """Return the fingerprints of those who were as they should be; none where they cannot be read."""
        prefix = known_rows.FINGERPRINTS
        found = list(self._table.query(self.customer, prefix, rows.after(prefix)))
        try:
            return known_rows.fingerprints_of(found)
        except RowUnreadable:
            return frozenset()

    def keep_fingerprints(self, now: frozenset[bytes], before: frozenset[bytes], lease: Lease) -> None:
        """Keep these fingerprints, in the place of those that were kept before."""
        if now == before:
            return
        prefix, kept = known_rows.FINGERPRINTS, list(known_rows.fingerprint_rows(self.customer, now))
        there = self._table.query(self.customer, prefix, rows.after(prefix), select=["RowKey"])
        over = sorted({row.key for row in there} - {row.key for row in kept})
        operations = [Operation("put", row) for row in kept]
        operations += [Operation("delete", Row(self.customer, key, {})) for key in over]
        for _, some in portions(operations, lambda operation: [operation]):
            lease.transact(some)

    def troubles(self) -> dict[str, Trouble]:
        """Return of which trouble people were told, by its cause."""
        row = self._table.get(self.customer, notices.KEY)
        return notices.troubles_of(row) if row else {}

    def keep_troubles(self, troubles: Troubles, lease: Lease) -> None:
        """Keep of which trouble people were told, in the place of what was kept before."""
        lease.transact([Operation("put", notices.troubles_row(self.customer, troubles))])

    def custom_fields(self) -> dict[str, CustomField | None]:
        """Return what is known of the custom fields of the customer's mapping, by lower-case name."""
        row = self._table.get(self.customer, CUSTOM_FIELDS)
        return known_rows.custom_fields_of(row) if row else {}

    def keep_custom_fields(self, fields: Mapping[str, CustomField | None]) -> None:
        """Keep what Halo said of custom fields, in the place of what it said before."""
        text = rows.to_json({name: asdict(field) if field else None for name, field in fields.items()})
        row = Row(self.customer, CUSTOM_FIELDS, rows.pack_text("data", text))
        self._table.transact(self.customer, [Operation("put", row)])

    def keep_instance(self, url: str, lease: Lease) -> None:
        """Keep which Halo instance the links lead to."""
        lease.transact([Operation("put", Row(self.customer, INSTANCE, {"url": url}))])
