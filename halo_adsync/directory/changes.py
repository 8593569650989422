"""What changed in a directory since a cursor: by DirSync, or by update numbers where that is refused.

DirSync (MS-ADTS, 3.1.1.3.4.1.3) reports an object when one of the requested attributes changed, and of it no
more than these: who asks for neither `name` nor `parentGUID` hears of no rename and no move. An OU that is
renamed or moved is reported alone, without the people in it. Object security makes it work for an account
without replication rights, which hears of what it may read. Incremental values say who joined or left a
group instead of listing its members.
"""

import base64
from dataclasses import replace
from functools import cached_property
from itertools import batched

from ldap3.core.results import (
    RESULT_INSUFFICIENT_ACCESS_RIGHTS,
    RESULT_SUCCESS,
    RESULT_UNAVAILABLE_CRITICAL_EXTENSION,
    RESULT_UNWILLING_TO_PERFORM,
)
from ldap3.protocol.microsoft import DirSyncControlRequestValue
from pyasn1.codec.ber import encoder

from halo_adsync.directory.connection import ServerFailedError, Session, Take
from halo_adsync.directory.dn import extended_dn, parse_dn
from halo_adsync.directory.entry import (
    GUID,
    HIGHEST_USN,
    IDENTITY,
    INVOCATION,
    MANAGER,
    MEMBER,
    PEOPLE,
    SERVER,
    SETTINGS,
    RawEntry,
    escape_filter_value,
    guid_from_bytes,
)
from halo_adsync.directory.filters import attributes_of, both
from halo_adsync.directory.memberships import MOST, below, came_back, joined_or_left
from halo_adsync.directory.port import Changes, Watch
from halo_adsync.directory.results import failure_reason
from halo_adsync.model import Cursor, ObjectGuid

DIRSYNC, USN = "dirsync", "usn"
METHODS = {"auto": (DIRSYNC, USN), DIRSYNC: (DIRSYNC,), USN: (USN,)}
NEVER_REPORTED = frozenset(
    {"memberof", "directreports", "managedobjects", "canonicalname", "tokengroups", "primarygrouptoken"}
    | {"msds-user-account-control-computed", "msds-userpasswordexpirytimecomputed"}
)
"""Attributes that a controller works out when it is asked: nothing tells that one has changed."""
REPORTS_AT_ONCE = 50
"""How many managers one search asks for the reports of."""

_DIRSYNC = "1.2.840.113556.1.4.841"
_FLAGS = -0x80000000 | 0x1
"""Incremental values and object security. Signed: Active Directory refuses a number of five bytes."""
_LARGEST = 0x7FFFFFFF
_WATCHED = (
    "(|(&(objectClass=user)(!(objectClass=computer)))(objectClass=organizationalUnit)"
    "(objectClass=container)(objectClass=group))"
)
_ALWAYS = IDENTITY | {"name", "parentGUID", "objectClass", "isDeleted", "isCriticalSystemObject", MEMBER}
_SELF = {"name", "isdeleted"}
"""What is told of a group or container that was itself renamed, moved, deleted or restored."""
_EXTENDED_DN = ("1.2.840.113556.1.4.529", False, bytes.fromhex("3003020101"))
"""Names with the GUIDs of their objects, in text: who left is found whatever became of the name."""
_REFUSALS = {
    RESULT_INSUFFICIENT_ACCESS_RIGHTS,
    RESULT_UNAVAILABLE_CRITICAL_EXTENSION,
    RESULT_UNWILLING_TO_PERFORM,
}


class RefusedError(Exception):
    """The domain controller does not say in this way what changed; the text says how it put it."""


