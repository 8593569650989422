"""The codec of one read: what repeats is kept once, and makes no difference to what is read."""

from __future__ import annotations

import pytest

from halo_adsync.directory import people
from halo_adsync.directory.entry import RawEntry
from halo_adsync.directory.people import PersonCodec
from halo_adsync.errors import IncompleteRead
from halo_adsync.model import ObjectGuid, Person

PARENT = ObjectGuid("11111111-1111-1111-1111-111111111111")


def entry(number: int, **attributes: list[bytes]) -> RawEntry:
    """Make an entry of a person."""
    given = {"objectGUID": [number.to_bytes(16)], "userAccountControl": [b"512"], **attributes}
    return RawEntry.received(f"CN=Person {number},DC=corp,DC=example", given)


def test_repeated_values_are_kept_once() -> None:
    """Two people of one office hold the same text, be it one value or several."""
    codec = PersonCodec("corp", {"l", "memberof"})
    first, second = (
        codec.person(entry(number, l=[b"Leeds office"], memberOf=[b"CN=b", b"CN=a"]), PARENT)
        for number in range(2)
    )
    assert first.attributes == {"l": "Leeds office", "memberof": ("CN=a", "CN=b")}
    assert all(first.attributes[name] is second.attributes[name] for name in ("l", "memberof"))


def test_the_same_bytes_mean_different_things_in_different_attributes() -> None:
    """What is remembered of one attribute is not taken for another's."""
    person = PersonCodec("corp", {"pwdlastset", "employeeid"}).person(
        entry(1, pwdLastSet=[b"116444736000000000"], employeeID=[b"116444736000000000"]), PARENT
    )
    assert person.attributes == {"pwdlastset": "1970-01-01T00:00:00Z", "employeeid": "116444736000000000"}


def test_people_beyond_what_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many values there are, everybody has their own, and the memory of them does not grow."""

    def read(most: int) -> list[Person]:
        monkeypatch.setattr(people, "_REMEMBERED", most)
        codec = PersonCodec("corp", {"mail", "title"})
        found = [
            codec.person(
                entry(
                    number,
                    mail=[b"p%d@corp.example" % number],
                    title=[b"", b"Nurse"][number % 2 :][:1],
                    userAccountControl=[b"%d" % (512 + number % 7)],
                    accountExpires=[b"%d" % (number * 10**15)],
                ),
                PARENT,
            )
            for number in range(50)
        ]
        assert max(len(codec._states), *map(len, codec._known.values())) <= most
        return found

    assert read(3) == read(1000)
    assert len({person.attributes["mail"] for person in read(3)}) == 50


@pytest.mark.parametrize("lost", ["userAccountControl", "objectGUID"])
def test_nothing_is_remembered_of_those_who_cannot_be_read(lost: str) -> None:
    """An account without identity or state is an error each time, not only the first."""
    codec = PersonCodec("corp", ())
    for _ in range(2):
        with pytest.raises(IncompleteRead, match=lost):
            codec.person(entry(1, **{lost: []}), PARENT)
