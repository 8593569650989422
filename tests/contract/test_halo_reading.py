"""Contract: what the adapter reads from the simulated Halo is complete and true, or it is an error."""

from collections.abc import Iterator

import pytest

from devstack.halo import FaultKind, SimulatedHalo
from halo_adsync.errors import HaloUnavailable
from halo_adsync.halo.port import Halo
from halo_adsync.model import HaloClientId, HaloUser, HaloUserId, Meter
from tests.contract.halo_desk import Desk, Time, guid


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A simulated Halo with one client and its main site."""
    time = Time()
    with SimulatedHalo(clock=time.seconds) as halo:
        client = halo.add_client("Contoso")
        yield Desk(halo, time, client, int(halo.clients[client]["main_site_id"]))


@pytest.fixture
def halo(desk: Desk) -> Iterator[Halo]:
    """The adapter, seen as the port."""
    with desk.open() as instance:
        yield instance


def crowd(desk: Desk, count: int) -> None:
    """Add so many people, every seventh inactive."""
    for number in range(count):
        desk.halo.add_user(
            name=f"Person {number}",
            emailaddress=f"p{number}@example.test",
            login=f"CONTOSO\\p{number}",
            third_party_guid=guid(number),
            site_id=desk.site,
            inactive=number % 7 == 0,
            customfields=[{"name": "CFStaffNumber", "value": str(number)}],
        )


def named(users: Iterator[HaloUser] | list[HaloUser]) -> list[str]:
    """Return the names of users that are no General Users, sorted."""
    return sorted(user.fields["name"] for user in users if not user.general)


def everybody(desk: Desk, halo: Halo) -> list[HaloUser]:
    """Read all users of the client."""
    return list(halo.users(HaloClientId(desk.client)))


@pytest.mark.parametrize("cap", [7, 100, 1000])
def test_every_user_is_read_once_whatever_the_page_cap(desk: Desk, cap: int) -> None:
    """250 users arrive once each, inactive ones too, with no request more than the pages need."""
    crowd(desk, 250)
    desk.halo.switches.max_page_size = cap
    meter = Meter()
    with desk.open(meter=meter) as halo:
        users = everybody(desk, halo)
    assert named(users) == desk.names()
    assert sum(not user.active for user in users) == 36
    assert {user.guid for user in users if not user.general} == {guid(n) for n in range(250)}
    pages = -(-252 // min(cap, 100))
    assert desk.sent("Users") == pages
    assert (meter.halo_requests, meter.halo_writes) == (pages + 2, 0)


def test_general_users_are_yielded_and_marked(desk: Desk, halo: Halo) -> None:
    """The site's General User and the client-level one are flagged, and only these."""
    crowd(desk, 3)
    general = [user for user in everybody(desk, halo) if user.general]
    assert {user.id for user in general} == desk.halo.store.general_users
    assert all(user.client == desk.client for user in general)


def test_users_of_one_site_and_of_no_other_client(desk: Desk, halo: Halo) -> None:
    """The site filter is obeyed, and nobody of another client ever appears."""
    crowd(desk, 3)
    leeds = desk.halo.add_site(desk.client, "Leeds")
    desk.halo.add_user(name="Lee", site_id=leeds)
    other = desk.halo.add_client("Fabrikam")
    desk.halo.add_user(name="Eve", site_id=desk.halo.clients[other]["main_site_id"])
    site = next(site for site in halo.sites(HaloClientId(desk.client)) if site.name == "Leeds")
    assert named(iter(halo.users(HaloClientId(desk.client), site.id))) == ["Lee"]
    assert "Eve" not in named(everybody(desk, halo))


def test_lean_lists_are_completed_from_single_records(desk: Desk, halo: Halo) -> None:
    """Where lists lack stamp and login, each user that is yielded has them all the same."""
    crowd(desk, 12)
    desk.halo.switches.lean_lists = True
    users = [user for user in everybody(desk, halo) if not user.general]
    assert {(user.guid, user.fields["login"]) for user in users} == {
        (guid(n), f"CONTOSO\\p{n}") for n in range(12)
    }


