"""What Halo answers to a GET: filters, order, pages, envelopes, and how much of a record is shown."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from .schema import Record
from .store import CLIENT_GENERAL_USER_ID, Store
from .switches import Switches

type Query = Mapping[str, str]
type Test = Callable[[Record], bool]

_DETAILS = frozenset({"customfields", "departments", "roles"})
_LEAN_USER = frozenset({"third_party_guid", "login", "activedirectory_dn"})
_EXACT = 2
_DEFAULT_PAGE_SIZE = 50
# A page whose order nobody fixed begins this many records late for each page before it.
_DRIFT = 3


@dataclass(frozen=True)
class Listing:
    """How one table is listed.

    Attributes:
        table: its name in the store.
        envelope: the key that the records stand under.
        ids: query parameters that filter by an id, with the field of the same name.
        searched: fields that `search` looks into.
    """

    table: str
    envelope: str
    ids: tuple[str, ...]
    searched: tuple[str, ...] = ("name",)


LISTINGS = {
    "users": Listing("users", "users", ("client_id", "site_id"), ("name", "emailaddress", "login")),
    "client": Listing("clients", "clients", ("toplevel_id",)),
    "site": Listing("sites", "sites", ("client_id",)),
    "tickets": Listing("tickets", "tickets", ("user_id", "client_id", "site_id", "agent_id"), ("summary",)),
    "actions": Listing("actions", "actions", ("ticket_id",), ("note",)),
    "agent": Listing("agents", "agents", (), ("name", "email")),
}
"""The listings by the name of their resource, in lower case."""


def is_true(query: Query, name: str) -> bool:
    """Whether a parameter says `true`, in whatever case."""
    return query.get(name, "").lower() == "true"


def page_number(query: Query) -> int:
    """The page that is asked for, from 1; 0 when one of `pageinate` and `page_no` is missing."""
    number = query.get("page_no", "")
    return int(number) if is_true(query, "pageinate") and number.isdecimal() else 0


def read_list(store: Store, listing: Listing, query: Query, switches: Switches) -> tuple[int, list[Record]]:
    """The records that a query selects.

    Returns:
        Their number on all pages, and those of the page that is asked for as the list shows them.
    """
    tests = [*_state_tests(listing, query), *_filter_tests(store, listing, query, switches)]
    rows: Iterable[Record] = store.tables[listing.table].values()
    for test in tests:
        rows = filter(test, rows)
    found = list(rows)
    total = len(found)
    if listing.table == "users" and is_true(query, "idonly"):
        return total, [{"id": row["id"]} for row in found]
    return total, [view(store, listing.table, row, switches) for row in _page(found, query, switches)]


def view(store: Store, table: str, record: Record, switches: Switches, *, details: bool = False) -> Record:
    """A record as Halo shows it: lists show less than a single record with `includedetails=true`."""
    hidden: frozenset[str] = frozenset()
    if not details:
        hidden = _DETAILS | _LEAN_USER if switches.lean_lists and table == "users" else _DETAILS
    shown = {name: value for name, value in record.items() if name not in hidden}
    if table == "users" and record.get("site_id"):
        shown["site_id_int"] = int(record["site_id"])
        shown["site_name"] = _name(store, "sites", record["site_id"])
    if table in {"users", "sites"} and record.get("client_id"):
        shown["client_name"] = _name(store, "clients", record["client_id"])
    return shown


def agents_with_roles(store: Store, rows: list[Record]) -> list[Record]:
    """Add the roles that a list of agents shows only when asked to."""
    return [row | {"roles": store.tables["agents"][row["id"]].get("roles", [])} for row in rows]


def _name(store: Store, table: str, key: float) -> str:
    return str(store.tables[table].get(int(key), {}).get("name", ""))


def _state_tests(listing: Listing, query: Query) -> list[Test]:
    match listing.table:
        case "tickets":
            return [lambda row: not row["hasbeenclosed"]] if is_true(query, "open_only") else []
        case "agents":
            enabled = query.get("includeenabled", "true").lower() == "true"
            disabled, api = is_true(query, "includedisabled"), is_true(query, "includeapiagents")
            return [
                lambda row: disabled if row.get("isdisabled") else enabled,
                lambda row: api or not row.get("isapiagent"),
            ]
        case _:
            everyone = is_true(query, "includeactive") and is_true(query, "includeinactive")
            return [] if everyone else [lambda row: not row.get("inactive")]


def _filter_tests(store: Store, listing: Listing, query: Query, switches: Switches) -> list[Test]:
    tests = [_id_test(name, query[name]) for name in listing.ids if query.get(name)]
    if query.get("search"):
        tests.append(_search_test(listing.searched, query["search"].lower()))
    if listing.table == "users":
        if is_true(query, "exclude_generaluser"):
            tests.append(lambda row: row["id"] not in store.general_users)
        tests += _advanced_tests(query.get("advanced_search", ""), switches.exact_search_fields)
    return tests


def _id_test(name: str, text: str) -> Test:
    wanted = float(text)
    if name == "client_id":
        # Every client has the client-level General User, and all of them share one id.
        return lambda row: row.get(name) == wanted or row["id"] == CLIENT_GENERAL_USER_ID
    return lambda row: row.get(name) == wanted


def _search_test(names: tuple[str, ...], text: str) -> Test:
    return lambda row: any(text in str(row.get(name) or "").lower() for name in names)


def _advanced_tests(text: str, honoured: frozenset[str]) -> list[Test]:
    """`advanced_search` as exact tests; what Halo does not know or honour is no condition at all."""
    tests: list[Test] = []
    conditions = json.loads(text or "[]")
    if not isinstance(conditions, list) or not all(isinstance(condition, dict) for condition in conditions):
        raise ValueError("advanced_search must be a JSON array of objects")
    for condition in conditions:
        name, wanted = condition.get("filter_name"), str(condition.get("filter_value") or "").lower()
        if name in honoured and condition.get("filter_type") == _EXACT:
            tests.append(_exact_test(name, wanted))
    return tests


def _exact_test(name: str, wanted: str) -> Test:
    return lambda row: str(row.get(name) or "").lower() == wanted


def _page(found: list[Record], query: Query, switches: Switches) -> list[Record]:
    number = page_number(query)
    order = query.get("order", "").lower()
    is_ordered = any(order in row for row in found)
    if is_ordered:
        found = sorted(found, key=_key(order), reverse=is_true(query, "orderdesc"))
    if number == 0:
        return found
    size = query.get("page_size", "")
    size_in_force = min(int(size) if size.isdecimal() else _DEFAULT_PAGE_SIZE, switches.max_page_size)
    start = (number - 1) * size_in_force
    if not is_ordered:
        drift = (number - 1) * _DRIFT % max(len(found), 1)
        found = found[drift:] + found[:drift]
    return found[start : start + size_in_force]


def _key(order: str) -> Callable[[Record], Any]:
    """Ids are numbers in every record: a client of 100,000 users asks for a thousand pages by them."""
    return itemgetter("id") if order == "id" else lambda row: _sort_key(row.get(order))


def _sort_key(value: Any) -> tuple[bool, bool, Any]:
    """Nothing before numbers before texts, as a database sorts a column of mixed values."""
    if isinstance(value, int | float):
        return (True, False, value)
    return (value is not None, True, str(value or "").lower())
