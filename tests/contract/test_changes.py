"""Contract: what a directory says has changed, by DirSync and by update sequence numbers."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from devstack.directory import Directory
from devstack.samba import SambaDomain
from halo_adsync.directory.ldap import LdapDirectory
from halo_adsync.directory.port import Changes, ReadRequest, Watch
from halo_adsync.model import Cursor, ObjectGuid
from tests.contract.conftest import DirectoryStand

WATCH = Watch("auto", frozenset({"title", "mail", "displayName"}), "", "digest")


class Following:
    """Somebody who follows a directory's changes."""

    def __init__(self, directory: LdapDirectory, watch: Watch = WATCH) -> None:
        self.directory, self.watch = directory, watch
        born = directory.changes(None, watch)
        assert born.cursor is not None
        self.cursor: Cursor = born.cursor

    def next(self) -> Changes:
        """Return what changed since the last time."""
        changes = self.directory.changes(self.cursor, self.watch)
        assert changes.cursor is not None
        self.cursor = changes.cursor
        return changes


@pytest.fixture(params=["auto", "usn"])
def following(directory_stand: DirectoryStand, request: pytest.FixtureRequest) -> Iterator[Following]:
    """Follow the changes with the domain's administrator, who sees everything."""
    with directory_stand.open() as directory:
        yield Following(directory, replace(WATCH, method=request.param))


def guid_of(stand: DirectoryStand, dn: str) -> ObjectGuid:
    """Return an account's GUID, by asking the directory for it."""
    with stand.open() as directory:
        read = directory.read(ReadRequest(frozenset(), person=dn), lambda _: None)
    (person,) = read.people
    return person.guid


def test_nothing_changed(following: Following) -> None:
    """A cursor follows on from itself."""
    assert following.next() == Changes(following.cursor)
    assert following.next() == Changes(following.cursor)


def test_every_kind_of_change_is_heard_of(
    directory_stand: DirectoryStand, directory_ou: str, following: Following
) -> None:
    """New, changed, cleared, renamed, moved, disabled: each once, and nobody else."""
    edits = directory_stand.edits
    other = edits.add_ou("Other", directory_ou)
    following.next()
    ann = directory_stand.person("Ann", directory_ou, title="Boss")
    directory_stand.person("Bob", directory_ou)
    guid = guid_of(directory_stand, ann)
    assert guid in following.next().people
    renamed, moved = f"CN=Anne,{directory_ou}", f"CN=Anne,{other}"
    ways: list[Callable[[], object]] = [
        lambda: edits.modify(ann, {"title": "Chief"}),
        lambda: edits.modify(ann, {"title": None}),
        lambda: edits.move(ann, renamed),
        lambda: edits.move(renamed, moved),
        lambda: edits.disable(moved),
        lambda: edits.enable(moved),
    ]
    for change in ways:
        change()
        assert following.next() == Changes(following.cursor, frozenset({guid}))


