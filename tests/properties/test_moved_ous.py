"""Laws of placement, over trees that are built, renamed and moved about: nobody's place changes unasked."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from halo_adsync.customer import Customer
from halo_adsync.model import (
    NEW_FOOTING,
    Container,
    DirectoryRead,
    DistinguishedName,
    Footing,
    ObjectGuid,
    Person,
    Tree,
)
from halo_adsync.plan.footing import remembered
from halo_adsync.plan.survey import Survey, survey
from halo_adsync.state import known_rows
from tests.support.plan import NOW, TARGET, customer

NAMES = ("North", "South", "Leeds", "York", "Staff", "01 - Leeds")
TOWNS = ("Leeds", "York", "")


@dataclass(frozen=True)
class World:
    """OUs by number, each with its parent's number and its name, 0 the domain; people with OU and town."""

    ous: Mapping[int, tuple[int, str]]
    people: Mapping[int, tuple[int, str]]

    def read(self, order: Sequence[int] = ()) -> DirectoryRead:
        """Return what reading this directory brings, people in any order."""
        containers = {_ou(0): Container(_ou(0), DistinguishedName("DC=x"), "x", None)}
        containers |= {
            _ou(number): Container(_ou(number), self.dn(number), name, _ou(parent))
            for number, (parent, name) in self.ous.items()
        }
        anchors = {f"OU={number},DC=x": _ou(number) for number in self.ous}
        found = [self._person(number) for number in order or self.people]
        groups = {"CN=Odd,DC=x": frozenset(p.guid for p in found if int(p.guid[-3:]) % 5 == 1)}
        return DirectoryRead("corp", "X", Tree(containers), anchors, groups, tuple(found))

    def _person(self, number: int) -> Person:
        ou, town = self.people[number]
        dn = DistinguishedName(f"CN={number},{self.dn(ou)}")
        attributes = {"displayname": f"P{number}"} | ({"l": town} if town else {})
        return Person(ObjectGuid(f"person-{number:03}"), dn, "corp", _ou(ou), True, None, attributes)

    def dn(self, number: int) -> DistinguishedName:
        """Return an OU's name, with its number in it, so that no two are alike."""
        if number == 0:
            return DistinguishedName("DC=x")
        parent, name = self.ous[number]
        return DistinguishedName(f"OU={name} {number},{self.dn(parent)}")

    def below(self, number: int, top: int) -> bool:
        """Tell whether an OU is another, or stands below it."""
        while number not in {0, top}:
            number = self.ous[number][0]
        return number == top

    def moved(self, number: int, to: int) -> "World":
        """Return the world with an OU moved, unless that cannot be done."""
        if to != 0 and self.below(to, number):
            return self
        return replace(self, ous={**self.ous, number: (to, self.ous[number][1])})


