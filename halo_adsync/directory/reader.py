"""One pass over a directory on one server: everything that a read request asks for, or an error."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from itertools import batched

from halo_adsync.directory.changes import Follower, is_ou
from halo_adsync.directory.config import DirectoryConfig
from halo_adsync.directory.connection import Session
from halo_adsync.directory.entry import (
    GROUP,
    GUID,
    HIGHEST_USN,
    IDENTITY,
    MANAGER,
    MEMBER,
    NETBIOS,
    PEOPLE,
    ROOT_DSE,
    SERVER,
    SETTINGS,
    RawEntry,
    guid_dn,
    is_group,
    netbios_filter,
    partitions_dn,
    people_filter,
    person_filter,
)
from halo_adsync.directory.filters import both
from halo_adsync.directory.groups import nested_groups, with_all_values
from halo_adsync.directory.people import PersonCodec
from halo_adsync.directory.port import Changes, CountedContainer, Progress, ReadRequest, StaffRequest, Watch
from halo_adsync.directory.staff import GUIDS_AT_ONCE, deleted_filter, guids_filter, members_filter
from halo_adsync.directory.tree import Containers, count_people, dn_key, dn_keys
from halo_adsync.errors import IncompleteRead
from halo_adsync.model import Cursor, DirectoryRead, ObjectGuid, Person


class Reader:
    """Reads from one server; who starts over on another makes a new one.

    Its methods raise `IncompleteRead` when something is not there, `ServerFailedError` when the server fails.
    """

    def __init__(self, session: Session, config: DirectoryConfig) -> None:
        self._session = session
        self._config = config

    def read(self, request: ReadRequest, progress: Progress) -> DirectoryRead:
        """Read everybody that the request asks for; see `port.Directory.read`."""
        netbios = self._netbios()
        staff = request.staff or StaffRequest()
        named = dict.fromkeys((*request.groups, *staff.groups, *staff.marks))
        groups = {dn: self._find_group(dn, request) for dn in named}
        anchors = self._anchors(request, groups)
        nested = {
            dn: nested_groups(self._session, group, self._domain)
            for dn, group in groups.items()
            if group is not None
        }
        members = {dn: {name for one in found for name in one.texts(MEMBER)} for dn, found in nested.items()}
        managers: dict[ObjectGuid, str] = {}
        excluded = {anchors[dn] for dn in request.exclude}
        everybody = self._pages_of_people(request, anchors)
        people = self._accounts(everybody, request, excluded, managers, progress)
        if request.guids is not None and request.managers:
            chiefs = self._pages_of_people(replace(request, guids=self._unread(managers, people)), anchors)
            people += self._accounts(chiefs, request, excluded, managers, progress)
        agents: tuple[Person, ...] = ()
        if request.staff:
            within = {one.guid: one.dn for dn in staff.groups for one in nested[dn]}.values()
            ous = self._bases(anchors[dn] for dn in staff.ous)
            by_mark = self._pages_of_staff(request, ous, within)
            agents = self._accounts(by_mark, request, set(), managers, progress)
            left = self._pages_by_guid(request, sorted(staff.linked - {person.guid for person in agents}))
            agents += self._accounts(left, request, set(), managers, progress)
        known = (*people, *agents) if members or request.managers else ()
        keys = dn_keys(person.dn for person in known)
        names = {key: person.guid for key, person in zip(keys, known, strict=True)}
        return DirectoryRead(
            directory=self._config.id,
            netbios=netbios,
            tree=self._containers.tree,
            anchors=anchors,
            groups=_matched(members, names),
            people=people,
            managers=_canonical(managers),
            names=names if request.managers else {},
            staff=agents,
            server=self._root.text(SERVER) or "",
            watched=frozenset(group.guid for found in nested.values() for group in found)
            | self._plain_containers(people),
        )

    def changes(self, since: Cursor | None, watch: Watch) -> Changes:
        """Return what changed since a cursor; see `port.Directory.changes`."""
        return Follower(self._session, self._root, self._domain, watch).changes(since)

    def _unread(self, managers: Mapping[ObjectGuid, str], people: Iterable[Person]) -> frozenset[ObjectGuid]:
        """Return the managers who are not among the people."""
        there = {dn_key(person.dn) for person in people}
        names = sorted(name for name in set(managers.values()) if dn_key(name) not in there)
        found = (self._session.find(name, (GUID,)) for name in names)
        return frozenset(entry.guid for entry in found if entry is not None)

    def _plain_containers(self, people: Iterable[Person]) -> frozenset[ObjectGuid]:
        """Return the containers that people stand in and that are no OUs, which are watched in any case."""
        tree = self._containers.tree
        parents = {person.parent for person in people}
        above = {container for parent in parents for container in tree.ancestry(parent)}
        return frozenset(one.guid for one in above if not is_ou(one.dn))

    def count(self, progress: Progress) -> tuple[CountedContainer, ...]:
        """Return the containers with the people directly in each; see `port.Directory.containers`."""
        return count_people(self._session, self._containers, progress)

    def tombstones(self, guids: Iterable[ObjectGuid]) -> frozenset[ObjectGuid]:
        """Return which of these were deleted; none where the account may not see deleted objects."""
        found: set[ObjectGuid] = set()
        for some in batched(guids, GUIDS_AT_ONCE, strict=False):
            for page in self._session.pages(self._domain, deleted_filter(some), (GUID,), deleted=True):
                found.update(entry.guid for entry in page)
        return frozenset(found)

    @cached_property
    def _root(self) -> RawEntry:
        root = self._session.find("", (*ROOT_DSE, SERVER, SETTINGS, HIGHEST_USN))
        if root is None or not all(root.text(name) for name in ROOT_DSE):
            raise IncompleteRead(
                f"{self._session.server} does not say which domain it holds: it is no Active Directory "
                "domain controller. Correct servers in the customer file."
            )
        return root

    @cached_property
    def _domain(self) -> str:
        return self._root.text(ROOT_DSE[0]) or ""

    @cached_property
    def _containers(self) -> Containers:
        return Containers(self._session, self._config.base_dn or self._domain)

    def _netbios(self) -> str:
        partitions = partitions_dn(self._root.text(ROOT_DSE[1]) or "")
        for page in self._session.pages(partitions, netbios_filter(self._domain), (NETBIOS,)):
            for entry in page:
                if name := entry.text(NETBIOS):
                    return name
        raise IncompleteRead(
            f"The NetBIOS name of '{self._domain}' is not in '{partitions}': let the account read that "
            "container."
        )

    def _find_group(self, dn: str, request: ReadRequest) -> RawEntry | None:
        guid = request.known.get(dn)
        group = self._session.find(guid_dn(guid), GROUP) if guid else None
        group = group or self._session.find(dn, GROUP)
        if group is not None and not is_group(group):
            raise IncompleteRead(f"'{dn}' is no group: name a group there in the customer file.")
        return group

    def _anchors(self, request: ReadRequest, groups: dict[str, RawEntry | None]) -> dict[str, ObjectGuid]:
        """Resolve every DN of the request to a GUID, so that all that are missing are named at once."""
        found: dict[str, ObjectGuid | None] = {
            dn: group.guid if group else None for dn, group in groups.items()
        }
        ous = request.staff.ous if request.staff else ()
        for dn in (*request.include, *request.exclude, *request.anchors, *ous):
            known = request.known.get(dn)
            found[dn] = known if known in self._containers.tree.containers else self._containers.find(dn)
        missing = [dn for dn, guid in found.items() if guid is None]
        if missing:
            raise IncompleteRead("\n".join(self._missing(dn, request) for dn in missing))
        return {dn: guid for dn, guid in found.items() if guid is not None}

    def _missing(self, dn: str, request: ReadRequest) -> str:
        guid = request.known.get(dn)
        before = f" any more (it was there as {guid})" if guid else ""
        return (
            f"'{dn}' is not in directory '{self._config.id}'{before}: name its new place in the customer "
            "file, or remove it there."
        )

    def _pages_of_staff(
        self, request: ReadRequest, ous: Iterable[str], groups: Iterable[str]
    ) -> Iterator[list[RawEntry]]:
        """Read the people of the agents' OUs, then the direct members of each of the agents' groups."""
        wanted = self._attributes(request)
        for ou in ous:
            yield from self._session.pages(ou, PEOPLE, wanted)
        for group in groups:
            yield from self._session.pages(self._containers.base, members_filter(group), wanted)

    def _pages_by_guid(self, request: ReadRequest, guids: Iterable[ObjectGuid]) -> Iterator[list[RawEntry]]:
        """Read accounts wherever they stand."""
        for some in batched(guids, GUIDS_AT_ONCE, strict=False):
            found = both(PEOPLE, guids_filter(some))
            yield from self._session.pages(self._containers.base, found, self._attributes(request))

    def _accounts(
        self,
        pages: Iterable[list[RawEntry]],
        request: ReadRequest,
        excluded: set[ObjectGuid],
        managers: dict[ObjectGuid, str],
        progress: Progress,
    ) -> tuple[Person, ...]:
        """Take accounts in, each once, and enter into `managers` whom each names, where that is asked for."""
        kept = {name.lower().partition(";")[0] for name in request.attributes}
        codec = PersonCodec(self._config.id, kept)
        people: dict[ObjectGuid, Person] = {}
        for page in pages:
            for entry in page:
                parent = self._containers.parent_of(entry)
                above = self._containers.tree.ancestry(parent)
                if excluded and any(container.guid in excluded for container in above):
                    continue
                person = codec.person(with_all_values(self._session, entry), parent)
                people[person.guid] = person
                if request.managers and (manager := entry.text(MANAGER)):
                    managers[person.guid] = manager
            progress(len(people))
        return tuple(people.values())

    def _pages_of_people(
        self, request: ReadRequest, anchors: dict[str, ObjectGuid]
    ) -> Iterator[list[RawEntry]]:
        wanted = self._attributes(request)
        search_filter = people_filter(request.filter)
        if request.person:
            search_filter = both(search_filter, person_filter(request.person))
        included = [anchors[dn] for dn in request.include]
        for base in self._bases(included) if included else [self._containers.base]:
            if request.guids is None:
                yield from self._session.pages(base, search_filter, wanted)
                continue
            for some in batched(sorted(request.guids), GUIDS_AT_ONCE, strict=False):
                yield from self._session.pages(base, both(search_filter, guids_filter(some)), wanted)

    def _attributes(self, request: ReadRequest) -> list[str]:
        asked = request.attributes | IDENTITY | ({MANAGER} if request.managers else frozenset())
        return list({name.lower(): name for name in sorted(asked)}.values())

    def _bases(self, ous: Iterable[ObjectGuid]) -> list[str]:
        """Return where to search: the topmost of these OUs by GUID, so that a rename meanwhile is no harm."""
        included = dict.fromkeys(ous)
        tree = self._containers.tree
        topmost = [
            guid
            for guid in included
            if not any(tree.is_below(guid, other) for other in included if other != guid)
        ]
        return [guid_dn(guid) for guid in topmost]


def _matched(
    members: dict[str, set[str]], names: Mapping[str, ObjectGuid]
) -> dict[str, frozenset[ObjectGuid]]:
    """Turn the DNs of members into GUIDs, as far as they are people of this read."""
    return {
        group: frozenset(names[name] for name in map(dn_key, dns) if name in names)
        for group, dns in members.items()
    }


def _canonical(managers: Mapping[ObjectGuid, str]) -> dict[ObjectGuid, str]:
    """Bring the managers' DNs into canonical form, each spelling once: many people share one manager."""
    canonical = {dn: dn_key(dn) for dn in set(managers.values())}
    return {guid: canonical[dn] for guid, dn in managers.items()}
