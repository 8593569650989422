"""Distinguished names (RFC 4514): comparing them, taking them apart, putting them together."""

from __future__ import annotations

import re

type Key = tuple[str, ...]
"""A name that can be compared: its parts from the object up to the root, unescaped and case-folded."""

_PART = re.compile(r"(?:\\.|[^,\\])+", re.DOTALL)
_ESCAPE = re.compile(r"((?:\\[0-9A-Fa-f]{2})+)|\\(.)", re.DOTALL)


def parts(dn: str) -> list[str]:
    """Split a name at the commas that are not escaped."""
    return [part.strip() if not part.endswith("\\ ") else part.lstrip() for part in _PART.findall(dn)]


def key(dn: str) -> Key:
    """Make a name comparable."""
    return tuple(f"{kind.strip()}={unescape(value)}".casefold() for kind, _, value in _pairs(dn))


def rdn_value(dn: str) -> str:
    """Return the unescaped value of the name's first part."""
    return unescape(parts(dn)[0].partition("=")[2])


def rdn_type(dn: str) -> str:
    """Return the attribute that the name's first part gives, for example `CN`."""
    return parts(dn)[0].partition("=")[0]


def parent(dn: str) -> str:
    """Return the name without its first part."""
    return ",".join(parts(dn)[1:])


def unescape(value: str) -> str:
    """Undo the escapes in one part's value."""
    return _ESCAPE.sub(_unescaped, value)


def _pairs(dn: str) -> list[tuple[str, str, str]]:
    return [part.partition("=") for part in parts(dn)]


def _unescaped(found: re.Match[str]) -> str:
    if found[1]:
        return bytes.fromhex(found[1].replace("\\", "")).decode(errors="replace")
    return found[2]
