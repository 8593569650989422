"""Laws of agents: one agent for one account, never more than there are licences, and settled in one run."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from halo_adsync.customer import Customer
from halo_adsync.model import (
    DirectoryRead,
    DistinguishedName,
    HaloClientId,
    HaloSiteId,
    HaloUser,
    HaloUserId,
    Link,
    ObjectGuid,
    Seats,
)
from halo_adsync.plan.agents import AgentLines, AgentSide, agent_lines
from halo_adsync.plan.match import STAMP
from halo_adsync.plan.staff import candidates
from halo_adsync.plan.types import WRITES, Change, Kind, Record
from tests.support.plan import NOW, TARGET, customer, guid, person, read, tree

GROUP, TEAM, ROLE = "CN=Agents,DC=x", "CN=Team,DC=x", "CN=Role,DC=x"


@st.composite
def customers(draw: st.DrawFn) -> Customer:
    """Draw the rules of a customer with agents."""
    block = {
        "groups": [GROUP],
        "teams": draw(st.sampled_from([{}, {TEAM: "Blue"}, {TEAM: "Red"}])),
        "roles": draw(st.sampled_from([{}, {ROLE: "Boss"}])),
        "default_team": draw(st.sampled_from([None, "Blue"])),
        "default_role": draw(st.sampled_from([None, "Staff"])),
        "create": draw(st.booleans()),
        "on_leave": draw(st.sampled_from(["disable", "keep"])),
        "fields": {"name": "displayName", "ad": "sAMAccountName", "email": "mail"},
    }
    return customer(agents=block, policy=draw(st.sampled_from(["create_only", "upsert_only", "full"])))


@st.composite
def directories(draw: st.DrawFn) -> DirectoryRead:
    """Draw accounts of staff, some disabled, some in no group any more."""
    numbers = draw(st.lists(st.integers(1, 9), unique=True))
    staff = tuple(
        replace(
            person(number, mail=draw(st.sampled_from(["", "a@x", "A@x", "b@x"]))),
            enabled=draw(st.integers(0, 4)) > 0,
        )
        for number in numbers
    )
    some = st.sets(st.sampled_from(numbers)) if numbers else st.just(set[int]())
    groups = {dn: frozenset(map(guid, draw(some))) for dn in (GROUP, TEAM, ROLE)}
    return replace(read(customer(), tree("People"), [], groups), staff=staff)


@st.composite
def sides(draw: st.DrawFn) -> AgentSide:
    """Draw Halo's agents, linked or not, with more or fewer licences than they take."""
    agents: dict[HaloUserId, HaloUser] = {}
    links: dict[ObjectGuid, Link] = {}
    for number in range(draw(st.integers(0, 6))):
        identity, owner = HaloUserId(100 + number), guid(draw(st.integers(1, 11)))
        fields = {
            "name": draw(st.sampled_from(["Bob", "Person 1"])),
            "ad": f"U{draw(st.integers(1, 9))}",
            "email": draw(st.sampled_from(["", "a@x", "b@x"])),
            **draw(st.sampled_from([{}, {"team:blue": "yes"}, {"team:green": "yes"}])),
        }
        general = draw(st.integers(0, 5)) == 0
        active = draw(st.booleans())
        agents[identity] = HaloUser(
            identity,
            HaloClientId(0),
            HaloSiteId(0),
            active,
            draw(st.sampled_from([None, owner])),
            general,
            managed_elsewhere=False,
            fields=fields,
        )
        if draw(st.booleans()) and owner not in links and not general:
            links[owner] = Link(
                owner, identity, HaloClientId(0), HaloSiteId(0), active, DistinguishedName("CN=x"), fields
            )
    taken = sum(agent.active and not agent.general for agent in agents.values())
    seats = draw(st.sampled_from([None, Seats(taken, taken), Seats(taken + 2, taken), Seats(99, taken)]))
    return AgentSide(links, agents, seats, whole=frozenset(agents))


def planned(who: Customer, found: DirectoryRead, side: AgentSide) -> AgentLines:
    """Plan the agents."""
    return agent_lines(who, candidates(who, [found], side.links, NOW, TARGET), side)


def applied(side: AgentSide, lines: AgentLines) -> AgentSide:
    """Do what applying does, on a Halo that takes everything as it is sent."""
    agents, links = dict(side.agents or {}), dict(side.links)
    for number, change in enumerate((line for line in lines.changes if line.is_work), start=500):
        link = linked(change, HaloUserId(number))
        links[link.guid] = link
        held = agents[link.user].fields if link.user in agents else {}
        agents[link.user] = HaloUser(
            link.user,
            link.client,
            link.site,
            link.active,
            link.guid,
            general=False,
            managed_elsewhere=False,
            fields={**held, **link.fields},
        )
    taken = sum(agent.active and not agent.general for agent in agents.values())
    seats = side.seats and replace(side.seats, taken=taken)
    return AgentSide(links, agents, seats, whole=frozenset(agents))


