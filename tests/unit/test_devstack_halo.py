"""The simulated Halo behaves as the real one is known to."""

import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from devstack.halo import BusinessRuleError, SimulatedHalo
from devstack.halo.schema import FIELDS

OPENAPI = Path(__file__).parents[3] / "shared/halo/openapi-subset.json"
ALL = {"includeactive": "true", "includeinactive": "true"}


class Clock:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


class Client:
    """A signed-in session with one simulated Halo."""

    def __init__(self, halo: SimulatedHalo) -> None:
        self.halo = halo
        self.session = requests.Session()
        self.sign_in()

    def token(self, path: str = "/signin/token?tenant=simulated", **changes: str) -> requests.Response:
        """Ask for a token with good credentials, but for `changes`."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self.halo.client_id,
            "client_secret": self.halo.client_secret,
            "scope": "all",
        }
        return self.session.post(self.halo.url + path, data=form | changes, timeout=10)

    def sign_in(self) -> None:
        """Use a new token from now on."""
        self.session.headers["Authorization"] = f"Bearer {self.token().json()['access_token']}"

    def get(self, path: str, **query: Any) -> requests.Response:
        """GET below /api."""
        return self.session.get(f"{self.halo.url}/api/{path}", params=query, timeout=10)

    def post(self, path: str, *elements: Any) -> requests.Response:
        """POST an array below /api."""
        return self.session.post(f"{self.halo.url}/api/{path}", json=list(elements), timeout=10)

    def names(self, **query: Any) -> list[str]:
        """The names of the listed users, without General Users."""
        rows = self.get("Users", exclude_generaluser="true", **query).json()["users"]
        return [row["name"] for row in rows]

    def control(self, method: str, action: str, body: Any = None) -> Any:
        """Use the control API."""
        answer = self.session.request(method, f"{self.halo.url}/_control/{action}", json=body, timeout=10)
        assert answer.ok, answer.text
        return answer.json()


@pytest.fixture
def clock() -> Clock:
    """Time as the test wants it."""
    return Clock()


@pytest.fixture
def halo(clock: Clock) -> Iterator[SimulatedHalo]:
    """A running Halo."""
    with SimulatedHalo(clock=clock) as running:
        yield running


@pytest.fixture
def client(halo: SimulatedHalo) -> Iterator[Client]:
    """A client that has signed in."""
    client = Client(halo)
    with client.session:
        yield client


@pytest.fixture
def site(halo: SimulatedHalo) -> int:
    """The main site of a client."""
    return int(halo.clients[halo.add_client("Contoso")]["main_site_id"])


def fill(halo: SimulatedHalo, site: int, count: int) -> None:
    """Add users `u000`, `u001`, ..."""
    for number in range(count):
        halo.add_user(name=f"u{number:03}", site_id=site)


# Sign-in


def test_authinfo_is_anonymous_and_names_auth_url_and_tenant(halo: SimulatedHalo) -> None:
    """A client discovers where to sign in without a token."""
    answer = requests.get(f"{halo.url}/api/authinfo", timeout=10).json()
    assert answer == {"auth_url": f"{halo.url}/signin", "tenant_id": "simulated"}


def test_self_hosted_halo_signs_in_without_a_tenant(halo: SimulatedHalo, client: Client) -> None:
    """A self-hosted Halo names its own address and no tenant."""
    halo.switches.self_hosted = True
    assert client.get("AuthInfo").json() == {"auth_url": f"{halo.url}/auth", "tenant_id": ""}
    answer = client.token("/auth/token").json()
    assert (answer["expires_in"], answer["token_type"]) == (3600, "Bearer")


@pytest.mark.parametrize(
    ("path", "changes", "status", "error"),
    [
        ("/signin/token?tenant=other", {}, 500, None),
        ("/signin/token", {}, 500, None),
        ("/signin/token?tenant=simulated", {"client_secret": "wrong"}, 401, "invalid_client"),
        ("/signin/token?tenant=simulated", {"client_id": "wrong"}, 401, "invalid_client"),
        ("/signin/token?tenant=simulated", {"scope": "read:users"}, 400, "invalid_scope"),
        ("/signin/token?tenant=simulated", {"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_a_wrong_token_request_is_refused(
    client: Client, path: str, changes: dict[str, str], status: int, error: str | None
) -> None:
    """Each mistake has the status and the error that Halo gives it."""
    answer = client.token(path, **changes)
    assert (answer.status_code, answer.json().get("error")) == (status, error)


def test_a_token_request_must_be_form_encoded(halo: SimulatedHalo) -> None:
    """A body in JSON carries no grant type."""
    body = {"grant_type": "client_credentials", "client_id": halo.client_id}
    answer = requests.post(f"{halo.url}/signin/token?tenant=simulated", json=body, timeout=10)
    assert answer.status_code == 400


def test_tokens_expire_and_can_be_revoked(halo: SimulatedHalo, client: Client, clock: Clock) -> None:
    """After either, the API answers 401 until the client signs in again."""
    clock.now += 3600
    assert client.get("Users").status_code == 401
    client.sign_in()
    assert client.get("Users").status_code == 200
    halo.revoke_tokens()
    assert client.get("Users").status_code == 401


def test_a_request_without_user_agent_is_refused(halo: SimulatedHalo) -> None:
    """Halo wants to know who asks."""
    connection = http.client.HTTPConnection(halo.url.removeprefix("http://"), timeout=10)
    connection.request("GET", "/api/authinfo")
    assert connection.getresponse().status == 400
    connection.close()


# Limits


def test_rate_limit_rolls_and_covers_the_token_endpoint(client: Client, clock: Clock) -> None:
    """The 301st request in five minutes is refused, whatever it asks for, until the window has moved."""
    answers = [client.get("authinfo").status_code for _ in range(299)]
    assert set(answers) == {200}
    refused = client.token()
    assert refused.status_code == 429
    assert refused.text == "Rate Limit Reached - 300 Requests per rolling 5 minute window"
    assert "Retry-After" not in refused.headers
    clock.now += 301
    assert client.token().status_code == 200


def test_rate_limit_can_say_when_to_come_back_and_can_be_lifted(halo: SimulatedHalo, client: Client) -> None:
    """Retry-After and the lifting header are switches."""
    halo.switches.rate_limit = 1
    halo.switches.retry_after = True
    assert client.get("Users").headers["Retry-After"] == "301"
    halo.switches.lift_header = ("X-Lift", "please")
    client.session.headers["X-Lift"] = "please"
    assert client.get("Users").status_code == 200


# Reading


def test_paging_needs_both_parameters_and_caps_the_page(
    halo: SimulatedHalo, client: Client, site: int
) -> None:
    """Without `pageinate` or without `page_no` everything comes; with both never more than 100, or 1000."""
    fill(halo, site, 150)
    assert len(client.names(page_no=1, page_size=10)) == 150
    assert len(client.names(pageinate="true", page_size=10)) == 150
    assert len(client.names(pageinate="true", page_no=1, page_size=1000)) == 100
    halo.switches.max_page_size = 1000
    assert len(client.names(pageinate="true", page_no=1, page_size=1000)) == 150


@pytest.mark.parametrize(("order", "distinct"), [("id", 250), ("", 244), ("nonsense", 244)])
def test_pages_without_a_fixed_order_repeat_and_miss(
    halo: SimulatedHalo, client: Client, site: int, order: str, distinct: int
) -> None:
    """Only who fixes an order by a real field sees each record once."""
    fill(halo, site, 250)
    query = {"pageinate": "true", "page_size": 100, "order": order}
    seen = [name for page in (1, 2, 3, 4) for name in client.names(page_no=page, **query)]
    assert (len(seen), len(set(seen))) == (250, distinct)


def test_order_can_be_descending(halo: SimulatedHalo, client: Client, site: int) -> None:
    """`orderdesc` turns the order round."""
    fill(halo, site, 3)
    assert client.names(order="name", orderdesc="true") == ["u002", "u001", "u000"]


def test_record_count_covers_all_pages(halo: SimulatedHalo, client: Client, site: int) -> None:
    """`record_count` counts what the filters select, General Users included unless excluded."""
    fill(halo, site, 5)
    query = {"pageinate": "true", "page_no": 1, "page_size": 2}
    answer = client.get("Users", exclude_generaluser="true", **query).json()
    assert (answer["record_count"], len(answer["users"])) == (5, 2)
    assert client.get("Users", **query).json()["record_count"] == 7


def test_inactive_records_are_hidden_unless_both_are_asked_for(
    halo: SimulatedHalo, client: Client, site: int
) -> None:
    """One of the two parameters alone shows active records only."""
    halo.add_user(name="gone", site_id=site, inactive=True)
    assert client.names() == []
    assert client.names(includeinactive="true") == []
    assert client.names(**ALL) == ["gone"]


def test_users_filters(halo: SimulatedHalo, client: Client, site: int) -> None:
    """Filters by client, site and text select together."""
    other = halo.add_site(int(halo.sites[site]["client_id"]), "Leeds")
    halo.add_user(name="Ann", site_id=site, emailaddress="ann@contoso.com")
    halo.add_user(name="Bob", site_id=other)
    assert client.names(site_id=other) == ["Bob"]
    assert client.names(client_id=int(halo.sites[site]["client_id"])) == ["Ann", "Bob"]
    assert client.names(client_id=9999) == []
    assert client.names(search="CONTOSO.com") == ["Ann"]
    assert client.get("Users", site_id="north").status_code == 400
    assert client.get("Users", advanced_search="{}").status_code == 400


def test_general_users_are_listed_unless_excluded(halo: SimulatedHalo, client: Client, site: int) -> None:
    """Every site has one, and the client-level one has the id -1."""
    listed = client.get("Users", client_id=int(halo.sites[site]["client_id"])).json()["users"]
    assert [user["name"] for user in listed] == ["General User", "General User"]
    assert -1 in [user["id"] for user in listed]
    assert client.names() == []
    assert halo.people == []


@pytest.mark.parametrize("name", ["emailaddress", "login", "third_party_guid", "name"])
def test_advanced_search_is_exact(halo: SimulatedHalo, client: Client, site: int, name: str) -> None:
    """Filter type 2 compares the whole value, without case."""
    halo.add_user(**{"name": "other", "site_id": site, name: "ann@contoso.com.au"})
    wanted = halo.add_user(**{"name": "wanted", "site_id": site, name: "Ann@contoso.com"})
    search = json.dumps([{"filter_name": name, "filter_type": 2, "filter_value": "ann@contoso.com"}])
    answer = client.get("Users", advanced_search=search).json()
    assert [user["id"] for user in answer["users"]] == [wanted]


def test_advanced_search_ignores_names_it_does_not_honour(
    halo: SimulatedHalo, client: Client, site: int
) -> None:
    """An unknown filter selects everybody, which a client must not take for a match."""
    fill(halo, site, 2)
    search = json.dumps([{"filter_name": "login", "filter_type": 2, "filter_value": "nobody"}])
    assert client.names(advanced_search=search) == []
    halo.switches.exact_search_fields = frozenset({"emailaddress"})
    assert client.names(advanced_search=search) == ["u000", "u001"]


def test_idonly_gives_ids_and_cannot_be_paged(halo: SimulatedHalo, client: Client, site: int) -> None:
    """All ids come at once."""
    fill(halo, site, 3)
    answer = client.get("Users", idonly="true", pageinate="true", page_no=1, page_size=1).json()
    assert [list(user) for user in answer["users"]] == [["id"]] * 5


def test_lists_show_less_than_a_single_record(halo: SimulatedHalo, client: Client, site: int) -> None:
    """Custom fields need a single record with details; lean lists omit the identity fields too."""
    custom = [{"name": "CFStaffNumber", "value": "7"}]
    key = halo.add_user(name="Ann", site_id=site, login="C\\ann", third_party_guid="g", customfields=custom)
    (listed,) = client.get("Users", search="ann").json()["users"]
    assert (listed["login"], listed["site_name"], "customfields" in listed) == ("C\\ann", "Main", False)
    halo.switches.lean_lists = True
    (lean,) = client.get("Users", search="ann").json()["users"]
    assert not {"login", "third_party_guid", "activedirectory_dn", "customfields"} & lean.keys()
    full = client.get(f"Users/{key}", includedetails="true").json()
    assert (full["third_party_guid"], full["customfields"][0]["value"]) == ("g", "7")


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("Users", "users"),
        ("Client", "clients"),
        ("Site", "sites"),
        ("Tickets", "tickets"),
        ("TopLevel", "tree"),
    ],
)
def test_envelopes_and_paths_without_regard_to_case(client: Client, site: int, path: str, key: str) -> None:
    """Counted lists have their own key each, however the path is written."""
    assert site
    for spelling in (path, path.lower(), path.upper()):
        assert client.get(spelling).json().keys() == {"record_count", key}


@pytest.mark.parametrize(
    "path", ["Agent", "Team", "Roles", "UserRoles", "FieldInfo", "LDAPConnection", "Lookup"]
)
def test_bare_lists(client: Client, path: str) -> None:
    """These answer an array."""
    assert isinstance(client.get(path).json(), list)


def test_agent_and_team_envelopes_depend_on_the_version(halo: SimulatedHalo, client: Client) -> None:
    """Switches turn the bare arrays into objects."""
    halo.add_agent("Ann")
    halo.switches.agent_list = "results"
    assert [row["name"] for row in client.get("Agent").json()["results"]] == ["Ann"]
    halo.switches.agent_list = "agents"
    assert [row["name"] for row in client.get("Agent").json()["agents"]] == ["Ann"]
    halo.switches.team_list = "teams"
    assert client.get("Team").json()["teams"][0]["name"] == "1st Line Support"


def test_agent_list_parameters(halo: SimulatedHalo, client: Client) -> None:
    """Disabled and API-only agents and roles come only when asked for."""
    halo.add_agent("Ann", roles=[{"id": "r"}])
    halo.add_agent("Bob", isdisabled=True)
    halo.add_agent("Cron", isapiagent=True)

    def names(**query: str) -> list[str]:
        return [row["name"] for row in client.get("Agent", **query).json()]

    assert names() == ["Ann"]
    assert names(includedisabled="true") == ["Ann", "Bob"]
    assert names(includedisabled="true", includeenabled="false") == ["Bob"]
    assert names(includeapiagents="true") == ["Ann", "Cron"]
    assert "roles" not in client.get("Agent").json()[0]
    assert client.get("Agent", includeroles="true").json()[0]["roles"] == [{"id": "r"}]


def test_open_tickets_of_a_user_are_counted(halo: SimulatedHalo, client: Client, site: int) -> None:
    """`open_only` leaves closed tickets out, as closing one does."""
    user = halo.add_user(name="Ann", site_id=site)
    ticket = halo.add_ticket(user)
    halo.add_ticket(user, open=False)
    query = {"user_id": user, "pageinate": "true", "page_no": 1, "page_size": 1}
    assert client.get("Tickets", **query).json()["record_count"] == 2
    assert client.get("Tickets", open_only="true", **query).json()["record_count"] == 1
    halo.close_ticket(ticket)
    assert client.get("Tickets", open_only="true", **query).json() == {"record_count": 0, "tickets": []}


def test_tickets_are_opened_for_users_that_exist(halo: SimulatedHalo, client: Client, site: int) -> None:
    """Each one posted is a new one, in its user's site; it needs a summary, a user and a known team."""
    user = halo.add_user(name="Ann", site_id=site)
    new = {"summary": "Hello", "user_id": user, "team": "1st Line Support", "dont_do_rules": True}
    for _ in range(2):
        answer = client.post("Tickets", new)
        assert (answer.status_code, answer.json()["site_id"]) == (201, site)
    assert [ticket["summary"] for ticket in halo.tickets.values()] == ["Hello", "Hello"]
    assert client.get("Tickets", user_id=user, open_only="true").json()["record_count"] == 2
    for wrong in ({"user_id": user}, {**new, "user_id": 7}, {**new, "team": "Nobody"}):
        assert client.post("Tickets", wrong).status_code == 400
    assert len(halo.tickets) == 2


