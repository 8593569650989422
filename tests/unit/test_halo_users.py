"""Unit: reading and searching users where Halo does not obey its own filters."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, override

from halo_adsync.halo.budget import Budget
from halo_adsync.halo.client import HaloApi
from halo_adsync.halo.config import HaloConfig
from halo_adsync.halo.search import UserSearch
from halo_adsync.halo.users import SAMPLE, SMALL_SAMPLE, UserReader
from halo_adsync.model import HaloClientId, Meter

CONTOSO = HaloClientId(1)


class Shelf(HaloApi):
    """An API that answers every list with the same users, but searches with none.

    `details` is what single records hold on top of what lists show.
    """

    def __init__(self, *users: dict[str, Any], details: Mapping[str, Any] | None = None) -> None:
        config = HaloConfig(
            url="https://halo.example.test",
            client_id="a",
            client_secret="b",
            fields=frozenset({"name", "login", "fax"}),
        )
        budget = Budget(None, lambda: datetime.now(UTC), lambda _: None, 0)
        super().__init__(config, meter=Meter(), budget=budget)
        self._users = list(users)
        self._details = dict(details or {})
        self.singles = 0

    @override
    def get(self, path: str, query: Mapping[str, str] | None = None, *, missing_ok: bool = False) -> Any:
        if path.startswith("/Users/"):
            self.singles += 1
            return next(found for found in self._users if path == f"/Users/{found['id']}") | self._details
        users = [] if "advanced_search" in (query or {}) else self._users
        return {"record_count": len(users), "users": users}


def user(number: int, client: int = 1, **fields: Any) -> dict[str, Any]:
    """Return one user as a list carries it."""
    return {"id": number, "client_id": client, "site_id": 5.0, "third_party_guid": None, **fields}


def test_users_of_other_clients_are_left_out() -> None:
    """Where Halo ignores `client_id`, nobody else's users are handed out."""
    reader = UserReader(Shelf(user(1, name="Ann", login=""), user(2, client=2, name="Eve", login="")))
    assert [found.fields["name"] for found in reader.read(CONTOSO, {})] == ["Ann"]


def test_a_field_that_a_list_carries_only_where_it_is_filled_is_not_fetched() -> None:
    """Once one row carried a field, another row without it holds nothing there."""
    reader = UserReader(Shelf(user(1, name="Ann", login="C\\ann"), user(2, name="Bob")))
    assert [found.fields["login"] for found in reader.read(CONTOSO, {})] == ["C\\ann", ""]


def test_a_search_that_finds_nobody_at_all_is_not_believed() -> None:
    """A filter that does not even find a user who is there proves nobody absent."""
    api = Shelf(user(1, name="Ann", login="C\\ann"), user(2, name="Bob", login="C\\bob"))
    search = UserSearch(api, UserReader(api))
    assert [found.id for found in search.find(CONTOSO, "login", "c\\BOB")] == [2]


def test_a_field_that_lists_leave_out_is_not_claimed_to_be_empty() -> None:
    """Where a single record holds what no row shows, the field is left out, at the price of a few records."""
    crowd = [user(number, name=f"P{number}", login=f"C\\p{number}") for number in range(1, 50)]
    api = Shelf(*crowd, details={"fax": "123"})
    people = list(UserReader(api).read(CONTOSO, {}))
    assert all("fax" not in found.fields for found in people)
    assert api.singles == SMALL_SAMPLE


def test_a_field_that_nobody_has_anything_in_is_empty() -> None:
    """Where single records hold no more than the rows, what no row shows is empty."""
    crowd = [user(number, name=f"P{number}", login=f"C\\p{number}") for number in range(1, 50)]
    people = list(UserReader(Shelf(*crowd)).read(CONTOSO, {}))
    assert {found.fields["fax"] for found in people} == {""}


def test_what_identifies_somebody_is_fetched_for_everybody() -> None:
    """Where lists leave the login out, every user's single record is read."""
    crowd = [user(number, name=f"P{number}") for number in range(1, 50)]
    api = Shelf(*crowd, details={"login": "C\\x"})
    people = list(UserReader(api).read(CONTOSO, {}))
    assert all(found.fields["login"] == "C\\x" for found in people)
    assert api.singles == len(crowd) + SAMPLE