def linked(change: Change, new: HaloUserId) -> Link:
    """Return the link of a line's agent once the line is done."""
    written = {name: field.after for name, field in change.fields.items() if name != STAMP}
    nobody = Link(
        ObjectGuid(change.guid), new, HaloClientId(0), HaloSiteId(0), True, DistinguishedName(""), {}
    )
    base = change.base or nobody
    active = change.kind is not Kind.DEACTIVATE if change.kind in WRITES else base.active
    return replace(base, active=active, fields={**base.fields, **written})


@settings(deadline=None, max_examples=200)
@given(customers(), directories(), sides())
def test_every_agent_has_one_line(who: Customer, found: DirectoryRead, side: AgentSide) -> None:
    """Who is, was or is to be an agent is told once, with a reason; nobody else is spoken of."""
    lines = planned(who, found, side)
    population = found.groups[GROUP] | side.links.keys()
    told = Counter(change.guid for change in lines.changes)
    assert set(told.values()) <= {1}
    assert told.keys() <= population
    assert lines.unchanged + len(told) == len(population)
    assert all(change.reason and change.record is Record.AGENT for change in lines.changes)


@settings(deadline=None, max_examples=200)
@given(customers(), directories(), sides())
def test_adoption_is_one_to_one_and_never_takes_what_is_not_ours(
    who: Customer, found: DirectoryRead, side: AgentSide
) -> None:
    """No agent is linked twice; one for the API, or our own, is never written."""
    lines = planned(who, found, side)
    work = [change for change in lines.changes if change.is_work]
    written = [change.user for change in work if change.user is not None]
    assert set(Counter(written).values()) <= {1}
    linked_already = {link.user for link in side.links.values()}
    assert all(change.user not in linked_already for change in work if change.adopts)
    assert side.agents is not None
    assert not any(side.agents[agent].general for agent in written if agent in side.agents)


@settings(deadline=None, max_examples=200)
@given(customers(), directories(), sides())
def test_licences_are_never_exceeded(who: Customer, found: DirectoryRead, side: AgentSide) -> None:
    """Whoever is created or enabled has a free licence; with too few, or none known, the plan says so."""
    lines = planned(who, found, side)
    taking = [change for change in lines.changes if change.kind in {Kind.CREATE, Kind.REACTIVATE}]
    free = side.seats.total - side.seats.taken if side.seats else 0
    assert len(taking) <= free
    lacking = [change for change in lines.changes if "licence" in change.reason and change.kind is Kind.HELD]
    assert bool(lacking) == bool(lines.warnings)


@settings(deadline=None, max_examples=200)
@given(customers(), directories(), sides(), st.randoms(use_true_random=False))
def test_one_run_settles_everything_in_any_order(
    who: Customer, found: DirectoryRead, side: AgentSide, random: Random
) -> None:
    """Another order of the read makes the same plan; applied, it leaves nothing to do within the licences."""
    lines = planned(who, found, side)
    mixed = replace(found, staff=tuple(random.sample(found.staff, len(found.staff))))
    assert planned(who, mixed, side) == lines
    after = applied(side, lines)
    freed = replace(after, seats=side.seats and replace(side.seats, taken=side.seats.total))
    assert [change for change in planned(who, found, freed).changes if change.is_work] == []


def test_defaults_hold_only_while_no_group_gives_anything() -> None:
    """A new agent gets the default team; a group's team takes its place once there is one."""
    block: Mapping[str, object] = {
        "groups": [GROUP], "teams": {TEAM: "Red", "CN=Blue,DC=x": "Blue"}, "default_team": "Blue",
        "default_role": "Staff", "create": True,
    }  # fmt: skip
    who = customer(agents=block, policy="full")
    everybody = frozenset({guid(1)})
    found = replace(read(who, tree("People"), [], {GROUP: everybody, TEAM: frozenset()}), staff=(person(1),))
    side = AgentSide({}, {}, Seats(5, 0))
    (line,) = planned(who, found, side).changes
    assert (line.fields["team:blue"].after, line.fields["role:staff"].after) == ("yes", "yes")
    after = applied(side, planned(who, found, side))
    assert planned(who, found, after).changes == ()
    joined = replace(found, groups={GROUP: everybody, TEAM: everybody})
    (line,) = planned(who, joined, after).changes
    assert {name: change.after for name, change in line.fields.items()} == {
        "team:red": "yes",
        "team:blue": "",
    }
