"""Unit: lists in their envelopes, and pages until everything is there."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from halo_adsync.errors import HaloUnavailable
from halo_adsync.halo.pages import read_all, record_count, records


class Pages:
    """Answers pages that are written down, round after round."""

    def __init__(self, *rounds: Sequence[Any]) -> None:
        self._rounds = list(rounds)
        self.asked: list[str] = []

    def __call__(self, parameters: Mapping[str, str]) -> Any:
        """Answer one page; beyond the last of a round, an empty one."""
        assert parameters["pageinate"] == "true"
        assert parameters["order"] == "id"
        number = int(parameters["page_no"])
        if number == 1 and self.asked:
            self._rounds.pop(0)
        self.asked.append(parameters["page_no"])
        pages = self._rounds[0]
        last = pages[-1]
        return pages[number - 1] if number <= len(pages) else {**last, "users": []}


def page(count: int, *ids: int) -> dict[str, Any]:
    """Return one page as Halo answers it."""
    return {"record_count": count, "users": [{"id": number} for number in ids]}


def read(pages: Pages) -> list[int]:
    """Read a list of users and return their ids as they came."""
    return [row["id"] for row in read_all(pages, "users", {})]


def test_pages_are_read_until_the_count_is_reached() -> None:
    """The last page is known by the count; none is asked for beyond it."""
    pages = Pages([page(5, 1, 2), page(5, 3, 4), page(5, 5)])
    assert read(pages) == [1, 2, 3, 4, 5]
    assert pages.asked == ["1", "2", "3"]


def test_repeats_are_dropped() -> None:
    """A record that shows up on two pages is one record."""
    assert read(Pages([page(3, 1, 2), page(3, 2, 3)])) == [1, 2, 3]


def test_a_server_that_ignores_paging_is_read_once() -> None:
    """All records at once reach the count with the first page."""
    pages = Pages([page(3, 1, 2, 3)])
    assert read(pages) == [1, 2, 3]
    assert pages.asked == ["1"]


def test_a_missing_page_is_made_up_for_by_a_second_round() -> None:
    """What the first round left out is taken from the second, and nothing comes twice."""
    pages = Pages([page(4, 1, 2), page(4)], [page(4, 1, 2), page(4, 3, 4)])
    assert read(pages) == [1, 2, 3, 4]


def test_a_count_that_is_never_reached_is_an_error() -> None:
    """After two rounds a short list is an error with both numbers."""
    pages = Pages([page(4, 1, 2)], [page(4, 1, 2)])
    with pytest.raises(HaloUnavailable, match="says it has 4 users but listed 2"):
        read(pages)
    assert pages.asked == ["1", "2", "1", "2"]


def test_records_that_vanish_while_reading_cause_a_second_round() -> None:
    """When the count falls, later pages moved up by one and somebody was stepped over: read again."""
    pages = Pages([page(4, 1, 2), page(3, 4)], [page(3, 2, 3), page(3, 4)])
    assert read(pages) == [1, 2, 4, 3]


def test_a_list_without_a_count_ends_with_a_page_that_brings_nothing_new() -> None:
    """A bare array, the same for every page, is read twice at most."""
    pages = Pages([[{"id": 1}, {"id": 2}], [{"id": 1}, {"id": 2}]])
    assert read(pages) == [1, 2]


def test_an_empty_list_is_empty() -> None:
    """No users is an answer like any other."""
    assert read(Pages([page(0)])) == []


@pytest.mark.parametrize(
    "body",
    [
        [{"id": 1}],
        {"agents": [{"id": 1}]},
        {"record_count": 1, "results": [{"id": 1}]},
        {"agents": [{"id": 1}], "columns": []},
    ],
)
def test_every_envelope_is_opened(body: object) -> None:
    """A bare array, the known key, and the only list are all found."""
    assert records(body, "agents") == [{"id": 1}]


@pytest.mark.parametrize("body", [None, "text", {"a": [], "b": []}, {"record_count": 0}, [1, 2]])
def test_an_unknown_shape_is_an_error(body: object) -> None:
    """What could be misread as an empty list is refused."""
    with pytest.raises(HaloUnavailable, match="no list of agents"):
        records(body, "agents")


def test_the_count_may_be_a_double_or_missing() -> None:
    """Counts come in either type of number, or not at all."""
    assert record_count({"record_count": 5.0}) == 5
    assert record_count({"record_count": None}) is None
    assert record_count([]) is None