def test_ldap_connection_shows_its_mappings_with_details_only(halo: SimulatedHalo, client: Client) -> None:
    """The list is short, the single record with details is complete."""
    mappings = [{"ldap_field": "mail", "nhd_field": "emailaddress"}]
    halo.store.catalogs["ldap_connections"].append({"id": 3, "name": "corp", "mappings_user": mappings})
    assert client.get("LDAPConnection").json() == [{"id": 3, "name": "corp"}]
    assert client.get("LDAPConnection/3", includedetails="true").json()["mappings_user"] == mappings


def test_single_records_and_what_is_not_there(halo: SimulatedHalo, client: Client, site: int) -> None:
    """A record is found by its id; an unknown one, or an unknown resource, is 404."""
    assert client.get(f"Site/{site}").json()["name"] == "Main"
    assert client.get(f"Client/{int(halo.sites[site]['client_id'])}").json()["main_site_id"] == site
    assert client.get("Site/99999").status_code == 404
    assert client.get("Nonsense").status_code == 404
    assert client.get("InstanceInfo").json()["tenant_id"] == "simulated"


# Writing


def test_one_element_answers_an_object_and_several_an_array(client: Client, site: int) -> None:
    """Both with 201."""
    one = client.post("Users", {"name": "Ann", "site_id": site})
    several = client.post("Users", {"name": "Bob", "site_id": site}, {"name": "Cy", "site_id": site})
    assert (one.status_code, one.json()["name"]) == (201, "Ann")
    assert (several.status_code, [row["name"] for row in several.json()]) == (201, ["Bob", "Cy"])


