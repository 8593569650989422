"""Mirroring: clients and sites proposed after a directory's OU tree, with the people that each would get.

Nothing here asks a server. The numbers come from the survey that a plan begins with, so a proposal says what
the plan then does: only people in scope count, and disabled and expired accounts do not.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from halo_adsync.customer import AttributeRule, Customer, MirrorRule
from halo_adsync.directory.dn import canonical_dn
from halo_adsync.directory.port import CountedContainer
from halo_adsync.errors import ConfigurationError
from halo_adsync.model import NEW_FOOTING, Container, DirectoryRead, Footing, ObjectGuid, Tree
from halo_adsync.plan.footing import remembered
from halo_adsync.plan.mapping import Target
from halo_adsync.plan.scope import Scoping
from halo_adsync.plan.survey import survey
from halo_adsync.plan.wanted import WantedSite
from halo_adsync.plan.wishes import Subject

_NEARLY_ALL = 0.75

type Anchors = Mapping[str, ObjectGuid]
"""The GUIDs of DNs that runs resolved before, by `directory|DN`."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a mirror is to be like; whatever is left out is proposed."""

    top: str = ""
    """The DN of the OU whose tree is mirrored."""
    site_level: int | None = None
    """How far below the top sites stand: 1, or just below the clients."""
    client_level: int | None = None
    """How far below the top clients stand; None puts all sites into the customer's one client."""
    branches: tuple[str, ...] = ()
    """Mirror only these OUs: DNs, or names that only one OU below the top has."""
    clean: bool = False
    """Take what only sorts or marks OUs off their names."""
    follow: bool = False
    """Place the people of moved OUs where these are now."""


@dataclass(frozen=True, slots=True)
class ProposedSite:
    """One site, and how many people would stand in it."""

    client: str
    site: str
    dn: str
    """The OU that the site, or else its client, follows; empty where it follows none."""
    rule: str
    """The placement rule that leads there."""
    people: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """A mirror rule, and what a first sync with it would come to."""

    customer: Customer
    """The customer with the rule in place."""
    rule: MirrorRule
    guessed: bool
    """Whether the top was guessed."""
    replaces: MirrorRule | None
    """The rule for the same top that this one takes the place of."""
    sites: tuple[ProposedSite, ...]
    uncertain: int
    """How many people stand elsewhere if Halo has the site that an attribute names; they are counted."""
    unplaced: int
    """How many people in scope have no site or no name, and are left out."""
    left_out: int
    """How many accounts were read and do not count: disabled, expired, or not in scope."""

    @property
    def people(self) -> int:
        """How many people all sites get."""
        return sum(site.people for site in self.sites)

    def as_json(self) -> dict[str, Any]:
        """Return the proposal as `mirror --json` shows it."""
        return {
            "customer": self.customer.id,
            "rule": _plain(self.rule),
            "guessed": self.guessed,
            "replaces": _plain(self.replaces) if self.replaces else None,
            "sites": [
                {"client": s.client, "site": s.site, "dn": s.dn, "rule": s.rule, "people": s.people}
                for s in self.sites
            ],
            "people": self.people,
            "uncertain": self.uncertain,
            "unplaced": self.unplaced,
            "left_out": self.left_out,
        }


