"""Managers: what a mapping may say of them, in whatever order they were read, and what is in nobody's way."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from pydantic import ValidationError

from halo_adsync.customer import Customer
from halo_adsync.model import Person
from halo_adsync.plan.make import make_plan
from halo_adsync.plan.managers import SHOWN, Managers, circle_warnings
from halo_adsync.plan.survey import survey
from halo_adsync.plan.types import Kind, Plan
from tests.support.plan import NOW, TARGET, customer, guid, line_of, link, person, placed, read, side, tree

FIELDS = {
    "name": "displayName",
    "emailaddress": "mail",
    "login": "sAMAccountName",
    "manager_email": "{{ manager_email }}",
    "admanager": "{{ manager_dn }}",
    "other1": '{{ manager_name ~ "/" ~ manager_login if manager_name else "" }}',
}


def planned(
    people: Sequence[Person], managers: Mapping[int, int], who: Customer | None = None, *links: object
) -> Plan:
    """Make the plan of people who are managed by one another."""
    who = who or customer(fields=FIELDS)
    found = survey(who, [read(who, tree("People"), people, managers=managers)], NOW, TARGET)
    return make_plan(who, found, side(*links), "full")  # type: ignore[arg-type]  # links only


def after(plan: Plan, number: int) -> dict[str, str]:
    """Return what a person's line writes."""
    return {name: change.after for name, change in line_of(plan, number).fields.items()}


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_managers_record_says_what_a_mapping_may_say_of_it(order: tuple[int, int]) -> None:
    """In any order of the read, the manager's own name, address, login and DN are there."""
    people = {1: person(1), 2: person(2, mail="boss@x.example")}
    plan = planned([people[number] for number in order], {1: 2})
    written = after(plan, 1)
    assert written["manager_email"] == "boss@x.example"
    assert written["admanager"] == people[2].dn
    assert written["other1"] == "Person 2/u2"
    assert not {"manager_email", "admanager", "other1"} & after(plan, 2).keys()
    assert plan.warnings == ()


def test_a_plain_source_reads_a_manager_too() -> None:
    """The name alone is enough, as with attributes; the directory is not asked for it."""
    who = customer(fields={**FIELDS, "manager_email": "manager_email"})
    plan = planned([person(1), person(2, mail="boss@x.example")], {1: 2}, who)
    assert after(plan, 1)["manager_email"] == "boss@x.example"
    assert "manager_email" not in who.attributes()


def test_who_has_no_manager_is_blank() -> None:
    """A manager who is gone is cleared where the rule says so, and kept where it does not."""
    for blank, expected in (("clear", {"manager_email": ""}), ("keep", {})):
        who = customer(fields={**FIELDS, "manager_email": {"from": "manager_email", "blank": blank}})
        known = link(
            1, 7, name="Person 1", login="u1", manager_email="old@x.example", admanager="CN=Old", other1="x"
        )
        plan = planned([person(1)], {}, who, known)
        assert {name: after(plan, 1)[name] for name in expected} == expected
        assert bool(expected) == any(change.kind is Kind.UPDATE for change in plan.changes)


@pytest.mark.parametrize("why", ["not read", "not in scope"])
def test_a_manager_who_is_not_in_scope_leaves_the_fields_alone(why: str) -> None:
    """What Halo has of the manager stays, whatever `blank` says, and the line tells why."""
    boss = [] if why == "not read" else [replace(person(2), enabled=False)]
    fields = {**FIELDS, "manager_email": {"from": "manager_email", "blank": "clear"}}
    known = link(1, 7, name="Old name", login="u1", manager_email="boss@x.example")
    plan = planned([person(1), *boss], {1: 2}, customer(fields=fields), known)
    assert after(plan, 1) == {"name": "Person 1"}
    assert "left as it is: admanager and manager_email and other1" in line_of(plan, 1).reason


def test_a_managers_field_that_cannot_be_made_is_not_taken_for_blank() -> None:
    """A template that fails on the manager says nothing about the people below."""
    fields = {**FIELDS, "emailaddress": "{{ mail or 1 / 0 }}"}
    known = link(1, 7, name="Person 1", login="u1", emailaddress="a@x", manager_email="boss@x.example")
    plan = planned([person(1, mail="a@x"), person(2)], {1: 2}, customer(fields=fields), known)
    assert "manager_email" not in {change.guid: change.fields for change in plan.changes}.get(guid(1), {})


def test_people_who_manage_one_another_are_told_and_resolved_all_the_same() -> None:
    """A circle of three and somebody who is their own manager: two warnings, and every field is filled."""
    people = [person(number, mail=f"p{number}@x") for number in range(1, 6)]
    plan = planned(people, {1: 2, 2: 3, 3: 1, 4: 4, 5: 1})
    assert len(plan.warnings) == 2
    circle, alone = plan.warnings
    assert all(str(people[number].dn) in circle for number in range(3))
    assert str(people[4].dn) not in circle
    assert "their own manager" in alone
    bosses = {number: after(plan, number)["manager_email"] for number in range(1, 6)}
    assert bosses == {1: "p2@x", 2: "p3@x", 3: "p1@x", 4: "p4@x", 5: "p1@x"}


def test_circles_are_found_once_each_and_not_all_are_named() -> None:
    """Chains that lead into a circle do not repeat it; a flood of circles is counted."""
    people = [person(number) for number in range(1, 41)]
    ring = {number: number + 1 if number % 2 else number - 1 for number in range(1, 31)}
    chain = {number: number - 1 for number in range(31, 41)}
    who = customer()
    managers = Managers([read(who, tree("People"), people, managers=ring | chain)])
    circles = list(managers.circles(found.guid for found in people))
    assert [set(circle) for circle in circles] == [{guid(n), guid(n + 1)} for n in range(1, 31, 2)]
    said = list(circle_warnings(circles, {found.guid: found.dn for found in people}))
    assert len(said) == SHOWN + 1
    assert "5 more circles" in said[-1]


def test_mappings_without_a_manager_do_not_ask_for_one() -> None:
    """The directory is asked for managers only where a mapping reads them."""
    assert not customer().reads_managers()
    assert not customer(fields={"name": "displayName", "admanager": "manager"}).reads_managers()
    assert customer(fields=FIELDS).reads_managers()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": "{{ manager_name }}", "login": "l"}, "name may not rest on manager_name"),
        ({"name": "cn", "manager_email": "manager_email"}, "needs emailaddress to be mapped"),
        ({"name": "cn", "other1": "{{ MANAGER_LOGIN }}"}, "needs login to be mapped"),
    ],
)
def test_a_mapping_that_chases_its_own_tail_is_refused(fields: dict[str, str], sentence: str) -> None:
    """A manager is told by name, address and login, which must be there and rest on nobody else's."""
    with pytest.raises(ValidationError, match=sentence):
        customer(fields=fields)


def test_nobody_is_placed_by_a_manager() -> None:
    """Places are found before managers are."""
    with pytest.raises(ValidationError, match="may not use manager_name"):
        placed({"attribute": "{{ manager_name }}"})