def test_elements_without_id_are_new_however_alike(halo: SimulatedHalo, client: Client, site: int) -> None:
    """Halo does not look for duplicates."""
    element = {"name": "Ann", "site_id": site, "third_party_guid": "g"}
    client.post("Users", element)
    client.post("Users", element, element)
    assert len(halo.people) == 3


def test_elements_with_id_are_partial_updates(halo: SimulatedHalo, client: Client, site: int) -> None:
    """What an element does not name stays, custom fields likewise; keys bind without regard to case."""
    key = halo.add_user(
        name="Ann", site_id=site, title="Dr", customfields=[{"name": "CFStaffNumber", "value": "7"}]
    )
    answer = client.post("Users", {"ID": key, "Inactive": True, "nonsense": 1, "customfields": []})
    assert answer.status_code == 201
    user = halo.users[key]
    assert (user["name"], user["title"], user["inactive"]) == ("Ann", "Dr", True)
    assert (user["customfields"][0]["value"], "nonsense" in user) == ("7", False)
    client.post(
        "Users", {"id": key, "customfields": [{"id": 201, "value": "8"}, {"name": "CFNone", "value": "x"}]}
    )
    assert halo.users[key]["customfields"] == [{"id": 201, "name": "CFStaffNumber", "value": "8"}]


