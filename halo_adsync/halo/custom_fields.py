"""Custom fields as Halo describes them at `/FieldInfo`. Pure.

The numbers of the types 2 (one choice) and 3 (several) were seen in use, the others are inferred; a number
that is not known here means any text. Which records a field belongs to (`usage`) is not known for certain,
so fields are told by name alone, and one whose name stands twice is not described.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from halo_adsync.halo.codec import Record, is_custom, plain_text
from halo_adsync.model import CustomField

FIELD_INFO = "fieldinfo"
"""The key that the list would stand under; it is a bare array."""

type Kind = Literal["text", "flag", "date", "choice", "other"]

_KINDS: Mapping[int, Kind] = {
    2: "choice",
    3: "other",
    4: "date",
    6: "flag",
    7: "other",
}
_CHARACTERS = (0, None)
"""The kinds of limit (`characterlimittype`) that are a greatest length."""


def decode_fields(rows: Iterable[Record]) -> tuple[CustomField, ...]:
    """Read the custom fields of an instance."""
    named = [row for row in rows if is_custom(plain_text(row.get("name")))]
    often = Counter(plain_text(row.get("name")).lower() for row in named)
    fields = {plain_text(row.get("name")).lower(): row for row in named}
    return tuple(
        _decode(row) if often[name] == 1 else CustomField(plain_text(row.get("name")))
        for name, row in sorted(fields.items())
    )


def _decode(row: Record) -> CustomField:
    number, limit = row.get("type"), row.get("characterlimit")
    kind: Kind = _KINDS.get(number, "text") if isinstance(number, int) else "text"
    width = limit if isinstance(limit, int) and limit > 0 else None
    if row.get("characterlimittype") not in _CHARACTERS:
        width = None
    return CustomField(
        plain_text(row.get("name")),
        kind,
        width if kind == "text" else None,
        _choices(row.get("values")) if kind == "choice" else {},
    )


def _choices(values: Any) -> dict[str, str]:
    entries = values if isinstance(values, list) else []
    return {
        plain_text(entry.get("name")).strip(): plain_text(entry.get("id"))
        for entry in entries
        if isinstance(entry, dict) and entry.get("id") is not None
    }
