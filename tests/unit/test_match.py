"""Matching beyond the single rung: a user in dispute stays in dispute."""

from halo_adsync.plan.match import Match, Newcomer, match
from tests.support.plan import guid, user

LADDER = ("third_party_guid", "login", "emailaddress")


def test_a_user_in_dispute_is_not_given_away_by_a_weaker_rung() -> None:
    """While two claim a user by login, a third who shares its address is a conflict too, not its adopter."""
    claimed = user(5, login="CORP\\desk", emailaddress="desk@x")
    newcomers = [
        Newcomer(guid(1), {"login": "corp\\desk"}),
        Newcomer(guid(2), {"login": "corp\\desk"}),
        Newcomer(guid(3), {"login": "corp\\other", "emailaddress": "desk@x"}),
    ]
    found = match(newcomers, [claimed], LADDER)
    assert all(found[guid(number)].conflict for number in (1, 2, 3))
    assert "5" in found[guid(3)].conflict


def test_neither_of_two_users_that_may_be_meant_goes_to_somebody_else() -> None:
    """Two users have Ada's login: until a person decides, neither is adopted by its address."""
    users = [user(5, login="ada", emailaddress="a@x"), user(6, login="ada", emailaddress="b@x")]
    newcomers = [Newcomer(guid(1), {"login": "ada"}), Newcomer(guid(2), {"emailaddress": "b@x"})]
    found = match(newcomers, users, LADDER)
    assert found[guid(1)].conflict
    assert found[guid(2)].user is None
    assert found[guid(2)].conflict


def test_who_is_adopted_is_no_candidate_any_more() -> None:
    """A shared address leads nowhere once its user has found its account by login: the second one is new."""
    users = [user(5, login="ada", emailaddress="desk@x")]
    newcomers = [
        Newcomer(guid(1), {"login": "ADA", "emailaddress": "desk@x"}),
        Newcomer(guid(2), {"login": "bob", "emailaddress": "desk@x"}),
    ]
    assert match(newcomers, users, LADDER) == {guid(1): Match(users[0], "login")}


def test_the_own_stamp_is_no_obstacle_on_any_rung() -> None:
    """Where the ladder leaves the stamp out, a user that carries it is adopted by login or by address."""
    by_login, by_address = user(5, stamp=1, login="ada"), user(6, stamp=2, emailaddress="b@x")
    newcomers = [Newcomer(guid(1), {"login": "ada"}), Newcomer(guid(2), {"emailaddress": "b@x"})]
    found = match(newcomers, [by_login, by_address], ("login", "emailaddress"))
    assert (found[guid(1)].user, found[guid(2)].user) == (by_login, by_address)


def test_two_users_with_one_stamp_are_a_conflict() -> None:
    """Halo copies records; which of the two is the person's is not guessed."""
    found = match([Newcomer(guid(1), {})], [user(5, stamp=1), user(6, stamp=1)], LADDER)
    assert "5, 6" in found[guid(1)].conflict


def test_an_address_is_claimed_only_by_those_whom_it_could_lead_to_the_user() -> None:
    """A user that carries Ada's stamp is hers by its address, though Bob, whom it cannot be, shares that."""
    hers = user(5, stamp=1, emailaddress="desk@x")
    newcomers = [Newcomer(guid(number), {"emailaddress": "desk@x"}) for number in (1, 2)]
    assert match(newcomers, [hers], ("login", "emailaddress")) == {guid(1): Match(hers, "emailaddress")}
