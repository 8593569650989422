"""Contract: the adapter writes to nobody whom the licence does not cover, whatever it is asked to write."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from devstack.halo import SimulatedHalo
from halo_adsync.errors import RecordRejected
from halo_adsync.halo.adapter import HaloInstance
from halo_adsync.halo.port import Halo, Licence, SiteWrite, TicketWrite, UserWrite
from halo_adsync.model import HaloClientId, HaloSiteId, HaloUserId
from tests.contract.halo_desk import Desk, Time, guid


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A simulated Halo with one mapped client and another customer's, Fabrikam."""
    clock = Time()
    with SimulatedHalo(clock=clock.seconds) as halo:
        client = halo.add_client("Contoso")
        yield Desk(halo, clock, client, int(halo.clients[client]["main_site_id"]))


@pytest.fixture
def fabrikam(desk: Desk) -> tuple[int, int]:
    """The other customer's client and site."""
    client = desk.halo.add_client("Fabrikam")
    return client, int(desk.halo.clients[client]["main_site_id"])


@pytest.fixture
def halo(desk: Desk) -> Iterator[HaloInstance]:
    """The adapter."""
    with desk.open() as instance:
        yield instance


def refused(desk: Desk, halo: Halo, write: UserWrite, said: str) -> None:
    """Assert that a write is refused with these words, that nothing was sent, and that others go on."""
    before = {number: dict(user) for number, user in desk.halo.users.items()}
    outcome, other = halo.write_users([write, desk.create(77)])
    assert outcome.user is None
    assert said in (outcome.error or "")
    assert other.error is None
    assert {number: desk.halo.users[number] for number in before} == before


def test_nothing_is_written_without_a_licence(desk: Desk) -> None:
    """Who forgets to say what may be written writes nothing."""
    with desk.open() as halo:
        halo.permit(Licence())
        (outcome,) = halo.write_users([desk.create(1)])
        assert "no client that is mapped" in (outcome.error or "")
    assert desk.sent("Users", "POST") == 0


def test_a_user_without_a_link_is_not_written(desk: Desk, halo: HaloInstance) -> None:
    """Not even one of a mapped client: only a link, or an adoption, is a licence."""
    user = desk.halo.add_user(name="Ann", site_id=desk.site)
    refused(desk, halo, UserWrite(guid(1), HaloUserId(user), fields={"title": "x"}), "not linked")


def test_a_user_linked_to_somebody_else_is_not_written(desk: Desk, halo: HaloInstance) -> None:
    """A link ties one account to one user: another account's write is refused, adopting or not."""
    user = HaloUserId(desk.halo.add_user(name="Ann", site_id=desk.site))
    desk.users[guid(2)] = user
    refused(desk, halo, UserWrite(guid(1), user, fields={"title": "x"}), "not linked to this account")
    refused(desk, halo, UserWrite(guid(1), user, adopts=""), "linked to another account")


def test_a_linked_account_gets_no_second_user(desk: Desk, halo: HaloInstance) -> None:
    """Neither by a create nor by an adoption."""
    desk.users[guid(1)] = HaloUserId(desk.halo.add_user(name="Ann", site_id=desk.site))
    other = HaloUserId(desk.halo.add_user(name="Ann", site_id=desk.site))
    refused(desk, halo, desk.create(1), "is linked to Halo user")
    refused(desk, halo, UserWrite(guid(1), other, adopts=""), "is linked to Halo user")


@pytest.mark.parametrize("write", [{"adopts": ""}, {"active": False}, {"active": True}, {"site": True}])
def test_a_user_of_another_client_is_looked_at_and_left_alone(
    desk: Desk, halo: HaloInstance, fabrikam: tuple[int, int], write: dict[str, Any]
) -> None:
    """Who was moved to a client that is not mapped is not adopted, fetched back, switched off or on."""
    write = write | ({"site": HaloSiteId(desk.site)} if "site" in write else {})
    user = HaloUserId(desk.halo.add_user(name="Ann", site_id=fabrikam[1]))
    if "adopts" not in write:
        desk.users[guid(1)] = user
    refused(desk, halo, UserWrite(guid(1), user, **write), f"stands in client {fabrikam[0]}")


def test_a_linked_user_seen_in_another_client_is_not_written(
    desk: Desk, halo: HaloInstance, fabrikam: tuple[int, int]
) -> None:
    """What reading has shown since the connection was opened counts for every write."""
    user = HaloUserId(desk.halo.add_user(name="Ann", site_id=fabrikam[1]))
    desk.users[guid(1)] = user
    halo.user(user)
    refused(desk, halo, UserWrite(guid(1), user, fields={"title": "x"}), "not mapped")


