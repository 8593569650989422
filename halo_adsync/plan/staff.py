"""Staff: whose accounts are agents, and what the record of each should hold."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from halo_adsync.customer import Agents, Customer
from halo_adsync.model import ROLE, TEAM, YES, DirectoryRead, Link, ObjectGuid, Person
from halo_adsync.plan.managers import Managers, circle_warnings
from halo_adsync.plan.mapping import Desired, Mapper, Target
from halo_adsync.plan.scope import why_unusable
from halo_adsync.plan.templates import MANAGER_AGENT, compile_expression

NAME = "name"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An account that is to be an agent, or is one now."""

    person: Person
    outside: str | None
    """Why it is to be no agent now; None where it is to be one."""
    desired: Desired

    @property
    def name(self) -> str:
        """The name that the agent should have."""
        return self.desired.fields.get(NAME, "")


def candidates(
    customer: Customer,
    reads: Sequence[DirectoryRead],
    links: Mapping[ObjectGuid, Link],
    now: datetime,
    target: Target,
) -> tuple[Candidate, ...]:
    """Return everybody who is to be an agent, and everybody who is one and was read."""
    block = customer.agents
    mapper = Mapper(customer.model_copy(update={"fields": block.fields}), target)
    found: dict[ObjectGuid, Candidate] = {}
    for read in reads:
        members = frozenset[ObjectGuid]().union(*(read.groups.get(dn, ()) for dn in block.groups))
        tops = [read.anchors[dn] for dn in block.ous if dn in read.anchors]
        for person in read.staff:
            chosen = person.guid in members or any(read.tree.is_below(person.parent, top) for top in tops)
            if not chosen and person.guid not in links:
                continue
            desired = mapper.desire(person, read.netbios)
            marks = _marks(block, read, person.guid)
            desired = replace(desired, fields={**desired.fields, **marks})
            outside = (
                why_unusable(person, now) if chosen else "in none of the agents' groups and OUs any more"
            )
            found.setdefault(person.guid, Candidate(person, outside, desired))
    if resting := mapper.using(frozenset({MANAGER_AGENT})):
        found = dict(_with_managers(found, reads, links, mapper, resting))
    return tuple(sorted(found.values(), key=lambda one: one.person.guid))


def _with_managers(
    found: Mapping[ObjectGuid, Candidate],
    reads: Sequence[DirectoryRead],
    links: Mapping[ObjectGuid, Link],
    mapper: Mapper,
    resting: frozenset[str],
) -> Iterator[tuple[ObjectGuid, Candidate]]:
    """Yield everybody with the fields that rest on the manager's agent.

    A manager who becomes an agent in this run has no number yet: the fields stay as they are until the next.
    """
    managers, netbios = Managers(reads), {read.directory: read.netbios for read in reads}
    for guid, one in found.items():
        chief, fields = managers.of(guid), one.desired.fields
        if chief is not None and chief in links:
            fact = {MANAGER_AGENT: str(links[chief].user)}
            told = mapper.desire(one.person, netbios[one.person.directory], fact).fields
            fields = {**fields, **{name: told[name] for name in resting if name in told}}
        elif chief is not None and chief in found and found[chief].outside is None:
            fields = {name: value for name, value in fields.items() if name not in resting}
        yield guid, replace(one, desired=replace(one.desired, fields=fields))


def circles(customer: Customer, reads: Sequence[DirectoryRead], found: Iterable[Candidate]) -> Iterator[str]:
    """Yield a sentence for each circle of managers among the agents, where the mapping asks for managers."""
    rules = customer.agents.fields.values()
    if any(MANAGER_AGENT in compile_expression(rule.source).built_in for rule in rules):
        names = {one.person.guid: one.person.dn for one in found if one.outside is None}
        yield from circle_warnings(Managers(reads).circles(names), names)


def _marks(block: Agents, read: DirectoryRead, guid: ObjectGuid) -> dict[str, str]:
    """Return the teams and roles that groups give; a default one is left alone where no group gives any."""
    marks: dict[str, str] = {}
    for prefix, named, default in (
        (TEAM, block.teams, block.default_team),
        (ROLE, block.roles, block.default_role),
    ):
        held = {name.casefold() for dn, name in named.items() if guid in read.groups.get(dn, ())}
        every = {name.casefold() for name in named.values()}
        managed = every if held or default is None else every - {default.casefold()}
        marks |= {prefix + name: YES if name in held else "" for name in sorted(managed)}
    return marks
