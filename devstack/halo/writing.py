"""What Halo does with the bound elements of a POST: partial updates, new records, business rules."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from .schema import Record
from .store import GENERAL_USER, Store

_NEW_RECORDS: dict[str, Record] = {
    "users": {
        "firstname": "",
        "surname": "",
        "title": None,
        "emailaddress": "",
        "phonenumber": "",
        "mobilenumber": None,
        "login": None,
        "department": "",
        "third_party_guid": None,
        "activedirectory_dn": None,
        "adconnection": 0,
        "inactive": False,
        "isserviceaccount": False,
        "customfields": [],
        "departments": [],
    },
    "sites": {"inactive": False, "actguid": None, "ldapstring": "", "customfields": []},
    "clients": {"inactive": False, "toplevel_id": 1, "customfields": []},
    "agents": {
        "isdisabled": False,
        "isapiagent": False,
        "email": "",
        "teams": [],
        "roles": [],
        "customfields": [],
    },
    "tickets": {"details": "", "agent_id": None, "hasbeenclosed": False, "customfields": []},
    "actions": {"note": "", "note_html": "", "hiddenfromuser": False},
}
# Instructions to the server that it does not store.
_INSTRUCTIONS = {
    "_dont_fire_automations",
    "_isimport",
    "_isbatch",
    "_importtoken",
    "_warning",
    "sendwelcomeemail",
    "newclient_sitename",
    "dont_do_rules",
    "donotapplytemplateintheapi",
    "return_this",
}
CHOICE = 2
"""The type of a custom field that takes one of its values."""


class BusinessRuleError(Exception):
    """An element binds, but Halo's rules forbid it."""


@dataclass
class Written:
    """What became of an array.

    Attributes:
        records: for each element its stored record, or an error object, up to where writing stopped.
        failure: why writing stopped, when it did.
    """

    records: list[Record] = field(default_factory=list)
    failure: str = ""


def write(
    store: Store,
    table: str,
    elements: list[Record],
    *,
    on_failure: Literal["nothing", "partial", "elements"],
    license_count: int,
) -> Written:
    """Write elements in order and commit; `on_failure` is the switch `batch_failure`."""
    written = Written()
    for position, element in enumerate(elements):
        try:
            written.records.append(write_one(store, table, element, license_count=license_count))
        except BusinessRuleError as error:
            if on_failure == "elements":
                written.records.append({"error": "invalid_request", "error_description": str(error)})
                continue
            written.failure = f"Element {position}: {error}"
            break
    if written.failure and on_failure == "nothing":
        written.records.clear()
        store.rollback()
    store.commit()
    return written


def write_one(store: Store, table: str, element: Record, *, license_count: int) -> Record:
    """Update the record with the element's `id`, or add one when there is none, and return it.

    Raises:
        BusinessRuleError: the element names a record that does not exist, or costs a seat too many.
    """
    rows = store.tables[table]
    is_new = "id" not in element
    if not is_new and element["id"] not in rows:
        raise BusinessRuleError(f"There is no record with the id {element['id']} in {table}.")
    _note_violations(store, table, element)
    before = {**_NEW_RECORDS[table]} if is_new else rows[element["id"]]
    record = before | {name: value for name, value in element.items() if name not in _INSTRUCTIONS}
    if "customfields" in element:
        record["customfields"] = _merge_custom_fields(store, before, element["customfields"])
    _RULES[table](store, record, license_count)
    if is_new:
        record = {"id": store.new_id(table)} | record
    store.put(table, record)
    if is_new and table == "clients":
        _add_main_site(store, record, element.get("newclient_sitename") or "Main", license_count)
    if is_new and table == "sites":
        _add_general_user(store, record)
    return record


def _note_violations(store: Store, table: str, element: Record) -> None:
    if table == "users" and element.get("id") in store.general_users:
        store.violations.append(f"The General User {element['id']} was written.")
    if "_importtoken" in element:
        store.violations.append("A server-side sweep was asked for with _importtoken.")