def test_full_lists_cost_no_single_records(desk: Desk, halo: Halo) -> None:
    """Where lists carry everything plain, custom fields are left out and no single record is fetched."""
    crowd(desk, 12)
    users = [user for user in everybody(desk, halo) if not user.general]
    assert all("CFStaffNumber" not in user.fields for user in users)
    assert desk.sent("Users") == 1


def test_an_empty_page_once_is_overcome(desk: Desk, halo: Halo) -> None:
    """A page that came back empty is read again, and nobody is missing."""
    crowd(desk, 250)
    desk.halo.faults.add(FaultKind.EMPTY_PAGE, path="/api/Users", page=2)
    assert named(everybody(desk, halo)) == desk.names()


@pytest.mark.parametrize(
    ("kind", "page"), [(FaultKind.EMPTY_PAGE, 2), (FaultKind.EMPTY_PAGE, 3), (FaultKind.WRONG_COUNT, 0)]
)
def test_a_list_that_stays_short_is_an_error(desk: Desk, halo: Halo, kind: FaultKind, page: int) -> None:
    """A page that is always empty, or a count that is never reached, is never taken for the truth."""
    crowd(desk, 250)
    desk.halo.faults.add(kind, path="/api/Users", page=page, times=None)
    with pytest.raises(HaloUnavailable, match="nothing is concluded"):
        everybody(desk, halo)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (FaultKind.STATUS, 500),
        (FaultKind.STATUS, 502),
        (FaultKind.STATUS, 401),
        (FaultKind.STATUS, 429),
        (FaultKind.DROP_BEFORE_COMMIT, 0),
        (FaultKind.MALFORMED, 0),
    ],
)
def test_a_read_survives_one_fault(desk: Desk, halo: Halo, kind: FaultKind, status: int) -> None:
    """One bad answer in the middle of a list is asked for again."""
    crowd(desk, 120)
    desk.halo.faults.add(kind, path="/api/Users", page=2, status=status)
    assert named(everybody(desk, halo)) == desk.names()


def test_a_broken_list_is_unavailable_with_the_gateways_title(desk: Desk, halo: Halo) -> None:
    """A 502 that stays is an error that sums up the gateway's page of HTML."""
    desk.halo.faults.add(FaultKind.STATUS, path="/api/Client", status=502, times=None)
    with pytest.raises(HaloUnavailable, match="502 Bad Gateway"):
        halo.clients()
    assert desk.sent("Client") == 4


def test_one_user_with_all_details(desk: Desk, halo: Halo) -> None:
    """A single user has its custom fields; one that Halo does not know is None."""
    crowd(desk, 1)
    user = halo.user(HaloUserId(int(desk.halo.people[0]["id"])))
    assert user is not None
    assert user.fields["CFStaffNumber"] == "0"
    assert halo.user(HaloUserId(99999)) is None


def test_clients_and_sites_are_read_with_inactive_ones(desk: Desk, halo: Halo) -> None:
    """Clients and sites carry their state, and the ids that come as doubles are whole numbers."""
    desk.halo.add_client("Old", inactive=True)
    desk.halo.add_site(desk.client, "Shut", inactive=True, actguid=f"{{{guid(5).upper()}}}")
    assert {(client.name, client.active) for client in halo.clients()} == {("Contoso", True), ("Old", False)}
    shut = next(site for site in halo.sites(HaloClientId(desk.client)) if site.name == "Shut")
    assert (shut.client, shut.active, shut.guid) == (desk.client, False, guid(5))
    assert isinstance(shut.client, int)