def test_a_user_that_moves_takes_the_client_of_its_site(
    halo: SimulatedHalo, client: Client, site: int
) -> None:
    """`client_id` follows `site_id`."""
    key = halo.add_user(name="Ann", site_id=site)
    elsewhere = halo.add_client("Fabrikam")
    client.post("Users", {"id": key, "site_id": halo.clients[elsewhere]["main_site_id"]})
    assert halo.users[key]["client_id"] == elsewhere


def test_ids_of_doubles_come_back_as_floats(client: Client, site: int) -> None:
    """A number may come back as it was, a text "95.0" may not."""
    user = client.post("Users", {"name": "Ann", "site_id": site}).json()
    assert type(user["site_id"]) is float
    assert type(client.get(f"Site/{site}").json()["client_id"]) is float
    assert client.post("Users", {"id": user["id"], "site_id": float(site)}).status_code == 201
    refused = client.post("Users", {"id": f"{user['id']}.0"})
    assert (refused.status_code, list(refused.json())) == (400, ["[0].id"])
    assert client.post("Users", {"id": user["id"], "site_id": f"{site}.0"}).status_code == 400


@pytest.mark.parametrize(
    ("element", "key"),
    [
        ({"name": "x" * 256}, "[1].name"),
        ({"name": "\N{GRINNING FACE}" * 128}, "[1].name"),
        ({"firstname": "x" * 201, "name": "Ann"}, "[1].firstname"),
        ({"emailaddress": "a@b.c"}, "[1].name"),
        ({"name": "  "}, "[1].name"),
        ({"name": "Ann", "inactive": "perhaps"}, "[1].inactive"),
        ({"name": "Ann", "emailaddress": ["a@b.c"]}, "[1].emailaddress"),
        ({"name": "Ann", "id": None}, "[1].id"),
        ({"name": "Ann", "customfields": "x"}, "[1].customfields"),
        ({"name": "Ann", "customfields": ["x"]}, "[1].customfields"),
        ("Ann", "[1]"),
    ],
)
def test_an_element_that_does_not_bind_refuses_the_whole_array(
    halo: SimulatedHalo, client: Client, site: int, element: Any, key: str
) -> None:
    """The answer names the element and its field, and nothing is stored."""
    answer = client.post("Users", {"name": "Good", "site_id": site}, element)
    assert (answer.status_code, list(answer.json())) == (400, [key])
    assert halo.people == []


