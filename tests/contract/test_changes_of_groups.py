"""Contract: whom a change of groups concerns, by DirSync and by update sequence numbers."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from devstack.directory import Directory, connection
from devstack.directory.protocol import EXTENDED_DN, SUPPORTED_CONTROLS
from halo_adsync.directory import changes, memberships
from halo_adsync.directory.ldap import LdapDirectory
from halo_adsync.directory.port import Changes, ReadRequest
from halo_adsync.model import ObjectGuid
from tests.contract.conftest import DirectoryStand
from tests.contract.test_changes import WATCH, Following, following, guid_of

__all__ = ["following"]


class Groups:
    """Groups of one test, of which some are watched."""

    def __init__(self, stand: DirectoryStand, ou: str, following: Following) -> None:
        self.stand, self.ou, self.following = stand, ou, following

    def add(self, members: Iterable[str] = ()) -> str:
        """Add a group with a name that no other has."""
        return self.stand.edits.add_group(f"G{next(self.stand.numbers)}", self.ou, members)

    def watch(self, *groups: str) -> None:
        """Watch from now on what a read of these would have."""
        with self.stand.open() as directory:
            request = ReadRequest(frozenset(), groups=groups, person=self.ou)
            read = directory.read(request, lambda _: None)
        self.following.next()
        self.following.cursor = replace(self.following.cursor, watched=tuple(read.watched))

    def change(self, group: str, *members: str) -> None:
        """Let a group have these members."""
        self.stand.edits.set_members(group, members)

    def concern(self, *people: str) -> None:
        """Assert that exactly these are concerned by what changed, or everybody where that is not told."""
        found = self.following.next()
        if self.following.cursor.method == "usn":
            assert "a group or container" in found.everybody
        else:
            assert (set(found.people), found.everybody) == ({self.guid(dn) for dn in people}, "")

    def guid(self, dn: str) -> ObjectGuid:
        """Return an account's GUID."""
        return guid_of(self.stand, dn)


@pytest.fixture
def groups(directory_stand: DirectoryStand, directory_ou: str, following: Following) -> Groups:
    """Groups of this test."""
    return Groups(directory_stand, directory_ou, following)


@pytest.fixture
def crew(directory_stand: DirectoryStand, directory_ou: str) -> list[str]:
    """Four people."""
    return [directory_stand.person(name, directory_ou) for name in ("Ann", "Ben", "Cleo", "Dan")]


def test_who_joins_or_leaves_a_watched_group_is_concerned(groups: Groups, crew: list[str]) -> None:
    """And not who stays; of another group, nobody."""
    ann, ben, cleo, _ = crew
    watched, other = groups.add([ann, ben]), groups.add([ann])
    groups.watch(watched)
    groups.change(other, ben)
    assert groups.following.next() == Changes(groups.following.cursor)
    groups.change(watched, ben, cleo)
    groups.concern(ann, cleo)
    assert groups.following.next() == Changes(groups.following.cursor)


def test_who_left_is_found_whatever_became_of_the_name(groups: Groups, crew: list[str]) -> None:
    """Somebody has left and was renamed; somebody else has the name now."""
    ann, ben, *_ = crew
    watched = groups.add([ann, ben])
    groups.watch(watched)
    groups.change(watched, ben)
    renamed = f"CN=Anne,{groups.ou}"
    groups.stand.edits.move(ann, renamed)
    new = groups.stand.person("Ann", groups.ou)
    groups.concern(renamed, new)


def test_a_group_stands_for_all_below_it(groups: Groups, crew: list[str]) -> None:
    """Whether it joins or leaves, however deep they stand, in circles too."""
    ann, ben, cleo, dan = crew
    inner = groups.add([ann])
    middle = groups.add([ben, inner])
    groups.change(inner, ann, middle)
    watched = groups.add([cleo])
    groups.watch(watched)
    groups.change(watched, cleo, middle)
    groups.concern(ann, ben)
    if groups.following.cursor.method == "usn":
        groups.watch(watched)
    groups.change(inner, middle, dan)
    groups.concern(ann, dan)
    groups.change(watched, cleo)
    groups.concern(ben, dan)


def test_what_joins_empty_is_watched_from_then_on(groups: Groups, crew: list[str]) -> None:
    """Nobody is concerned by it, so nothing is read; and then somebody joins below."""
    ann, *_ = crew
    inner = groups.add()
    middle, watched = groups.add([inner]), groups.add()
    groups.watch(watched)
    groups.change(watched, middle)
    groups.concern()
    if groups.following.cursor.method == "usn":
        groups.watch(watched)
    groups.change(inner, ann)
    groups.concern(ann)


