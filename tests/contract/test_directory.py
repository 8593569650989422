"""The directory's contract: the same reading of the demo directory and of a real domain controller."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from halo_adsync.directory.port import ReadRequest, StaffRequest
from halo_adsync.errors import ConfigurationError, IncompleteRead

if TYPE_CHECKING:
    from halo_adsync.model import DirectoryRead, Person
    from tests.contract.conftest import DirectoryStand

ATTRIBUTES = frozenset({"displayName", "mail"})


class StopReadingError(Exception):
    """Raised by a test's progress callback."""


def quiet(_: int) -> None:
    """Report progress to nobody."""


def request_for(*include: str, **changes: Any) -> ReadRequest:
    """Ask for the people of some OUs."""
    return replace(ReadRequest(attributes=ATTRIBUTES, include=include), **changes)


def read(stand: DirectoryStand, *include: str, **changes: Any) -> DirectoryRead:
    """Read the people of some OUs over a connection of its own."""
    with stand.open() as directory:
        return directory.read(request_for(*include, **changes), quiet)


def names(people: tuple[Person, ...]) -> list[str]:
    """Return the display names, sorted."""
    return sorted(str(person.attributes.get("displayname")) for person in people)


def test_people_with_their_attributes(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """A person arrives with identity, place, state and exactly the attributes that were asked for."""
    dn = directory_stand.person("Anna", directory_ou, mail="anna@corp.example", title="Nurse")
    result = read(directory_stand, directory_ou)
    (person,) = result.people
    assert (person.dn, person.directory, person.enabled, person.expires) == (dn, "corp", True, None)
    assert person.parent == result.anchors[directory_ou]
    assert person.attributes == {"displayname": "Anna", "mail": "anna@corp.example"}
    assert (result.directory, result.netbios) == ("corp", "CORP")


@pytest.mark.parametrize(
    "name",
    ["O'Neill, Anna", 'Bob "the +1" <x>; = \\ y', "#hash", " blanks ", "Jürgen Größe", "🦊 & 名前", "a*(b)"],
)
def test_names_with_special_characters(directory_stand: DirectoryStand, directory_ou: str, name: str) -> None:
    """OUs and people are found whatever their names hold, and the container's name is the plain text."""
    ou = directory_stand.edits.add_ou(name, directory_ou)
    directory_stand.person(name, ou, displayName=f"in {name}")
    result = read(directory_stand, ou)
    assert names(result.people) == [f"in {name}"]
    assert result.tree.containers[result.people[0].parent].name.strip() == name.strip()


def test_names_in_other_spellings(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """The customer file need not spell a DN as the directory does."""
    ou = directory_stand.edits.add_ou("Größe, West", directory_ou)
    directory_stand.person("Anna", ou)
    spelled = ou.replace("Größe\\, West", '"GRÖSSE, west"').replace(",DC=", " , dc=")
    assert spelled != ou
    assert names(read(directory_stand, spelled).people) == ["Anna"]


def test_disabled_and_expired_accounts(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """Accounts that are off are read, and say so."""
    directory_stand.edits.disable(directory_stand.person("Off", directory_ou))
    directory_stand.person("Gone", directory_ou, accountExpires=116444736000000000)
    directory_stand.person("Here", directory_ou, accountExpires=0)
    people = {
        person.attributes["displayname"]: person for person in read(directory_stand, directory_ou).people
    }
    assert [people[name].enabled for name in ("Off", "Gone", "Here")] == [False, True, True]
    expires = people["Gone"].expires
    assert expires is not None
    assert (expires.isoformat(), people["Here"].expires) == ("1970-01-01T00:00:00+00:00", None)


def test_computers_and_critical_objects_are_no_people(
    directory_stand: DirectoryStand, directory_ou: str
) -> None:
    """Computers, groups and contacts are left out, and so are the accounts that the domain needs."""
    edits = directory_stand.edits
    directory_stand.person("Anna", directory_ou)
    edits.add_group("Some group", directory_ou)
    edits.add(
        f"CN=A contact,{directory_ou}", {"objectClass": ["top", "person", "organizationalPerson", "contact"]}
    )
    edits.add(
        f"CN=PC1,{directory_ou}",
        {
            "objectClass": ["top", "person", "organizationalPerson", "user", "computer"],
            "sAMAccountName": f"PC{next(directory_stand.numbers)}$",
            "userAccountControl": 4096,
        },
    )
    assert names(read(directory_stand, directory_ou).people) == ["Anna"]
    accounts = read(directory_stand, directory_stand.users, attributes=frozenset({"cn"})).people
    assert {"krbtgt", "Administrator", "Guest"}.isdisjoint(person.attributes["cn"] for person in accounts)
    assert "svc-halo" in [person.attributes["cn"] for person in accounts]


def test_filter_narrows(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """The customer's filter is applied on top."""
    directory_stand.person("With", directory_ou, mail="with@corp.example")
    directory_stand.person("Without", directory_ou)
    assert names(read(directory_stand, directory_ou, filter="(mail=*)").people) == ["With"]
    assert names(read(directory_stand, directory_ou, filter="(& (!(mail=*)) )").people) == ["Without"]


def test_invalid_filter_asks_no_server(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """A filter that is none is an error of the file, found before a connection is opened."""
    with (
        directory_stand.open() as directory,
        pytest.raises(ConfigurationError, match="wrong at character 9"),
    ):
        directory.read(request_for(directory_ou, filter="(mail=*)(cn=*)"), quiet)
    assert directory_stand.meter.ldap_searches == 0


def test_invalid_dn_asks_no_server(directory_stand: DirectoryStand) -> None:
    """All DNs that are none are named at once."""
    with directory_stand.open() as directory, pytest.raises(ConfigurationError) as caught:
        directory.read(request_for("People", exclude=("OU=",), groups=("x",)), quiet)
    assert len(caught.value.problems) == 2
    assert directory_stand.meter.ldap_searches == 0


def test_more_people_than_a_page(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """1,050 people come in two pages, each person once, with four searches; progress is told per page."""
    directory_stand.crowd(directory_ou, 1050)
    told: list[int] = []
    with directory_stand.open() as directory:
        result = directory.read(request_for(directory_ou), told.append)
    assert len({person.attributes["mail"] for person in result.people}) == len(result.people) == 1050
    assert told == [1000, 1050]
    assert directory_stand.meter.ldap_searches == 4
    assert directory_stand.meter.ldap_entries >= 1050


def test_ou_renamed_while_it_is_read(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """A rename between two pages loses nobody and tears nobody from the OU."""
    directory_stand.crowd(directory_ou, 1050)
    new_name = directory_ou.replace("OU=Test", "OU=Renamed")

    def rename_once(people: int) -> None:
        if people == 1000:
            directory_stand.edits.move(directory_ou, new_name)

    with directory_stand.open() as directory:
        result = directory.read(request_for(directory_ou), rename_once)
    assert len(result.people) == 1050
    assert {person.parent for person in result.people} == {result.anchors[directory_ou]}


def test_progress_may_stop_the_read(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """What progress raises comes out, and the connection is good for the next read."""
    directory_stand.person("Anna", directory_ou)

    def stop(_: int) -> None:
        raise StopReadingError

    with directory_stand.open() as directory:
        with pytest.raises(StopReadingError):
            directory.read(request_for(directory_ou), stop)
        assert names(directory.read(request_for(directory_ou), quiet).people) == ["Anna"]


def test_subtrees_overlapping_and_excluded(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """Everybody below an included OU comes once; whoever is below an excluded one does not come."""
    edits = directory_stand.edits
    out = edits.add_ou("Service Accounts", directory_ou)
    inner = edits.add_ou("Inner", directory_ou)
    deep_out = edits.add_ou("Deep", out)
    for name, ou in {"Top": directory_ou, "Inside": inner, "Robot": out, "Deep robot": deep_out}.items():
        directory_stand.person(name, ou)
    request = request_for(inner, directory_ou, exclude=(out,), anchors=(deep_out,))
    with directory_stand.open() as directory:
        result = directory.read(request, quiet)
    assert directory_stand.meter.ldap_searches == 4
    assert names(result.people) == ["Inside", "Top"]
    assert len(result.people) == 2
    assert set(result.anchors) == {inner, directory_ou, out, deep_out}
    assert result.tree.is_below(result.anchors[deep_out], result.anchors[out])


def test_without_include_the_whole_directory(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """No included OU means everybody, the accounts in Users too."""
    directory_stand.person("Anna", directory_ou)
    parents = {person.parent for person in read(directory_stand).people}
    result = read(directory_stand, anchors=(directory_ou, directory_stand.users))
    assert set(result.anchors.values()) <= parents


def test_missing_ous_are_all_named(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """An included, excluded or other OU that is not there makes the read incomplete."""
    gone = [f"OU=Gone{number},{directory_ou}" for number in range(3)]
    with pytest.raises(IncompleteRead) as caught:
        read(directory_stand, directory_ou, gone[0], exclude=(gone[1],), anchors=(gone[2],))
    assert all(f"'{dn}' is not in directory 'corp'" in str(caught.value) for dn in gone)


def test_renamed_ous_are_followed_by_guid(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """What was resolved before is followed through a rename and a move; without that it is missing."""
    edits = directory_stand.edits
    old = edits.add_ou("Sales", directory_ou)
    out = edits.add_ou("Robots", old)
    directory_stand.person("Anna", old)
    directory_stand.person("Robot", out)
    first = read(directory_stand, old, exclude=(out,))
    new = f"OU=Sales\\, West,{edits.add_ou('Elsewhere', directory_ou)}"
    edits.move(old, new)
    edits.move(f"OU=Robots,{new}", f"OU=Machines,{new}")
    second = read(directory_stand, old, exclude=(out,), known=first.anchors)
    assert second.anchors == first.anchors
    assert [person.guid for person in second.people] == [person.guid for person in first.people]
    assert second.people[0].dn == f"CN=Anna,{new}"
    with pytest.raises(IncompleteRead, match="OU=Sales"):
        read(directory_stand, old)


def test_deleted_ou_says_that_it_was_there(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """An OU that is gone is an error, until one of its name is there again."""
    edits = directory_stand.edits
    old = edits.add_ou("Sales", directory_ou)
    known = read(directory_stand, old).anchors
    edits.delete(old)
    with pytest.raises(IncompleteRead, match=f"it was there as {known[old]}"):
        read(directory_stand, old, known=known)
    edits.add_ou("Sales", directory_ou)
    assert read(directory_stand, old, known=known).anchors[old] != known[old]


def test_nested_groups_with_a_cycle(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """Members come through any depth of groups; circles end; strangers to the read are left out."""
    edits = directory_stand.edits
    inside, outside = edits.add_ou("Inside", directory_ou), edits.add_ou("Outside", directory_ou)
    people = {name: directory_stand.person(name, inside) for name in ("Anna", "Bob, Jr. (üñ*)", "Cem")}
    stranger = directory_stand.person("Stranger", outside)
    lowest = edits.add_group("Lowest (a*b), c", directory_ou, [people["Cem"], people["Bob, Jr. (üñ*)"]])
    middle = edits.add_group("Middle", directory_ou, [lowest, people["Bob, Jr. (üñ*)"]])
    top = edits.add_group("Töp 🦊", directory_ou, [middle, people["Anna"], stranger])
    edits.set_members(lowest, [people["Cem"], people["Bob, Jr. (üñ*)"], top])
    empty = edits.add_group("Empty", directory_ou)
    result = read(directory_stand, inside, groups=(top, empty))
    assert result.groups == {top: frozenset(person.guid for person in result.people), empty: frozenset()}
    assert len(result.people) == 3
    assert {top, empty} < set(result.anchors)


def test_renamed_group_is_followed_by_guid(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """A group that was resolved before is found under its new name."""
    edits = directory_stand.edits
    anna = directory_stand.person("Anna", directory_ou)
    group = edits.add_group("Agents", directory_ou, [anna])
    first = read(directory_stand, directory_ou, groups=(group,))
    edits.move(group, f"CN=Service Desk,{directory_ou}")
    second = read(directory_stand, directory_ou, groups=(group,), known=first.anchors)
    assert second.groups == first.groups
    assert second.groups[group]


def test_missing_group_and_what_is_no_group(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """A group that is not there, or is something else, makes the read incomplete."""
    with pytest.raises(IncompleteRead, match=r"CN=Gone.* is not in directory"):
        read(directory_stand, directory_ou, groups=(f"CN=Gone,{directory_ou}",))
    with pytest.raises(IncompleteRead, match="is no group"):
        read(directory_stand, directory_ou, groups=(directory_ou,))


def test_large_group(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """A group of 1,050 has 1,050 members."""
    directory_stand.crowd(directory_ou, 1050)
    members = [f"CN=Person {number},{directory_ou}" for number in range(1050)]
    group = directory_stand.edits.add_group("Everybody", directory_ou, members)
    assert len(read(directory_stand, directory_ou, groups=(group,)).groups[group]) == 1050


def test_containers_with_counts(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """The tree comes parents first, with the people directly in each container."""
    inner = directory_stand.edits.add_ou("Inner", directory_ou)
    for name, ou in {"Anna": directory_ou, "Bob": directory_ou, "Cem": inner}.items():
        directory_stand.person(name, ou)
    told: list[int] = []
    with directory_stand.open() as directory:
        counted = list(directory.containers(told.append))
        total = len(directory.read(request_for(), quiet).people)
    people = {str(each.container.dn): each.people for each in counted}
    assert (people[directory_ou], people[inner]) == (2, 1)
    assert sum(people.values()) == told[-1] == total
    seen = set()
    for each in counted:
        assert each.container.parent is None or each.container.parent in seen
        seen.add(each.container.guid)
    assert counted[0].container.dn.lower() == directory_stand.edits.base_dn.lower()


def test_base_dn_limits_everything(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """With a base the tree and the people begin there; groups may lie elsewhere."""
    anna = directory_stand.person("Anna", directory_ou)
    group = directory_stand.edits.add_group(
        f"Far {next(directory_stand.numbers)}", directory_stand.users, [anna]
    )
    with directory_stand.open(base_dn=directory_ou.upper()) as directory:
        result = directory.read(request_for(groups=(group,)), quiet)
    assert names(result.people) == ["Anna"]
    assert [container.parent for container in result.tree.containers.values()] == [None]
    assert len(result.groups[group]) == 1


def test_base_dn_that_is_not_there(directory_stand: DirectoryStand) -> None:
    """A wrong base is a sentence that names it."""
    base = f"OU=Nowhere,{directory_stand.edits.base_dn}"
    with directory_stand.open(base_dn=base) as directory, pytest.raises(IncompleteRead, match="OU=Nowhere"):
        directory.read(request_for(), quiet)


def test_ordinary_read_costs_four_searches(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """Root, NetBIOS name, tree, people: nothing else is asked."""
    directory_stand.person("Anna", directory_ou)
    with directory_stand.open() as directory:
        result = directory.read(request_for(directory_ou), quiet)
        meter = directory_stand.meter
        assert meter.ldap_searches == 4
        # Root, cross-reference, person; a container below something else than a container is read in vain.
        assert meter.ldap_entries >= 3 + len(result.tree.containers)
        directory.close()
        directory.close()
        assert names(directory.read(request_for(directory_ou), quiet).people) == ["Anna"]


def test_managers_are_told_by_account(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """Only where they are asked for; a manager who is not read is told as well, but leads to nobody."""
    inside = directory_stand.edits.add_ou("Inside", directory_ou)
    boss = directory_stand.person("Böss, Jr.", inside)
    stranger = directory_stand.person("Stranger", directory_ou)
    directory_stand.person("Anna", inside, manager=boss)
    directory_stand.person("Bob", inside, manager=stranger)
    result = read(directory_stand, inside, managers=True)
    people = {person.dn.partition(",")[0]: person for person in result.people}
    leads = {person: result.names.get(dn) for person, dn in result.managers.items()}
    assert leads == {
        people["CN=Anna"].guid: next(person.guid for person in result.people if person.dn == boss),
        people["CN=Bob"].guid: None,
    }
    assert all("manager" not in person.attributes for person in result.people)
    without = read(directory_stand, inside)
    assert (without.managers, without.names) == ({}, {})


def test_staff_is_read_wherever_it_stands(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """By nested groups and by OUs, outside of what is included; linked accounts too; never a computer."""
    edits = directory_stand.edits
    inside, outside = edits.add_ou("Inside", directory_ou), edits.add_ou("Outside", directory_ou)
    helpdesk = edits.add_ou("Help Desk", directory_ou)
    both, far = directory_stand.person("Both", inside), directory_stand.person("Far (a*b)", outside)
    directory_stand.person("By OU", helpdesk)
    directory_stand.person("Ordinary", inside)
    left = directory_stand.person("Left", outside)
    lowest = edits.add_group("Lowest of staff", directory_ou, [far])
    middle = edits.add_group("Middle of staff", directory_ou, [lowest])
    top = edits.add_group("Top of staff", directory_ou, [middle, both])
    edits.set_members(lowest, [far, top])
    team = edits.add_group("Team of staff", directory_ou, [lowest, left])
    everybody = {str(person.dn): person.guid for person in read(directory_stand, directory_ou).people}
    staff = StaffRequest((top,), (helpdesk,), (team,), frozenset({everybody[left], everybody[far]}))
    result = read(directory_stand, inside, filter="(mail=nobody)", staff=staff)
    assert names(result.staff) == sorted(["Both", "By OU", "Far (a*b)", "Left"])
    assert result.people == ()
    assert result.groups[top] == {everybody[both], everybody[far]}
    assert result.groups[team] == {everybody[both], everybody[far], everybody[left]}
    assert {top, helpdesk, team} <= result.anchors.keys()
    edits.move(top, f"CN=Agents,{directory_ou}")
    again = read(directory_stand, inside, staff=staff, known=result.anchors)
    assert again.groups[top] == result.groups[top]


def test_a_group_of_two_thousand_agents(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """Ranged retrieval and pages bring every one of them, three groups deep."""
    directory_stand.crowd(directory_ou, 2000)
    members = [f"CN=Person {number},{directory_ou}" for number in range(2000)]
    lowest = directory_stand.edits.add_group("Lowest of two thousand", directory_ou, members)
    middle = directory_stand.edits.add_group("Middle of two thousand", directory_ou, [lowest])
    top = directory_stand.edits.add_group("Top of two thousand", directory_ou, [middle])
    elsewhere = directory_stand.edits.add_ou("Elsewhere", directory_ou)
    result = read(directory_stand, elsewhere, staff=StaffRequest((top,)))
    assert len(result.staff) == len(result.groups[top]) == 2000


def test_missing_staff_makes_the_read_incomplete(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """A group or OU of agents that is not there is named, and nothing is concluded."""
    for staff in (
        StaffRequest(groups=(f"CN=Gone,{directory_ou}",)),
        StaffRequest(ous=(f"OU=Gone,{directory_ou}",)),
    ):
        with pytest.raises(IncompleteRead, match=r"=Gone.* is not in directory"):
            read(directory_stand, directory_ou, staff=staff)