@pytest.mark.parametrize("body", ['{"name": "Ann"}', "[]", "[{", ""])
def test_a_body_that_is_no_array_is_refused(client: Client, body: str) -> None:
    """Halo takes arrays only."""
    assert client.session.post(f"{client.halo.url}/api/Users", data=body, timeout=10).status_code == 400


@pytest.mark.parametrize(
    ("switch", "stored"),
    [("nothing", []), ("partial", ["a"]), ("elements", ["a", "c"])],
)
def test_a_broken_rule_spoils_all_or_part_of_the_array(
    halo: SimulatedHalo, client: Client, site: int, switch: str, stored: list[str]
) -> None:
    """What happens to the other elements is unknown of Halo, so it is a switch."""
    halo.switches.change({"batch_failure": switch})
    answer = client.post(
        "Users", {"name": "a", "site_id": site}, {"name": "b", "site_id": 9}, {"name": "c", "site_id": site}
    )
    assert [user["name"] for user in halo.people] == stored
    assert answer.status_code == (201 if switch == "elements" else 400)
    if switch == "elements":
        assert [row.get("name") or row["error"] for row in answer.json()] == ["a", "invalid_request", "c"]


def test_all_or_nothing_also_undoes_updates(halo: SimulatedHalo, client: Client, site: int) -> None:
    """An update before the broken element is taken back."""
    key = halo.add_user(name="Ann", site_id=site)
    client.post("Users", {"id": key, "name": "Changed"}, {"id": 99999, "inactive": True})
    assert halo.users[key]["name"] == "Ann"


@pytest.mark.parametrize(
    ("path", "element"),
    [
        ("Users", {"id": 99999, "inactive": True}),
        ("Users", {"name": "Ann"}),
        ("Site", {"name": "Leeds"}),
        ("Site", {"name": "Leeds", "client_id": 9}),
        ("Client", {"name": "Contoso", "toplevel_id": 9}),
    ],
)
def test_records_need_what_they_point_at(client: Client, path: str, element: dict[str, Any]) -> None:
    """An unknown id, or none where one is needed, breaks a rule."""
    answer = client.post(path, element)
    assert (answer.status_code, answer.json()["ClassName"]) == (400, "HaloException")


def test_a_new_client_comes_with_a_main_site_and_general_user(halo: SimulatedHalo, client: Client) -> None:
    """`newclient_sitename` names the site, and nobody has to create it."""
    created = client.post("Client", {"name": "Contoso", "newclient_sitename": "Head office"}).json()
    main = halo.sites[created["main_site_id"]]
    assert (main["name"], main["client_id"]) == ("Head office", created["id"])
    guarded = [user for user in halo.users.values() if user.get("site_id") == main["id"]]
    assert [user["name"] for user in guarded] == ["General User"]
    assert halo.sites[halo.clients[halo.add_client("Other")]["main_site_id"]]["name"] == "Main"


def test_a_site_keeps_the_organizational_unit_it_mirrors(client: Client, site: int) -> None:
    """`actguid` and `ldapstring` are stored and listed."""
    client.post("Site", {"id": site, "actguid": "g", "ldapstring": "OU=Leeds"})
    (listed,) = client.get("Site").json()["sites"]
    assert (listed["actguid"], listed["ldapstring"]) == ("g", "OU=Leeds")


