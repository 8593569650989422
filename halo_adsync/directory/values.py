"""Single values as Active Directory stores them, to and from text."""

import re
import struct
from datetime import UTC, datetime, timedelta
from uuid import UUID

from halo_adsync.model import ObjectGuid

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_LAST_TICK = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1) * 10
_GENERALIZED_TIME = re.compile(
    r"(?P<date>[0-9]{8})(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})?(?P<second>[0-9]{2})?(?:[.,][0-9]+)?"
    r"(?:Z|(?P<sign>[+-])(?P<hours>[0-9]{2})(?P<minutes>[0-9]{2})?)"
)
_GUID = struct.Struct("<IHH2s6s")
_SID_HEAD = 8


def guid_from_bytes(raw: bytes) -> ObjectGuid:
    """Return a GUID as text; its first three groups are stored little-endian (Microsoft: MS-DTYP, 2.3.4.2).

    Raises:
        ValueError: it is not 16 bytes.
    """
    if len(raw) != _GUID.size:
        raise ValueError("A GUID has 16 bytes.")
    first, second, third, fourth, fifth = _GUID.unpack(raw)
    return ObjectGuid(f"{first:08x}-{second:04x}-{third:04x}-{fourth.hex()}-{fifth.hex()}")


def guid_to_bytes(guid: ObjectGuid) -> bytes:
    """Return a GUID's 16 bytes as the directory stores them; escaped, they are what a filter compares with.

    Raises:
        ValueError: the text is no GUID.
    """
    return UUID(guid).bytes_le


def sid_from_bytes(raw: bytes) -> str:
    """Return a security identifier in the form `S-1-5-21-...` (Microsoft: MS-DTYP, 2.4.2).

    Raises:
        ValueError: the bytes are no security identifier.
    """
    count = raw[1] if len(raw) >= _SID_HEAD else -1
    if len(raw) != _SID_HEAD + 4 * count:
        raise ValueError("A security identifier has 8 bytes and 4 more for each of its sub-authorities.")
    authority = int.from_bytes(raw[2:8], "big")
    parts = (int.from_bytes(raw[at : at + 4], "little") for at in range(_SID_HEAD, len(raw), 4))
    # From 2^32 on the authority is written in hexadecimal (MS-DTYP, 2.4.2.1).
    head = str(authority) if authority < 1 << 32 else f"0x{authority:012X}"
    return "-".join(["S", str(raw[0]), head, *map(str, parts)])


def datetime_from_filetime(ticks: int) -> datetime | None:
    """Return the moment that a FILETIME stands for (Microsoft: MS-DTYP, 2.3.3): 100 ns steps since 1601.

    None means never: 0, 0x7FFFFFFFFFFFFFFF, and whatever lies beyond the year 9999 or before 1601.
    """
    if not 0 < ticks <= _LAST_TICK:
        return None
    return _EPOCH + timedelta(microseconds=ticks // 10)


def datetime_from_generalized_time(text: str) -> datetime:
    """Return the moment in UTC of a GeneralizedTime such as `20261123120000.0Z` (RFC 4517, 3.3.13).

    Fractions are cut off; Active Directory stores whole seconds.

    Raises:
        ValueError: the text is no GeneralizedTime.
    """
    match = _GENERALIZED_TIME.fullmatch(text)
    if match is None:
        raise ValueError("A GeneralizedTime looks like 20261123120000.0Z.")
    digits = match["date"] + match["hour"] + (match["minute"] or "00") + (match["second"] or "00")
    local = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    offset = timedelta(hours=int(match["hours"] or 0), minutes=int(match["minutes"] or 0))
    try:
        return local + offset if match["sign"] == "-" else local - offset
    except OverflowError:
        raise ValueError("The GeneralizedTime lies outside the years 1 to 9999.") from None


def iso(moment: datetime) -> str:
    """Return a moment in UTC as ISO 8601, to the second: `2026-11-23T12:00:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