def propose(
    customer: Customer,
    reads: Sequence[DirectoryRead],
    anchors: Anchors,
    wish: Wish,
    *,
    now: datetime,
    target: Target,
    footing: Footing = NEW_FOOTING,
) -> Proposal:
    """Propose a mirror rule, and work out who would stand where.

    Args:
        customer: whose directories were read, with the rules that it has now.
        reads: one complete read of each directory.
        anchors: what runs resolved before; DNs are followed by it as a plan does.
        wish: what the mirror is to be like.
        now: the time that expiry is judged by, UTC.
        target: what Halo can store.
        footing: from where runs counted moved OUs before.

    Raises:
        ConfigurationError: an OU is not there or not below the top, a level is wrong, or nobody is in scope
            whose places a guess could go by.
    """
    site_level = wish.site_level or (wish.client_level or 0) + 1
    if wish.client_level and wish.client_level >= site_level:
        raise ConfigurationError(
            f"--client-level {wish.client_level} must be smaller than --site-level {site_level}:"
            " clients stand above their sites."
        )
    read, top, dn = _top(customer, reads, anchors, wish.top, now)
    branches = _branches(read, anchors, top, wish.branches)
    rule = MirrorRule.model_validate(
        {"mirror": dn, "site_level": site_level}
        | ({"client_level": wish.client_level} if wish.client_level else {})
        | ({"branches": tuple(branches)} if branches else {})
        | ({"names": "clean"} if wish.clean else {})
        | ({"moved": "follow"} if wish.follow else {})
    )
    changed, replaces = with_mirror(
        customer, rule, [old for old, guid in read.anchors.items() if guid == top]
    )
    known = replace(read, anchors={**read.anchors, **branches, dn: top})
    resolved = [known if each is read else each for each in reads]
    everybody = survey(changed, resolved, now, target, remembered(footing, changed, resolved))
    return _counted(Proposal(changed, rule, not wish.top, replaces, (), 0, 0, 0), everybody.subjects)


def guess_top(containers: Sequence[CountedContainer]) -> Container:
    """Return the OU below the base whose sub-OUs hold most of the people.

    Where a sub-OU's own sub-OUs hold nearly as many (three quarters), it is that one: beside `Users`, where
    everybody is, there is often an OU of a few service accounts. Where no OU's sub-OUs hold more than half of
    the people, it is the base itself.

    Args:
        containers: the base first, parents before their children, with the people who count directly in each.
    """
    base = containers[0].container
    tree = Tree({counted.container.guid: counted.container for counted in containers})
    held: Counter[ObjectGuid] = Counter()
    for counted in containers:
        held.update({ou.guid: counted.people for ou in tree.ancestry(counted.container.parent)})
    below = [container for container in tree.containers.values() if container.guid != base.guid]
    top = max(below, key=lambda ou: held[ou.guid], default=base)
    most = held[top.guid]
    if 2 * most <= sum(counted.people for counted in containers):
        return base
    while inner := [ou for ou in below if ou.parent == top.guid and held[ou.guid] >= _NEARLY_ALL * most]:
        top = inner[0]
    return top


def with_mirror(
    customer: Customer, rule: MirrorRule, names: Sequence[str] = ()
) -> tuple[Customer, MirrorRule | None]:
    """Put a mirror rule into a customer's placement; nothing else is changed.

    It takes the place of the first one for the same OU. Else it stands in front of the rules by mirror and by
    attribute: what these would answer first, it never would.

    Args:
        customer: the customer as it is.
        rule: the new rule.
        names: what else the rules that are there may call the same OU.

    Returns:
        The customer with the rule, and the rule that had to go, if any.
    """
    rules = list(customer.placement.rules)
    same = {canonical_dn(dn) for dn in (rule.mirror, *names)}
    for place, old in enumerate(rules):
        if isinstance(old, MirrorRule) and canonical_dn(old.mirror) in same:
            rules[place] = rule
            return _with_rules(customer, rules), old
    kinds = (MirrorRule, AttributeRule)
    first = next((place for place, old in enumerate(rules) if isinstance(old, kinds)), len(rules))
    return _with_rules(customer, [*rules[:first], rule, *rules[first:]]), None


def _with_rules(customer: Customer, rules: Sequence[Any]) -> Customer:
    placement = customer.placement.model_copy(update={"rules": tuple(rules)})
    return customer.model_copy(update={"placement": placement})


