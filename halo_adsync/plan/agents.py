"""Agents: whose accounts are agents, and what becomes of each. One line an agent, beside the users' lines."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from halo_adsync.customer import Agents, Customer, FieldRule
from halo_adsync.errors import ConfigurationError
from halo_adsync.model import ROLE, TEAM, YES, HaloUser, HaloUserId, Link, ObjectGuid, Parked, Seats
from halo_adsync.packed import opened
from halo_adsync.plan.diff import diff, diff_new
from halo_adsync.plan.match import STAMP, Match, Newcomer, match
from halo_adsync.plan.order import in_order
from halo_adsync.plan.parking import park
from halo_adsync.plan.policy import allow
from halo_adsync.plan.seats import within_seats
from halo_adsync.plan.staff import NAME, Candidate
from halo_adsync.plan.types import Change, FieldChange, Kind, Plan, Record

_MARK = FieldRule.model_validate({"from": "dn", "blank": "clear"})
_NO_MARK = (
    "an agent needs a team and a role to see anything in Halo: map its groups in agents.teams and"
    " agents.roles, or name agents.default_team and agents.default_role"
)


@dataclass(frozen=True, slots=True)
class AgentSide:
    """What is known of Halo's agents."""

    links: Mapping[ObjectGuid, Link] = field(default_factory=dict)
    agents: Mapping[HaloUserId, HaloUser] | None = None
    """All of them; None where Halo was not asked."""
    seats: Seats | None = None
    tickets: Mapping[HaloUserId, int] = field(default_factory=dict)
    """How many open tickets the agents have who are to be disabled."""
    whole: frozenset[HaloUserId] = frozenset()
    """The agents whose teams and roles were read."""
    parked: Mapping[str, Parked] = field(default_factory=dict)
    """The records whose time to be tried again has not come yet, by key."""


@dataclass(frozen=True, slots=True)
class AgentLines:
    """The lines of the agents, and what the plan has to say besides."""

    changes: tuple[Change, ...] = ()
    unchanged: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def ask_halo(self) -> bool:
        """Tell whether Halo has to be asked before these lines can be believed."""
        return any(change.is_work for change in self.changes)

    def with_warnings(self, more: Iterable[str]) -> "AgentLines":
        """Return these lines with further warnings."""
        return replace(self, warnings=(*self.warnings, *more))

    def beside(self, plan: Plan) -> Plan:
        """Return the plan with these lines after its own."""
        return replace(
            plan,
            changes=(*plan.changes, *self.changes),
            warnings=tuple(dict.fromkeys((*plan.warnings, *self.warnings))),
            agents_unchanged=self.unchanged,
        )


def check_names(block: Agents, teams: Iterable[str], roles: Iterable[str]) -> None:
    """Compare the names of teams and roles in the file with those that Halo has, in lower case.

    Raises:
        ConfigurationError: one is not there; the sentence lists those that are.
    """
    problems = []
    for key, wanted, there in (
        ("team", (*block.teams.values(), block.default_team), sorted(teams)),
        ("role", (*block.roles.values(), block.default_role), sorted(roles)),
    ):
        missing = sorted({name for name in wanted if name and name.casefold() not in there})
        problems += [
            f'agents: Halo has no {key} called "{name}"; there are {", ".join(there) or "none"}.'
            for name in missing
        ]
    if problems:
        raise ConfigurationError(problems)


def match_agents(
    customer: Customer, found: Sequence[Candidate], side: AgentSide
) -> Mapping[ObjectGuid, Match]:
    """Match everybody without a link by the ladder of the agents block."""
    taken = {link.user for link in side.links.values()}
    free = [agent for agent in (side.agents or {}).values() if agent.id not in taken and not agent.general]
    newcomers = [
        Newcomer(one.person.guid, {key: value for key, value in one.desired.fields.items() if value})
        for one in found
        if one.outside is None and one.person.guid not in side.links
    ]
    ladder = (STAMP, *(rung for rung in customer.agents.match if rung != STAMP))
    return match(newcomers, free, ladder, noun="Halo agent")


