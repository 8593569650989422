"""Whom changes of groups concern: whoever stands below a member who joined or left one.

Take any way from a group that the file names, through groups in groups, down to somebody, that is new or
gone. Where it is gone, go to its lowest step that is gone; where it is new, to its highest that is new. Below
that step all is as it is now, and the group that lost or won a member there was watched before. So it is
enough to go down, by the groups as they are now, from the members that watched groups have lost and won. The
groups on the way down are to be watched from then on.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import batched

from halo_adsync.directory.connection import Session
from halo_adsync.directory.dn import extended_dn
from halo_adsync.directory.entry import (
    GUID,
    MEMBER,
    MEMBER_OF,
    RawEntry,
    is_group,
    members_of_any_kind_filter,
    nested_groups_filter,
)
from halo_adsync.directory.staff import GUIDS_AT_ONCE, guids_filter
from halo_adsync.model import ObjectGuid

MOST = 1000
"""How many people changes of groups may concern; to read everybody is hardly dearer than to read more."""

_KIND = (GUID, "objectClass")
_LEFT, _JOINED = 1, 2
"""How incremental values go on: `member;range=0-0` is who left, `member;range=1-1` who joined."""


@dataclass(slots=True)
class Below:
    """Who and what stands below some members of groups."""

    people: dict[ObjectGuid, str] = field(default_factory=dict)
    """Accounts with their DNs."""
    groups: set[ObjectGuid] = field(default_factory=set)

    def is_too_much(self) -> bool:
        """Tell whether it was given up, because there is more than reading everybody is worth."""
        return len(self.people) > MOST

    def take(self, page: Iterable[RawEntry]) -> list[str]:
        """Take objects in; return the DNs of the groups that are new among them."""
        groups: list[str] = []
        for entry in page:
            if not is_group(entry):
                self.people[entry.guid] = entry.dn
            elif entry.guid not in self.groups:
                self.groups.add(entry.guid)
                groups.append(entry.dn)
        return groups


def joined_or_left(entry: RawEntry) -> frozenset[ObjectGuid] | None:
    """Return who joined or left a group, by what DirSync said of it; None where it did not say that."""
    if MEMBER not in entry.attributes:
        return frozenset()
    if entry.continued.get(MEMBER) not in {_LEFT, _JOINED}:  # all members, and nothing about who left
        return None
    guids = [extended_dn(name)[0] for name in entry.texts(MEMBER)]
    named = frozenset(guid for guid in guids if guid is not None)
    return named if None not in guids else None


def below(session: Session, domain: str, members: frozenset[ObjectGuid]) -> Below:
    """Go down from some members of groups: to themselves, and to the members of those that are groups.

    Raises:
        ServerFailedError: the server did not answer.
    """
    found = Below()
    waiting: list[str] = []
    for some in batched(sorted(members), GUIDS_AT_ONCE, strict=False):
        for page in session.pages(domain, guids_filter(some), _KIND):
            waiting += found.take(page)
        if found.is_too_much():
            return found
    while waiting and not found.is_too_much():
        for page in session.pages(domain, members_of_any_kind_filter(waiting.pop()), _KIND):
            waiting += found.take(page)
            if found.is_too_much():
                break
    return found


def came_back(
    session: Session, domain: str, candidates: Iterable[ObjectGuid], watched: frozenset[ObjectGuid]
) -> frozenset[ObjectGuid]:
    """Return which of these are groups that stand in a watched one.

    The recycle bin brings a group back with its links, and what it stands in is not told to have changed.

    Raises:
        ServerFailedError: the server did not answer.
    """
    within: dict[str, set[ObjectGuid]] = {}
    for some in batched(sorted(candidates if watched else ()), GUIDS_AT_ONCE, strict=False):
        asked = nested_groups_filter(guids_filter(some))
        for page in session.pages(domain, asked, (GUID, MEMBER_OF)):
            for entry in page:
                for name in entry.texts(MEMBER_OF):
                    within.setdefault(name, set()).add(entry.guid)
    outer = {name: session.find(name, (GUID,)) for name in sorted(within)}
    inside = (within[name] for name, entry in outer.items() if entry is not None and entry.guid in watched)
    return frozenset().union(*inside)
