"""Contract: what a directory says has changed, by DirSync and by update sequence numbers."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

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