def _merge_custom_fields(store: Store, before: Record, changes: list[Record] | None) -> list[Record]:
    """Custom fields change one by one, by name or id; names that Halo does not know are dropped."""
    known = {
        str(entry[key]).lower(): entry for entry in store.catalogs["field_info"] for key in ("id", "name")
    }
    merged = {entry["id"]: entry for entry in before.get("customfields") or []}
    for change in changes or []:
        entry = known.get(str(change.get("id") or change.get("name")).lower())
        if entry:
            _check_custom_value(entry, change.get("value"))
            merged[entry["id"]] = {"id": entry["id"], "name": entry["name"], "value": change.get("value")}
    return list(merged.values())


def _check_custom_value(entry: Record, value: object) -> None:
    """A custom field takes what its type and its limit allow; a choice is told by its id."""
    text, limit = str(value or ""), entry.get("characterlimit") or 0
    if limit and len(text) > limit:
        raise BusinessRuleError(f"{entry['label']} takes {limit} characters.")
    if entry["type"] == CHOICE and text and text not in {str(choice["id"]) for choice in entry["values"]}:
        raise BusinessRuleError(f"{entry['label']} has no choice with the id {text}.")


def _check_user(store: Store, record: Record, _license_count: int) -> None:
    site = store.tables["sites"].get(record.get("site_id") or record.get("site_id_int") or 0)
    if site is None and record.get("id") not in store.general_users:
        raise BusinessRuleError("A user needs the site_id of an existing site.")
    if site is not None:
        record |= {"site_id": float(site["id"]), "client_id": int(site["client_id"])}
    record.pop("site_id_int", None)


def _check_site(store: Store, record: Record, _license_count: int) -> None:
    if record.get("client_id") not in store.tables["clients"]:
        raise BusinessRuleError("A site needs the client_id of an existing client.")
    record["client_id"] = float(record["client_id"])


def _check_client(store: Store, record: Record, _license_count: int) -> None:
    if record["toplevel_id"] not in {entry["id"] for entry in store.catalogs["toplevels"]}:
        raise BusinessRuleError(f"There is no top level with the id {record['toplevel_id']}.")


def _check_agent(store: Store, record: Record, license_count: int) -> None:
    others = [agent for agent in store.tables["agents"].values() if agent["id"] != record.get("id")]
    if takes_seat(record) and sum(map(takes_seat, others)) >= license_count:
        raise BusinessRuleError(f"All {license_count} agent licences are in use.")


def _check_ticket(store: Store, record: Record, _license_count: int) -> None:
    user = store.tables["users"].get(record.get("user_id") or 0)
    if user is None:
        raise BusinessRuleError("A ticket needs the user_id of an existing user.")
    record |= {"site_id": user.get("site_id"), "client_id": user.get("client_id")}
    names = {team["name"] for team in store.catalogs["teams"]}
    if record.get("team") and record["team"] not in names:
        raise BusinessRuleError(f"There is no team {record['team']!r}.")
    agent = record.get("agent_id")
    if agent is not None and agent not in store.tables["agents"]:
        raise BusinessRuleError(f"There is no agent with the id {agent}.")


def _check_action(store: Store, record: Record, _license_count: int) -> None:
    if record.get("ticket_id") not in store.tables["tickets"]:
        raise BusinessRuleError("An action needs the ticket_id of an existing ticket.")


def takes_seat(agent: Record) -> bool:
    """Whether an agent costs a licence: enabled, and not for the API only."""
    return not agent.get("isdisabled") and not agent.get("isapiagent")


def _add_main_site(store: Store, client: Record, name: str, license_count: int) -> None:
    site = write_one(store, "sites", {"name": name, "client_id": client["id"]}, license_count=license_count)
    client["main_site_id"] = site["id"]


def _add_general_user(store: Store, site: Record) -> None:
    place = {"site_id": float(site["id"]), "client_id": int(site["client_id"])}
    user: Record = {"id": store.new_id("users"), "name": GENERAL_USER} | _NEW_RECORDS["users"] | place
    store.general_users.add(user["id"])
    store.put("users", user)


_RULES: dict[str, Callable[[Store, Record, int], None]] = {
    "users": _check_user,
    "sites": _check_site,
    "clients": _check_client,
    "agents": _check_agent,
    "tickets": _check_ticket,
    "actions": _check_action,
}