def agent_lines(customer: Customer, found: Sequence[Candidate], side: AgentSide) -> AgentLines:
    """Decide for everybody who is, was, or is to be an agent.

    Raises:
        ConfigurationError: tickets are to go to an agent who is not there.
    """
    decider = _Decider(customer, side, match_agents(customer, found, side))
    seen = {one.person.guid for one in found}
    lines = [decider.decide(one) for one in found]
    lines += [decider.absent(link) for guid, link in sorted(side.links.items()) if guid not in seen]
    lines = [park(allow(line, customer.policy), side.parked) for line in lines]
    warnings: list[str] = []
    if side.agents is not None:
        lines, warnings = within_seats(lines, side.seats)
    changes = [line for line in lines if line.kind is not Kind.UNCHANGED or line.adopts]
    return AgentLines(in_order(changes), len(lines) - len(changes), tuple(warnings))


class _Decider:
    """Decides for one customer's agents."""

    def __init__(self, customer: Customer, side: AgentSide, matches: Mapping[ObjectGuid, Match]) -> None:
        self._block, self._side, self._matches = customer.agents, side, matches
        self._heir = self._named()

    def _named(self) -> HaloUser | None:
        """Return the agent who gets the tickets of those who leave, once Halo was asked."""
        agents, on_leave = self._side.agents, self._block.on_leave
        if isinstance(on_leave, str) or agents is None:
            return None
        name = on_leave["reassign"].casefold()
        there = [agent for agent in agents.values() if agent.active and not agent.general]
        found = [agent for agent in there if agent.fields.get(NAME, "").casefold() == name]
        if len(found) != 1:
            names = ", ".join(sorted(agent.fields.get(NAME, "") for agent in there)[:50])
            raise ConfigurationError(
                f"agents.on_leave: Halo has {len(found) or 'no'} enabled agents called"
                f' "{on_leave["reassign"]}"; there are {names or "none"}.'
            )
        return found[0]

    def decide(self, one: Candidate) -> Change:
        link = self._side.links.get(one.person.guid)
        if link is not None:
            return self._linked(one, link)
        if one.outside is not None:
            return _line(Kind.SKIPPED, one, one.outside)
        found = self._matches.get(one.person.guid, Match())
        if found.conflict:
            return _line(Kind.CONFLICT, one, found.conflict)
        if found.user is not None:
            return self._adopted(one, found.user, found.rung)
        return self._new(one)

    def absent(self, link: Link) -> Change:
        """Return the line of an agent whose account no directory read brought."""
        active = self._now(link).active
        reason = "the account was not found in the directory"
        kind = Kind.HELD if active else Kind.SKIPPED
        if active:
            reason += (
                "; an agent is disabled on proof only: disable the agent in Halo, or restore the account"
            )
        name = link.fields.get(NAME, "")
        return Change(kind, link.guid, link.dn, reason, name, link.user, record=Record.AGENT)

    def _new(self, one: Candidate) -> Change:
        if not self._block.create:
            return _line(Kind.SKIPPED, one, "no agent in Halo yet, and agents.create is off")
        if not one.name:
            return _line(Kind.SKIPPED, one, "no name: the mapping of name gave nothing")
        fields = dict(one.desired.fields)
        for prefix, default in ((TEAM, self._block.default_team), (ROLE, self._block.default_role)):
            if not any(value for name, value in fields.items() if name.startswith(prefix)):
                if default is None:
                    return _line(Kind.HELD, one, _NO_MARK)
                fields[prefix + default.casefold()] = YES
        line = _line(Kind.CREATE, one, "new among the agents of the directory")
        return replace(line, fields=diff_new(fields))

    def _now(self, link: Link) -> Link:
        """Return the link with what Halo really holds, where that was read."""
        agent = (self._side.agents or {}).get(link.user)
        if agent is None:
            return link
        whole = agent.id in self._side.whole
        kept = {name: text for name, text in link.fields.items() if ":" not in name or not whole}
        return replace(link, active=agent.active, fields={**kept, **agent.fields})

    def _linked(self, one: Candidate, link: Link) -> Change:
        agents = self._side.agents
        if agents is not None and link.user not in agents:
            return _line(
                Kind.CONFLICT, one, f"Halo has no agent {link.user} any more: merged or deleted", link
            )
        if agents is not None and agents[link.user].general:
            reason = "this agent is for the API only, or the one that this sync signs in as: never written"
            return _line(Kind.SKIPPED, one, reason, link)
        link = self._now(link)
        if one.outside is not None:
            return self._leaving(one, link, one.outside)
        return self._existing(one, link, "changed in the directory")

    def _leaving(self, one: Candidate, link: Link, reason: str) -> Change:
        if not link.active:
            return _line(Kind.SKIPPED, one, reason, link)
        if self._block.on_leave == "keep":
            return _line(Kind.SKIPPED, one, f"{reason}; agents.on_leave says to keep the agent", link)
        number = self._side.tickets.get(link.user, 0)
        tickets = f"{number} open {'ticket' if number == 1 else 'tickets'}"
        if self._heir is not None and self._heir.id == link.user:
            return _line(Kind.HELD, one, f"{reason}; but others' tickets go to this agent", link)
        said = f"{tickets} {'stays' if number == 1 else 'stay'} assigned" if number else "no open tickets"
        if link.user not in self._side.tickets:
            said = "open tickets were not counted"
        elif self._heir is not None and number:
            said = f"{tickets} {'goes' if number == 1 else 'go'} to {self._heir.fields.get(NAME, '')} first"
        line = _line(Kind.DEACTIVATE, one, f"no agent any more: {reason}; {said}", link)
        return replace(line, base=link, hands_to=self._heir.id if self._heir else None)

    def _adopted(self, one: Candidate, agent: HaloUser, rung: str) -> Change:
        known = {name: agent.fields[name] for name in one.desired.fields if name in agent.fields}
        link = Link(one.person.guid, agent.id, agent.client, agent.site, agent.active, one.person.dn, known)
        why = f"adopts Halo agent {agent.id}, who was there already, by {rung}"
        line = self._existing(one, link, why)
        if agent.guid == one.person.guid:
            return replace(line, adopts=True)
        fields = {**line.fields, STAMP: FieldChange(agent.guid or "", one.person.guid)}
        kind = Kind.UPDATE if line.kind is Kind.UNCHANGED else line.kind
        return replace(line, kind=kind, fields=fields, adopts=True)

    def _existing(self, one: Candidate, link: Link, why: str) -> Change:
        named = {name: value for name, value in one.desired.fields.items() if value or name != NAME}
        marks = {name: _MARK for name in named if ":" in name}
        fields = diff(named, opened(link.fields), {**self._block.fields, **marks})
        kind = Kind.UPDATE if fields else Kind.UNCHANGED
        if not link.active:
            kind, why = Kind.REACTIVATE, f"{why}; disabled in Halo, but an agent in the directory"
        return replace(_line(kind, one, why, link), fields=fields, base=link)


def _line(kind: Kind, one: Candidate, reason: str, link: Link | None = None) -> Change:
    reason = "; ".join([reason, *one.desired.notes])
    name = one.name or (link.fields.get(NAME, "") if link else "")
    user = link.user if link else None
    return Change(kind, one.person.guid, one.person.dn, reason, name, user, record=Record.AGENT)


def leaving(lines: Iterable[Change]) -> Iterator[HaloUserId]:
    """Yield the agents that these lines disable."""
    for line in lines:
        if line.kind is Kind.DEACTIVATE and line.user is not None:
            yield line.user