class Follower:
    """Follows the changes of one directory on one domain controller.

    Args:
        session: the connection.
        root: the controller's root entry.
        domain: the DN of the domain.
        watch: what is wanted.
    """

    def __init__(self, session: Session, root: RawEntry, domain: str, watch: Watch) -> None:
        self._session, self._root, self._domain, self._watch = session, root, domain, watch
        managers = {MANAGER} if watch.managers else set()
        self._attributes = watch.attributes | attributes_of(watch.filter) | managers

    def changes(self, since: Cursor | None) -> Changes:
        """Return what changed; see `port.Directory.changes`."""
        unheard = sorted({name.lower() for name in self._attributes} & NEVER_REPORTED)
        if unheard:
            return Changes(None, everybody=f"no domain controller tells when {unheard[0]} changes")
        here = self._here
        if here is None:
            return Changes(None, everybody="the domain controller does not show which database it has")
        stale = _stale(since, here, self._watch)
        if since is None or stale:
            return Changes(self._born(here), everybody=stale)
        found = _Found(frozenset(since.watched))
        try:
            position = self._follow(since.method, since.position, found.note)
        except RefusedError as refused:
            return Changes(self._born(here), everybody=f"{here[0]} does not go on from the cursor: {refused}")
        return self._concerned(replace(since, position=position), found)

    def _concerned(self, cursor: Cursor, found: "_Found") -> Changes:
        """Return whom that concerns which was found, and the cursor after it."""
        if found.everybody:
            return Changes(cursor, everybody=found.everybody)
        members = found.members | came_back(self._session, self._domain, found.groups, found.watched)
        lower = below(self._session, self._domain, frozenset(members))
        if lower.is_too_much():
            return Changes(cursor, everybody=f"changes of groups concern more than {MOST} people")
        if lower.groups:
            cursor = replace(cursor, watched=tuple(sorted({*cursor.watched, *lower.groups})))
        people = found.people | (members - lower.groups) | lower.people.keys()
        if self._watch.managers:
            people |= self._reports([*found.names, *lower.people.values()])
        return Changes(cursor, frozenset(people))

    @cached_property
    def _here(self) -> tuple[str, str] | None:
        """Which controller this is, and which database it has; None where it does not show that."""
        server, settings = self._root.text(SERVER), self._root.text(SETTINGS)
        entry = self._session.find(settings, (INVOCATION,)) if settings else None
        values = entry.attributes.get(INVOCATION.lower()) if entry else None
        return (server, guid_from_bytes(values[0])) if server and values else None

    def _born(self, here: tuple[str, str]) -> Cursor | None:
        """Return a cursor that begins now, by the first method that is not refused."""
        for method in METHODS[self._watch.method]:
            try:
                position = self._follow(method, "", _forget)
            except RefusedError:
                continue
            return Cursor(method, *here, position, self._watch.digest, blind=not self._sees_deleted())
        return None

    def _follow(self, method: str, position: str, take: Take) -> str:
        """Give what changed since a position to `take`, and return the position after it."""
        return self._by_dirsync(position, take) if method == DIRSYNC else self._by_number(position, take)

    def _by_dirsync(self, position: str, take: Take) -> str:
        cookie, more = base64.b64decode(position), True
        while more:
            controls = [(_DIRSYNC, True, _dirsync_value(cookie)), _EXTENDED_DN]
            wanted = sorted(_ALWAYS | self._attributes)
            result = self._session.stream(self._domain, _WATCHED, wanted, take, controls)
            if result["result"] in _REFUSALS:
                raise RefusedError(failure_reason(result))
            answer = result.get("controls", {}).get(_DIRSYNC)
            if result["result"] != RESULT_SUCCESS or answer is None:
                raise ServerFailedError(self._session.server, f"{failure_reason(result)}.")
            before, cookie = cookie, answer["value"]["cookie"]
            more = answer["value"]["more_results"]
            if more and cookie == before:
                raise ServerFailedError(self._session.server, "says again and again that more has changed.")
        return base64.b64encode(cookie).decode()

    def _by_number(self, position: str, take: Take) -> str:
        highest = self._root.text(HIGHEST_USN) or ""
        if not highest.isdecimal():
            raise RefusedError(f"it does not tell its {HIGHEST_USN}")
        if position and int(highest) > int(position):
            changed = both(_WATCHED, f"(uSNChanged>={int(position) + 1})")
            for page in self._session.pages(self._domain, changed, sorted(_ALWAYS), deleted=True):
                for entry in page:
                    take(entry)
        return highest

    def _sees_deleted(self) -> bool:
        """Tell whether a tombstone could be seen: without the right, deletions are silently missing."""
        there = self._session.find(f"CN=Deleted Objects,{self._domain}", (GUID,), deleted=True)
        return there is not None and GUID.lower() in there.attributes

    def _reports(self, names: list[str]) -> set[ObjectGuid]:
        """Return who names one of these as their manager."""
        found: set[ObjectGuid] = set()
        for some in batched(names, REPORTS_AT_ONCE, strict=False):
            asked = "".join(f"({MANAGER}={escape_filter_value(name)})" for name in some)
            for page in self._session.pages(self._domain, both(PEOPLE, f"(|{asked})"), (GUID,)):
                found.update(entry.guid for entry in page)
        return found


class _Found:
    """Sorts what changed."""

    def __init__(self, watched: frozenset[ObjectGuid]) -> None:
        self.people: set[ObjectGuid] = set()
        self.names: list[str] = []
        self.members: set[ObjectGuid] = set()
        """Who joined or left a watched group, be it a person or a group."""
        self.groups: set[ObjectGuid] = set()
        """Who may be groups that came back from the recycle bin."""
        self.everybody = ""
        self.watched = watched

    def note(self, entry: RawEntry) -> None:
        """Take one changed object in."""
        if entry.guid in self.watched:
            self._note_watched(entry)
            return
        _, dn = extended_dn(entry.dn)
        if is_ou(dn):
            self.everybody = self.everybody or "an OU was made, changed, moved or deleted"
            return
        classes = {value.lower() for value in entry.attributes.get("objectclass", ())}
        if b"group" in classes or entry.attributes.get("isdeleted") == ():
            self.groups.add(entry.guid)
        if MEMBER not in entry.attributes and b"group" not in classes:
            self.people.add(entry.guid)
            self.names.append(dn)

    def _note_watched(self, entry: RawEntry) -> None:
        """Of a group it may be told who joined and who left; nobody knows whom anything else concerns."""
        members = joined_or_left(entry)
        if members is None or not _SELF.isdisjoint(entry.attributes):
            self.everybody = self.everybody or "a group or container that people depend on was changed"
        else:
            self.members |= members


def is_ou(dn: str) -> bool:
    """Tell whether an object's name is that of an OU; one that cannot be read may be."""
    try:
        return parse_dn(dn)[0][0][0].lower() == "ou"
    except (ValueError, IndexError):
        return True


def _stale(since: Cursor | None, here: tuple[str, str], watch: Watch) -> str:
    """Return why a cursor is of no use; empty where it is."""
    if since is None:
        return "changes were not followed before"
    if since.digest != watch.digest:
        return "the customer's file has changed"
    if since.server != here[0]:
        return f"{here[0]} answered, and changes were followed on {since.server}"
    return "" if since.database == here[1] else f"the database of {here[0]} was restored"


def _dirsync_value(cookie: bytes) -> bytes:
    value = DirSyncControlRequestValue()
    value.setComponentByName("Flags", _FLAGS)
    value.setComponentByName("MaxBytes", _LARGEST)
    value.setComponentByName("Cookie", cookie)
    return bytes(encoder.encode(value))


def _forget(_: RawEntry) -> None:
    """Where changes begin to be followed, what was there before is read in another way."""
