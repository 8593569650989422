"""The matching ladder: unique on both sides, or a person decides."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from halo_adsync.model import HaloClientId, HaloSiteId, HaloUser, HaloUserId, ObjectGuid
from halo_adsync.plan.match import Match, Newcomer, match

LADDER = ("third_party_guid", "login", "emailaddress")


def user(number: int, guid: str | None = None, **fields: Any) -> HaloUser:
    """Return a Halo user."""
    return HaloUser(
        id=HaloUserId(number),
        client=HaloClientId(11),
        site=HaloSiteId(101),
        active=fields.pop("active", True),
        guid=None if guid is None else ObjectGuid(guid),
        general=fields.pop("general", False),
        managed_elsewhere=False,
        fields=fields,
    )


def newcomer(guid: str, **keys: str) -> Newcomer:
    """Return an account without a link."""
    return Newcomer(ObjectGuid(guid), keys)


def found(newcomers: list[Newcomer], users: list[HaloUser]) -> dict[str, int | str]:
    """Return, by GUID, the id of the user that was found, or the word conflict."""
    matches = match(newcomers, users, LADDER)
    return {guid: m.user.id if m.user else "conflict" for guid, m in matches.items()}


def test_the_ladder_goes_from_sure_to_less_sure() -> None:
    """A stamp beats a login, a login beats an address; case makes no difference."""
    users = [user(1, "ada"), user(2, login="CORP\\ADA"), user(3, emailaddress="Ada@X.test")]
    who = newcomer("ada", login="corp\\ada", emailaddress="ada@x.test")
    assert found([who], users) == {"ada": 1}
    assert found([who], users[1:]) == {"ada": 2}
    assert found([who], users[2:]) == {"ada": 3}
    assert found([who], []) == {}


def test_two_users_with_one_login_are_a_conflict() -> None:
    """Which of them it is, only a person can say; both ids are named."""
    who = newcomer("ada", login="a")
    result = match([who], [user(1, login="a"), user(2, login="a")], LADDER)[ObjectGuid("ada")]
    assert result.user is None
    assert "1, 2" in result.conflict


def test_two_accounts_with_the_address_of_one_user_are_both_in_conflict() -> None:
    """An address that two accounts share does not tell whose the user is."""
    both = [newcomer("ada", emailaddress="office@x"), newcomer("bob", emailaddress="office@x")]
    assert found(both, [user(1, emailaddress="office@x")]) == {"ada": "conflict", "bob": "conflict"}


def test_a_shared_address_that_nobody_has_in_halo_is_no_conflict() -> None:
    """An address is no identity: several people may share one, and all are new."""
    both = [newcomer("ada", emailaddress="office@x"), newcomer("bob", emailaddress="office@x")]
    assert found(both, [user(1, emailaddress="other@x")]) == {}


def test_who_was_found_by_a_stronger_rung_does_not_stand_in_the_way() -> None:
    """Once one of two sharers is found by login, the other may be found by the address of the other user."""
    both = [newcomer("ada", login="a", emailaddress="office@x"), newcomer("bob", emailaddress="office@x")]
    users = [user(1, login="a", emailaddress="x@x"), user(2, emailaddress="office@x")]
    assert found(both, users) == {"ada": 1, "bob": 2}


def test_a_user_of_another_account_is_never_adopted() -> None:
    """By login that is a conflict (an account made anew?); by address it says nothing at all."""
    assert found([newcomer("ada", login="a")], [user(1, "bob", login="a")]) == {"ada": "conflict"}
    assert found([newcomer("ada", emailaddress="o@x")], [user(1, "bob", emailaddress="o@x")]) == {}


def test_general_users_are_nobody() -> None:
    """A site's General User is not found, whatever it holds."""
    assert found([newcomer("ada", login="a")], [user(1, "ada", login="a", general=True)]) == {}


def test_blank_values_match_nothing() -> None:
    """Two blanks are not the same login."""
    assert found([newcomer("ada")], [user(1, login="", emailaddress="")]) == {}


def test_the_ladder_is_the_customers() -> None:
    """A rung that the file leaves out is not used."""
    assert match([newcomer("ada", login="a")], [user(1, login="a")], ("emailaddress",)) == {}


values = st.sampled_from(["", "a", "b", "c"])
newcomers = st.lists(
    st.builds(newcomer, st.sampled_from("uvwxyz"), login=values, emailaddress=values),
    unique_by=lambda n: n.guid,
    max_size=6,
)
users = st.lists(
    st.builds(user, st.integers(1, 9), st.sampled_from([None, *"uvw"]), login=values, emailaddress=values),
    unique_by=lambda u: u.id,
    max_size=6,
)


@given(newcomers, users, st.randoms())
def test_adoption_is_one_to_one_and_order_does_not_matter(
    some: list[Newcomer], there: list[HaloUser], random: Any
) -> None:
    """No user is given to two accounts, and another order of either side gives the same answer."""
    result = match(some, there, LADDER)
    taken = [m.user.id for m in result.values() if m.user]
    assert len(taken) == len(set(taken))
    assert all(isinstance(m, Match) and bool(m.conflict) != bool(m.user) for m in result.values())
    shuffled, elsewhere = list(some), list(there)
    random.shuffle(shuffled)
    random.shuffle(elsewhere)
    assert match(shuffled, elsewhere, LADDER) == result