@pytest.mark.parametrize("field", ["third_party_guid", "login", "emailaddress"])
@pytest.mark.parametrize("ignored", [True, False])
@pytest.mark.parametrize("lean", [True, False])
def test_a_user_is_found_by_each_matching_field(
    desk: Desk, halo: Halo, field: str, *, ignored: bool, lean: bool
) -> None:
    """A user is found in whatever case, and an absent one is not, also where Halo ignores the filter."""
    crowd(desk, 8)
    desk.halo.switches.lean_lists = lean
    if ignored:
        desk.halo.switches.exact_search_fields = frozenset()
    client = HaloClientId(desk.client)
    for number in (0, 3, 7):
        value = {"third_party_guid": guid(number), "login": f"contoso\\P{number}"}.get(
            field, f"P{number}@EXAMPLE.test"
        )
        assert named(list(halo.find_users(client, field, value))) == [f"Person {number}"]
    absent = {"third_party_guid": guid(99)}.get(field, "nobody@example.test")
    assert list(halo.find_users(client, field, absent)) == []
    assert list(halo.find_users(client, field, "")) == []


def test_a_proven_filter_spares_the_full_list(desk: Desk, halo: Halo) -> None:
    """A filter on logins is tried on a known user once; after that a search is one request."""
    crowd(desk, 350)
    client = HaloClientId(desk.client)
    halo.find_users(client, "login", "CONTOSO\\p300")
    before = desk.sent("Users")
    assert named(list(halo.find_users(client, "login", "CONTOSO\\p301"))) == ["Person 301"]
    assert (before, desk.sent("Users")) == (4, 5)


def test_an_ignored_filter_costs_one_full_read(desk: Desk, halo: Halo) -> None:
    """The users that a useless filter made necessary are read once, until something is written."""
    crowd(desk, 150)
    desk.halo.switches.exact_search_fields = frozenset()
    client = HaloClientId(desk.client)
    halo.find_users(client, "emailaddress", "p1@example.test")
    before = desk.sent("Users")
    halo.find_users(client, "emailaddress", "p2@example.test")
    halo.find_users(client, "login", "CONTOSO\\p2")
    assert desk.sent("Users") == before
    halo.write_users([desk.create(900)])
    assert named(list(halo.find_users(client, "emailaddress", "p900@example.test"))) == ["Person 900"]


def test_a_stamp_in_braces_is_found(desk: Desk, halo: Halo) -> None:
    """A GUID that another program stamped in braces and capitals is the same GUID."""
    crowd(desk, 3)
    desk.halo.add_user(name="Ann", site_id=desk.site, third_party_guid=f"{{{guid(50).upper()}}}")
    found = halo.find_users(HaloClientId(desk.client), "third_party_guid", guid(50))
    assert named(list(found)) == ["Ann"]


def test_custom_fields_cannot_be_searched(desk: Desk, halo: Halo) -> None:
    """Lists do not carry custom fields, so searching by one is a mistake, not an empty result."""
    with pytest.raises(ValueError, match="CFStaffNumber"):
        halo.find_users(HaloClientId(desk.client), "CFStaffNumber", "1")


def test_a_filter_that_halo_stumbles_over_is_not_needed(desk: Desk, halo: Halo) -> None:
    """When trying a filter ends in errors, the users are read in full instead."""
    crowd(desk, 3)
    desk.halo.faults.add(FaultKind.STATUS, path="/api/Users", after=1, times=4)
    found = halo.find_users(HaloClientId(desk.client), "login", "CONTOSO\\p2")
    assert named(list(found)) == ["Person 2"]


def test_a_ticket_that_is_listed_counts_whatever_the_count_says(desk: Desk) -> None:
    """Somebody with an open ticket would be switched off otherwise."""
    user = desk.halo.add_user(name="Ann", site_id=desk.site)
    desk.halo.add_ticket(user)
    desk.halo.faults.add("wrong_count", path="/api/Tickets", difference=-1)
    with desk.open() as halo:
        tickets = halo.tickets(HaloUserId(user), open_only=True)
    assert (tickets.count, len(tickets.shown)) == (1, 1)
