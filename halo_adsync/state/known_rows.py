"""Known rows: the pure codec of what is learnt and decided of a customer (`knowledge.py`)."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from halo_adsync.model import Cursor, CustomField, Decision, Footing, Keep, Leaver, ObjectGuid, Parked
from halo_adsync.plan.types import FINGERPRINT_BYTES
from halo_adsync.state.rows import gathered, pack_text, packed, spread, to_json, unpack_text, unpacked
from halo_adsync.state.shapes import build, moment, reads
from halo_adsync.state.table import Row

FINGERPRINTS = "unchanged|"
"""How the keys of their rows begin."""


def _row(customer: str, key: str, kept: Any) -> Row:
    """Write a frozen dataclass of the model under a key."""
    return Row(customer, key, pack_text("data", to_json(asdict(kept))))


def _data(row: Row) -> Any:
    """Read what such a row holds."""
    return json.loads(unpack_text("data", row.values))


def cursors_row(customer: str, key: str, cursors: Mapping[str, Cursor]) -> Row:
    """Write up to where the changes of each directory have been followed."""
    text = to_json({directory: asdict(cursor) for directory, cursor in cursors.items()})
    return Row(customer, key, pack_text("data", text))


@reads
def cursors_of(row: Row) -> dict[str, Cursor]:
    """Read up to where the changes of each directory have been followed, by its id."""
    cursors: dict[str, Cursor] = build(Mapping[str, Cursor], _data(row))
    return cursors


def fingerprint_rows(customer: str, fingerprints: Iterable[bytes]) -> Iterator[Row]:
    """Write fingerprints, as many in a row as it holds: a whole number, for 64 KiB are."""
    for number, values in enumerate(spread(b"".join(sorted(fingerprints)))):
        yield Row(customer, f"{FINGERPRINTS}{number:04d}", values)


@reads
def fingerprints_of(rows: Sequence[Row]) -> frozenset[bytes]:
    """Read fingerprints."""
    data = gathered(rows)
    return frozenset(data[at : at + FINGERPRINT_BYTES] for at in range(0, len(data), FINGERPRINT_BYTES))


def decision_key(guid: str) -> str:
    """Return the key of a decision's row."""
    return f"decision|{guid}"


def decision_row(customer: str, decision: Decision) -> Row:
    """Write a decision."""
    return _row(customer, decision_key(decision.guid), decision)


@reads
def decision_of(row: Row) -> Decision:
    """Read a decision."""
    decision: Decision = build(Decision, _data(row))
    return decision


def ticket_row(customer: str, guid: str, since: str = "") -> Row:
    """Write that a ticket is due for a new person, since when (ISO 8601, UTC)."""
    return Row(customer, f"ticket|{guid}", {"since": since})


@reads
def due_since(row: Row) -> datetime:
    """Read since when a ticket is due."""
    return moment(build(str, row.values["since"]))


def leaver_key(guid: str) -> str:
    """Return the key of a leaver's row."""
    return f"leaver|{guid}"


def leaver_row(customer: str, leaver: Leaver) -> Row:
    """Write what is kept of somebody who may have left."""
    return _row(customer, leaver_key(leaver.guid), leaver)


@reads
def leaver_of(row: Row) -> Leaver:
    """Read what is kept of somebody who may have left."""
    leaver: Leaver = build(Leaver, _data(row))
    return leaver


def keep_key(guid: str) -> str:
    """Return the key of the row that keeps somebody."""
    return f"keep|{guid}"


def keep_row(customer: str, keep: Keep) -> Row:
    """Write that somebody is kept."""
    return _row(customer, keep_key(keep.guid), keep)


@reads
def keep_of(row: Row) -> Keep:
    """Read that somebody is kept."""
    keep: Keep = build(Keep, _data(row))
    return keep


def parked_key(record: str) -> str:
    """Return the key of the row that keeps a record parked."""
    return f"parked|{record}"


def parked_row(customer: str, parked: Parked) -> Row:
    """Write what is kept of a record that Halo refused."""
    return _row(customer, parked_key(parked.key), parked)


@reads
def parked_of(row: Row) -> Parked:
    """Read what is kept of a record that Halo refused."""
    parked: Parked = build(Parked, _data(row))
    moment(parked.until)
    return parked


def names_row(customer: str, key: str, values: Mapping[str, int] | Mapping[str, str]) -> Row:
    """Write numbers or texts by name."""
    return Row(customer, key, pack_text("data", to_json(dict(values))))


@reads
def numbers_of(row: Row) -> dict[str, int]:
    """Read how many people each directory showed."""
    return dict(build(Mapping[str, int], _data(row)))


@reads
def anchors_of(row: Row) -> dict[str, ObjectGuid]:
    """Read which GUIDs the DNs of a file mean."""
    return dict(build(Mapping[str, ObjectGuid], _data(row)))


@reads
def custom_fields_of(row: Row) -> dict[str, CustomField | None]:
    """Read what is known of custom fields."""
    return dict(build(Mapping[str, CustomField | None], _data(row)))


@reads
def url_of(row: Row) -> str:
    """Read which Halo instance the links lead to."""
    return str(build(str, row.values["url"]))


def footing_rows(customer: str, footing: Footing) -> Iterator[Row]:
    """Write from where OUs are counted, packed; the first row says how many there are."""
    text = to_json([dict(footing.seen), {rule: dict(kept) for rule, kept in footing.kept.items()}])
    parts = list(packed([text]))
    for number, values in enumerate(parts):
        yield Row(customer, f"footing|{number:03d}", {"rows": len(parts), **values})


def footing_of(rows: Sequence[Row]) -> Footing:
    """Read from where OUs are counted; rows that are left of a longer one are passed over."""
    return _footing_of(rows) if rows else Footing()


@reads
def _footing_of(rows: Sequence[Row]) -> Footing:
    seen, kept = json.loads(unpacked(rows[: build(int, rows[0].values["rows"])]))
    footing: Footing = build(Footing, {"seen": seen, "kept": kept})
    return footing
