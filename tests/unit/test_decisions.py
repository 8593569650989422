"""What people decided by hand about accounts that matching could not settle."""

from dataclasses import replace

import pytest

from halo_adsync.model import (
    Decision,
    DirectoryRead,
    HaloClientId,
    HaloSiteId,
    HaloUser,
    HaloUserId,
    Link,
    ObjectGuid,
    Place,
)
from halo_adsync.plan.decisions import decided_matches
from halo_adsync.plan.make import match_people
from halo_adsync.plan.side import HaloSide
from halo_adsync.plan.survey import survey
from tests.support.plan import NOW, TARGET, customer, person, tree

ADA, BOB = ObjectGuid("ada"), ObjectGuid("bob")
CLIENT, OTHER = HaloClientId(11), HaloClientId(12)


def user(number: int, *, general: bool = False, client: HaloClientId = CLIENT) -> HaloUser:
    """Return a Halo user."""
    return HaloUser(
        id=HaloUserId(number),
        client=client,
        site=HaloSiteId(101),
        active=True,
        guid=None,
        general=general,
        managed_elsewhere=False,
        fields={},
    )


def side(decisions: list[Decision], users: list[HaloUser], links: list[Link] | None = None) -> HaloSide:
    """Return Halo's side with one mapped client."""
    return HaloSide(
        links={link.guid: link for link in links or []},
        places={"client": Place("client", CLIENT, None, "Contoso")},
        users={found.id: found for found in users},
        decisions={decision.guid: decision for decision in decisions},
    )


def link_to(guid: ObjectGuid, number: int) -> Decision:
    """Return the decision that an account is a Halo user."""
    return Decision(guid, "link", HaloUserId(number), "eve", "2026-11-23T10:00:00+00:00")


def test_a_decided_link_matches_whatever_the_ladder_would_say() -> None:
    """The chosen user is the match, and the line says who decided."""
    found = decided_matches([ADA], side([link_to(ADA, 1)], [user(1)]))[ADA]
    assert found.user == user(1)
    assert "eve" in found.rung


@pytest.mark.parametrize("action", ["create", "ignore"])
def test_create_and_ignore_match_nobody(action: str) -> None:
    """Neither leads to a user, nor to a conflict."""
    decision = Decision(ADA, action, None, "eve", "2026-11-23")  # type: ignore[arg-type]  # the two literals
    found = decided_matches([ADA], side([decision], [user(1)]))[ADA]
    assert found.user is None
    assert not found.conflict


@pytest.mark.parametrize(
    ("users", "says"),
    [
        ([], "not in Halo"),
        ([user(1, general=True)], "General User"),
        ([user(1, client=OTHER)], "not mapped"),
    ],
)
def test_a_choice_that_cannot_be_is_a_conflict(users: list[HaloUser], says: str) -> None:
    """A user who is gone, general or elsewhere is refused with the reason."""
    found = decided_matches([ADA], side([link_to(ADA, 1)], users))[ADA]
    assert found.user is None
    assert says in found.conflict


def test_nobody_is_taken_twice() -> None:
    """Two decisions for one user, or one for a user that is linked, are conflicts."""
    both = decided_matches([ADA, BOB], side([link_to(ADA, 1), link_to(BOB, 1)], [user(1)]))
    assert both[ADA].conflict
    assert both[BOB].conflict
    owned = Link(BOB, HaloUserId(1), CLIENT, HaloSiteId(101), active=True, dn=BOB, fields={})  # type: ignore[arg-type]  # any text
    assert decided_matches([ADA], side([link_to(ADA, 1)], [user(1)], [owned]))[ADA].conflict


@pytest.mark.parametrize("decided", [True, False])
def test_our_own_stamp_is_found_whatever_else_is_said(*, decided: bool) -> None:
    """Who carries our stamp was created by us, in a run that died: no second one is made.

    Neither a file without rungs nor the decision to create stands against that.
    """
    who, somebody = customer(match=[]), person(1)
    stamped = replace(user(1), guid=somebody.guid)
    decisions = [Decision(somebody.guid, "create", None, "eve", "2026-11-23")] if decided else []
    read = DirectoryRead("corp", "CORP", tree("People"), {}, {}, (somebody,))
    found = match_people(who, survey(who, [read], NOW, TARGET), side(decisions, [stamped]))
    assert found[somebody.guid].user == stamped


def test_a_user_of_another_client_is_adopted_by_nobody() -> None:
    """Who was read because a person chose them is no candidate for others: the client is another's."""
    ada, bob = person(1), person(2)
    theirs = replace(user(77, client=OTHER), fields={"login": "CORP\\u2", "emailaddress": ""})
    read = DirectoryRead("corp", "CORP", tree("People"), {}, {}, (ada, bob))
    found = match_people(
        customer(), survey(customer(), [read], NOW, TARGET), side([link_to(ada.guid, 77)], [theirs])
    )
    assert "not mapped" in found[ada.guid].conflict
    assert found.get(bob.guid) is None
    ours = replace(theirs, client=CLIENT)
    again = match_people(customer(), survey(customer(), [read], NOW, TARGET), side([], [ours]))
    assert again[bob.guid].user == ours