def _ou(number: int) -> ObjectGuid:
    return ObjectGuid(f"ou-{number:03}")


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw a directory of up to twelve OUs with up to twenty people."""
    count = draw(st.integers(1, 12))
    ous = {
        number: (draw(st.integers(0, number - 1)), draw(st.sampled_from(NAMES)))
        for number in range(1, count + 1)
    }
    homes = st.tuples(st.integers(0, count), st.sampled_from(TOWNS))
    return World(ous, dict(enumerate(draw(st.lists(homes, min_size=1, max_size=20)))))


@st.composite
def rules_for(draw: st.DrawFn, world: World, moved: str = "keep") -> list[dict[str, Any]]:
    """Draw up to four rules of all kinds."""
    rules: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(0, 4))):
        top = f"OU={draw(st.sampled_from(sorted(world.ous)))},DC=x"
        client = draw(st.sampled_from([{}, {"client": {"name": "Other"}}]))
        level = draw(st.integers(1, 3))
        upper = {"client_level": level - 1} if level > 1 and draw(st.booleans()) else {}
        rules.append(
            draw(
                st.sampled_from(
                    [
                        {"ou": top, "site": {"name": top[:8]}, "moved": moved, **client},
                        {"mirror": top, "site_level": level, **(upper or client), "moved": moved},
                        {"attribute": "l", "create": draw(st.booleans()), **client},
                        {"attribute": "l", "pattern": "^Y", "site": {"name": "Why"}, **client},
                        {"group": "CN=Odd,DC=x", "site": {"name": "Odd"}, **client},
                    ]
                )
            )
        )
    return rules


def who(rules: Sequence[Mapping[str, Any]]) -> Customer:
    """Return a customer with these rules."""
    return customer(placement={"client": {"name": "Contoso"}, "rules": list(rules)})


def places(found: Survey) -> dict[ObjectGuid, list[str]]:
    """Return where each person may stand, best first."""
    return {s.person.guid: [option.site.key for option in s.options] for s in found.subjects}


def changed(draw: st.DataObject, world: World) -> World:
    """Rename, move or make an OU, or move one back and forth."""
    number = draw.draw(st.sampled_from(sorted(world.ous)))
    kind = draw.draw(st.sampled_from(["rename", "move", "move", "make"]))
    if kind == "rename":
        name = draw.draw(st.sampled_from(NAMES))
        return replace(world, ous={**world.ous, number: (world.ous[number][0], name)})
    if kind == "move":
        return world.moved(number, draw.draw(st.integers(0, len(world.ous))))
    return replace(world, ous={**world.ous, len(world.ous) + 1: (number, "New")})


@given(st.data(), worlds())
@settings(deadline=None)
def test_renaming_and_moving_ous_changes_nobodys_place(data: st.DataObject, world: World) -> None:
    """However often, whatever rules there are, and though the memory goes through storage in between."""
    customer_ = who(data.draw(rules_for(world)))
    footing = remembered(NEW_FOOTING, customer_, [world.read()])
    before = places(survey(customer_, [world.read()], NOW, TARGET, footing))
    for _ in range(data.draw(st.integers(1, 6))):
        world = changed(data, world)
        kept = known_rows.footing_of(list(known_rows.footing_rows("contoso", footing)))
        assert kept == footing
        footing = remembered(kept, customer_, [world.read()])
        assert places(survey(customer_, [world.read()], NOW, TARGET, footing)) == before


@given(st.data(), worlds())
@settings(deadline=None)
def test_where_it_is_asked_for_the_tree_as_it_is_decides(data: st.DataObject, world: World) -> None:
    """With `moved: follow` a run places everybody as a first run would; asking once is enough."""
    keeping = data.draw(rules_for(world))
    following = [{**rule, "moved": "follow"} if "moved" in rule else rule for rule in keeping]
    footing = NEW_FOOTING
    for _ in range(3):
        footing = remembered(footing, who(keeping), [world.read()])
        world = changed(data, world)
    first = places(survey(who(keeping), [world.read()], NOW, TARGET))
    footing = remembered(footing, who(following), [world.read()])
    found = survey(who(following), [world.read()], NOW, TARGET, footing)
    assert places(found) == first
    assert not [warning for warning in found.warnings if "was moved" in warning]
    footing = remembered(footing, who(keeping), [world.read()])
    assert places(survey(who(keeping), [world.read()], NOW, TARGET, footing)) == first


@given(st.data(), worlds())
@settings(deadline=None)
def test_who_keeps_a_place_is_told(data: st.DataObject, world: World) -> None:
    """The plan warns exactly of those whom the tree as it is now would place elsewhere."""
    customer_ = who(data.draw(rules_for(world)))
    footing = remembered(NEW_FOOTING, customer_, [world.read()])
    for _ in range(3):
        world = changed(data, world)
        footing = remembered(footing, customer_, [world.read()])
    found = survey(customer_, [world.read()], NOW, TARGET, footing)
    now = places(survey(customer_, [world.read()], NOW, TARGET))
    elsewhere = sum(now[guid] != where for guid, where in places(found).items())
    told = [int(warning.split()[0]) for warning in found.warnings if "was moved" in warning]
    assert told == ([elsewhere] if elsewhere else [])


@given(st.data(), worlds())
@settings(deadline=None)
def test_everybody_is_placed_exactly_once_and_in_any_order(data: st.DataObject, world: World) -> None:
    """Everybody has a place that is certain, at the end of the list; the order of reading does not matter."""
    rules = data.draw(rules_for(world))
    found = survey(who(rules), [world.read()], NOW, TARGET)
    assert len(found.subjects) == len(world.people)
    for subject in found.subjects:
        assert [option.site.certain for option in subject.options].count(True) == 1
        assert subject.options[-1].site.certain
    order = data.draw(st.permutations(sorted(world.people)))
    again = survey(who(rules), [world.read(order)], NOW, TARGET)
    assert again.warnings == found.warnings
    assert [(s.person, s.outside, s.options, s.desired) for s in again.subjects] == [
        (s.person, s.outside, s.options, s.desired) for s in found.subjects
    ]


@given(st.data(), worlds())
@settings(deadline=None)
def test_a_rule_behind_changes_nobody_whom_another_answered_for(data: st.DataObject, world: World) -> None:
    """Whom an earlier rule places for certain stands there, under the same name, whatever comes behind it."""
    rules, more = data.draw(rules_for(world)), data.draw(rules_for(world))
    alone = survey(who(rules), [world.read()], NOW, TARGET)
    both = {s.person.guid: s for s in survey(who([*rules, *more]), [world.read()], NOW, TARGET).subjects}
    for subject in alone.subjects:
        if subject.options[-1].rule != "the default site":
            assert both[subject.person.guid].options == subject.options


@given(st.data(), worlds())
@settings(deadline=None)
def test_no_two_mirrored_sites_of_a_client_are_called_alike(data: st.DataObject, world: World) -> None:
    """Also where several mirrors lead into one client, and none loses its name to another run."""
    mirrors = [rule for rule in data.draw(rules_for(world)) if "mirror" in rule]
    found = survey(who(mirrors), [world.read()], NOW, TARGET)
    named: dict[tuple[str, str], str] = {}
    for site in found.wanted_sites():
        if site.guid is not None:
            assert named.setdefault((site.client.key, site.name.casefold()), site.key) == site.key


def test_a_footing_is_written_compactly() -> None:
    """Twenty thousand OUs take two rows at most, and what a longer one left behind is passed over."""
    guids = [ObjectGuid(f"{number:08x}-aaaa-bbbb-cccc-{number * 7919:012x}") for number in range(20_000)]
    footing = Footing({guid: guids[number // 10] for number, guid in enumerate(guids)}, {"ou x": {}})
    written = list(known_rows.footing_rows("contoso", footing))
    assert len(written) <= 2
    short = Footing({guids[1]: guids[0]}, {})
    assert known_rows.footing_of([*known_rows.footing_rows("contoso", short), *written[1:]]) == short
    assert json.dumps(written[0].values["rows"]) == str(len(written))
