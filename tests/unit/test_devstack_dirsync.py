"""The demo directory says what changed as Microsoft's domain controllers do, seen through ldap3."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from ldap3 import BASE
from ldap3.core.exceptions import LDAPExtensionError
from ldap3.protocol.microsoft import DirSyncControlRequestValue
from pyasn1.codec.ber import encoder

from devstack.directory import Directory
from tests.unit.test_devstack_directory import BASE_DN, PASSWORD, connected

DIRSYNC = "1.2.840.113556.1.4.841"
PEOPLE = f"OU=People,{BASE_DN}"
OBJECT_SECURITY, INCREMENTAL = 0x1, -0x80000000
UNAVAILABLE_CRITICAL_EXTENSION, INSUFFICIENT_RIGHTS, UNWILLING = 12, 50, 53
ASKED = ("objectGUID", "name", "parentGUID", "title", "mail", "member", "isDeleted")

type News = dict[str, dict[str, list[bytes]]]


class Client:
    """Follows changes over one connection."""

    def __init__(self, connection: Any) -> None:
        self.connection, self.cookie, self.more = connection, b"", False

    def ask(self, flags: int = OBJECT_SECURITY | INCREMENTAL, base: str = BASE_DN) -> dict[str, Any]:
        """Ask once, and return the result."""
        value = DirSyncControlRequestValue()
        value.setComponentByName("Flags", flags)
        value.setComponentByName("MaxBytes", 0x7FFFFFFF)
        value.setComponentByName("Cookie", self.cookie)
        control = (DIRSYNC, True, encoder.encode(value))
        self.connection.search(base, "(objectClass=*)", attributes=ASKED, controls=[control])
        result: dict[str, Any] = self.connection.result
        if result["result"] == 0:
            answer = result["controls"][DIRSYNC]["value"]
            self.cookie, self.more = answer["cookie"], answer["more_results"]
        return result

    def news(self, **options: Any) -> News:
        """Ask once, and return what changed by name."""
        assert self.ask(**options)["result"] == 0
        found = [entry for entry in self.connection.response if entry["type"] == "searchResEntry"]
        return {entry["dn"]: dict(entry["raw_attributes"]) for entry in found}


@pytest.fixture
def lab() -> Iterator[Directory]:
    """A domain with an account to sign in with and an empty unit."""
    with Directory([(BASE_DN, {"objectClass": ["top", "domain", "domainDNS"]})]) as directory:
        directory.add_ou("People")
        directory.add_user("svc-halo", BASE_DN, userPassword=PASSWORD)
        yield directory


@pytest.fixture
def client(lab: Directory) -> Iterator[Client]:
    """Somebody who has heard of everything so far."""
    with ExitStack() as stack:
        client = Client(stack.enter_context(connected(lab)))
        assert PEOPLE in client.news()
        yield client


def test_an_object_comes_with_what_changed_of_it(lab: Directory, client: Client) -> None:
    """Only what was asked for, what was cleared without values, and the GUID in any case."""
    anna = lab.add_user("Anna", PEOPLE, title="Boss", mail="a@lab.example")
    assert client.news().keys() == {anna}
    lab.modify(anna, {"title": "Chief", "mail": None})
    (changed,) = client.news().values()
    assert changed == {"objectGUID": lab.values(anna, "objectGUID"), "title": [b"Chief"], "mail": None}
    lab.modify(anna, {"telephoneNumber": "1"})
    assert client.news() == {}


def test_a_move_tells_name_and_parent_and_nobody_below(lab: Directory, client: Client) -> None:
    """The people of a renamed OU are not heard of."""
    anna = lab.add_user("Anna", PEOPLE)
    client.news()
    lab.move(PEOPLE, f"OU=Persons,{BASE_DN}")
    assert client.news().keys() == {f"OU=Persons,{BASE_DN}"}
    lab.move(anna.replace("People", "Persons"), f"CN=Anna,{BASE_DN}")
    ((moved, changed),) = client.news().items()
    assert (moved, changed["parentGUID"]) == (f"CN=Anna,{BASE_DN}", lab.values(BASE_DN, "objectGUID"))
    assert "title" not in changed


def test_the_deleted_are_heard_of(lab: Directory, client: Client) -> None:
    """Under their new name, with the GUID that they had."""
    anna = lab.add_user("Anna", PEOPLE)
    (guid,) = lab.values(anna, "objectGUID")
    lab.delete(anna)
    ((dn, tombstone),) = client.news().items()
    assert (tombstone["objectGUID"], tombstone["isDeleted"]) == ([guid], [b"TRUE"])
    assert dn.endswith(f",CN=Deleted Objects,{BASE_DN}")


def test_a_group_tells_who_joined_and_who_left(lab: Directory, client: Client) -> None:
    """By the names that they have by now; without incremental values all members."""
    people = [lab.add_user(name, PEOPLE) for name in ("Anna", "Ben", "Cleo")]
    group = lab.add_group("Staff", PEOPLE, people[:2])
    assert client.news()[group]["member;range=1-1"] == [dn.encode() for dn in people[:2]]
    lab.set_members(group, people[1:])
    renamed = f"CN=Anne,{PEOPLE}"
    lab.move(people[0], renamed)
    before = client.cookie
    changed = client.news()[group]
    joined, left = changed["member;range=1-1"], changed["member;range=0-0"]
    assert (joined, left) == ([people[2].encode()], [renamed.encode()])
    client.cookie = before
    assert client.news(flags=OBJECT_SECURITY)[group]["member"] == [dn.encode() for dn in people[1:]]


def test_renaming_or_deleting_a_member_changes_no_group(lab: Directory, client: Client) -> None:
    """The link leads to the object; one to nothing is gone without a word."""
    anna, ben = (lab.add_user(name, PEOPLE) for name in ("Anna", "Ben"))
    group = lab.add_group("Staff", PEOPLE, [anna, ben])
    client.news()
    lab.move(anna, f"CN=Anne,{PEOPLE}")
    assert group not in client.news()
    lab.delete(ben)
    assert group not in client.news()
    lab.modify(group, {"title": "Changed"})
    assert client.news()[group].keys() == {"objectGUID", "title"}


def test_answers_come_in_parts(lab: Directory, client: Client) -> None:
    """What changes between two of them comes again; of nobody anything is left out."""
    people = [lab.add_user(f"Person {number}", PEOPLE) for number in range(5)]
    client.news()
    for dn in people:
        lab.modify(dn, {"title": "1"})
    for dn in people:
        lab.modify(dn, {"mail": "2"})
    lab.limits.changes = 2
    assert (set(client.news()), client.more) == (set(people[:2]), True)
    lab.modify(people[0], {"title": "3"})
    assert (set(client.news()), client.more) == (set(people[2:4]), True)
    last = client.news()
    assert (set(last), client.more) == ({people[4], people[0]}, False)
    assert last[people[4]].keys() == {"objectGUID", "title", "mail"}
    assert client.news() == {}


def test_flags_of_five_bytes_are_refused(lab: Directory) -> None:
    """A number with its sign has four, and ldap3's own request has not."""
    with connected(lab) as connection:
        result = Client(connection).ask(flags=0x80000001)
        assert result["result"] == UNAVAILABLE_CRITICAL_EXTENSION
        of_ldap3 = connection.extend.microsoft.dir_sync(
            BASE_DN, attributes=["name"], object_security=True, incremental_values=True
        )
        with pytest.raises(LDAPExtensionError):
            of_ldap3.loop()
        assert connection.result["result"] == UNAVAILABLE_CRITICAL_EXTENSION


