"""Fuzzing what Halo answers: lists, records, answers to batches, sign-in, errors."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from typing import Any, cast

import pytest
from hypothesis import strategies as st

from halo_adsync.errors import Doubtful, HaloAdSyncError, HaloUnavailable, RecordRejected
from halo_adsync.halo.adapter import HaloInstance
from halo_adsync.halo.agent_codec import Catalog, catalog_of, decode_agent, decode_seats, with_names
from halo_adsync.halo.batch import Tied, tie
from halo_adsync.halo.budget import Budget
from halo_adsync.halo.client import HaloApi
from halo_adsync.halo.codec import FIELDS, SITES, USERS, decode_user, encode_user, parse
from halo_adsync.halo.config import HaloConfig
from halo_adsync.halo.custom_fields import FIELD_INFO, decode_fields
from halo_adsync.halo.hiding import Hiding
from halo_adsync.halo.ldap_connection import CONNECTIONS, LdapConnection, decode_connection
from halo_adsync.halo.pages import read_all, records
from halo_adsync.halo.place_codec import decode_client, decode_site
from halo_adsync.halo.port import UserWrite
from halo_adsync.halo.signin import SignIn
from halo_adsync.halo.statuses import LONGEST_SENTENCE, failure
from halo_adsync.halo.tickets import TICKETS, decode_ticket
from halo_adsync.halo.transport import Reply, Transport, wait_seconds
from halo_adsync.model import (
    CustomField,
    HaloClient,
    HaloClientId,
    HaloSite,
    HaloSiteId,
    HaloUser,
    HaloUserId,
    Meter,
    ObjectGuid,
    Seats,
)
from tests.support.fuzzing import SECRET, Decoder, Fuzz, check_token
from tests.support.hostile import DEEP, TEXTS, bodies, broken_text, paths

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
GUID = "5f2c1de0-8f0e-4c63-9f0d-0a1b2c3d4e5f"
OTHER = "6a2c1de0-8f0e-4c63-9f0d-0a1b2c3d4e5f"
USER: dict[str, Any] = {
    "id": 7.0,
    "client_id": 11,
    "site_id": 101.0,
    "name": SECRET,
    "emailaddress": f"{SECRET}@contoso.example",
    "Login": "CORP\\ada",
    "third_party_guid": GUID.upper(),
    "inactive": False,
    "useadlogin": 1,
    "departments": [{"department_id": 3, "name": "IT"}, {"department_id": 4}],
    "customfields": [{"name": "CFDesk", "value": "12", "id": 9}, {"name": "CFRoom", "value": None}],
}
GENERAL = {"id": 0, "site_id": 101, "client_id": 11, "name": "General User", "isgeneraluser": True}
AGENT = {
    "id": 3,
    "name": SECRET,
    "isdisabled": "false",
    "isapiagent": False,
    "linemanager": -1,
    "third_party_guid": f"{{{GUID}}}",
    "teams": [{"team_id": 1}, {"team_id": 2.0}],
    "roles": [{"id": "b1", "name": "Administrator"}],
}
TICKET = {"id": 1203, "summary": SECRET, "agent_id": 3, "user_id": 7}
PLACE = {"id": 12, "name": " Leeds ", "client_id": 11, "inactive": "0", "actguid": GUID}
FIELD = {
    "name": "CFDesk",
    "type": 2,
    "characterlimit": 20,
    "characterlimittype": 0,
    "values": [{"id": 1, "name": "A"}],
}
CONNECTION = {
    "id": 2,
    "name": "corp",
    "hostname": "dc01",
    "port": "636",
    "use_ssl": True,
    "basedn": "LDAP://dc01/DC=corp,DC=example",
    "ldap_strings": [{"dn": "OU=People,DC=corp", "site_id": 101, "isrecursive": "1", "cabmapping": False}],
    "mappings_user": [{"ldap_field": "mail", "nhd_field": "Email"}],
    "user_matching_list": [{"id": "emailaddress", "name": "E-Mail"}],
    "agent_matching_fields": "Email; Network Login",
    "halointegratorenabled": 0,
}
ASKED = (*FIELDS, "CFDesk", "cfRoom", "third_party_guid")
HEADERS: Mapping[str, str] = {}


def listed(key: str, *rows: Any) -> st.SearchStrategy[bytes]:
    """Return answers that hold a list, in whatever envelope."""
    some = list(rows)
    return bodies({key: some, "record_count": len(some)}, {"Records": some, "record_count": 1.0}, some, [])


def each(key: str, decode: Any) -> Any:
    """Return what decodes an answer that holds a list."""
    return lambda body: [decode(row) for row in records(parse(body), key)]


def one(decode: Any) -> Any:
    """Return what decodes an answer that is a record; any other is passed over, as its readers do."""

    def decoded(body: bytes) -> Any:
        record = parse(body)
        return decode(record) if isinstance(record, dict) else None

    return decoded


def whole_list(answers: list[bytes]) -> list[Any]:
    """Read a list page by page from a Halo that goes on answering; no more than that may be asked."""
    asked = islice(cycle(answers), 40 * len(answers))
    return list(read_all(lambda _: parse(next(asked)), USERS, {}))


UNCLEAR = (ValueError, HaloUnavailable)
"""What says that an answer cannot be understood: no JSON, or nothing that can be concluded from."""
CATALOG = Catalog({"desk": 1, "night": 2}, {"administrator": "b1"})

WRITES = (
    UserWrite(ObjectGuid(GUID), None, HaloSiteId(101), fields={"name": SECRET, "title": "x"}),
    UserWrite(ObjectGuid(OTHER), None, HaloSiteId(101), fields={"name": "Bob", "title": SECRET}),
    UserWrite(ObjectGuid("7" + OTHER[1:]), HaloUserId(7), active=False),
    UserWrite(ObjectGuid("8" + OTHER[1:]), HaloUserId(8), fields={"name": SECRET}),
)
ANSWERED = [
    {"id": 31, "third_party_guid": GUID, "name": SECRET},
    {"id": 32, "third_party_guid": OTHER, "_warning": f"title {SECRET} is unknown"},
    {"id": 7},
    {"id": 8, "name": SECRET},
]
BARE = [{"id": 31, "name": SECRET}, {"id": 32, "name": "Bob"}, {"id": 7}, {"id": 8}]
HIDDEN = frozenset({SECRET})


def tied(sent_and_answer: tuple[int, bytes]) -> Tied:
    """Tie an answer to the first few writes."""
    count, body = sent_and_answer
    writes = WRITES[:count]
    return tie(writes, [encode_user(write) for write in writes], parse(body), HIDDEN)


def check_tied(sent_and_answer: tuple[int, bytes], result: Tied) -> None:
    """Every write is either settled or not; nobody is tied to two users, no user to two; nothing is told."""
    writes = {write.guid: write for write in WRITES[: sent_and_answer[0]]}
    settled = [outcome.guid for outcome in result.settled]
    assert sorted([*settled, *(write.guid for write in result.untied)]) == sorted(writes)
    users = [outcome.user for outcome in result.settled]
    assert len(set(users)) == len(users), "two people are tied to one user"
    for outcome in result.settled:
        assert outcome.user is not None
        assert outcome.user > 0
        assert writes[outcome.guid].user in {None, outcome.user}
        assert SECRET not in (outcome.warning or "")


class Answers:
    """A transport that answers whatever it is told to, in turn."""

    def __init__(self, replies: Iterable[tuple[int, bytes]]) -> None:
        self._replies = cycle(replies)

    def send(self, _message: object) -> Reply:
        """Answer the next reply."""
        status, body = next(self._replies)
        return Reply(status, HEADERS, body)


class Clock:
    """A budget that is never spent, at one time."""

    def now(self) -> datetime:
        """Return the time."""
        return NOW


HIDING = Hiding((SECRET,))
CONFIG = HaloConfig("https://contoso.example", "client", SECRET)


def signed_in(replies: Iterable[tuple[int, bytes]]) -> str:
    """Sign in where these answers come."""
    sign_in = SignIn(CONFIG, cast("Transport", Answers(replies)), cast("Budget", Clock()), HIDING)
    sign_in.renew()
    return sign_in.token()


TOKEN = {"access_token": "eyJ0eXAi.x-y_z", "expires_in": 3600, "token_type": "Bearer"}
INFO = {"auth_url": "https://auth.contoso.example", "tenant_id": "contoso"}
REFUSAL = {"error": "invalid_client", "error_description": f"secret {SECRET} is wrong"}
STATUSES = st.sampled_from([200, 201, 302, 400, 401, 403, 404, 409, 413, 422, 429, 500, 502, 503])
SIGN_INS = st.tuples(
    st.tuples(st.just(200) | STATUSES, bodies(INFO)),
    st.tuples(st.just(200) | STATUSES, bodies(TOKEN, REFUSAL)),
)

HTML = f"<!DOCTYPE html><html><head><title>502 {SECRET}</title></head></html>"
ERRORS: tuple[Any, ...] = (
    {"message": f"user {SECRET}: no such site", "id": 4},
    {"errors": {"[0].site_id": ["is required", SECRET]}},
    [{"error": f"{SECRET} is taken"}, {"title": "Bad Request", "detail": f"ask {SECRET}@contoso.example"}],
    f"plain {SECRET} text",
)


def failed(answer: tuple[int, bytes, bool]) -> HaloAdSyncError:
    """Return the error that an answer means."""
    status, body, write = answer
    return failure(status, body, HIDING, what="POST /Users", write=write, hide=HIDDEN)


def check_failure(_: object, error: HaloAdSyncError) -> None:
    """It is one line of fair length without the values that were sent."""
    text = str(error)
    assert text.strip()
    assert "\n" not in text
    assert len(text) <= LONGEST_SENTENCE + 300
    assert SECRET not in text


ERROR_BODIES = bodies(*ERRORS) | broken_text([HTML]).map(lambda text: text.encode("utf-8", "surrogatepass"))
RETRY_AFTER = (
    st.none() | TEXTS | broken_text(["120", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 400, "99999999999"])
)


def check_struck(_: object, answer: Any) -> None:
    """No value holds the secret any more; the names of fields are Halo's own."""
    for path in paths(answer):
        value = answer
        for step in path:
            value = value[step]
        assert not (isinstance(value, str) and SECRET.lower() in value.lower())


