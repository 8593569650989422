"""Unit: tying answers to writes, and the batch writer against a Halo of a few lines."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import pytest

from halo_adsync.errors import Doubtful, RecordRejected
from halo_adsync.halo.batch import SETTLE_SECONDS, BatchWriter, Element, tie
from halo_adsync.halo.codec import encode_user
from halo_adsync.halo.port import UserOutcome, UserWrite
from halo_adsync.model import HaloSiteId, HaloUserId, ObjectGuid


def guid(number: int) -> ObjectGuid:
    """Return the objectGUID of person `number`."""
    return ObjectGuid(str(UUID(int=number)))


def create(number: int) -> UserWrite:
    """Return the write that creates person `number`."""
    return UserWrite(guid(number), None, HaloSiteId(1), fields={"name": f"Person {number}"})


def update(number: int, user: int) -> UserWrite:
    """Return a write that changes a user."""
    return UserWrite(guid(number), HaloUserId(user), fields={"title": "Clerk"})


def tied(writes: Sequence[UserWrite], answer: Any) -> tuple[dict[int, HaloUserId | None], list[int]]:
    """Tie an answer; return users and untied writes by the last digits of their GUIDs."""
    result = tie(writes, [encode_user(write) for write in writes], answer, frozenset())
    settled = {UUID(outcome.guid).int: outcome.user for outcome in result.settled}
    return settled, [UUID(write.guid).int for write in result.untied]


def test_creates_are_tied_by_guid_in_any_order() -> None:
    """The stamp says whose record it is, however it is spelled."""
    answer = [
        {"id": 12.0, "third_party_guid": f"{{{guid(2).upper()}}}"},
        {"id": 11, "third_party_guid": guid(1)},
    ]
    assert tied([create(1), create(2)], answer) == ({1: 11, 2: 12}, [])


def test_updates_are_tied_by_id() -> None:
    """An answered id is the update's own; an id that nobody sent ties nothing."""
    assert tied([update(1, 11), update(2, 12)], [{"id": 12}, {"id": 99}]) == ({2: 12}, [1])


def test_a_bare_record_answers_a_single_write() -> None:
    """Without a stamp in it, the only record is the only write's."""
    assert tied([create(1)], {"id": 11}) == ({1: 11}, [])


def test_without_stamps_creates_are_tied_by_position() -> None:
    """As many records as writes, none with a stamp, updates in their places: then the order counts."""
    answer = [{"id": 11, "name": "Person 1"}, {"id": 5}, {"id": 12, "name": "Person 2"}]
    assert tied([create(1), update(9, 5), create(2)], answer) == ({1: 11, 9: 5, 2: 12}, [])


@pytest.mark.parametrize(
    ("answer", "settled"),
    [
        ([{"id": 11}], {}),
        ([{"id": 11}, {"id": 12}, {"id": 13}], {}),
        ([{"id": 11}, {"id": 11}], {}),
        ([{"id": 11}, {"error": "invalid"}], {}),
        ([{"id": 11, "name": "Person 2"}, {"id": 12, "name": "Person 1"}], {}),
        ([{"id": 11, "third_party_guid": guid(1)}, {"id": 12}], {1: 11}),
        ([{"id": 12}, {"id": 11, "third_party_guid": guid(1)}], {1: 11}),
        ([], {}),
        (None, {}),
        ("done", {}),
    ],
)
def test_what_an_answer_leaves_open_stays_untied(answer: Any, settled: dict[int, int]) -> None:
    """Too few, too many, doubled, broken, swapped or half-stamped records are never guessed at."""
    assert tied([create(1), create(2)], answer) == (settled, [n for n in (1, 2) if n not in settled])


def test_updates_out_of_place_forbid_positions() -> None:
    """When an update shows that the order is not kept, no create is tied by position."""
    assert tied([update(9, 5), create(1)], [{"id": 11}, {"id": 5}]) == ({9: 5}, [1])


def test_a_complaint_in_place_of_a_record_is_a_rejection() -> None:
    """A success that holds only an error is that record's error, without what was sent in it."""
    write = create(1)
    with pytest.raises(RecordRejected, match=r"^\(…\) is not wanted\.$"):
        tie(
            [write],
            [encode_user(write)],
            {"error_description": "Person 1 is not wanted."},
            frozenset({"Person 1"}),
        )


class TinyHalo:
    """Stores creates; each POST fails as its turn in `failures` says, before or after storing."""

    def __init__(self, *failures: Exception | None, stores: bool) -> None:
        self._failures = list(failures)
        self._stores = stores
        self.users: dict[ObjectGuid, list[HaloUserId]] = {}
        self.log: list[str] = []

    def post(self, elements: Sequence[Element], _hide: object) -> Any:
        """Store and answer, or fail."""
        self.log.append(f"post {len(elements)}")
        failure = self._failures.pop(0) if self._failures else None
        if failure is None or self._stores:
            for element in elements:
                self.users.setdefault(element["third_party_guid"], []).append(HaloUserId(len(self.users)))
        if failure is not None:
            raise failure
        return [{"id": self.users[e["third_party_guid"]][0], **e} for e in elements]

    def look_up(self, creates: Sequence[UserWrite]) -> Mapping[ObjectGuid, Sequence[HaloUserId]]:
        """Return who is there."""
        self.log.append(f"look {len(creates)}")
        return self.users

    def pause(self, seconds: float) -> None:
        """Note a pause."""
        self.log.append(f"pause {seconds:g}")

    def write(self, *numbers: int) -> list[UserOutcome]:
        """Write these people through a new writer."""
        return BatchWriter(self.post, self.look_up, self.pause).write(
            [create(n) for n in numbers], resumed=False
        )


def test_doubt_is_settled_by_a_look_after_a_pause() -> None:
    """After a lost answer the writer waits, looks, finds everybody, and sends nothing again."""
    halo = TinyHalo(Doubtful("lost"), stores=True)
    outcomes = halo.write(1, 2, 3)
    assert halo.log == ["post 3", f"pause {SETTLE_SECONDS:g}", "look 3"]
    assert [outcome.user for outcome in outcomes] == [1, 2, 3]


def test_a_create_is_sent_again_only_after_a_look() -> None:
    """Between two POSTs of one create there is always a look-up."""
    halo = TinyHalo(Doubtful("lost"), Doubtful("lost"), stores=False)
    halo.write(1, 2)
    assert halo.log == ["post 2", "pause 5", "look 2", "post 1", "pause 5", "look 1", "post 1", "post 1"]
    assert all(len(users) == 1 for users in halo.users.values())


def test_a_refusal_that_stored_the_user_is_a_success_with_a_warning() -> None:
    """A user that is there although Halo said no is not created again by a later run."""
    halo = TinyHalo(RecordRejected("An automation failed."), stores=True)
    (outcome,) = halo.write(1)
    assert (outcome.user, outcome.error, outcome.warning) == (1, None, "An automation failed.")


def test_a_refusal_that_stored_nothing_is_an_error() -> None:
    """A user that Halo does not want, and does not have, fails with Halo's sentence."""
    halo = TinyHalo(RecordRejected("No."), stores=False)
    assert halo.write(1) == [UserOutcome(guid(1), error="No.")]
    assert halo.log == ["post 1", "look 1"]
