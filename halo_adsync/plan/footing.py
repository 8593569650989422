"""Footing: from where a moved OU is counted. Moving an OU moves nobody in Halo unless that is asked for.

Each rule that names an OU sees the tree as it was when each OU was first seen under that rule; where OUs were
moved since, that is remembered. A rule that is new, or changed in what it names, sees the tree as it stands.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from halo_adsync.customer import Customer, MirrorRule, OuRule
from halo_adsync.model import DirectoryRead, Footing, ObjectGuid, Tree


def rule_key(rule: OuRule | MirrorRule, anchors: Mapping[str, ObjectGuid]) -> str | None:
    """Return what a rule is remembered by: the OUs and levels that it names; None in another directory."""
    if isinstance(rule, OuRule):
        return f"ou {anchors[rule.ou]}" if rule.ou in anchors else None
    if rule.mirror not in anchors:
        return None
    branches = " ".join(sorted(anchors[dn] for dn in rule.branches if dn in anchors))
    return f"mirror {anchors[rule.mirror]} {rule.client_level or 0} {rule.site_level} {branches}".strip()


def remembered(before: Footing, customer: Customer, reads: Sequence[DirectoryRead]) -> Footing:
    """Return what is to be remembered now that the directories were read again."""
    seen = {
        guid: container.parent
        for read in reads
        for guid, container in read.tree.containers.items()
        if container.parent is not None
    }
    there = {guid for read in reads for guid in read.tree.containers}
    moved = {guid: parent for guid, parent in before.seen.items() if guid in seen and seen[guid] != parent}
    kept: dict[str, Mapping[ObjectGuid, ObjectGuid]] = {}
    for key in _keeping(customer, reads):
        known = before.kept.get(key)
        counted = {} if known is None else {**moved, **known}
        still = {
            guid: parent
            for guid, parent in counted.items()
            if guid in seen and seen[guid] != parent and parent in there
        }
        kept[key] = _without_circles(seen, still)
    return Footing(seen, kept)


def as_counted(read: DirectoryRead, rule: OuRule | MirrorRule, footing: Footing) -> Tree:
    """Return a directory's tree as a rule sees it: moved OUs stand where they are counted."""
    above = overrides(read, rule, footing)
    if not above:
        return read.tree
    there = read.tree.containers
    moved = {guid: replace(there[guid], parent=parent) for guid, parent in above.items() if guid in there}
    return Tree({**there, **moved})


def overrides(
    read: DirectoryRead, rule: OuRule | MirrorRule, footing: Footing
) -> Mapping[ObjectGuid, ObjectGuid]:
    """Return the moved OUs that a rule counts from elsewhere, each with the parent that counts."""
    key = rule_key(rule, read.anchors)
    return footing.kept.get(key, {}) if key else {}


def _keeping(customer: Customer, reads: Sequence[DirectoryRead]) -> Iterator[str]:
    for rule in customer.placement.rules:
        if isinstance(rule, OuRule | MirrorRule) and rule.moved == "keep":
            yield from (key for read in reads if (key := rule_key(rule, read.anchors)))


def _without_circles(
    seen: Mapping[ObjectGuid, ObjectGuid], kept: Mapping[ObjectGuid, ObjectGuid]
) -> dict[ObjectGuid, ObjectGuid]:
    """Count OUs from where they are where remembering would put them below one another."""
    left = dict(kept)
    for start in kept:
        path: dict[ObjectGuid, None] = {}
        guid: ObjectGuid | None = start
        while guid is not None and guid not in path:
            path[guid] = None
            guid = left.get(guid) or seen.get(guid)
        if guid is not None:
            for each in path:
                left.pop(each, None)
    return left