def check_wait(_: object, until: datetime) -> None:
    """Nobody is asked to come back in the past."""
    assert until >= NOW


class OneAnswer:
    """An API whose every POST is answered alike."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def post(self, _path: str, _elements: object) -> Any:
        """Answer."""
        return parse(self._body)


def created(body: bytes) -> HaloClient:
    """Create a client where this is the answer."""
    halo = HaloInstance(CONFIG, meter=Meter(), budget=cast("Budget", Clock()))
    halo._api = cast("HaloApi", OneAnswer(body))
    return halo.create_client("Contoso", "Main")


DEEP_LIST = b"[" * DEEP + b"]" * DEEP
DEEP_ENOUGH = b"[" * 3_000 + b"]" * 3_000
"""Deep enough to be read, and too deep to be gone through."""
LONG_COMPLAINT = b'{"message": "' + b"no " * 9_000 + b'"}'
LONG_LIFE = b'{"access_token": "a", "expires_in": 1e13}'
TOKEN_BREAK = b'{"access_token": "a\\r\\nb"}'
DECODERS = (
    Decoder("Halo: users", listed(USERS, USER, GENERAL), each(USERS, lambda row: decode_user(row, ASKED)),
            list[HaloUser], UNCLEAR,
            known=(DEEP_LIST, b'[{"id": 1, "client_id": 1, "departments": [{"department_id": -1}, 7]}]',
                   b'[{"id": 1, "client_id": 1, "name": ' + DEEP_ENOUGH + b"}]",
                   b'[{"id": 1, "client_id": 1, "customfields": [null]}]', b'[{"id": 0, "site_id": []}]')),
    Decoder("Halo: one user", bodies(USER), one(lambda row: decode_user(row, ASKED, HaloClientId(11))),
            HaloUser | None, UNCLEAR),
    Decoder("Halo: clients", listed("clients", PLACE), each("clients", decode_client),
            list[HaloClient], UNCLEAR),
    Decoder("Halo: sites", listed(SITES, PLACE), each(SITES, lambda row: decode_site(row, HaloClientId(1))),
            list[HaloSite], UNCLEAR),
    Decoder("Halo: agents", listed("agents", AGENT),
            each("agents", lambda row: decode_agent(with_names(row, CATALOG), ("name", "linemanager"), 9)),
            list[HaloUser], UNCLEAR),
    Decoder("Halo: teams and roles", st.tuples(listed("teams", PLACE), listed("roles", AGENT)),
            lambda both: catalog_of(records(parse(both[0]), "teams"), records(parse(both[1]), "roles")),
            Catalog, UNCLEAR),
    Decoder("Halo: licences", bodies({"license_count": "5", "licenses_in_use": 3}, [{"licence_count": 2}]),
            lambda body: decode_seats(parse(body), 1), Seats | None, UNCLEAR,
            known=(b'{"license_count": "' + b"9" * 5_000 + b'"}',)),
    Decoder("Halo: tickets", listed(TICKETS, TICKET), each(TICKETS, decode_ticket),
            list[tuple[int, str]], UNCLEAR),
    Decoder("Halo: custom fields", listed(FIELD_INFO, FIELD, FIELD),
            lambda body: decode_fields(records(parse(body), FIELD_INFO)), tuple[CustomField, ...], UNCLEAR),
    Decoder("Halo: its own AD connection", listed(CONNECTIONS, CONNECTION),
            each(CONNECTIONS, decode_connection), list[LdapConnection], UNCLEAR,
            known=(b'[{"id": 1, "port": "' + b"9" * 5_000 + b'"}]',)),
    Decoder("Halo: pages", st.lists(listed(USERS, USER, GENERAL), min_size=1, max_size=3), whole_list,
            list[Any], UNCLEAR, known=([b'{"users": [], "record_count": 1e999}'],)),
    Decoder("Halo: answers to batches",
            st.tuples(st.integers(1, 4), bodies(ANSWERED, ANSWERED[:1], ANSWERED[0], BARE, [REFUSAL])),
            tied, Tied, (ValueError, RecordRejected), check_tied),
    Decoder("Halo: answers to one record", bodies(PLACE, [PLACE], {"message": "no"}), created, HaloClient,
            (ValueError, RecordRejected, Doubtful), known=(LONG_COMPLAINT,)),
    Decoder("Halo: secrets struck out", bodies(USER, [TICKET, REFUSAL]),
            lambda body: HIDING.strike_all(parse(body)), Any, ValueError, check_struck, known=(DEEP_ENOUGH,)),
    Decoder("Halo: sign-in", SIGN_INS, signed_in, str, HaloAdSyncError, check_token,
            known=([(200, b"{}"), (200, TOKEN_BREAK)], [(200, LONG_LIFE)])),
    Decoder("Halo: errors", st.tuples(STATUSES, ERROR_BODIES, st.booleans()), failed,
            HaloAdSyncError, (), check_failure,
            known=tuple((502, part * 40_000, True) for part in (b"<title>", b"<", b"a@", b"x ", b"["))),
    Decoder("Halo: Retry-After", RETRY_AFTER,
            lambda text: NOW + timedelta(seconds=wait_seconds(text, NOW, 3)),
            datetime, law=check_wait,
            known=("9" * 400, "99999999999999", f"Wed, 21 Oct {10**30} 07:28:00 GMT")),
)  # fmt: skip


@pytest.mark.parametrize("decoder", DECODERS, ids=str)
def test_whatever_halo_answers_is_read_or_refused(decoder: Decoder, fuzz: Fuzz) -> None:
    """A value of its type or the declared error, whose sentence tells nobody's data."""
    fuzz.hold(decoder)
