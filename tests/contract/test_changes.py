"""Contract: what a directory says has changed, by DirSync and by update sequence numbers."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

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
