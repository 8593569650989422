"""Fuzzing what comes over the web and the queue: sign-ins, bodies, queries, messages, Microsoft Graph."""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import cycle, islice
from typing import Any, cast

import azure.functions as func
import pytest
import requests
from hypothesis import strategies as st

from devstack.memory import MemoryTable
from functions.api import SyncBody
from functions.audit import AuditQuery
from functions.http import BadBodyError, Body, read_body, read_query, read_text
from functions.leavers import ApproveBody
from functions.people import LinkBody, PreviewBody
from halo_adsync.access import MAX_NAME, Principal, read_principal
from halo_adsync.auditing import Audit, audit
from halo_adsync.entra.config import EntraConfig
from halo_adsync.entra.graph import EntraTenant, _refusal
from halo_adsync.errors import ConfigurationError, EntraRefused, EntraUnavailable, NotSignedIn
from halo_adsync.model import CustomerId, EntraAccount, ObjectGuid
from halo_adsync.state.queue import Request, parse_request
from halo_adsync.state.store import Store
from tests.support.fuzzing import SECRET, Decoder, Fuzz, check_sentence, check_token
from tests.support.hostile import DEEP, TEXTS, bodies, broken_text, mutated

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
RUN = "20261123T120000Z-0a1b2c3d"

# ---- who signed in -----------------------------------------------------------------------------------

CLAIMS = {
    "auth_typ": "aad",
    "claims": [
        {"typ": "preferred_username", "val": "ada@contoso.example"},
        {"typ": "roles", "val": "Sync.Operate"},
        {"typ": "nonce", "val": SECRET},
    ],
    "name_typ": "name",
    "role_typ": "roles",
}
HEADERS = bodies(CLAIMS).map(lambda body: base64.b64encode(body).decode())


def check_principal(_: str, principal: Principal) -> None:
    """A name that can stand in the record."""
    assert principal.name.strip()
    assert principal.name.isprintable()
    assert len(principal.name) <= MAX_NAME


# ---- the queue ---------------------------------------------------------------------------------------

MESSAGE = {"customer": "contoso", "run": RUN, "mode": "full", "reason": "manual", "actor": "ada"}
PERSON = {**MESSAGE, "person": "5f2c1de0-8f0e-4c63-9f0d-0a1b2c3d4e5f", "dry_run": True, "mode": "delta"}
MESSAGES = bodies(MESSAGE, PERSON, {"customer": "contoso"}).map(lambda body: body.decode(errors="replace"))


def check_request(_: str, request: Request) -> None:
    """It can be sent on, and is the same then."""
    sent = request.to_json().encode()
    assert parse_request(sent.decode()) == request


# ---- HTTP --------------------------------------------------------------------------------------------


def asked(body: bytes = b"", query: Mapping[str, str] | None = None) -> func.HttpRequest:
    """Return a request."""
    return func.HttpRequest("POST", "https://sync.example/api", body=body, params=dict(query or {}))


def body_of(model: type[Body]) -> Callable[[bytes], Body]:
    """Return what reads bodies of one kind."""
    return lambda body: read_body(asked(body), model)


QUERIES = mutated(
    {"since": "2026-11-01T00:00:00Z", "until": "2026-11-23", "person": "ada", "format": "csv", "limit": "5"},
    {"since": "0001-01-01T00:00:00+14:00", "until": "9999-12-31T23:59:59-14:00"},
    {"person": f"CN={SECRET},DC=x", "code": SECRET},
    junk=TEXTS,
).map(lambda data: {str(name): str(text) for name, text in data.items()} if isinstance(data, dict) else {})


def audited(query: Mapping[str, str]) -> Audit:
    """Answer what an audit is asked for, of a customer without runs."""
    wanted = read_query(asked(query=query), AuditQuery)
    state = Store(MemoryTable(), lambda: NOW).of(CustomerId("contoso"))
    return audit(state, since=wanted.since, until=wanted.until, person=wanted.person, limit=wanted.limit)


# ---- Microsoft Graph ---------------------------------------------------------------------------------

GRAPH = "https://graph.microsoft.com"
CONFIG = EntraConfig("contoso.example", "client", SECRET, "https://login.microsoftonline.com", GRAPH)
PAGE = {
    "value": [
        {
            "id": "a1",
            "onPremisesImmutableId": "MyIRAFVEd2aImaq7zN3u/w==",
            "accountEnabled": True,
            "userPrincipalName": f"{SECRET}@contoso.example",
        },
        {"id": "a2", "onPremisesImmutableId": None},
    ]
}
LINKED = {**PAGE, "@odata.nextLink": f"{GRAPH}/v1.0/users?$skiptoken=x"}
WRONG = {"error": {"code": "Authorization_RequestDenied", "message": SECRET}}
LINKS = st.sampled_from(
    ["https://[", "//x", "https://graph.microsoft.com@evil.example", "\ud800", "file:///x"]
)
PAGES = bodies(PAGE, LINKED, WRONG) | mutated(LINKED, junk=LINKS).map(lambda data: json.dumps(data).encode())
STATUSES = st.sampled_from([200, 200, 200, 301, 400, 401, 403, 404, 429, 500, 503])
REPLIES = st.lists(st.tuples(STATUSES, PAGES, TEXTS), min_size=1, max_size=3)