def test_a_written_general_user_is_a_violation(halo: SimulatedHalo, client: Client, site: int) -> None:
    """Halo allows it, and the simulation remembers it, also after the General User got another name."""
    key = next(key for key in halo.users if key > 0)
    assert halo.users[key]["site_id"] == site
    assert client.post("Users", {"id": key, "name": "Renamed"}).status_code == 201
    assert client.post("Users", {"id": -1, "inactive": True}).status_code == 201
    assert halo.violations == [f"The General User {key} was written.", "The General User -1 was written."]
    assert halo.people == []


def test_a_server_side_sweep_is_a_violation(halo: SimulatedHalo, client: Client, site: int) -> None:
    """Nobody knows what `_importtoken` touches."""
    client.post("Users", {"name": "Ann", "site_id": site, "_importtoken": "t"})
    assert len(halo.violations) == 1


def test_agents_cost_licences(halo: SimulatedHalo, client: Client) -> None:
    """A seat too many is refused; disabled and API-only agents cost none."""
    halo.switches.license_count = 1
    first = client.post("Agent", {"name": "Ann"}).json()["id"]
    assert client.post("Agent", {"name": "Bob"}).status_code == 400
    assert client.post("Agent", {"name": "Cron", "isapiagent": True}).status_code == 201
    assert client.get("LicenseInfo").json() == {"license_count": 1, "licenses_in_use": 1}
    client.post("Agent", {"id": first, "isdisabled": True})
    assert client.post("Agent", {"name": "Bob"}).status_code == 201
    assert client.post("Agent", {"id": first, "isdisabled": False}).status_code == 400


def test_a_written_record_can_carry_a_warning(halo: SimulatedHalo, client: Client, site: int) -> None:
    """The warning is in the answer and not in the record."""
    halo.switches.warning = "The e-mail address is in use."
    answer = client.post("Users", {"name": "Ann", "site_id": site}).json()
    assert answer["_warning"] == "The e-mail address is in use."
    assert "_warning" not in halo.users[answer["id"]]


def test_the_known_fields_stand_in_halos_openapi() -> None:
    """Names and types are Halo's own."""
    if not OPENAPI.exists():
        pytest.skip("Halo's OpenAPI is not part of this repository")
    schemas = json.loads(OPENAPI.read_text(encoding="utf-8"))["components"]["schemas"]
    kinds = {
        "text": ("string", None),
        "bool": ("boolean", None),
        "int": ("integer", "int32"),
        "double": ("number", "double"),
        "array": ("array", None),
    }
    tables = {"users": "Users", "sites": "Site", "clients": "Area", "agents": "Uname"}
    for table, schema in tables.items():
        published = {
            name.lower(): (entry.get("type"), entry.get("format"))
            for name, entry in schemas[schema]["properties"].items()
        }
        ours = {name: kinds[kind] for name, kind in FIELDS[table].items()}
        assert ours == {name: published.get(name) for name in ours}, table


# Faults


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (401, ""),
        (403, ""),
        (429, "Rate Limit Reached - 300 Requests per rolling 5 minute window"),
        (500, '{"Message": "An error has occurred."}'),
    ],
)
def test_a_status_fault_answers_as_told_and_stores_nothing(
    halo: SimulatedHalo, client: Client, site: int, status: int, text: str
) -> None:
    """It strikes the next matching request only."""
    halo.faults.add("status", status=status, method="POST", path="/api/users", retry_after=7)
    assert client.get("Users").status_code == 200
    answer = client.post("Users", {"name": "Ann", "site_id": site})
    assert (answer.status_code, answer.text, answer.headers["Retry-After"]) == (status, text, "7")
    assert halo.people == []
    assert client.post("Users", {"name": "Ann", "site_id": site}).status_code == 201


def test_a_gateway_answers_html(halo: SimulatedHalo, client: Client) -> None:
    """A 502 does not come from Halo itself."""
    halo.faults.add("status", status=502)
    answer = client.get("Users")
    assert (answer.headers["Content-Type"], answer.text[:6]) == ("text/html", "<html>")


def test_a_fault_strikes_so_many_times_after_so_many(halo: SimulatedHalo, client: Client) -> None:
    """Counted are the requests that match: method, path, page and body."""
    halo.faults.add("status", status=500, path="/api/Site", after=1, times=2)
    assert [client.get("Site").status_code for _ in range(4)] == [200, 500, 500, 200]
    halo.faults.add("status", status=500, path="/api/Site", times=None)
    assert client.get("Site/1").status_code == 500
    halo.faults.clear()
    assert client.get("Site").status_code == 200


def test_a_fault_can_follow_a_record(halo: SimulatedHalo, client: Client, site: int) -> None:
    """A record that Halo always chokes on is found by bisection."""
    halo.faults.add("status", contains="Poison", times=None)
    assert client.post("Users", {"name": "Poison", "site_id": site}).status_code == 500
    assert client.post("Users", {"name": "Ann", "site_id": site}).status_code == 201


