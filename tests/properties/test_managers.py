"""Laws of managers: whatever the lines of command look like, fields follow them and settle in one run."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from halo_adsync.model import DirectoryRead, Person
from halo_adsync.plan.make import make_plan
from halo_adsync.plan.managers import Managers
from halo_adsync.plan.side import HaloSide
from halo_adsync.plan.survey import survey
from halo_adsync.plan.types import Plan
from tests.support.applied import Halo, applied
from tests.support.plan import NOW, TARGET, customer, guid, person, read, side, tree

WHO = customer(
    fields={
        "name": "displayName",
        "emailaddress": "mail",
        "manager_email": {"from": "{{ manager_email }}", "blank": "clear"},
        "admanager": "{{ manager_dn }}",
    }
)
PEOPLE = tree("People")


def account(number: int, enabled: bool) -> Person:
    """Return an account with a mail address."""
    return replace(person(number, mail=f"p{number}@x"), enabled=enabled)


STAFF = st.dictionaries(st.integers(1, 12), st.booleans(), max_size=12)
COMMAND = st.dictionaries(st.integers(1, 12), st.integers(1, 14), max_size=12)


def reading(staff: Mapping[int, bool], command: Mapping[int, int]) -> DirectoryRead:
    """Return a read of these accounts, managed by these numbers, of whom some are not there."""
    managers = {number: boss for number, boss in command.items() if number in staff}
    return read(WHO, PEOPLE, [account(*one) for one in staff.items()], managers=managers)


def planned(found: DirectoryRead, halo: HaloSide) -> Plan:
    """Make the plan."""
    return make_plan(WHO, survey(WHO, [found], NOW, TARGET), halo, "full")


@settings(deadline=None)
@given(STAFF, COMMAND)
def test_every_field_follows_the_manager_who_is_in_scope(
    staff: Mapping[int, bool], command: Mapping[int, int]
) -> None:
    """Who is managed by somebody in scope gets that address; nobody gets any other."""
    plan = planned(reading(staff, command), side())
    told = {change.guid: change.fields for change in plan.changes if "name" in change.fields}
    assert told.keys() == {guid(number) for number, enabled in staff.items() if enabled}
    for number in (number for number, enabled in staff.items() if enabled):
        boss = command.get(number)
        fields = told[guid(number)]
        expected = f"p{boss}@x" if boss is not None and staff.get(boss) else None
        assert (fields["manager_email"].after if "manager_email" in fields else None) == expected
        assert ("admanager" in fields) == (expected is not None)


@settings(deadline=None)
@given(STAFF, COMMAND, st.randoms(use_true_random=False))
def test_one_run_settles_everything_in_any_order(
    staff: Mapping[int, bool], command: Mapping[int, int], random: Random
) -> None:
    """The plan is the same in whatever order people were read, and applied it leaves nothing to do."""
    found = reading(staff, command)
    first = planned(found, side())
    mixed = replace(found, people=tuple(random.sample(found.people, len(found.people))))
    assert planned(mixed, side()) == first
    assert planned(mixed, applied(Halo((), (), side()), first).side).work() == ()


@given(COMMAND)
def test_circles_are_exactly_the_people_who_lead_back_to_themselves(command: Mapping[int, int]) -> None:
    """Each of them is in one circle, and each step of a circle is from somebody to their manager."""
    found = reading(dict.fromkeys(range(1, 15), True), command)
    circles = list(Managers([found]).circles(map(guid, range(1, 15))))
    inside = [number for number in range(1, 15) if number in trail(command, number)]
    assert sorted(one for circle in circles for one in circle) == sorted(map(guid, inside))
    managed = {guid(number): guid(boss) for number, boss in command.items()}
    for circle in circles:
        assert all(managed[one] == after for one, after in zip(circle, (*circle[1:], circle[0]), strict=True))


def trail(command: Mapping[int, int], number: int) -> set[int]:
    """Return everybody above somebody."""
    above: set[int] = set()
    while (boss := command.get(number)) is not None and boss not in above:
        above.add(boss)
        number = boss
    return above
