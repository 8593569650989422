"""Laws of fingerprints: they spare work, and change nothing of any plan."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halo_adsync.customer import Customer
from halo_adsync.halo.codec import WIDTHS, canonical_text
from halo_adsync.model import CustomField, DistinguishedName, EntraAccount, Link, ObjectGuid, Person
from halo_adsync.plan.custom import with_custom
from halo_adsync.plan.facts import Facts
from halo_adsync.plan.fingerprints import fingerprints
from halo_adsync.plan.make import make_plan
from halo_adsync.plan.mapping import Target
from halo_adsync.plan.side import HaloSide
from halo_adsync.plan.survey import Survey, survey
from halo_adsync.plan.types import Plan
from tests.support.plan import NOW, customer, guid, link, person, read, side, tree

OUS = tree("People", "People/Leeds")
FIELDS: dict[str, Any] = {
    "name": "displayName",
    "emailaddress": "mail",
    "title": {"from": "title", "blank": "clear"},
    "other1": "{{ guid }} {{ netbios }} {{ dn }}",
    "other2": "manager_name",
    "other3": "entra_id",
    "CFDesk": "l",
}
WORDS = st.sampled_from(["", "Ada", "TRUE", "x" * 90])
NUMBERS = range(1, 6)


@dataclass(frozen=True)
class World:
    """All that a plan is made from."""

    who: Customer
    target: Target
    people: Mapping[int, Person]
    managers: Mapping[int, int]
    entra: Mapping[ObjectGuid, EntraAccount]
    links: Mapping[ObjectGuid, Link]
    program: str = "one"

    def survey(self) -> Survey:
        """Return what the directory asks for."""
        brought = read(self.who, OUS, self.people.values(), managers=self.managers)
        return survey(self.who, [brought], NOW, self.target, facts=Facts(self.entra))

    def plan(self, known: frozenset[bytes] | None) -> Plan:
        """Return the plan, with these fingerprints or without any."""
        told = None if known is None else fingerprints(self.who, self.target, self.program, known)
        halo: HaloSide = replace(side(*self.links.values()), fingerprints=told)
        return make_plan(self.who, self.survey(), halo, "full")


def customers() -> st.SearchStrategy[Customer]:
    """Return customers who map this or that."""
    names = st.sets(st.sampled_from(sorted(FIELDS))).map(lambda chosen: {*chosen, "name"})
    return names.map(lambda chosen: mapping({name: FIELDS[name] for name in sorted(chosen)}))


def mapping(fields: Mapping[str, Any]) -> Customer:
    """Return the customer with this mapping."""
    return customer(
        fields=fields,
        login={"entra": {"tenant": "t", "client_id": "c", "certificate": {"secret": "s"}}},
        placement={"client": {"name": "Contoso"}, "default_site": "Main"},
    )


WHOLE = mapping(FIELDS)


def targets() -> st.SearchStrategy[Target]:
    """Return Halos that store this or that."""
    kinds = st.sampled_from([CustomField("CFDesk"), CustomField("CFDesk", "flag")])
    widths = st.sampled_from([{}, {"title": 3}])
    return st.builds(
        lambda kind, width: with_custom(Target({**WIDTHS, **width}, canonical_text), {"cfdesk": kind}),
        kinds,
        widths,
    )


def someone(number: int) -> st.SearchStrategy[Person]:
    """Return the account of a number."""
    return st.builds(
        lambda name, mail, title, town, path, enabled: replace(
            person(number, path, displayname=name, mail=mail, title=title, l=town), enabled=enabled
        ),
        st.sampled_from(["Ada", "Bob"]), WORDS, WORDS, WORDS,
        st.sampled_from(["People", "People/Leeds"]), st.integers(0, 5).map(bool),
    )  # fmt: skip


MANAGERS = st.dictionaries(st.sampled_from(NUMBERS), st.sampled_from(NUMBERS))
ENTRA = st.dictionaries(st.sampled_from(NUMBERS).map(guid), st.builds(EntraAccount, WORDS))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw a world in which most people are in Halo as they should be."""
    people = draw(st.fixed_dictionaries({number: someone(number) for number in NUMBERS}))
    world = World(
        draw(st.just(WHOLE) | customers()), draw(targets()), people, draw(MANAGERS), draw(ENTRA), {}
    )
    links = {
        subject.person.guid: replace(link(1, 1000 + place), guid=subject.person.guid, fields=held)
        for place, subject in enumerate(world.survey().subjects)
        if (held := {name: value for name, value in subject.desired.fields.items() if value})
    }
    return replace(world, links=links)


