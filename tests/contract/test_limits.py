"""Contract: what a controller does not give in one answer, and Samba always does.

Microsoft's domain controllers cut answers into pages, values into ranges and changes into parts, and end a
search where a limit is reached. What was cut off is gone on with, or it is an error: never the whole.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from devstack.directory import Directory
from devstack.directory.dirsync import DirSync
from halo_adsync.directory.ldap import LdapDirectory
from halo_adsync.directory.port import ReadRequest
from halo_adsync.errors import IncompleteRead
from halo_adsync.state.runs import Status
from tests.contract.conftest import DirectoryStand
from tests.contract.sync_stage import Stage, directory, dn, go, rules, stage
from tests.contract.test_changes import WATCH, Following
from tests.contract.test_delta import people

__all__ = ["directory", "stage"]

SIZE_LIMIT = 4
PAGE = 3


type Small = tuple[DirectoryStand, Directory, str]
type Asking = Callable[[LdapDirectory], Any]


@pytest.fixture
def small(directory_demo: tuple[DirectoryStand, Directory]) -> Small:
    """A controller that gives little at a time, with seven people in an OU."""
    stand, server = directory_demo
    server.limits.page, server.limits.values, server.limits.changes = PAGE, 2, PAGE
    ou = server.add_ou("People")
    stand.crowd(ou, 7)
    return stand, server, ou


def crowd(ou: str) -> list[str]:
    """Return the DNs of the seven."""
    return [f"CN=Person {number},{ou}" for number in range(7)]


def everybody(directory: LdapDirectory, ou: str, *groups: str) -> Any:
    """Read the people of the OU."""
    return directory.read(ReadRequest(frozenset(), include=(ou,), groups=groups), lambda _: None)


def test_changes_in_parts_are_all_heard_of(small: Small) -> None:
    """By DirSync, at the birth of a cursor as later; its flags are not refused."""
    stand, server, ou = small
    with stand.open() as directory:
        following = Following(directory)
        assert following.cursor.method == "dirsync"
        for name in crowd(ou):
            server.modify(name, {"title": "Changed"})
        before = stand.meter.ldap_searches
        assert following.next().people == {person.guid for person in everybody(directory, ou).people}
        assert stand.meter.ldap_searches - before > len(crowd(ou)) / PAGE
        assert following.next().people == frozenset()


def test_what_changes_between_two_parts_is_heard_of(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the next part, or the next time."""
    stand, server, ou = small
    names = crowd(ou)
    with stand.open() as directory:
        following = Following(directory)
        for name in names[:6]:
            server.modify(name, {"title": "Changed"})
        answer, late = DirSync.answer, [names[6], names[0]]

        def and_then(*arguments: Any) -> Any:
            part = answer(*arguments)
            if late:
                server.modify(late.pop(), {"title": "Changed"})
            return part

        monkeypatch.setattr(DirSync, "answer", and_then)
        found = following.next().people | following.next().people
        assert found == {person.guid for person in everybody(directory, ou).people}
        assert not late


def test_members_and_pages_are_gone_on_with(small: Small) -> None:
    """Everybody, and every member of a nested group, however small the pieces are."""
    stand, server, ou = small
    nested = server.add_group("Nested", ou, crowd(ou)[:5])
    group = server.add_group("Group", ou, [nested, *crowd(ou)[5:]])
    with stand.open() as directory:
        read = everybody(directory, ou, group)
    assert len(read.people) == 7
    assert read.groups[group] == {person.guid for person in read.people}


def changes(method: str) -> Asking:
    """Return what asks for changes where everybody has changed since the cursor."""

    def ask(directory: LdapDirectory) -> Any:
        watch = replace(WATCH, method=method)
        born = directory.changes(None, watch).cursor
        assert born
        zero = "0" if method == "usn" else ""
        return directory.changes(replace(born, position=zero), watch)

    return ask


ASKING: dict[str, Callable[[str], Asking]] = {
    "everybody": lambda ou: lambda directory: everybody(directory, ou),
    "dirsync": lambda _: changes("dirsync"),
    "usn": lambda _: changes("usn"),
    "containers": lambda _: lambda directory: directory.containers(lambda _: None),
}


@pytest.mark.parametrize("what", ASKING)
@pytest.mark.parametrize("in_the_middle", [False, True])
def test_an_answer_that_was_cut_off_is_none(small: Small, what: str, in_the_middle: bool) -> None:
    """A size limit, at once or between two pages: what came before it is not taken for the whole."""
    stand, server, ou = small
    server.faults.result_in_the_middle = in_the_middle
    ask = ASKING[what](ou)
    with stand.open() as directory:
        ask(directory)
        server.faults.result = SIZE_LIMIT
        with pytest.raises(IncompleteRead, match=r"did not answer completely.*limit"):
            ask(directory)
        server.faults.result = None
        ask(directory)


def test_parts_without_end_are_given_up(small: Small) -> None:
    """A controller that always has more to tell, and never goes on."""
    stand, server, _ = small
    with stand.open() as directory:
        following = Following(directory)
        server.faults.endless = True
        with pytest.raises(IncompleteRead, match="again and again"):
            following.next()
        server.faults.endless = False
        following.next()


def test_a_delta_that_was_cut_off_hears_of_it_the_next_time(stage: Stage, directory: Directory) -> None:
    """The run fails, nothing is written, and the cursor stays where it is."""
    directory.limits.page = directory.limits.changes = PAGE
    rules(stage, policy="full")
    assert go(stage, mode="delta").status is Status.OK
    for number in range(1, 8):
        directory.modify(dn(number), {"title": "Engineer"})
    stage.halo.forget_requests()
    directory.faults.result, directory.faults.result_in_the_middle = SIZE_LIMIT, True
    run = go(stage, mode="delta")
    assert (run.status, stage.writes()) == (Status.FAILED, [])
    assert "limit" in run.message
    directory.faults.result = None
    run = go(stage, mode="delta")
    assert (run.mode, run.status, people(run)) == ("delta", Status.OK, {"update": 7})
