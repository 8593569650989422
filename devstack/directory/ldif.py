"""Reading and writing LDIF content records (RFC 2849), as far as a directory's contents need."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

type Entry = tuple[str, dict[str, list[bytes]]]
"""A distinguished name and its attributes, each a list of values as they go over the wire."""

_LINE = 76
# RFC 2849: what may stand in the clear. Anything else, and a trailing blank, is written in base64.
_SAFE = re.compile(rb"(?![ :<])[\x01-\x09\x0b\x0c\x0e-\x7f]*(?<! )")


def read_ldif(path: Path) -> Iterator[Entry]:
    """Read the entries of an LDIF file.

    Raises:
        ValueError: a record does not begin with its `dn`, or a line has no colon.
    """
    unfolded = path.read_text(encoding="utf-8").replace("\r\n", "\n").replace("\n ", "")
    for record in re.split(r"\n{2,}", unfolded):
        lines = [line for line in record.splitlines() if line and not line.startswith(("#", "version:"))]
        if lines:
            yield _entry(path, lines)


def write_ldif(path: Path, entries: Iterable[Entry], comment: str) -> None:
    """Write entries as an LDIF file that begins with a one-line comment."""
    records = [f"# {comment}\nversion: 1\n"]
    for dn, attributes in entries:
        lines = [_line("dn", dn.encode())]
        lines += [_line(name, value) for name, values in attributes.items() for value in values]
        records.append("\n".join(lines) + "\n")
    path.write_text("\n".join(records), encoding="utf-8")


def _entry(path: Path, lines: list[str]) -> Entry:
    parsed = [_parse(path, line) for line in lines]
    (first, dn), *rest = parsed
    if first.lower() != "dn":
        raise ValueError(
            f"{path}: a record begins with '{first}' instead of 'dn'; separate records by a blank line."
        )
    attributes: dict[str, list[bytes]] = {}
    for name, value in rest:
        attributes.setdefault(name, []).append(value)
    return dn.decode(), attributes


def _parse(path: Path, line: str) -> tuple[str, bytes]:
    name, colon, value = line.partition(":")
    if not colon:
        raise ValueError(f"{path}: the line '{line[:40]}' has no colon; LDIF lines read 'attribute: value'.")
    if value.startswith(":"):
        return name, base64.b64decode(value[1:].strip())
    return name, value.lstrip(" ").encode()


def _line(name: str, value: bytes) -> str:
    if _SAFE.fullmatch(value):
        text = f"{name}: {value.decode()}"
    else:
        text = f"{name}:: {base64.b64encode(value).decode()}"
    pieces = [text[:_LINE], *(text[at : at + _LINE - 1] for at in range(_LINE, len(text), _LINE - 1))]
    return "\n ".join(pieces)