def test_who_may_not_see_the_deleted_is_told_so(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """Samba shows them to administrators only: the cursor says so, because nothing else would."""
    ann = directory_stand.person("Ann", directory_ou)
    guid = guid_of(directory_stand, ann)
    with directory_stand.open() as directory:
        following = Following(directory)
        directory_stand.edits.delete(ann)
        assert (guid in following.next().people) is not following.cursor.blind
    assert following.cursor.blind is isinstance(directory_stand.edits, SambaDomain)


def test_a_cursor_of_another_server_or_file_is_of_no_use(directory_stand: DirectoryStand) -> None:
    """It says why, and gives one that is."""
    with directory_stand.open() as directory:
        following = Following(directory)
        for other, why in (
            (replace(following.cursor, server="dc99.corp.example"), "dc99"),
            (replace(following.cursor, database="00000000-0000-0000-0000-000000000000"), "restored"),
            (replace(following.cursor, digest="another"), "file"),
        ):
            changes = directory.changes(other, WATCH)
            assert why in changes.everybody
            assert changes.cursor is not None
            assert directory.changes(changes.cursor, WATCH).everybody == ""


@pytest.mark.parametrize("asked", [{"attributes": frozenset({"memberOf"})}, {"filter": "(memberOf=CN=a)"}])
def test_what_no_controller_reports_is_not_followed(directory_stand: DirectoryStand, asked: Any) -> None:
    """A group's change is none of its members'."""
    with directory_stand.open() as directory:
        changes = directory.changes(None, replace(WATCH, **asked))
    assert (changes.cursor, "memberof" in changes.everybody) == (None, True)


def test_reports_are_concerned_by_a_change_of_their_manager(
    directory_stand: DirectoryStand, directory_ou: str
) -> None:
    """Where the file takes something of the manager."""
    chief = directory_stand.person("Chief", directory_ou)
    report = directory_stand.person("Report", directory_ou, manager=chief)
    with directory_stand.open() as directory:
        following = Following(directory, replace(WATCH, managers=True))
        directory_stand.edits.modify(chief, {"title": "Boss"})
        found = following.next().people
    assert found == {guid_of(directory_stand, chief), guid_of(directory_stand, report)}


@pytest.mark.parametrize("method", ["auto", "usn"])
def test_another_manager_is_a_change(directory_stand: DirectoryStand, directory_ou: str, method: str) -> None:
    """Where the file takes something of the manager, though no mapping names the attribute."""
    chief, ann = (directory_stand.person(name, directory_ou) for name in ("Chief", "Ann"))
    with directory_stand.open() as directory:
        following = Following(directory, replace(WATCH, method=method, managers=True))
        for manager in (chief, None):
            directory_stand.edits.modify(ann, {"manager": manager})
            assert guid_of(directory_stand, ann) in following.next().people


def test_a_watched_group_concerns_everybody_and_another_nobody(
    directory_stand: DirectoryStand, directory_ou: str, following: Following
) -> None:
    """Its members changed, and whoever left is not named by any account."""
    ann = directory_stand.person("Ann", directory_ou)
    mark = next(directory_stand.numbers)
    group, other = (directory_stand.edits.add_group(f"G{mark}-{n}", directory_ou, [ann]) for n in "12")
    with directory_stand.open() as directory:
        read = directory.read(ReadRequest(frozenset(), groups=(group,), person=ann), lambda _: None)
    following.next()
    following.cursor = replace(following.cursor, watched=tuple(read.watched))
    directory_stand.edits.set_members(other, [])
    assert following.next() == Changes(following.cursor)
    directory_stand.edits.set_members(group, [])
    assert "group" in following.next().everybody


def test_who_is_restored_is_heard_of(
    directory_stand: DirectoryStand, directory_ou: str, following: Following
) -> None:
    """And of a group that nobody depends on nothing follows."""
    ann = directory_stand.person("Ann", directory_ou)
    mark = next(directory_stand.numbers)
    group = directory_stand.edits.add_group(f"G{mark}", directory_ou, [ann])
    guid = guid_of(directory_stand, ann)
    for dn in (group, ann):
        (binary,) = directory_stand.edits.values(dn, "objectGUID")
        directory_stand.edits.delete(dn)
        following.next()
        directory_stand.edits.restore(binary, f"{dn.split(',')[0]} again,{directory_ou}")
        changes = following.next()
        assert (changes.everybody, guid in changes.people) == ("", dn is ann)


@pytest.mark.parametrize("method", ["auto", "usn"])
def test_a_group_that_comes_back_into_a_watched_one_concerns_everybody(
    directory_demo: tuple[DirectoryStand, Directory], method: str
) -> None:
    """From the recycle bin, with all that it had: the outer one's change is not told."""
    stand, server = directory_demo
    server.has_recycle_bin = True
    ou = server.add_ou("People")
    ann = stand.person("Ann", ou)
    nested, loose = (server.add_group(name, ou, [ann]) for name in ("Nested", "Loose"))
    outer = server.add_group("Outer", ou, [nested])
    server.add_group("Another", ou, [nested, loose])
    guids = {dn: server.values(dn, "objectGUID")[0] for dn in (loose, nested)}
    for dn in guids:
        server.delete(dn)
    with stand.open() as directory:
        read = directory.read(ReadRequest(frozenset(), groups=(outer,)), lambda _: None)
        following = Following(directory, replace(WATCH, method=method))
        following.cursor = replace(following.cursor, watched=tuple(read.watched))
        for dn, is_in_a_watched_one in ((loose, False), (nested, True)):
            server.restore(guids[dn], dn)
            assert ("a group came back" in following.next().everybody) is is_in_a_watched_one


def test_an_ou_concerns_everybody(
    directory_stand: DirectoryStand, directory_ou: str, following: Following
) -> None:
    """Whoever stands in it is not named."""
    edits = directory_stand.edits
    one = edits.add_ou("One", directory_ou)
    assert "OU" in following.next().everybody
    edits.move(one, f"OU=Two,{directory_ou}")
    assert "OU" in following.next().everybody
    edits.delete(f"OU=Two,{directory_ou}")
    following.next()
    assert following.next().everybody == ""