def test_who_may_not_replicate_needs_object_security(lab: Directory) -> None:
    """And only the whole domain is followed."""
    with connected(lab) as connection:
        client = Client(connection)
        assert client.ask(flags=0)["result"] == INSUFFICIENT_RIGHTS
        assert client.ask(base=PEOPLE)["result"] == UNWILLING


def test_a_cookie_of_another_controller_is_refused(client: Client) -> None:
    """It stands for what is in its database."""
    with (
        Directory([(BASE_DN, {"objectClass": ["top", "domain", "domainDNS"]})]) as other,
        connected(other, f"CN=svc-halo,{BASE_DN}") as connection,
    ):
        other.add_user("svc-halo", BASE_DN, userPassword=PASSWORD)
        connection.rebind(f"CN=svc-halo,{BASE_DN}", PASSWORD)
        stranger = Client(connection)
        stranger.cookie = client.cookie
        assert stranger.ask()["result"] == UNWILLING
        stranger.cookie = b"nonsense"
        assert stranger.ask()["result"] == UNWILLING


def test_limits_are_taken_as_they_are_now(lab: Directory) -> None:
    """Pages and ranges as small as a test wants them."""
    people = [lab.add_user(f"Person {number}", PEOPLE) for number in range(5)]
    group = lab.add_group("Staff", PEOPLE, people)
    lab.limits.page, lab.limits.values = 3, 2
    with connected(lab) as connection:
        connection.search(PEOPLE, "(cn=Person*)", paged_size=1000)
        assert len(connection.response) == 3
        connection.search(PEOPLE, "(cn=Person*)")
        assert connection.result["description"] == "sizeLimitExceeded"
        connection.search(group, "(objectClass=*)", BASE, attributes=["member"])
        (found,) = connection.response
        assert len(found["raw_attributes"]["member;range=0-1"]) == 2


@pytest.mark.parametrize("has_recycle_bin", [False, True])
def test_the_restored_are_heard_of(lab: Directory, client: Client, has_recycle_bin: bool) -> None:
    """Without being deleted any more; what a recycle bin brings back with them, no group tells."""
    lab.has_recycle_bin = has_recycle_bin
    anna, ben = (lab.add_user(name, PEOPLE, title="Boss") for name in ("Anna", "Ben"))
    staff = lab.add_group("Staff", PEOPLE, [anna, ben])
    every = lab.add_group("Everybody", PEOPLE, [staff, ben])
    guids = {dn: lab.values(dn, "objectGUID")[0] for dn in (anna, staff)}
    lab.delete(anna)
    lab.delete(staff)
    client.news()
    lab.modify(every, {"description": "Touched"})
    again = {dn: f"CN=Again {dn[3:]}" for dn in guids}
    for dn, new in again.items():
        lab.restore(guids[dn], new)
    news = client.news()
    assert news.keys() == set(again.values())
    assert all(not changed["isDeleted"] and changed["name"] for changed in news.values())
    members = [[*lab.values(every, "member")], [*lab.values(again[staff], "member")]]
    expected = [[ben.encode(), again[staff].encode()], [ben.encode(), again[anna].encode()]]
    assert members == (expected if has_recycle_bin else [[ben.encode()], []])
    assert lab.values(again[anna], "title") == ([b"Boss"] if has_recycle_bin else [])
    assert any(name.startswith("member") for name in news[again[staff]]) is not has_recycle_bin
    with pytest.raises(LookupError):
        lab.restore(guids[anna], anna)
