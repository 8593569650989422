"""Halo's REST API: the route table, and what stands around every request (sign-in, limits, faults)."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from . import reading, writing
from .access import Application, Clock, OAuthError, RateLimit, Tokens
from .faults import Fault, FaultKind, Faults
from .messages import DROPPED, Answer, LoggedRequest, Request
from .schema import Record, bind
from .store import Store
from .switches import Switches

HOSTED_AUTH = "/signin"
SELF_HOSTED_AUTH = "/auth"

_GATEWAY_PAGE = (
    "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
)
_BARE_LISTS = {
    "roles": "roles",
    "userroles": "user_roles",
    "fieldinfo": "field_info",
    "ldapconnection": "ldap_connections",
    "lookup": "lookups",
    "team": "teams",
}
_LDAP_DETAILS = frozenset({"mappings_user", "mappings_agent", "ldap_strings"})

type Struck = dict[FaultKind, Fault]
type Report = Callable[[], Any]


class Api:
    """Answers requests out of a store.

    Attributes:
        requests: every request met so far, oldest first.
    """

    def __init__(self, store: Store, switches: Switches, application: Application, clock: Clock) -> None:
        self.store = store
        self.switches = switches
        self.faults = Faults()
        self.tokens = Tokens(application, switches, clock)
        self.rate = RateLimit(switches, clock)
        self.requests: list[LoggedRequest] = []
        self.stopping = threading.Event()
        self.url = ""
        self._tenant = application.tenant
        self._reports: dict[str, Report] = {
            "toplevel": lambda: {
                "record_count": len(store.catalogs["toplevels"]),
                "tree": store.catalogs["toplevels"],
            },
            "licenseinfo": lambda: {
                "license_count": switches.license_count,
                "licenses_in_use": sum(map(writing.takes_seat, store.tables["agents"].values())),
            },
            "instanceinfo": lambda: {"version": "2.184.1", "tenant_id": self._tenant},
        }

    def answer(self, request: Request) -> Answer:
        """Answer a request and log it."""
        answer = self._guarded(request)
        posted = _loads(request.body) if request.method == "POST" else None
        count = len(posted) if isinstance(posted, list) else answer.count
        with self.store.lock:
            self.requests.append(LoggedRequest(request.method, request.path, answer.status, count))
        return answer

    def _guarded(self, request: Request) -> Answer:
        """What every request meets: gateway, rate limit and faults come before Halo itself."""
        if not request.headers.get("User-Agent"):
            return Answer.text("A request needs a User-Agent.", 400)
        with self.store.lock:
            wait = self.rate.admit(request.headers)
        if wait:
            after = {"Retry_After": str(int(wait) + 1)} if self.switches.retry_after else {}
            return Answer.text(self.rate.message, 429, **after)
        struck = self.faults.strike(
            request.method, request.path, reading.page_number(request.query), request.body
        )
        if FaultKind.DELAY in struck:
            self.stopping.wait(struck[FaultKind.DELAY].seconds)
        if FaultKind.DROP_BEFORE_COMMIT in struck:
            return DROPPED
        if FaultKind.STATUS in struck:
            return self._fault_answer(struck[FaultKind.STATUS])
        with self.store.lock:
            answer = self._route(request, struck)
        return self._after(answer, struck)

    def _after(self, answer: Answer, struck: Struck) -> Answer:
        """The faults that spoil the answer of a request that Halo has carried out."""
        if FaultKind.DROP_AFTER_COMMIT in struck:
            return DROPPED
        if FaultKind.FAIL_AFTER_COMMIT in struck:
            return self._fault_answer(struck[FaultKind.FAIL_AFTER_COMMIT])
        if FaultKind.MALFORMED in struck:
            return replace(answer, body=answer.body[: len(answer.body) // 2])
        return answer

    def _fault_answer(self, fault: Fault) -> Answer:
        after = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        match fault.status:
            case 401 | 403:
                answer = Answer(fault.status)
            case 429:
                answer = Answer.text(self.rate.message, 429)
            case 502 | 503 | 504:
                answer = Answer(fault.status, _GATEWAY_PAGE.encode(), "text/html")
            case _:
                answer = Answer.json({"Message": "An error has occurred."}, fault.status)
        return replace(answer, headers=answer.headers | after)

    def _route(self, request: Request, struck: Struck) -> Answer:
        path = request.path.lower()
        if path in {f"{HOSTED_AUTH}/token", f"{SELF_HOSTED_AUTH}/token"} and request.method == "POST":
            return self._token(request, needs_tenant=path.startswith(HOSTED_AUTH))
        root, _, rest = path.removeprefix("/").partition("/")
        if root != "api":
            return _not_found()
        resource, _, key = rest.partition("/")
        if resource == "authinfo":
            return self._auth_info()
        if not self.tokens.accept(request.headers.get("Authorization", "")):
            return Answer(401, headers={"WWW-Authenticate": "Bearer"})
        try:
            return self._resource(request, resource, key, struck)
        except ValueError as error:
            return Answer.json(
                {"ClassName": "ArgumentException", "Message": f"A parameter is wrong: {error}"}, 400
            )

    def _resource(self, request: Request, resource: str, key: str, struck: Struck) -> Answer:
        listing = reading.LISTINGS.get(resource)
        if request.method == "POST":
            return self._write(listing.table, request, struck) if listing and not key else _not_found(405)
        if listing is not None:
            return self._one(listing, key, request) if key else self._list(listing, request, struck)
        if resource in self._reports and not key:
            return Answer.json(self._reports[resource]())
        if resource in _BARE_LISTS:
            return self._catalog(resource, key, request)
        return _not_found()

    def _auth_info(self) -> Answer:
        hosted = not self.switches.self_hosted
        return Answer.json(
            {
                "auth_url": self.url + (HOSTED_AUTH if hosted else SELF_HOSTED_AUTH),
                "tenant_id": self._tenant if hosted else "",
            }
        )

    def _token(self, request: Request, *, needs_tenant: bool) -> Answer:
        tenant = request.query.get("tenant", "" if needs_tenant else self._tenant)
        if tenant != self._tenant:
            return Answer.json({"Message": "An error has occurred."}, 500)
        try:
            return Answer.json(self.tokens.issue(request.form))
        except OAuthError as error:
            return Answer.json(error.body, error.status)

    def _list(self, listing: reading.Listing, request: Request, struck: Struck) -> Answer:
        query, is_agents = request.query, listing.table == "agents"
        shape = self.switches.agent_list if is_agents else listing.envelope
        if shape == "bare":
            query = {name: value for name, value in query.items() if name != "pageinate"}
        total, rows = reading.read_list(self.store, listing, query, self.switches)
        if is_agents and reading.is_true(query, "includeroles"):
            rows = reading.agents_with_roles(self.store, rows)
        if FaultKind.EMPTY_PAGE in struck:
            rows = []
        if FaultKind.WRONG_COUNT in struck:
            total += struck[FaultKind.WRONG_COUNT].difference
        return Answer.json(rows if shape == "bare" else {"record_count": total, shape: rows}, count=len(rows))

    def _one(self, listing: reading.Listing, key: str, request: Request) -> Answer:
        if listing.table == "agents" and key.lower() == "me":
            key = str(self.switches.login_agent)
        record = self.store.tables[listing.table].get(int(key))
        if record is None:
            return _not_found()
        details = reading.is_true(request.query, "includedetails")
        return Answer.json(reading.view(self.store, listing.table, record, self.switches, details=details))

    def _catalog(self, resource: str, key: str, request: Request) -> Answer:
        rows = self.store.catalogs[_BARE_LISTS[resource]]
        lookup = request.query.get("lookupid")
        if resource == "lookup" and lookup:
            rows = [row for row in rows if str(row["lookupid"]) == lookup]
        if resource == "ldapconnection" and not reading.is_true(request.query, "includedetails"):
            rows = [{name: row[name] for name in row.keys() - _LDAP_DETAILS} for row in rows]
        if resource == "fieldinfo" and not reading.is_true(request.query, "includevalues"):
            rows = [{name: row[name] for name in row.keys() - {"values"}} for row in rows]
        if key:
            found = next((row for row in rows if str(row["id"]) == key), None)
            return Answer.json(found) if found else _not_found()
        if resource == "team" and self.switches.team_list == "teams":
            return Answer.json({"teams": rows}, count=len(rows))
        return Answer.json(rows, count=len(rows))

    def _write(self, table: str, request: Request, struck: Struck) -> Answer:
        elements = _loads(request.body)
        if not isinstance(elements, list) or not elements:
            return Answer.json({"": ["The body must be a JSON array with at least one element."]}, 400)
        bound, errors = bind(table, elements)
        if errors:
            return Answer.json(errors, 400)
        partial = struck.get(FaultKind.PARTIAL)
        written = writing.write(
            self.store,
            table,
            bound[: partial.elements] if partial else bound,
            on_failure=self.switches.batch_failure,
            license_count=self.switches.license_count,
        )
        if partial:
            return self._fault_answer(partial)
        if written.failure:
            return Answer.json({"ClassName": "HaloException", "Message": written.failure}, 400)
        records = [self._written_view(table, record) for record in written.records]
        if FaultKind.REORDERED in struck:
            records.reverse()
        return Answer.json(records[0] if len(records) == 1 else records, 201)

    def _written_view(self, table: str, record: Record) -> Record:
        warning = {"_warning": self.switches.warning} if self.switches.warning else {}
        return reading.view(self.store, table, record, self.switches, details=True) | warning


def _loads(body: str) -> Any:
    """The body as JSON; None when it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def _not_found(status: int = 404) -> Answer:
    return Answer.json({"Message": "There is nothing here that answers this request."}, status)