def test_lost_and_won_on_the_same_way(groups: Groups, crew: list[str]) -> None:
    """A group leaves another just when somebody joins or leaves it."""
    ann, ben, cleo, _ = crew
    inner = groups.add([ann, ben])
    watched = groups.add([inner])
    groups.watch(watched)
    groups.change(watched)
    groups.change(inner, ben, cleo)
    groups.concern(ann, ben, cleo)


@pytest.mark.parametrize("what", ["rename", "delete"])
def test_a_watched_group_that_is_another_concerns_everybody(
    groups: Groups, crew: list[str], what: str
) -> None:
    """What it stood in, and what stood in it, is not told when it is deleted."""
    inner = groups.add(crew)
    watched = groups.add([inner])
    groups.watch(watched)
    if what == "rename":
        groups.stand.edits.move(inner, f"CN=R{next(groups.stand.numbers)},{groups.ou}")
    else:
        groups.stand.edits.delete(inner)
    assert ("a group" in groups.following.next().everybody) or groups.following.cursor.blind


def test_reports_of_who_joins_are_concerned(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """Their manager is in scope now, and has a record that mappings can speak of."""
    chief = directory_stand.person("Chief", directory_ou)
    report = directory_stand.person("Report", directory_ou, manager=chief)
    with directory_stand.open() as directory:
        groups = Groups(directory_stand, directory_ou, Following(directory, replace(WATCH, managers=True)))
        watched = groups.add()
        groups.watch(watched)
        groups.change(watched, chief)
        groups.concern(chief, report)


def demo(both: tuple[DirectoryStand, Directory], directory: LdapDirectory, method: str = "auto") -> Groups:
    """Return groups in a directory for this test alone."""
    stand, server = both
    return Groups(stand, server.add_ou("People"), Following(directory, replace(WATCH, method=method)))


@pytest.mark.parametrize("deep", [False, True])
def test_too_many_are_everybody(
    directory_demo: tuple[DirectoryStand, Directory], monkeypatch: pytest.MonkeyPatch, deep: bool
) -> None:
    """Reading them one by one would be dearer."""
    for module in (memberships, changes):
        monkeypatch.setattr(module, "MOST", 3)
    stand, _ = directory_demo
    with stand.open() as directory:
        groups = demo(directory_demo, directory)
        crew = [stand.person(f"Person {number}", groups.ou) for number in range(4)]
        few, many = ([groups.add(dns)] if deep else dns for dns in (crew[:3], crew))
        watched = groups.add()
        groups.watch(watched)
        groups.change(watched, *few)
        groups.concern(*crew[:3])
        groups.change(watched)
        groups.concern(*crew[:3])
        groups.change(watched, *many)
        assert "more than" in groups.following.next().everybody


def test_a_controller_that_lists_all_members_says_nothing_of_who_left(
    directory_demo: tuple[DirectoryStand, Directory], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that does not know incremental values; nor one that gives no GUIDs."""
    stand, _ = directory_demo
    with stand.open() as directory:
        groups = demo(directory_demo, directory)
        ann, ben = (stand.person(name, groups.ou) for name in ("Ann", "Ben"))
        watched = groups.add([ann, ben])
        groups.watch(watched)
        with monkeypatch.context() as patch:
            patch.setattr(changes, "_FLAGS", 0x1)
            for members in ([ben], []):
                groups.change(watched, *members)
                assert "a group" in groups.following.next().everybody
        without = tuple(name for name in SUPPORTED_CONTROLS if name != EXTENDED_DN)
        monkeypatch.setattr(connection, "SUPPORTED_CONTROLS", without)
        groups.change(watched, ann)
        assert "a group" in groups.following.next().everybody


@pytest.mark.parametrize("method", ["auto", "usn"])
def test_a_group_that_comes_back_into_a_watched_one_stands_for_its_members(
    directory_demo: tuple[DirectoryStand, Directory], method: str
) -> None:
    """From the recycle bin, with all that it had: the outer one's change is not told."""
    stand, server = directory_demo
    server.has_recycle_bin = True
    with stand.open() as directory:
        groups = demo(directory_demo, directory, method)
        ann, ben = (stand.person(name, groups.ou) for name in ("Ann", "Ben"))
        nested, loose = groups.add([ann]), groups.add([ben])
        outer = groups.add([nested])
        groups.add([nested, loose])
        guids = {dn: server.values(dn, "objectGUID")[0] for dn in (loose, nested)}
        for dn in guids:
            server.delete(dn)
        groups.watch(outer)
        for dn, concerned in ((loose, set()), (nested, {groups.guid(ann)})):
            server.restore(guids[dn], dn)
            found = groups.following.next()
            assert set(found.people & {groups.guid(ann), groups.guid(ben)}) == concerned
            assert found.everybody == ""
        server.set_members(nested, [ben])
        found = groups.following.next()
        assert method == "usn" or found.people == {groups.guid(ann), groups.guid(ben)}
