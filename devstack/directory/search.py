"""The search operation: which objects, which attributes, in which pages.

RFC 4511, section 4.5; RFC 2696; MS-ADTS, section 3.1.1.3.
"""

from __future__ import annotations

import re
import secrets
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from devstack.directory import ber, names
from devstack.directory.dirsync import DirSync
from devstack.directory.filters import compile_filter
from devstack.directory.protocol import (
    DIRSYNC,
    DOMAIN_SCOPE,
    EXTENDED_DN,
    NO_SUCH_OBJECT,
    PAGED,
    SHOW_DELETED,
    SHOW_RECYCLED,
    SIZE_LIMIT_EXCEEDED,
    SUCCESS,
    UNAVAILABLE_CRITICAL_EXTENSION,
    OperationError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from devstack.directory.objects import Object
    from devstack.directory.tree import Tree

_BASE, _ONE, _SUBTREE = 0, 1, 2
_ENTRY, _REFERENCE, _CONTROLS = 0x64, 0x73, 0xA0
_LINKS = frozenset({"member", "memberof", "manager", "directreports"})
_HIDDEN = frozenset({"userpassword", "unicodepwd"})
_RANGE = re.compile(r"(?P<name>[^;]+);range=(?P<first>\d+)-(?P<last>\d+|\*)", re.IGNORECASE)

type Controls = dict[str, bytes]
type Selected = tuple[str, list[bytes]]


@dataclass
class Limits:
    """How much the controller puts into one answer, as its query policy says; may be changed at any time.

    Attributes:
        page: entries of a search (MaxPageSize); who does not ask for pages gets no more than these.
        values: values of an attribute (MaxValRange).
        changes: objects of DirSync.
    """

    page: int = 1000
    values: int = 1500
    changes: int = 1000


@dataclass(frozen=True)
class Request:
    """A search request as it was decoded; `wanted` are the requested attributes as they were spelt."""

    base: str
    scope: int
    size_limit: int
    filter: ber.Element
    wanted: list[str]

    @classmethod
    def decode(cls, contents: bytes) -> Request:
        """Decode a search request's contents."""
        (_, base), (_, scope), _, (_, size), _, _, search_filter, (_, wanted) = ber.elements(contents)
        attributes = [attribute.decode() for _, attribute in ber.elements(wanted)]
        return cls(base.decode(), ber.number(scope), ber.number(size), search_filter, attributes)


class Searcher:
    """The searches of one connection, which owns the cookies of its paged ones."""

    def __init__(self, tree: Tree, root: Object, limits: Limits) -> None:
        self._tree = tree
        self._root = root
        self._limits = limits
        self._open_pages: dict[bytes, list[Object]] = {}

    def search(self, request: Request, controls: Controls) -> tuple[list[bytes], int, bytes]:
        """Answer a search.

        Returns:
            The encoded entries and references (protocol operations without message id), the result code, and
            the encoded controls of the final answer.

        Raises:
            OperationError: the base does not exist, or a cookie is not one of this connection's.
        """
        extended = EXTENDED_DN in controls
        if DIRSYNC in controls:
            dirsync = DirSync.decode(controls[DIRSYNC], request.base, self._tree)
            return self._changes(request, dirsync, extended=extended)
        size, cookie = _paging(controls)
        references: list[bytes] = []
        if cookie:
            found = self._resume(cookie)
        else:
            found = self._matches(request, deleted=SHOW_DELETED in controls or SHOW_RECYCLED in controls)
            if DOMAIN_SCOPE not in controls and self._spans_partitions(request):
                url = f"ldap://{self._tree.dns_domain}/{self._tree.configuration_dn}"
                references = [ber.element(_REFERENCE, ber.octets(url))]
        limit = min(request.size_limit or self._limits.page, self._limits.page)
        code, answer_controls = SUCCESS, b""
        if size is not None:
            page, rest = found[: min(size, limit)], found[min(size, limit) :]
            answer_controls = self._page_control(rest if size else [])
        else:
            page, rest = found[:limit], found[limit:]
            code = SIZE_LIMIT_EXCEEDED if rest else SUCCESS
        with self._tree.lock:
            found_of = ((entry, self._select(entry, request.wanted)) for entry in page)
            entries = [self._encode(entry, selected, extended=extended) for entry, selected in found_of]
        return [*entries, *references], code, answer_controls

    def _changes(
        self, request: Request, dirsync: DirSync, *, extended: bool
    ) -> tuple[list[bytes], int, bytes]:
        with self._tree.lock:  # what changes meanwhile is told the next time
            found = self._matches(request, deleted=True)
            part, control = dirsync.answer(self._tree, found, request.wanted, self._limits.changes)
            told = [self._encode(entry, selected, extended=extended) for entry, selected in part]
            return told, SUCCESS, control

    def _resume(self, cookie: bytes) -> list[Object]:
        found = self._open_pages.pop(cookie, None)
        if found is None:
            raise OperationError(
                UNAVAILABLE_CRITICAL_EXTENSION,
                "00000057: LdapErr: DSID-0C090B2A, comment: Error processing control, data 0, v4563",
            )
        return found

    def _page_control(self, rest: list[Object]) -> bytes:
        cookie = secrets.token_bytes(16) if rest else b""
        if rest:
            self._open_pages[cookie] = rest
        value = ber.element(ber.SEQUENCE, ber.integer(0), ber.octets(cookie))
        return ber.element(_CONTROLS, ber.element(ber.SEQUENCE, ber.octets(PAGED), ber.octets(value)))

    def _matches(self, request: Request, *, deleted: bool) -> list[Object]:
        matches = compile_filter(*request.filter, self._tree)
        if not request.base and request.scope == _BASE:
            return [self._root] if matches(self._root) else []
        base = self._base(request.base, deleted=deleted)
        inside = base.key
        configuration = names.key(self._tree.configuration_dn)
        crosses = _is_below(inside, configuration)

        def in_scope(entry: Object) -> bool:
            if request.scope == _BASE:
                return entry is base
            if request.scope == _ONE:
                return entry.key[1:] == inside
            return _is_below(entry.key, inside)

        return [
            entry
            for entry in self._tree.walk()
            if in_scope(entry)
            and (deleted or not entry.get("isdeleted"))
            and (crosses or not _is_below(entry.key, configuration))
            and matches(entry)
        ]

    def _base(self, dn: str, *, deleted: bool) -> Object:
        """Find the search base, by name or as `<GUID=...>` (MS-ADTS, 3.1.1.3.1.2.4)."""
        if dn.upper().startswith("<GUID=") and dn.endswith(">"):
            found = self._by_guid(dn[6:-1])
        else:
            found = self._tree.find(dn)
        if found is None or (found.get("isdeleted") and not deleted):
            raise self._no_such_object(dn)
        return found

    def _by_guid(self, text: str) -> Object | None:
        """Dashed it is the GUID's usual spelling, otherwise its bytes in hexadecimal."""
        try:
            guid = uuid.UUID(text).bytes_le if "-" in text else bytes.fromhex(text)
        except ValueError:
            return None
        return next((entry for entry in self._tree.walk() if guid in entry.get("objectguid")), None)

    def _no_such_object(self, dn: str) -> OperationError:
        matched = ""
        parts = [] if dn.startswith("<") else names.parts(dn)
        for start in range(1, len(parts)):
            if ancestor := self._tree.find(",".join(parts[start:])):
                matched = ancestor.dn
                break
        message = (
            "0000208D: NameErr: DSID-03100245, problem 2001 (NO_OBJECT), data 0, "
            f"best match of:\n\t'{matched}'\n\x00"
        )
        return OperationError(NO_SUCH_OBJECT, message, matched)

    def _spans_partitions(self, request: Request) -> bool:
        return request.scope == _SUBTREE and names.key(request.base) == names.key(self._tree.base_dn)

    def _encode(self, entry: Object, selected: Iterable[Selected], *, extended: bool) -> bytes:
        attributes = []
        for name, values in selected:
            is_link = extended and name.lower().partition(";")[0] in _LINKS
            shown = [self._extended(value.decode()).encode() for value in values] if is_link else values
            encoded = ber.element(ber.SET, *(ber.octets(value) for value in shown))
            attributes.append(ber.element(ber.SEQUENCE, ber.octets(name), encoded))
        dn = self._extended(entry.dn) if extended else entry.dn
        return ber.element(_ENTRY, ber.octets(dn), ber.element(ber.SEQUENCE, *attributes))

    def _extended(self, dn: str) -> str:
        """Put an object's GUID before its name (MS-ADTS, 3.1.1.3.4.1.5)."""
        there = self._tree.find(dn)
        return f"<GUID={uuid.UUID(bytes_le=there.get('objectguid')[0])}>;{dn}" if there else dn

    def _select(self, entry: Object, wanted: list[str]) -> Iterator[Selected]:
        everything = not wanted or "*" in wanted
        if everything:
            names_and_values = [pair for key, pair in entry.attributes.items() if key not in _HIDDEN]
            for name, values in names_and_values:
                yield from self._ranged(name, values, 0, None)
        for name in wanted:
            explicit = _RANGE.fullmatch(name)
            plain = explicit["name"] if explicit else name
            stored = self._attribute(entry, plain.lower())
            if stored is None or (everything and plain.lower() in entry.attributes):
                continue
            if explicit:
                last = None if explicit["last"] == "*" else int(explicit["last"])
                yield from self._ranged(stored[0], stored[1], int(explicit["first"]), last, explicit=True)
            else:
                yield from self._ranged(stored[0], stored[1], 0, None)

    def _attribute(self, entry: Object, name: str) -> Selected | None:
        if name in _HIDDEN:
            return None
        if name == "parentguid" and (parent := self._tree.find(names.parent(entry.dn))):
            return "parentGUID", parent.get("objectguid")
        return entry.attributes.get(name)

    def _ranged(
        self, name: str, values: list[bytes], first: int, last: int | None, *, explicit: bool = False
    ) -> Iterator[Selected]:
        """Cut long lists of values into ranges (MS-ADTS, 3.1.1.3.1.3.3)."""
        most = self._limits.values
        if not explicit and len(values) <= most:
            yield name, values
            return
        end = min(first + most - 1, len(values) - 1, len(values) if last is None else last)
        if not explicit:
            yield name, []
        shown = "*" if end == len(values) - 1 else str(end)
        yield f"{name};range={first}-{shown}", values[first : end + 1]


def is_resumed(controls: Controls) -> bool:
    """Tell whether a search goes on where another left off."""
    for name in (PAGED, DIRSYNC):
        if name in controls:
            ((_, sequence),) = ber.elements(controls[name])
            return bool(ber.elements(sequence)[-1][1])
    return False


def _paging(controls: Controls) -> tuple[int | None, bytes]:
    """Return the page size, None without paging, and the cookie."""
    if PAGED not in controls:
        return None, b""
    ((_, sequence),) = ber.elements(controls[PAGED])
    (_, size), (_, cookie) = ber.elements(sequence)
    return ber.number(size), cookie


def _is_below(key: names.Key, ancestor: names.Key) -> bool:
    return key[-len(ancestor) :] == ancestor