class Answers:
    """A session that goes on answering in turn, up to a bound that no reader may reach."""

    def __init__(self, replies: list[tuple[int, bytes, str]]) -> None:
        self._replies = islice(cycle(replies), 40 * len(replies))

    def get(self, _address: str, **_: object) -> requests.Response:
        """Answer the next reply."""
        response = requests.Response()
        response.status_code, response._content, after = next(self._replies)
        response.headers["Retry-After"] = after
        return response


def accounts(replies: list[tuple[int, bytes, str]]) -> dict[ObjectGuid, EntraAccount]:
    """Read all accounts where these answers come."""
    tenant = EntraTenant(CONFIG, pulse=lambda: None, sleep=_check_wait)
    tenant._session = cast("requests.Session", Answers(replies))
    tenant._token = lambda: "token"  # type: ignore[method-assign]  # Entra's own answers are msal's to read
    return dict(tenant.accounts())


def _check_wait(seconds: float) -> None:
    assert 0 <= seconds <= 60


REFUSED = mutated(
    {"error": "invalid_client", "error_description": f"AADSTS700016: {SECRET}", "error_codes": [700016]},
    {"error": "temporarily_unavailable"},
).map(lambda said: said if isinstance(said, dict) else {"error": said})

TOKENS = mutated({"access_token": "eyJ0.x-y_z", "expires_in": 3599}).map(
    lambda said: said if isinstance(said, dict) else {}
)


class Application:
    """What msal gives, which answers with one thing."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self._said = said

    def acquire_token_for_client(self, _scopes: object) -> Mapping[str, Any]:
        """Answer."""
        return self._said


def acquired(said: Mapping[str, Any]) -> str:
    """Return the token of an answer."""
    return EntraTenant(CONFIG, pulse=lambda: None)._acquired(Application(said))


def check_refusal(_: object, error: Exception) -> None:
    """It is worded by its number."""
    check_sentence(error)


DEEP_TEXT = "[" * DEEP
DECODERS = (
    Decoder("sign-in header", HEADERS | broken_text(["e30=", "eyJhIjoxfQ=="]), read_principal, Principal,
            NotSignedIn, check_principal, known=(base64.b64encode(DEEP_TEXT.encode()).decode(),)),
    Decoder("queue messages", MESSAGES | broken_text([json.dumps(PERSON)]), parse_request, Request,
            ConfigurationError, check_request,
            known=(DEEP_TEXT, json.dumps({**MESSAGE, "actor": "\ud800"}))),
    Decoder("HTTP: sync", bodies({"mode": "full", "dry_run": True}), body_of(SyncBody), SyncBody,
            BadBodyError, known=(DEEP_TEXT.encode(),)),
    Decoder("HTTP: approve", bodies({"digest": SECRET}), body_of(ApproveBody), ApproveBody, BadBodyError),
    Decoder("HTTP: link", bodies({"user": 7}), body_of(LinkBody), LinkBody, BadBodyError),
    Decoder("HTTP: preview", bodies({"expression": SECRET, "person": "ada", "field": "title"}),
            body_of(PreviewBody), PreviewBody, BadBodyError),
    Decoder("HTTP: texts", bodies("id: contoso"), lambda body: read_text(asked(body)), str, BadBodyError),
    Decoder("HTTP: audit", QUERIES, audited, Audit, BadBodyError),
    Decoder("Microsoft Graph", REPLIES, accounts, dict[ObjectGuid, EntraAccount],
            (EntraRefused, EntraUnavailable),
            known=([(200, json.dumps(LINKED).encode(), "")], [(200, DEEP_TEXT.encode(), "")],
                   [(200, json.dumps({**PAGE, "@odata.nextLink": "https://["}).encode(), "")],
                   [(429, b"", "9" * 400)])),
    Decoder("Entra: refusals", REFUSED, _refusal, EntraRefused | EntraUnavailable,
            law=check_refusal),
    Decoder("Entra: tokens", TOKENS, acquired, str, (EntraRefused, EntraUnavailable), check_token,
            known=({"access_token": "a\r\nb"}, {"access_token": "\ud800"})),
)  # fmt: skip


@pytest.mark.parametrize("decoder", DECODERS, ids=str)
def test_whatever_is_sent_is_read_or_refused(decoder: Decoder, fuzz: Fuzz) -> None:
    """A value of its type or the declared error, whose sentence tells no secret."""
    fuzz.hold(decoder)