@pytest.mark.parametrize(("kind", "stored"), [("drop_before_commit", 0), ("drop_after_commit", 1)])
def test_a_dropped_connection_leaves_the_client_in_doubt(
    halo: SimulatedHalo, client: Client, site: int, kind: str, stored: int
) -> None:
    """The client sees the same, Halo does not; the log shows status 0."""
    halo.faults.add(kind, method="POST")
    with pytest.raises(requests.ConnectionError):
        client.post("Users", {"name": "Ann", "site_id": site})
    assert len(halo.people) == stored
    assert halo.requests[-1] == ("POST", "/api/Users", 0, 1)


def test_a_500_may_come_after_the_records_were_stored(halo: SimulatedHalo, client: Client, site: int) -> None:
    """So a create must not be repeated blindly."""
    halo.faults.add("fail_after_commit", status=500)
    assert client.post("Users", {"name": "Ann", "site_id": site}).status_code == 500
    assert len(halo.people) == 1


def test_part_of_a_batch_may_be_stored_before_a_500(halo: SimulatedHalo, client: Client, site: int) -> None:
    """The first elements are there, the others are not."""
    halo.faults.add("partial", elements=2)
    elements = [{"name": name, "site_id": site} for name in "abc"]
    assert client.post("Users", *elements).status_code == 500
    assert [user["name"] for user in halo.people] == ["a", "b"]


def test_the_answer_of_a_batch_may_be_reordered(halo: SimulatedHalo, client: Client, site: int) -> None:
    """Position alone ties no answer to its element."""
    halo.faults.add("reordered")
    elements = [{"name": name, "site_id": site} for name in "abc"]
    assert [row["name"] for row in client.post("Users", *elements).json()] == ["c", "b", "a"]


def test_an_answer_may_be_malformed(halo: SimulatedHalo, client: Client) -> None:
    """Its JSON breaks off."""
    halo.faults.add("malformed")
    with pytest.raises(requests.JSONDecodeError):
        client.get("Users").json()


def test_a_page_may_be_missing_and_the_count_wrong(halo: SimulatedHalo, client: Client, site: int) -> None:
    """An empty page in the middle is not the end of the list."""
    fill(halo, site, 30)
    halo.faults.add("empty_page", page=2)
    halo.faults.add("wrong_count", difference=-5, times=None)
    query = {"pageinate": "true", "page_size": 10, "order": "id", "exclude_generaluser": "true"}
    pages = [client.get("Users", page_no=page, **query).json() for page in (1, 2, 3)]
    assert [len(page["users"]) for page in pages] == [10, 0, 10]
    assert {page["record_count"] for page in pages} == {25}


def test_an_answer_may_be_late(halo: SimulatedHalo, client: Client) -> None:
    """A client with a shorter patience gives up."""
    halo.faults.add("delay", seconds=30)
    with pytest.raises(requests.ReadTimeout):
        client.session.get(f"{halo.url}/api/Users", timeout=0.05)


def test_an_unknown_fault_or_switch_is_refused(halo: SimulatedHalo) -> None:
    """A misspelt fault must not make a test pass."""
    with pytest.raises(ValueError, match="nonsense"):
        halo.faults.add("nonsense")
    with pytest.raises(ValueError, match="tmies"):
        halo.faults.add("status", tmies=2)
    with pytest.raises(ValueError, match="lean_list"):
        halo.switches.change({"lean_list": True})


# Helpers, log, speed


def test_helpers_keep_halos_rules(halo: SimulatedHalo) -> None:
    """A test cannot set up what Halo could not hold."""
    with pytest.raises(BusinessRuleError):
        halo.add_user(name="Ann", site_id=9)
    with pytest.raises(ValueError, match="name"):
        halo.add_client("")


def test_the_log_tells_method_path_status_and_elements(
    halo: SimulatedHalo, client: Client, site: int
) -> None:
    """Lists count their records, arrays their elements."""
    client.get("Users", page_no=1)
    client.post("Users", {"name": "Ann", "site_id": site}, {"name": "Bob", "site_id": site})
    assert halo.requests == [
        ("POST", "/signin/token", 200, 0),
        ("GET", "/api/Users", 200, 2),
        ("POST", "/api/Users", 201, 2),
    ]


def test_ten_thousand_users_are_quick(halo: SimulatedHalo, client: Client, site: int) -> None:
    """Reading all pages and writing a thousand users is a matter of seconds at most."""
    halo.switches.rate_limit = 0
    fill(halo, site, 10_000)
    started = time.perf_counter()
    query = {"pageinate": "true", "page_size": 100, "order": "id", "exclude_generaluser": "true"}
    seen = {
        user["id"]
        for page in range(1, 101)
        for user in client.get("Users", page_no=page, **query).json()["users"]
    }
    for _ in range(40):
        client.post("Users", *({"name": "Ann", "site_id": site} for _ in range(25)))
    assert len(seen) == 10_000
    assert time.perf_counter() - started < 20