def test_an_unseen_general_user_is_looked_at_first(desk: Desk, halo: HaloInstance) -> None:
    """Even a link does not make a General User somebody: it is never switched off."""
    general = next(user["id"] for user in desk.halo.users.values() if user.get("site_id") == desk.site)
    desk.users[guid(1)] = HaloUserId(general)
    refused(desk, halo, UserWrite(guid(1), HaloUserId(general), active=False), "it is never written")


def test_a_user_marked_by_somebody_else_meanwhile_is_not_adopted(desk: Desk, halo: HaloInstance) -> None:
    """Two customers may plan to adopt one user: the second to write finds the first one's mark."""
    user = HaloUserId(desk.halo.add_user(name="Ann", site_id=desk.site, third_party_guid=guid(9)))
    refused(desk, halo, UserWrite(guid(1), user, adopts=""), "another directory account's")
    (outcome,) = halo.write_users([UserWrite(guid(1), user, fields={"title": "x"}, adopts=guid(9))])
    assert outcome.error is None, "a mark that the plan knew of, because a person decided"


def test_an_adoption_is_resumed(desk: Desk) -> None:
    """A user that an earlier attempt has marked already is adopted all the same."""
    user = HaloUserId(desk.halo.add_user(name="Ann", site_id=desk.site, third_party_guid=guid(1)))
    with desk.open() as halo:
        (outcome,) = halo.write_users([UserWrite(guid(1), user, adopts="")], resumed=True)
    assert outcome.error is None


@pytest.mark.parametrize("linked", [False, True])
def test_nobody_goes_to_a_site_that_is_not_mapped(
    desk: Desk, halo: HaloInstance, fabrikam: tuple[int, int], linked: bool
) -> None:
    """Neither a new user nor one who moves."""
    user = HaloUserId(desk.halo.add_user(name="Ann", site_id=desk.site)) if linked else None
    if user is not None:
        desk.users[guid(1)] = user
    write = UserWrite(guid(1), user, HaloSiteId(fabrikam[1]), fields={"name": "Ann"})
    refused(desk, halo, write, f"Site {fabrikam[1]} is in no client")


@pytest.mark.parametrize(
    "write",
    [
        lambda halo, client, _site: halo.create_site(SiteWrite(HaloClientId(client), "Leeds")),
        lambda halo, client, _site: halo.rename_client(HaloClientId(client), "Mine"),
        lambda halo, _client, site: halo.rename_site(HaloSiteId(site), "Mine"),
        lambda halo, client, site: halo.ensure_ticket(
            TicketWrite(HaloUserId(7), HaloClientId(client), HaloSiteId(site), "New")
        ),
        lambda halo, _client, _site: halo.note_on_ticket(HaloUserId(7), "New", "Over"),
    ],
    ids=["create_site", "rename_client", "rename_site", "ensure_ticket", "note_on_ticket"],
)
def test_places_and_tickets_of_others_are_refused(
    desk: Desk, halo: HaloInstance, fabrikam: tuple[int, int], write: Callable[[Halo, int, int], object]
) -> None:
    """Nothing is asked of Halo for a client, site or user that is not the customer's."""
    with pytest.raises(RecordRejected, match=r"not mapped|no client that is mapped|linked to nobody"):
        write(halo, *fabrikam)
    assert desk.halo.requests == []


def test_agents_are_written_by_link_only(desk: Desk) -> None:
    """As users are; who is marked for another account is not adopted, and gives no tickets away."""
    ann = HaloUserId(desk.halo.add_agent("Ann"))
    bob = HaloUserId(desk.halo.add_agent("Bob", third_party_guid=guid(9)))
    with desk.open(agent_fields=frozenset({"name", "third_party_guid"})) as halo:
        writes = [UserWrite(guid(1), ann, active=False), UserWrite(guid(2), bob, active=False, adopts="")]
        unlinked, marked = halo.agents.write(writes)
        with pytest.raises(RecordRejected, match="linked to nobody"):
            halo.agents.reassign(ann, bob)
    assert "not linked" in (unlinked.error or "")
    assert "another directory account's" in (marked.error or "")
    assert desk.sent("Agent", "POST") == desk.sent("Tickets", "POST") == 0