def _top(
    customer: Customer, reads: Sequence[DirectoryRead], anchors: Anchors, wanted: str, now: datetime
) -> tuple[DirectoryRead, ObjectGuid, str]:
    """Find the OU to mirror: in which directory, its GUID, and its DN for the file."""
    if wanted:
        for read in reads:
            guid = _find(read, anchors, wanted)
            if guid is not None:
                return read, guid, wanted.strip()
        raise ConfigurationError(
            f"--top: '{wanted}' is no container that the account can see; `halo-adsync tree {customer.id}`"
            " shows all that are there."
        )
    counts = [_in_scope(customer, read, now) for read in reads]
    number, most = max(enumerate(counts), key=lambda one: sum(ou.people for ou in one[1]))
    if not any(counted.people for counted in most):
        raise ConfigurationError(
            "Nobody is in scope, so which OU to mirror cannot be guessed: name it with --top, or correct"
            " scope in the customer file."
        )
    top = guess_top(most)
    return reads[number], top.guid, top.dn


def _in_scope(customer: Customer, read: DirectoryRead, now: datetime) -> tuple[CountedContainer, ...]:
    scoping = Scoping(customer, read, now)
    people = Counter(person.parent for person in read.people if scoping.why_not(person) is None)
    return tuple(CountedContainer(ou, people[guid]) for guid, ou in read.tree.containers.items())


def _branches(
    read: DirectoryRead, anchors: Anchors, top: ObjectGuid, wanted: Sequence[str]
) -> dict[str, ObjectGuid]:
    """Find the chosen branches, by their DNs for the file."""
    found: dict[str, ObjectGuid] = {}
    problems: list[str] = []
    for text in wanted:
        by_dn = _find(read, anchors, text)
        below = [ou for ou in read.tree.containers.values() if read.tree.below(ou.guid, top)]
        chosen = [ou for ou in below if ou.guid == by_dn or ou.name.casefold() == text.strip().casefold()]
        if len(chosen) == 1:
            found[chosen[0].dn] = chosen[0].guid
        elif chosen:
            listed = "; ".join(ou.dn for ou in chosen)
            problems.append(f"--branch: '{text}' may be any of {len(chosen)} OUs; give the DN: {listed}")
        else:
            problems.append(f"--branch: '{text}' is no OU below the mirror's top; give its name or its DN.")
    if problems:
        raise ConfigurationError(problems)
    return found


def _find(read: DirectoryRead, anchors: Anchors, dn: str) -> ObjectGuid | None:
    """Resolve a DN as a read does: by the GUID that it was known to have, else by name."""
    known = anchors.get(f"{read.directory}|{dn.strip()}")
    if known in read.tree.containers:
        return known
    try:
        wanted = canonical_dn(dn.strip())
    except ValueError:
        return None
    named = (ou.guid for ou in read.tree.containers.values() if canonical_dn(ou.dn) == wanted)
    return next(named, None)


def _counted(proposal: Proposal, subjects: Sequence[Subject]) -> Proposal:
    """Count the people of each site, as they stand where Halo has no site yet that an attribute names."""
    sites: dict[str, tuple[WantedSite, str]] = {}
    people: Counter[str] = Counter()
    uncertain = unplaced = left_out = 0
    for subject in subjects:
        if subject.outside is not None:
            left_out += 1
            continue
        option = next((option for option in subject.options if option.site.certain), None)
        uncertain += any(not option.site.certain for option in subject.options)
        if option is None or not subject.desired.fields.get("name"):
            unplaced += 1
            continue
        sites.setdefault(option.site.key, (option.site, option.rule))
        people[option.site.key] += 1
    proposed = [
        ProposedSite(
            client=site.client.name or f"client {site.client.id}",
            site=site.name or f"site {site.id}",
            dn=site.dn or site.client.dn,
            rule=rule,
            people=people[key],
        )
        for key, (site, rule) in sites.items()
    ]
    proposed.sort(key=lambda one: (one.client.casefold(), not one.dn, one.site.casefold(), one.dn))
    return replace(proposal, sites=tuple(proposed), uncertain=uncertain, unplaced=unplaced, left_out=left_out)


def _plain(rule: MirrorRule) -> dict[str, Any]:
    return rule.model_dump(mode="json", exclude_unset=True)
