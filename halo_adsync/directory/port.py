"""What the sync asks of a directory."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from halo_adsync.model import Container, Cursor, DirectoryRead, ObjectGuid


@dataclass(frozen=True, slots=True)
class StaffRequest:
    """Whose accounts are agents, wherever they stand, and which groups say more about them."""

    groups: tuple[str, ...] = ()
    """DNs of groups whose nested members are agents."""
    ous: tuple[str, ...] = ()
    """DNs of OUs whose people are agents, subtree each."""
    marks: tuple[str, ...] = ()
    """DNs of further groups whose nested members are wanted: those of teams and roles."""
    linked: frozenset[ObjectGuid] = frozenset()
    """Accounts that are agents by now: read wherever they stand, to tell who left from who is gone."""


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What one full read has to bring back."""

    attributes: frozenset[str]
    """Attribute names that the customer's file uses, in any case. Identity and state are always read."""
    include: tuple[str, ...] = ()
    """DNs of the OUs whose people are wanted, subtree each; empty means the whole directory."""
    exclude: tuple[str, ...] = ()
    """DNs of OUs inside these whose people are not read."""
    filter: str = ""
    """A further LDAP filter (RFC 4515), combined by AND; may be empty."""
    person: str = ""
    """Only accounts with this GUID, DN, logon name, UPN or mail address; empty means everybody."""
    guids: frozenset[ObjectGuid] | None = None
    """Only accounts with these GUIDs; None means everybody."""
    anchors: tuple[str, ...] = ()
    """Further DNs of containers that the file names (placement rules): resolved, never read for people."""
    groups: tuple[str, ...] = ()
    """DNs of groups whose nested members are wanted."""
    staff: StaffRequest | None = None
    """Whose accounts to read as agents; None means that nobody is one."""
    managers: bool = False
    """Whether to tell who is whose manager."""
    known: Mapping[str, ObjectGuid] = field(default_factory=dict)
    """GUIDs that these DNs were resolved to before: followed by GUID, whatever the DN is by now."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Which changes of a directory are wanted."""

    method: str
    """`dirsync`, `usn`, or `auto`: the first of these that the domain controller takes."""
    attributes: frozenset[str]
    """Names of the attributes that matter, besides identity, state and place."""
    filter: str
    """The further filter (RFC 4515), whose attributes matter as well; may be empty."""
    digest: str
    """Stands for the customer's file: a cursor of another one is of no use."""
    managers: bool = False
    """Whether somebody's change is one of those who name them as their manager, too."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since a cursor."""

    cursor: Cursor | None
    """From where to follow next; None where changes cannot be followed."""
    people: frozenset[ObjectGuid] = frozenset()
    """Whose accounts changed, were moved or deleted; some may be no people."""
    everybody: str = ""
    """Why these are not all, so that everybody has to be read; empty where they are."""


@dataclass(frozen=True, slots=True)
class CountedContainer:
    """A container with the number of people in it, not counting its sub-containers."""

    container: Container
    people: int


type Progress = Callable[[int], None]
"""Called now and then with the number of people read so far; may raise to stop the read."""


class Directory(Protocol):
    """One customer directory; an adapter opens its connection on first use and is a context manager."""

    def read(self, request: ReadRequest, progress: Progress) -> DirectoryRead:
        """Read everybody that the request asks for.

        Raises:
            IncompleteRead: a server stopped answering, a named OU or group is not there, a page was missing.
            DirectoryRefused: no server accepted the account, or none proved to be who it should be.
        """
        ...

    def changes(self, since: Cursor | None, watch: Watch) -> Changes:
        """Return what changed since a cursor; without one that is of use, where changes begin to be followed.

        Raises:
            IncompleteRead: as for `read`.
            DirectoryRefused: as for `read`.
        """
        ...

    def tombstones(self, guids: Iterable[ObjectGuid]) -> frozenset[ObjectGuid]:
        """Return which of these accounts were deleted, as far as the account may see deleted objects.

        Raises:
            IncompleteRead: as for `read`.
            DirectoryRefused: as for `read`.
        """
        ...

    def containers(self, progress: Progress) -> Iterable[CountedContainer]:
        """Return the whole OU tree, parents before children, with the people directly in each.

        Raises:
            IncompleteRead: as for `read`.
            DirectoryRefused: as for `read`.
        """
        ...

    def close(self) -> None:
        """Unbind; safe to call twice."""
        ...