def with_person(world: World, number: int, **changes: Any) -> World:
    """Return the world in which something of an account is another."""
    return replace(world, people={**world.people, number: replace(world.people[number], **changes)})


def with_link(world: World, number: int, fields: Mapping[str, str], *, active: bool = True) -> World:
    """Return the world in which something of a link is another, where there is one."""
    there = world.links.get(guid(number))
    if there is None:
        return world
    changed = replace(there, fields={**there.fields, **fields}, active=active)
    return replace(world, links={**world.links, guid(number): changed})


ONE = st.sampled_from(NUMBERS)
DNS = st.just(DistinguishedName("CN=Renamed,OU=People,DC=corp,DC=example"))
FIELD = st.dictionaries(st.sampled_from(["title", "name", "other1"]), WORDS, min_size=1, max_size=1)
CHANGES: Mapping[str, Callable[[World], st.SearchStrategy[World]]] = {
    "nothing": st.just,
    "an account": lambda world: st.builds(
        lambda one, now: replace(world, people={**world.people, one: replace(now, guid=guid(one))}),
        ONE, someone(1),
    ),
    "a DN": lambda world: st.builds(partial(with_person, world), ONE, dn=DNS),
    "a link": lambda world: st.builds(partial(with_link, world), ONE, FIELD),
    "an inactive user": lambda world: st.builds(partial(with_link, world, active=False), ONE, st.just({})),
    "a manager": lambda world: MANAGERS.map(lambda managers: replace(world, managers=managers)),
    "a manager's name": lambda world: st.builds(
        partial(with_person, world), ONE, attributes=st.just({"displayname": "Renamed"})
    ),
    "Entra": lambda world: ENTRA.map(lambda entra: replace(world, entra=entra)),
    "the file": lambda world: customers().map(lambda who: replace(world, who=who)),
    "what Halo stores": lambda world: targets().map(lambda target: replace(world, target=target)),
}  # fmt: skip


def bare(plan: Plan) -> Plan:
    """Return the plan without what fingerprints add to it, and what they spare."""
    return replace(plan, fingerprints=frozenset(), rest=())


@pytest.mark.parametrize("changed", CHANGES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_plan_is_the_same_with_the_fingerprints_of_an_earlier_one(
    changed: str, data: st.DataObject
) -> None:
    """Whatever has changed since."""
    world = data.draw(worlds())
    known = world.plan(frozenset()).fingerprints
    now = data.draw(CHANGES[changed](world))
    assert bare(now.plan(known)) == bare(now.plan(None))


@given(worlds())
@settings(max_examples=20, deadline=None)
def test_another_program_takes_nothing_for_granted(world: World) -> None:
    """What its mapping comes to may be something else."""
    made = world.plan(frozenset())
    again = replace(world, program="another").plan(made.fingerprints)
    assert not again.fingerprints & made.fingerprints
    assert bare(again) == bare(made)


def test_nobody_has_the_fingerprint_of_another() -> None:
    """Not even whose name, attributes and record are the same: a mapping may say the GUID."""
    twins = {number: replace(person(number), dn=person(1).dn, attributes={"cn": "x"}) for number in (1, 2)}
    links = {guid(number): link(number, 1000 + number, name="x") for number in (1, 2)}
    world = World(mapping({"name": "cn"}), Target(), twins, {}, {}, links)
    assert len(world.plan(frozenset()).fingerprints) == len(twins)


@given(worlds())
@settings(max_examples=60, deadline=None)
def test_nothing_is_worked_out_twice(world: World) -> None:
    """Who is as they should be is known by the fingerprint; and the same ones are kept again."""
    made = world.plan(frozenset())
    asked: list[str] = []

    def canonical(field: str, text: str) -> str:
        asked.append(field)
        return world.target.canonical(field, text)

    again = replace(world, target=replace(world.target, canonical=canonical)).plan(made.fingerprints)
    assert again.fingerprints == made.fingerprints
    assert len(made.fingerprints) == made.unchanged
    if not made.changes and "other2" not in world.who.fields:  # which reads the managers' names
        assert asked == []
