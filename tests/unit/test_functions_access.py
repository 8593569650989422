"""Every HTTP route: the role that it needs, who is refused, and who is written down."""

from typing import Any

import azure.functions as func
import pytest

from functions import api, audit, customers, leavers, people
from functions.access import ROUTES, Route, admit, sign_in_mode
from halo_adsync.access import PRINCIPAL_HEADER, Role
from halo_adsync.customer_file import parse
from halo_adsync.errors import NotSignedIn
from halo_adsync.model import CustomerId
from tests.support.triggers import (
    CUSTOMER,
    FILE,
    MemoryBuilder,
    builder,
    check_problem,
    http,
    json_of,
    principal,
)

__all__ = ["builder"]

JSON = {"Content-Type": "application/json"}
BY_NAME = {route.name: route for route in ROUTES}
CHANGING = [route for route in ROUTES if route.method != "GET"]
FORMS = ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
"""What a form, or a request without a look ahead, may say of its body."""
FULL = [role.value for role in Role]


def function_of(route: Route) -> Any:
    """Return a route's function."""
    return next(
        getattr(module, route.name)
        for module in (api, audit, customers, people, leavers)
        if hasattr(module, route.name)
    )


def call(route: Route, *roles: str, **headers: str) -> func.HttpResponse:
    """Call a route of a customer that is not there, signed in with these roles."""
    signed = {PRINCIPAL_HEADER: principal("anna@x", *roles), **JSON, **headers}
    request = func.HttpRequest(
        route.method,
        "https://app.example/",
        headers=signed,
        route_params={"customer": "nobody", "run": "r", "key": "k"},
        body=b"",
    )
    answer: func.HttpResponse = function_of(route)(request)
    return answer


@pytest.fixture
def easy_auth(monkeypatch: pytest.MonkeyPatch) -> None:
    """App Service Authentication stands before the app."""
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "True")


@pytest.mark.usefixtures("builder", "easy_auth")
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_route_is_refused_without_its_role(route: Route) -> None:
    """Nobody passes with no role, or with a smaller one; the sentence names the one that is needed."""
    for roles in [(), *[(role.value,) for role in Role if role.rank < route.role.rank]]:
        check_problem(call(route, *roles), 403, f"anna@x needs the app role {route.role.value}")


@pytest.mark.usefixtures("builder", "easy_auth")
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_route_is_open_to_its_role(route: Route) -> None:
    """With the role it needs, or a greater one, a request gets as far as the customer or the body."""
    for role in Role:
        if role.rank >= route.role.rank:
            assert call(route, role.value).status_code in {200, 400, 404}


@pytest.mark.usefixtures("builder", "easy_auth")
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_sign_in_that_cannot_be_read_is_refused(route: Route) -> None:
    """Also where a key came along: what is broken is no reason to let anybody through."""
    answer = call(route, **{PRINCIPAL_HEADER: "nonsense"})
    check_problem(answer, 401, "cannot be read")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.usefixtures("builder", "easy_auth")
@pytest.mark.parametrize(
    "media_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
@pytest.mark.parametrize("route", CHANGING, ids=lambda route: route.name)
def test_a_form_of_another_site_changes_nothing(route: Route, media_type: str) -> None:
    """What a page elsewhere can send with a signed-in person's cookie is refused before anything is read."""
    check_problem(call(route, *FULL, **{"Content-Type": media_type}), 415, "Content-Type: application/json")


@pytest.mark.usefixtures("easy_auth")
def test_who_signed_in_is_written_down(builder: MemoryBuilder) -> None:
    """A run's actor is the person."""
    headers = {PRINCIPAL_HEADER: principal("anna@x", "Sync.Operate"), **JSON}
    document = json_of(http(api.request_sync, headers=headers, customer=CUSTOMER))
    assert builder.state.run(document["run"]).actor == "anna@x"


@pytest.mark.parametrize("enabled", [None, "", "False", "no", "0"])
def test_a_forged_sign_in_gives_nothing(
    builder: MemoryBuilder, monkeypatch: pytest.MonkeyPatch, enabled: str | None
) -> None:
    """Where the platform does not say that it signs people in, anybody could have sent the header."""
    monkeypatch.delenv("WEBSITE_AUTH_ENABLED", raising=False)
    if enabled is not None:
        monkeypatch.setenv("WEBSITE_AUTH_ENABLED", enabled)
    headers = {PRINCIPAL_HEADER: principal("boss@x", "Sync.Admin"), **JSON}
    document = json_of(http(api.request_sync, headers=headers, customer=CUSTOMER))
    assert builder.state.run(document["run"]).actor == "function key"
    forged = func.HttpRequest("GET", "https://app.example/", headers=headers, body=b"")
    with pytest.raises(NotSignedIn, match="no App Service Authentication"):
        admit(forged, Role.READ, keys=False)


@pytest.mark.usefixtures("easy_auth")
def test_where_keys_open_nothing_somebody_has_to_sign_in() -> None:
    """Without a sign-in it is a 401, whatever the role."""
    for role in Role:
        with pytest.raises(NotSignedIn, match="Sign in with Microsoft Entra"):
            admit(func.HttpRequest("GET", "https://app.example/", body=b""), role, keys=False)


@pytest.mark.parametrize(
    ("value", "mode"),
    [
        (None, "keys"),
        ("", "keys"),
        ("keys", "keys"),
        ("entre", "keys"),
        ("true", "keys"),
        (" Entra ", "entra"),
    ],
)
def test_a_key_is_needed_unless_asked_otherwise(
    monkeypatch: pytest.MonkeyPatch, value: str | None, mode: str
) -> None:
    """A misspelt setting opens nothing."""
    monkeypatch.delenv("API_SIGN_IN", raising=False)
    if value is not None:
        monkeypatch.setenv("API_SIGN_IN", value)
    assert sign_in_mode() == mode


@pytest.mark.parametrize("name", ["show_run", "show_plan"])
def test_a_run_of_another_customer_is_not_found(builder: MemoryBuilder, name: str) -> None:
    """A run is looked up with its own customer only."""
    other = CustomerId("fabrikam")
    builder.store().put_customer(parse(FILE.replace("contoso", other)))
    document = json_of(http(api.request_sync, customer=other))
    function = function_of(BY_NAME[name])
    assert http(function, customer=other, run=document["run"]).status_code == 200
    check_problem(http(function, customer=CUSTOMER, run=document["run"]), 404, "has no run")
