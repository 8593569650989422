"""Placement: in which client and site a person stands. The first rule that answers wins."""

from collections.abc import Iterator

from halo_adsync.customer import (
    AttributeRule,
    Customer,
    GroupRule,
    MirrorRule,
    OuRule,
    PlacementRule,
    RuleClient,
)
from halo_adsync.customer_values import site_pattern
from halo_adsync.model import NEW_FOOTING, Container, DirectoryRead, Footing, ObjectGuid, Person
from halo_adsync.plan.footing import as_counted, overrides
from halo_adsync.plan.mapping import values_of
from halo_adsync.plan.names import MirrorNames
from halo_adsync.plan.templates import ExpressionError, compile_expression
from halo_adsync.plan.wanted import (
    Option,
    WantedClient,
    WantedSite,
    client_of,
    meant,
    named_client,
    named_site,
    site_of,
)


class Placing:
    """The placement rules of a customer, made ready for one directory as it was read.

    Args:
        customer: whose rules.
        read: the directory.
        names: the names of mirrored OUs, where other directories were read as well.
        footing: from where moved OUs are counted.
    """

    def __init__(
        self,
        customer: Customer,
        read: DirectoryRead,
        names: MirrorNames | None = None,
        footing: Footing = NEW_FOOTING,
    ) -> None:
        self._placement, self._shared = customer.placement, customer.shared()
        self._read = read
        self._client = client_of(customer.placement.client)
        self._names = names or MirrorNames(customer, [read], footing)
        rules = {i: r for i, r in enumerate(customer.placement.rules) if isinstance(r, OuRule | MirrorRule)}
        self._trees = {index: as_counted(read, rule, footing) for index, rule in rules.items()}
        self._moved = {index: overrides(read, rule, footing) for index, rule in rules.items()}
        self._by_container: dict[tuple[int, ObjectGuid], Option | None] = {}

    def options(self, person: Person) -> Iterator[Option]:
        """Yield where the person may stand, best first.

        An option that is certain ends the list. Another counts only where Halo has that site, or its client.
        """
        for index, rule in enumerate(self._placement.rules):
            option = self._answer(index, rule, person)
            if option:
                yield option
                if option.site.certain:
                    return
        if self._placement.default_site:
            yield Option(named_site(self._client, self._placement.default_site), "the default site")

    def _answer(self, index: int, rule: PlacementRule, person: Person) -> Option | None:
        if isinstance(rule, AttributeRule):
            return self._by_attribute(rule, person)
        if isinstance(rule, GroupRule):
            inside = person.guid in self._read.groups.get(rule.group, ())
            return self._named(rule, person, f"the group {rule.group}") if inside else None
        if isinstance(rule, OuRule):
            inside = self._path(index, rule.ou, person.parent) is not None
            why = f"the rule for {rule.ou}{self._as_before(index, person.parent)}"
            return self._named(rule, person, why) if inside else None
        key = (index, person.parent)
        if key not in self._by_container:
            self._by_container[key] = self._mirrored(index, rule, person.parent)
        return self._by_container[key]

    def _named(self, rule: OuRule | GroupRule, person: Person, why: str) -> Option | None:
        client = self._client_for(rule.client, person)
        return Option(site_of(client, rule.site), why) if client else None

    def _value(self, source: str, person: Person) -> str:
        try:
            return compile_expression(source)(values_of(person, self._read.netbios), self._shared)
        except ExpressionError:
            return ""

    def _client_for(self, reference: RuleClient | None, person: Person) -> WantedClient | None:
        """Return the client of a rule for a person; None where the person has no value that names one."""
        if reference is None:
            return self._client
        if reference.attribute is None:
            return client_of(reference)
        name = meant(self._value(reference.attribute, person), reference.aliases)
        return named_client(name, create=reference.create) if name else None

    def _by_attribute(self, rule: AttributeRule, person: Person) -> Option | None:
        value, why = self._value(rule.attribute, person), f"the value of {rule.attribute}"
        if rule.pattern is not None:
            found = site_pattern(rule.pattern).search(_encodable(value))
            if found is None:
                return None
            value = found.groupdict().get("site", value) or ""
            why = f"the pattern {rule.pattern} in {rule.attribute}"
        client = self._client_for(rule.client, person) if value.strip() else None
        if client is None:
            return None
        if rule.site is not None:
            return Option(site_of(client, rule.site), why)
        return Option(named_site(client, meant(value.strip(), rule.aliases), create=rule.create), why)

    def _path(self, index: int, top: str, parent: ObjectGuid) -> tuple[Container, ...] | None:
        """Return the OUs from below the one that a rule names down to a container; None elsewhere."""
        guid = self._read.anchors.get(top)
        return None if guid is None else self._trees[index].below(parent, guid)

    def _as_before(self, index: int, parent: ObjectGuid) -> str:
        moved = self._moved[index]
        stays = moved and any(ou.guid in moved for ou in self._trees[index].ancestry(parent))
        return ", as before its OU was moved" if stays else ""

    def _mirrored(self, index: int, rule: MirrorRule, parent: ObjectGuid) -> Option | None:
        path = self._path(index, rule.mirror, parent)
        branches = [self._read.anchors[dn] for dn in rule.branches if dn in self._read.anchors]
        tree = self._trees[index]
        if path is None or (rule.branches and not any(tree.is_below(parent, one) for one in branches)):
            return None
        client = self._client_above(index, rule, path)
        why = f"the mirror of {rule.mirror}{self._as_before(index, parent)}"
        if client is not None and len(path) >= rule.site_level:
            ou = path[rule.site_level - 1]
            key, name = f"site:ou:{ou.guid}@{client.key}", self._names.of(index, ou.guid)
            site = WantedSite(key, client, name, guid=ou.guid, dn=ou.dn, renamed=rule.rename_sites)
            return Option(site, why)
        if client is not None and rule.client_level is not None and self._placement.default_site:
            return Option(named_site(client, self._placement.default_site), f"{why}, above its sites")
        return None

    def _client_above(self, index: int, rule: MirrorRule, path: tuple[Container, ...]) -> WantedClient | None:
        """Return the client of a mirrored path; None above the level of the clients."""
        if rule.client_level is None:
            return client_of(rule.client) if rule.client else self._client
        if len(path) < rule.client_level:
            return None
        ou = path[rule.client_level - 1]
        name = self._names.of(index, ou.guid)
        return WantedClient(f"client:ou:{ou.guid}", name, guid=ou.guid, dn=ou.dn, renamed=rule.rename_sites)


def _encodable(text: str) -> str:
    """Replace what is no character (half a surrogate pair): patterns are looked for in UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")
