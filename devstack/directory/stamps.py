"""When each attribute of an object changed, and each link of it: what replication knows (MS-ADTS, 3.1.1.1.9).

An object's uSNChanged says that something about it changed; DirSync says what. A link leads to an object, not
to its name: renaming a member changes no group, and a member that is deleted is gone from it without a trace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from devstack.directory import names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from devstack.directory.objects import Object

MEMBER = "member"
"""The links that are stamped one by one."""
OF_ONE_CONTROLLER = frozenset(
    {"memberof", "directreports", "distinguishedname", "usnchanged", "usncreated", "whenchanged"}
)
"""Attributes that no controller tells another of: each gives them itself."""

type Find = Callable[[names.Key], Object | None]


@dataclass
class _Link:
    usn: int
    is_there: bool


class Stamps:
    """The update sequence numbers of one object's attributes and links."""

    def __init__(self) -> None:
        self._attributes: dict[str, tuple[int, list[bytes] | None]] = {}
        self._links: dict[Object | names.Key, _Link] = {}

    def note(self, entry: Object, usn: int, find: Find) -> None:
        """Stamp what is not as it was the last time.

        Args:
            entry: the object whose stamps these are.
            usn: the number of this change.
            find: returns the object of a name.
        """
        now = {
            name: values for name, (_, values) in entry.attributes.items() if name not in OF_ONE_CONTROLLER
        }
        links = now.pop(MEMBER, [])
        for name in now.keys() | self._attributes.keys():
            values = now.get(name)
            # A list is never changed, only replaced: who writes the same again has written, too.
            if self._attributes.get(name, (0, None))[1] is not values:
                self._attributes[name] = (usn, values)
        if not entry.get("isdeleted"):  # whose links are hidden, not cut
            self._note_links([_target(value, find) for value in links], usn, find)

    def _note_links(self, now: list[Object | names.Key], usn: int, find: Find) -> None:
        there = set(now)
        known = {
            (find(target) or target if isinstance(target, tuple) else target): link
            for target, link in self._links.items()
        }
        for target in [*now, *(target for target in known if not _is_deleted(target))]:
            link = known.get(target)
            if (target in there) is not (link is not None and link.is_there):
                known[target] = _Link(usn, target in there)
        self._links = known

    def forget(self, target: Object) -> None:
        """Let a link to what is deleted be gone for good; nothing says that it was there."""
        self._links.pop(target, None)

    def usn(self, attribute: str) -> int:
        """Return the number under which an attribute (in lower case) changed last; 0 if it never did."""
        if attribute == MEMBER:
            return max((link.usn for to, link in self._links.items() if not _is_deleted(to)), default=0)
        return self._attributes.get(attribute, (0, None))[0]

    def links(self, since: int, *, there: bool) -> Iterator[bytes]:
        """Yield the names, as they are now, of members who joined (or left) after a number."""
        for target, link in self._links.items():
            if link.usn > since and link.is_there is there and not _is_deleted(target):
                yield (",".join(target) if isinstance(target, tuple) else target.dn).encode()


def _is_deleted(target: Object | names.Key) -> bool:
    return not isinstance(target, tuple) and bool(target.get("isdeleted"))


def _target(value: bytes, find: Find) -> Object | names.Key:
    key = names.key(value.decode())
    return find(key) or key
