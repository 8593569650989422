"""The containers of a directory, by GUID and by name, and how many people stand in each."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from halo_adsync.directory.connection import Session
from halo_adsync.directory.dn import shown
from halo_adsync.directory.entry import (
    CONTAINERS,
    GUID,
    PEOPLE,
    RawEntry,
    canonical_dn,
    container_from_entry,
    parent_dn,
)
from halo_adsync.directory.port import CountedContainer, Progress
from halo_adsync.errors import IncompleteRead
from halo_adsync.model import Container, ObjectGuid, Tree


class Containers:
    """A directory's containers below a base, looked up by name; read again once when a name is not known.

    Attributes:
        base: the DN of the topmost container.
        tree: the containers by GUID, parents before children, in the order of their names.
    """

    def __init__(self, session: Session, base: str) -> None:
        self.base = base
        self._session = session
        self._fresh = True
        self._read()

    def find(self, dn: str) -> ObjectGuid | None:
        """Return the GUID of the container with this name, however it is spelled.

        Raises:
            ValueError: the text is no distinguished name.
        """
        return self._by_name.get(canonical_dn(dn))

    def parent_of(self, entry: RawEntry) -> ObjectGuid:
        """Return the GUID of the container that an object stands in.

        Raises:
            IncompleteRead: it stands in none that can be seen, also after the tree was read again.
            ServerFailedError: reading the tree again failed.
        """
        parent = _parent(entry)
        guid = self._lookup(parent)
        if guid is None and self._fresh:
            # Somebody may have made, renamed or moved a container since it was read.
            self._fresh = False
            self._read()
            guid = self._lookup(parent)
        if guid is None:
            raise IncompleteRead(
                f"'{shown(entry.dn)}' stands in '{shown(parent)}', which is not among the containers that the"
                " account can see: let the account read it. If it was moved just now, the next run will find"
                " it."
            )
        return guid

    def _lookup(self, dn: str) -> ObjectGuid | None:
        # Most people share few containers, all spelled alike.
        if dn not in self._by_spelling:
            self._by_spelling[dn] = self._by_name.get(dn_key(dn))
        return self._by_spelling[dn]

    def _read(self) -> None:
        pages = self._session.pages(self.base, CONTAINERS, (GUID,))
        entries = [entry for page in pages for entry in page]
        self.tree = build_tree(entries, self.base)
        self._by_name = {dn_key(container.dn): guid for guid, container in self.tree.containers.items()}
        self._by_spelling: dict[str, ObjectGuid | None] = {}


def build_tree(entries: Iterable[RawEntry], base: str) -> Tree:
    """Link containers by their names; what does not hang on the base (containers below users) is left out.

    Raises:
        IncompleteRead: the base is not among them, or one of them stands twice.
    """
    children: defaultdict[str, list[RawEntry]] = defaultdict(list)
    top = None
    for entry in entries:
        if dn_key(entry.dn) == dn_key(base):
            top = entry
        else:
            children[dn_key(_parent(entry))].append(entry)
    if top is None:
        raise IncompleteRead(f"'{base}' is no container that the account can see: correct base_dn.")
    containers: dict[ObjectGuid, Container] = {}
    for container in _walk(top, children):
        if container.guid in containers:
            raise IncompleteRead(
                f"'{shown(container.dn)}' was moved while the containers were read; the next run reads them"
                " anew."
            )
        containers[container.guid] = container
    return Tree(containers)


def count_people(
    session: Session, containers: Containers, progress: Progress
) -> tuple[CountedContainer, ...]:
    """Count the people directly in each container, in the tree's order.

    Raises:
        IncompleteRead: a person's container cannot be seen.
        ServerFailedError: a page did not come.
    """
    people: Counter[ObjectGuid] = Counter()
    for page in session.pages(containers.base, PEOPLE, (GUID,)):
        people.update(containers.parent_of(entry) for entry in page)
        progress(people.total())
    return tuple(
        CountedContainer(container, people[guid]) for guid, container in containers.tree.containers.items()
    )


def _walk(top: RawEntry, children: dict[str, list[RawEntry]]) -> Iterator[Container]:
    waiting: list[tuple[RawEntry, ObjectGuid | None]] = [(top, None)]
    while waiting:
        entry, parent = waiting.pop()
        container = container_from_entry(entry, parent)
        yield container
        below = sorted(children.pop(dn_key(entry.dn), []), key=lambda child: dn_key(child.dn), reverse=True)
        waiting.extend((child, container.guid) for child in below)


def _parent(entry: RawEntry) -> str:
    return _parent_name(entry.dn)


def _parent_name(dn: str) -> str:
    try:
        return parent_dn(dn)
    except ValueError as error:
        raise IncompleteRead(f"The directory answered with a name that cannot be read: {error}") from None


def dn_key(dn: str) -> str:
    """Return the canonical form of a name that the directory gave.

    Raises:
        IncompleteRead: it is no distinguished name.
    """
    try:
        return canonical_dn(dn)
    except ValueError as error:
        raise IncompleteRead(f"The directory answered with a name that cannot be read: {error}") from None


def dn_keys(dns: Iterable[str]) -> Iterator[str]:
    """Yield the canonical forms of names; that of what many stand in is worked out once.

    Raises:
        IncompleteRead: one is no distinguished name.
    """
    above: dict[str, str] = {}
    for dn in dns:
        parent = _parent_name(dn)
        if not parent:
            yield dn_key(dn)
            continue
        if parent not in above:
            above[parent] = dn_key(parent)
        yield f"{dn_key(dn[: -len(parent)].rstrip(' ')[:-1])},{above[parent]}"