def test_many_clients_at_once_lose_nothing(halo: SimulatedHalo, client: Client, site: int) -> None:
    """Writes from eight threads each get an id of their own."""
    elements = [{"name": "Ann", "site_id": site}] * 5
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post("Users", *elements).json(), range(40)))
    assert len({row["id"] for answer in answers for row in answer}) == 200
    assert len(halo.people) == 200


def test_stopping_ends_kept_connections(clock: Clock) -> None:
    """A stopped Halo is really gone, also for a client with an open connection."""
    with SimulatedHalo(clock=clock) as halo:
        client = Client(halo)
    with client.session, pytest.raises(requests.ConnectionError):
        client.get("Users")


# The process


def test_control_api_steers_everything(halo: SimulatedHalo, client: Client) -> None:
    """What a test can do with the object, it can do over HTTP."""
    made = client.control("POST", "clients", {"name": "Contoso"})["id"]
    place = client.control("POST", "sites", {"name": "Leeds", "client_id": made})["id"]
    user = client.control("POST", "users", {"name": "Ann", "site_id": place})["id"]
    ticket = client.control("POST", "tickets", {"user_id": user, "open": True})["id"]
    client.control("POST", f"tickets/{ticket}/close")
    state = client.control("GET", "state")
    assert [row["hasbeenclosed"] for row in state["tickets"]] == [True]
    assert user in [row["id"] for row in state["users"]]
    client.control("POST", "faults", {"kind": "status", "status": 500, "path": "/api/Users"})
    assert client.get("Users").status_code == 500
    assert client.control("GET", "faults")[0]["met"] == 1
    client.control("DELETE", "faults")
    client.control("POST", "switches", {"lift_header": ["X-Lift", "1"], "scopes": ["all", "edit"]})
    assert client.control("GET", "switches")["scopes"] == ["all", "edit"]
    assert halo.switches.lift_header == ("X-Lift", "1")
    assert client.control("GET", "requests")[-1] == ["GET", "/api/Users", 500, 0]
    client.control("DELETE", "requests")
    assert halo.requests == []
    client.control("POST", "tokens/revoke")
    assert client.get("Users").status_code == 401
    client.control("POST", "reset")
    assert list(halo.users) == [-1]


@pytest.mark.parametrize(("action", "status"), [("nonsense", 404), ("faults", 400), ("users", 400)])
def test_a_wrong_control_request_says_so(halo: SimulatedHalo, action: str, status: int) -> None:
    """A mistake in a test's set-up is an error with a sentence, not silence."""
    answer = requests.post(f"{halo.url}/_control/{action}", json={}, timeout=10)
    assert (answer.status_code, bool(answer.json()["error"])) == (status, True)


def test_process_keeps_its_data_between_runs(tmp_path: Path) -> None:
    """It says where it listens, stops on SIGTERM, and finds its records again."""
    ready, data = tmp_path / "ready", tmp_path / "data"
    command = [sys.executable, "-m", "devstack.halo", "--ready-file", str(ready), "--data", str(data)]
    for expected in ([], ["Contoso"]):
        ready.unlink(missing_ok=True)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                url = process.stdout.readline().strip()
                assert ready.read_text(encoding="utf-8").strip() == url
                state = requests.get(f"{url}/_control/state", timeout=10).json()
                assert [row["name"] for row in state["clients"]] == expected
                requests.post(f"{url}/_control/clients", json={"name": "Contoso"}, timeout=10)
            finally:
                process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0


def test_data_are_saved_while_it_runs(tmp_path: Path) -> None:
    """A process that is killed loses a second's work at most."""
    with SimulatedHalo(data=tmp_path) as halo:
        halo.add_client("Contoso")
        deadline = time.monotonic() + 10
        while "Contoso" not in _saved(tmp_path):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def _saved(folder: Path) -> str:
    file = folder / "halo.json"
    return file.read_text(encoding="utf-8") if file.exists() else ""


def test_the_agent_that_signs_in_is_told(halo: SimulatedHalo, client: Client) -> None:
    """`/Agent/me` answers the agent of the API application, where it has one."""
    assert client.get("Agent/me").status_code == 404
    halo.switches.login_agent = halo.add_agent("Ann")
    assert client.get("Agent/me").json()["name"] == "Ann"


def test_tickets_change_hands(halo: SimulatedHalo, client: Client, site: int) -> None:
    """A partial element assigns a ticket; an agent that is not there is a business rule broken."""
    ann, bob = halo.add_agent("Ann"), halo.add_agent("Bob")
    ticket = halo.add_ticket(halo.add_user(name="Caller", site_id=site), agent_id=ann)
    assert client.post("Tickets", {"id": ticket, "agent_id": bob}).status_code == 201
    assert halo.tickets[ticket]["agent_id"] == bob
    assert client.post("Tickets", {"id": ticket, "agent_id": 99}).status_code == 400
    assert client.post("Tickets", {"summary": "Nobody's"}).status_code == 400
