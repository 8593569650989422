"""Placement: in which client and site a person stands. The first rule that answers wins."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from halo_adsync.customer import AttributeRule, ClientRef, Customer, MirrorRule, OuRule, SiteRef
from halo_adsync.model import Container, DirectoryRead, HaloClientId, HaloSiteId, ObjectGuid, Person
from halo_adsync.plan.templates import ExpressionError, compile_expression

NAME_WIDTH = 255


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
        self._placement = customer.placement
        self._read = read
        self._client = client_of(customer.placement.client)
        self._names = {
            index: _mirrored_names(read, rule)
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
            value = compile_expression(rule.attribute)(person.attributes)[:NAME_WIDTH]
        except ExpressionError:
            return None
        if not value:
            return None
        return Option(_site(self._client, value, create=rule.create), f"the value of {rule.attribute}")

    def _by_ou(self, index: int, rule: OuRule | MirrorRule, parent: ObjectGuid) -> Option | None:
        dn = rule.ou if isinstance(rule, OuRule) else rule.mirror
        top = self._read.anchors.get(dn)
        path = None if top is None else self._read.tree.below(parent, top)
        if path is None:
            return None
        if isinstance(rule, OuRule):
            client = client_of(rule.client) if rule.client else self._client
            return Option(_site_of(client, rule.site), f"the rule for {dn}")
        return self._mirrored(index, rule, path)

    def _mirrored(self, index: int, rule: MirrorRule, path: tuple[Container, ...]) -> Option | None:
        client = self._client
        if rule.client_level is not None:
            if len(path) < rule.client_level:
                return None
            ou = path[rule.client_level - 1]
            client = WantedClient(f"client:ou:{ou.guid}", ou.name[:NAME_WIDTH], guid=ou.guid, dn=ou.dn)
        if len(path) >= rule.site_level:
            ou = path[rule.site_level - 1]
            name = self._names[index][ou.guid][:NAME_WIDTH]
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


def _mirrored_names(read: DirectoryRead, rule: MirrorRule) -> Mapping[ObjectGuid, str]:
    """Name the OUs at the site level; namesakes in one client are told apart by their parents."""
    top = read.anchors[rule.mirror]
    paths = {}
    for guid in read.tree.containers:
        path = read.tree.below(guid, top)
        if path is not None and len(path) == rule.site_level:
            paths[guid] = path
    first = rule.client_level or 0
    taken = Counter(
        (path[first - 1].guid if first else None, path[-1].name.casefold()) for path in paths.values()
    )
    return {
        guid: path[-1].name
        if taken[path[first - 1].guid if first else None, path[-1].name.casefold()] == 1
        else " / ".join(container.name for container in path[first:])
        for guid, path in paths.items()
    }
