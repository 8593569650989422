"""Rows: the pure codec between the domain and Table Storage."""

import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from io import BytesIO
from itertools import chain
from typing import Any, cast

from halo_adsync.model import (
    Link,
    Place,
    RunId,
)
from halo_adsync.packed import opened
from halo_adsync.plan.types import Change, Record
from halo_adsync.state.shapes import build, reads
from halo_adsync.state.table import MAX_PROPERTY_BYTES, Row, Scalar

TEXT_CHUNK = MAX_PROPERTY_BYTES // 4
"""Characters to a text property: half of what fits, because one may take two UTF-16 units."""
LONGEST_KEY = 240
"""Characters of a key that may be any text: less than half of the 512 UTF-16 units that fit."""
CHUNKS = 10
"""Binary properties in one row: 10 x 64 KiB stay below 1 MiB, also as base64."""


def encode_key(text: str) -> str:
    r"""Write any text as a key, different texts as different keys.

    What Table Storage refuses (`/ \ # ?`, controls, half a surrogate pair) becomes `~XXXX`; a long text ends
    in its SHA-256.
    """
    key = re.sub(r"[~/\\#?\x00-\x1f\x7f-\x9f\ud800-\udfff]", lambda match: f"~{ord(match[0]):04X}", text)
    if len(key) <= LONGEST_KEY:
        return key
    return f"{key[: LONGEST_KEY // 2]}~~{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def after(prefix: str) -> str:
    """Return the end of the range of keys that begin with `prefix`, which ends in a plain character."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def pack_text(name: str, text: str) -> dict[str, Scalar]:
    """Spread a long text over numbered properties."""
    chunks = [text[start : start + TEXT_CHUNK] for start in range(0, len(text), TEXT_CHUNK)] or [""]
    return {f"{name}{index or ''}": chunk for index, chunk in enumerate(chunks)}


def unpack_text(name: str, values: Mapping[str, Scalar]) -> str:
    """Put the text together again."""
    chunks: list[str] = []
    while (chunk := values.get(f"{name}{len(chunks) or ''}")) is not None:
        chunks.append(str(chunk))
    return "".join(chunks)


def to_json(value: Any) -> str:
    """Write JSON as short as it gets."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def place_row(customer: str, place: Place) -> Row:
    """Write a place."""
    data = to_json([place.key, place.client, place.site, place.name, place.guid])
    return Row(customer, f"place|{encode_key(place.key)}", pack_text("data", data))


@reads
def place_of(row: Row) -> Place:
    """Read a place."""
    data = json.loads(unpack_text("data", row.values))
    place: Place = build(Place, dict(zip(("key", "client", "site", "name", "guid"), data, strict=True)))
    return place


def run_key(run: RunId) -> str:
    """Return the key of a run's row; newer runs sort first, because a listing begins at the front."""
    second = re.sub(r"\D", "", run.partition("-")[0])[:14]
    return f"run|{inverse_second(second):015d}|{run}"


def inverse_second(second: str) -> int:
    """Return a number that falls as time goes on, for a second as fourteen digits."""
    return 10**14 - int(second)


def line_prefix(run: RunId) -> str:
    """Return how the keys of the lines of a run's plan begin."""
    return f"line|{run}|"


def note_prefix(run: RunId) -> str:
    """Return how the keys of a run's packed lines begin."""
    return f"note|{run}|"


def line_key(run: RunId, number: int) -> str:
    """Return the key of the `number`-th line of a run's plan."""
    return f"{line_prefix(run)}{number:07d}"


def note_key(run: RunId, number: int) -> str:
    """Return the key of the `number`-th row of a run's packed lines."""
    return f"{note_prefix(run)}{number:07d}"


def line_row(customer: str, run: RunId, number: int, change: Change) -> Row:
    """Write one planned change."""
    return Row(
        customer, line_key(run, number), {"status": "pending"} | pack_text("data", to_json(_change(change)))
    )


@reads
def change_of(row: Row) -> Change:
    """Read a planned change."""
    return _to_change(json.loads(unpack_text("data", row.values)))


def note_rows(customer: str, run: RunId, changes: Iterable[Change]) -> Iterator[Row]:
    """Write the lines that nothing has to be done for (held, skipped, conflict), packed; none for none."""
    lines = (json.dumps(_change(change), separators=(",", ":")) for change in changes)
    first = next(lines, None)
    if first is None:
        return
    for number, values in enumerate(packed(chain(("[", first), (f",{line}" for line in lines), ("]",)))):
        yield Row(customer, note_key(run, number), values)


def notes_of(rows: Sequence[Row]) -> list[Change]:
    """Read the packed lines."""
    return _notes_of(rows) if rows else []


@reads
def _notes_of(rows: Sequence[Row]) -> list[Change]:
    return [_to_change(change) for change in json.loads(unpacked(rows))]


def packed(parts: Iterable[str]) -> Iterator[dict[str, Scalar]]:
    """Compress a text, part by part, and spread it over the binary properties of as many rows as it takes."""
    target = BytesIO()
    with gzip.GzipFile(fileobj=target, mode="wb", mtime=0) as pack:
        for part in parts:
            pack.write(part.encode())
    return spread(target.getvalue())


def unpacked(rows: Iterable[Row]) -> str:
    """Put what was compressed and spread together again."""
    return gzip.decompress(gathered(rows)).decode()


def spread(data: bytes) -> Iterator[dict[str, Scalar]]:
    """Spread bytes over the binary properties of as many rows as they take."""
    chunks = [data[at : at + MAX_PROPERTY_BYTES] for at in range(0, len(data), MAX_PROPERTY_BYTES)]
    for first in range(0, len(chunks), CHUNKS):
        yield {f"data{index}": chunk for index, chunk in enumerate(chunks[first : first + CHUNKS])}


def gathered(rows: Iterable[Row]) -> bytes:
    """Put what was spread together again."""
    return b"".join(
        cast("bytes", row.values[f"data{index}"])
        for row in rows
        for index in range(CHUNKS)
        if f"data{index}" in row.values
    )


def _change(change: Change) -> dict[str, Any]:
    data = {
        "kind": change.kind.value,
        "guid": change.guid,
        "dn": change.dn,
        "reason": change.reason,
        "name": change.name,
        "user": change.user,
        "place": change.place,
        "client": change.client,
        "fields": {name: [c.before, c.after] for name, c in change.fields.items()},
        "base": _base(change.base) if change.base else None,
        "adopts": change.adopts,
        "placed_by": change.placed_by,
        "hands_to": change.hands_to,
        "record": "" if change.record is Record.USER else change.record.value,
    }
    return {name: value for name, value in data.items() if value or type(value) is int}


def _to_change(data: Mapping[str, Any]) -> Change:
    pairs = data.get("fields", {}).items()
    fields = {name: {"before": before, "after": after} for name, (before, after) in pairs}
    change: Change = build(Change, {"guid": "", "dn": "", "reason": "", **data, "fields": fields})
    return change


def _base(link: Link) -> dict[str, Any]:
    return {**asdict(link), "fields": opened(link.fields)}
