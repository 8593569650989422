"""DirSync: what changed in a domain since a cookie (MS-ADTS, 3.1.1.3.4.1.3).

As on Microsoft's domain controllers, and unlike Samba: answers come in parts, flags that do not fit into
four bytes are refused, and so is whoever asks without object security, because nobody here may replicate.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from devstack.directory import ber, names
from devstack.directory.protocol import (
    DIRSYNC,
    INSUFFICIENT_ACCESS_RIGHTS,
    UNAVAILABLE_CRITICAL_EXTENSION,
    UNWILLING_TO_PERFORM,
    OperationError,
)
from devstack.directory.stamps import MEMBER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstack.directory.objects import Object
    from devstack.directory.tree import Tree

OBJECT_SECURITY, INCREMENTAL_VALUES = 0x1, 0x80000000
_FLAGS_BYTES = 4
_ALWAYS = "objectguid"
_PARENT = "parentguid"
_COOKIE = struct.Struct("<4s16sQQ")
_MAGIC = b"MSDS"

type Selected = tuple[str, list[bytes]]


@dataclass(frozen=True)
class Position:
    """How far a client has come: what is after `since` is news, of which objects up to `told` were told."""

    since: int = 0
    told: int = 0

    @classmethod
    def decode(cls, cookie: bytes, database: bytes) -> Position:
        """Read a cookie; none is the beginning.

        Raises:
            OperationError: it is not one of this controller's database.
        """
        if not cookie:
            return cls()
        if len(cookie) != _COOKIE.size or cookie[:4] != _MAGIC or cookie[4:20] != database:
            raise OperationError(
                UNWILLING_TO_PERFORM, "0000202F: SvcErr: DSID-032103A2, problem 5003, data 0"
            )
        _, _, since, told = _COOKIE.unpack(cookie)
        return cls(since, told)

    def encode(self, database: bytes) -> bytes:
        """Return the cookie."""
        return _COOKIE.pack(_MAGIC, database, self.since, self.told)


@dataclass(frozen=True)
class DirSync:
    """One request for changes.

    Attributes:
        incremental: whether of a group only who joined and who left is told, not its members.
        cookie: where the client left off.
    """

    incremental: bool
    cookie: bytes

    @classmethod
    def decode(cls, value: bytes, base: str, tree: Tree) -> DirSync:
        """Decode the control's value.

        Raises:
            OperationError: the flags are larger than their four bytes, the account may not replicate, or the
                base is not the domain.
        """
        ((_, sequence),) = ber.elements(value)
        (_, flags), _, (_, cookie) = ber.elements(sequence)
        if len(flags) > _FLAGS_BYTES:
            raise OperationError(
                UNAVAILABLE_CRITICAL_EXTENSION,
                "00000057: LdapErr: DSID-0C090B2A, comment: Error processing control, data 0, v4563",
            )
        if not ber.number(flags) & OBJECT_SECURITY:
            message = "00002105: LdapErr: DSID-0C0908C2, comment: Error processing control, data 0"
            raise OperationError(INSUFFICIENT_ACCESS_RIGHTS, message)
        if names.key(base) != names.key(tree.base_dn):
            raise OperationError(
                UNWILLING_TO_PERFORM, "000020F7: SvcErr: DSID-03140562, problem 5003, data 0"
            )
        return cls(bool(ber.number(flags) & INCREMENTAL_VALUES), cookie)

    def answer(
        self, tree: Tree, found: list[Object], wanted: list[str], most: int
    ) -> tuple[list[tuple[Object, list[Selected]]], bytes]:
        """Return the next objects with what changed of each, and the encoded control that goes with them.

        Args:
            tree: the directory.
            found: whatever the search's filter matches.
            wanted: the attributes that are asked for; none stands for all.
            most: how many objects one answer has.
        """
        (database,) = tree.values(tree.settings_dn, "invocationId")
        position = Position.decode(self.cookie, database)
        asked = [name.lower() for name in wanted]
        order = {entry: _last_change(entry, asked) for entry in found}
        news = sorted((entry for entry in found if order[entry] > position.told), key=order.__getitem__)
        part, rest = news[:most], news[most:]
        after = Position(position.since, order[part[-1]]) if rest else Position(tree.usn, tree.usn)
        return (
            [(entry, list(self._changed(tree, entry, wanted, position.since))) for entry in part],
            _control(after.encode(database), more=bool(rest)),
        )

    def _changed(self, tree: Tree, entry: Object, wanted: list[str], since: int) -> Iterator[Selected]:
        for name in wanted or [given for given, _ in entry.attributes.values()]:
            attribute = name.lower()
            if attribute == MEMBER and self.incremental:
                for there in (False, True):
                    if links := list(entry.stamps.links(since, there=there)):
                        yield f"member;range={int(there)}-{int(there)}", links
            elif attribute == _PARENT:
                parent = tree.find(names.parent(entry.dn))
                if parent and entry.stamps.usn("name") > since:
                    yield "parentGUID", parent.get("objectguid")
            elif attribute == _ALWAYS or entry.stamps.usn(attribute) > since:
                # What was cleared comes with no values.
                yield entry.attributes.get(attribute, (name, []))


def _last_change(entry: Object, asked: list[str]) -> int:
    """Return the number of the last change of what is asked for; a move changes the name, too."""
    attributes = asked or list(entry.attributes)
    return max(entry.stamps.usn("name" if name == _PARENT else name) for name in attributes)


def endless(value: bytes) -> bytes:
    """Return the control of an answer that says: there is more, and you are where you were."""
    ((_, sequence),) = ber.elements(value)
    return _control(ber.elements(sequence)[-1][1], more=True)


def _control(cookie: bytes, *, more: bool) -> bytes:
    value = ber.element(ber.SEQUENCE, ber.integer(int(more)), ber.integer(0), ber.octets(cookie))
    return ber.element(0xA0, ber.element(ber.SEQUENCE, ber.octets(DIRSYNC), ber.octets(value)))
