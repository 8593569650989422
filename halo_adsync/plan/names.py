"""The names of mirrored clients and sites: those of their OUs, and no two of a client alike."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from halo_adsync.customer import Customer, MirrorRule, OuRule, Placement
from halo_adsync.model import Container, DirectoryRead, Footing, ObjectGuid
from halo_adsync.plan.footing import as_counted
from halo_adsync.plan.mapping import cut
from halo_adsync.plan.wanted import NAME_WIDTH, client_of

_LEADING = re.compile(
    r"^(?:(?:OU|Site)\s*[-\u2013_:]\s*|[0-9]{1,3}\s*[-\u2013.):_]\s*|0[0-9]{1,2}\s+)+(?=[^\W\d_])",
    re.IGNORECASE,
)
_TRAILING = re.compile(r"(?<=\w)(?:[-\u2013_\s]+OU)+$", re.IGNORECASE)
_SHORT = 200
_FORMS = 6


class MirrorNames:
    """The names of all OUs that a customer's mirror rules make clients or sites of.

    Rules are named in their order: what an earlier one calls a client or site stays, whatever rules follow.

    Args:
        customer: whose rules.
        reads: one complete read of each directory.
        footing: from where moved OUs are counted.
    """

    def __init__(self, customer: Customer, reads: Sequence[DirectoryRead], footing: Footing) -> None:
        self._reserved = _names_in(customer.placement)
        self._client = client_of(customer.placement.client).key
        self._names: dict[tuple[int, ObjectGuid], str] = {}
        self._named: dict[tuple[str, ObjectGuid], str] = {}
        self._taken: defaultdict[str, set[str]] = defaultdict(set)
        """Names, folded, by where each has to be the only one: a client's key, or empty among clients."""
        for index, rule in enumerate(customer.placement.rules):
            if isinstance(rule, MirrorRule):
                for read in reads:
                    if rule.mirror in read.anchors:
                        self._name_all(index, rule, read, footing)

    def of(self, index: int, ou: ObjectGuid) -> str:
        """Return what the mirror rule with this number calls an OU at one of its levels."""
        return self._names[index, ou]

    def _name_all(self, index: int, rule: MirrorRule, read: DirectoryRead, footing: Footing) -> None:
        top, tree = read.anchors[rule.mirror], as_counted(read, rule, footing)
        paths = {guid: tree.below(guid, top) or () for guid in tree.containers}
        first = rule.client_level or 0
        own = client_of(rule.client).key if rule.client else self._client
        for level, above in ((first, 0), (rule.site_level, first)):
            found = {guid: path for guid, path in paths.items() if path and len(path) == level}
            groups = {
                guid: "" if level == first else f"client:ou:{path[above - 1].guid}" if above else own
                for guid, path in found.items()
            }
            forms = {
                guid: tuple(_forms(path, above, read.tree.containers[top], read.netbios))
                for guid, path in found.items()
            }
            given = self._give(groups, forms, clean=rule.names == "clean")
            self._names |= {(index, guid): name for guid, name in given.items()}

    def _give(
        self, groups: Mapping[ObjectGuid, str], forms: Mapping[ObjectGuid, Sequence[str]], *, clean: bool
    ) -> dict[ObjectGuid, str]:
        """Give each OU the first form of its name that no other of its group would have as well."""
        named = self._named
        given = {guid: named[group, guid] for guid, group in groups.items() if (group, guid) in named}
        waiting = {guid: group for guid, group in groups.items() if guid not in given}
        for number in range(0 if clean else 1, _FORMS):
            names = {guid: cut(forms[guid][number], NAME_WIDTH) for guid in waiting}
            alike = Counter((waiting[guid], name.casefold()) for guid, name in names.items())
            for guid, name in names.items():
                group, folded = waiting[guid], name.casefold()
                free = alike[group, folded] == 1 and folded not in self._taken[group]
                if free and not (number == 0 and folded in self._reserved):
                    given[guid] = name
            for guid in [guid for guid in waiting if guid in given]:
                group = waiting.pop(guid)
                named[group, guid] = given[guid]
                self._taken[group].add(given[guid].casefold())
        return given


def _forms(path: Sequence[Container], above: int, top: Container, netbios: str) -> Iterator[str]:
    """Yield the names that an OU may go by, the best first and the last one its own for certain."""
    name = path[-1].name
    full = " / ".join(ou.name for ou in path[above:])
    yield clean_ou_name(name)
    yield name
    yield full
    yield f"{top.name} / {full}"
    yield f"{netbios} / {top.name} / {full}"
    yield f"{cut(full, _SHORT)} ({path[-1].guid})"


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
