"""Placement: in which client and site a person stands. The first rule that answers wins."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from halo_adsync.customer import AttributeRule, ClientRef, Customer, MirrorRule, OuRule, Placement, SiteRef
from halo_adsync.model import Container, DirectoryRead, HaloClientId, HaloSiteId, ObjectGuid, Person
from halo_adsync.plan.mapping import cut, values_of
from halo_adsync.plan.templates import ExpressionError, compile_expression

NAME_WIDTH = 255
"""How much of a client's or site's name Halo stores, in UTF-16 units."""

_LEADING = re.compile(
    r"^(?:(?:OU|Site)\s*[-\u2013_:]\s*|[0-9]{1,3}\s*[-\u2013.):_]\s*|0[0-9]{1,2}\s+)+(?=[^\W\d_])",
    re.IGNORECASE,
)
_TRAILING = re.compile(r"(?<=\w)(?:[-\u2013_\s]+OU)+$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class WantedClient:
    """A client that somebody is to stand in."""

    key: str
    name: str = ""
    id: HaloClientId | None = None
    guid: ObjectGuid | None = None
    dn: str = ""


@dataclass(frozen=True, slots=True)
class WantedSite:
    """A site that somebody is to stand in; with `create` it is made where Halo does not have it."""

    key: str
    client: WantedClient
    name: str = ""
    id: HaloSiteId | None = None
    guid: ObjectGuid | None = None
    dn: str = ""
    create: bool = True


@dataclass(frozen=True, slots=True)
class Option:
    """One answer to where a person may stand, and which rule gave it."""

    site: WantedSite
    rule: str


class Placing:
    """The placement rules of a customer, made ready for one directory as it was read."""

    def __init__(self, customer: Customer, read: DirectoryRead) -> None:
        self._placement, self._shared = customer.placement, customer.shared()
        self._read = read
        self._client = client_of(customer.placement.client)
        self._names = {
            index: _mirrored_names(read, rule, _names_in(customer.placement))
            for index, rule in enumerate(customer.placement.rules)
            if isinstance(rule, MirrorRule) and rule.mirror in read.anchors
        }
        self._by_container: dict[tuple[int, ObjectGuid], Option | None] = {}

    def options(self, person: Person) -> Iterator[Option]:
        """Yield where the person may stand, best first.

        An option with `create` ends the list. One without counts only where Halo has that site.
        """
        for index, rule in enumerate(self._placement.rules):
            if isinstance(rule, AttributeRule):
                option = self._by_attribute(rule, person)
            else:
                key = (index, person.parent)
                if key not in self._by_container:
                    self._by_container[key] = self._by_ou(index, rule, person.parent)
                option = self._by_container[key]
            if option:
                yield option
                if option.site.create:
                    return
        if self._placement.default_site:
            yield Option(_site(self._client, self._placement.default_site), "the default site")

    def _by_attribute(self, rule: AttributeRule, person: Person) -> Option | None:
        try:
            value = compile_expression(rule.attribute)(values_of(person, self._read.netbios), self._shared)
        except ExpressionError:
            return None
        if not value:
            return None
        return Option(
            _site(self._client, cut(value, NAME_WIDTH), create=rule.create), f"the value of {rule.attribute}"
        )

    def _by_ou(self, index: int, rule: OuRule | MirrorRule, parent: ObjectGuid) -> Option | None:
        dn = rule.ou if isinstance(rule, OuRule) else rule.mirror
        top = self._read.anchors.get(dn)
        path = None if top is None else self._read.tree.below(parent, top)
        if path is None:
            return None
        if isinstance(rule, OuRule):
            client = client_of(rule.client) if rule.client else self._client
            return Option(_site_of(client, rule.site), f"the rule for {dn}")
        return self._mirrored(index, rule, path) if self._chosen(rule, parent) else None

    def _chosen(self, rule: MirrorRule, parent: ObjectGuid) -> bool:
        branches = [self._read.anchors[dn] for dn in rule.branches if dn in self._read.anchors]
        return not rule.branches or any(self._read.tree.is_below(parent, branch) for branch in branches)

    def _mirrored(self, index: int, rule: MirrorRule, path: tuple[Container, ...]) -> Option | None:
        client = self._client
        if rule.client_level is not None:
            if len(path) < rule.client_level:
                return None
            ou = path[rule.client_level - 1]
            name = cut(self._names[index][ou.guid], NAME_WIDTH)
            client = WantedClient(f"client:ou:{ou.guid}", name, guid=ou.guid, dn=ou.dn)
        if len(path) >= rule.site_level:
            ou = path[rule.site_level - 1]
            name = cut(self._names[index][ou.guid], NAME_WIDTH)
            site = WantedSite(f"site:ou:{ou.guid}", client, name, guid=ou.guid, dn=ou.dn)
            return Option(site, f"the mirror of {rule.mirror}")
        if rule.client_level is not None and self._placement.default_site:
            return Option(
                _site(client, self._placement.default_site), f"the mirror of {rule.mirror}, above its sites"
            )
        return None


def client_of(reference: ClientRef) -> WantedClient:
    """Return the client that the file names."""
    if reference.id is not None:
        return WantedClient(f"client:id:{reference.id}", id=HaloClientId(reference.id))
    name = reference.name or ""
    return WantedClient(f"client:name:{name.casefold()}", name)


def _site(client: WantedClient, name: str, *, create: bool = True) -> WantedSite:
    return WantedSite(f"site:name:{name.casefold()}@{client.key}", client, name, create=create)


def _site_of(client: WantedClient, reference: SiteRef) -> WantedSite:
    if reference.id is not None:
        return WantedSite(f"site:id:{reference.id}", client, id=HaloSiteId(reference.id))
    return _site(client, reference.name or "")


def clean_ou_name(name: str) -> str:
    """Return an OU's name without what only sorts it or says that it is an OU.

    These go, again and again until none is left:

    - before a letter, a number of up to three digits with a mark (`01 - `, `2. `, `10_`), or without a mark
      where it begins with a zero (`01 `);
    - before a letter, `OU` or `Site` with a mark (`OU_`, `Site-`);
    - at the end, `OU` behind a blank, a dash or an underscore;
    - underscores, which become blanks, and blanks that are too many.

    A name of which nothing would be left stays as it is.
    """
    stripped = _TRAILING.sub("", _LEADING.sub("", name.strip())).replace("_", " ")
    cleaned = " ".join(stripped.split()) or name
    return cleaned if cleaned == name else clean_ou_name(cleaned)


def _names_in(placement: Placement) -> frozenset[str]:
    """Return the names that the file itself gives to clients and sites, folded."""
    rules = [rule for rule in placement.rules if isinstance(rule, OuRule)]
    references = [placement.client, *(rule.site for rule in rules), *(rule.client for rule in rules)]
    names = [placement.default_site, *(reference.name for reference in references if reference)]
    return frozenset(name.casefold() for name in names if name)


def _mirrored_names(
    read: DirectoryRead, rule: MirrorRule, reserved: Collection[str]
) -> Mapping[ObjectGuid, str]:
    """Name the OUs at the rule's levels: no two clients, and no two sites of a client, alike."""
    top = read.anchors[rule.mirror]
    paths = {guid: read.tree.below(guid, top) or () for guid in read.tree.containers}
    clean = rule.names == "clean"
    first = rule.client_level or 0
    names: dict[ObjectGuid, str] = {}
    for level, above in ((first, 0), (rule.site_level, first)):
        found = {guid: path for guid, path in paths.items() if path and len(path) == level}
        short = {guid: path[-1].name for guid, path in found.items()}
        groups = {guid: path[above - 1].guid if above else None for guid, path in found.items()}
        if clean:
            cleaned = {guid: clean_ou_name(name) for guid, name in short.items()}
            short = _unless_equal(cleaned, short, groups, reserved)
        full = {guid: " / ".join(ou.name for ou in path[above:]) for guid, path in found.items()}
        names |= _unless_equal(short, full, groups)
    return names


def _unless_equal(
    names: Mapping[ObjectGuid, str],
    instead: Mapping[ObjectGuid, str],
    groups: Mapping[ObjectGuid, ObjectGuid | None],
    reserved: Collection[str] = (),
) -> dict[ObjectGuid, str]:
    """Return the names, but what stands `instead` where two of a group would be equal, or one is reserved."""
    taken = Counter((groups[guid], name.casefold()) for guid, name in names.items())
    return {
        guid: name
        if taken[groups[guid], name.casefold()] == 1 and name.casefold() not in reserved
        else instead[guid]
        for guid, name in names.items()
    }
