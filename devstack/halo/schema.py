"""The fields of Halo's records, and how an element of a POST binds to them.

The names and types stand in Halo's OpenAPI (April 2025), the widths in its database. An element binds as
ASP.NET Core binds it: keys without regard to case, unknown keys dropped, and every field of a wrong type
reported at once, which refuses the whole array.
"""

from collections.abc import Callable
from typing import Any

type Record = dict[str, Any]
type ModelState = dict[str, list[str]]

_USER_TEXTS = (
    "name firstname surname initials title emailaddress email2 email3 phonenumber sitephonenumber homenumber "
    "mobilenumber mobilenumber2 fax login azureoid azure_id azure_tenant_id azure_tenant_domain department "
    "admanager manager_email memberof third_party_guid third_party_id activedirectory_dn "
    "onpremise_activedirectory_dn container_dn samaccountname other1 other2 other3 other4 other5 notes lang "
    "colour okta_id googleworkplace_id _importtype _importtoken _importthirdpartyid _warning"
)
_USER_BOOLS = (
    "inactive isserviceaccount service_account_overridden neversendemails neversendmarketingemails "
    "sendwelcomeemail isimportantcontact isimportantcontact2 ismaincontact isheadofdept isexternal locked "
    "dontackemails unsubscribed ischangeapprover update_user_tickets check_update_user_tickets "
    "_dont_fire_automations _isimport _isbatch"
)
_USER_INTS = (
    "id site_id_int client_id adconnection azure_connectionid useadlogin web_access_level organisation_id "
    "linked_agent_id linked_user_id priority_id slaid telpref _importtypeid _match_integration_id"
)
_AGENT_TEXTS = (
    "name firstname surname initials email jobtitle sms ad activedirectory_dn third_party_guid team _warning"
)


def _fields(**kinds: str) -> dict[str, str]:
    return {name: kind for kind, names in kinds.items() for name in names.split()}


FIELDS: dict[str, dict[str, str]] = {
    "users": _fields(
        text=_USER_TEXTS,
        bool=_USER_BOOLS,
        int=_USER_INTS,
        double="site_id",
        array="customfields departments roles",
    ),
    "sites": _fields(
        text="name actguid ldapstring guid ref notes phonenumber timezone emaildomain colour _warning",
        bool="inactive isinvoicesite slocked _dont_fire_automations _isimport",
        int="id sla_id sequence linked_organisation_id",
        double="client_id",
        array="customfields",
    ),
    "clients": _fields(
        text="actguid name newclient_sitename ref notes colour _warning",
        bool="inactive is_vip _dont_fire_automations _isimport",
        int="id toplevel_id main_site_id",
        array="customfields",
    ),
    "agents": _fields(
        text=_AGENT_TEXTS,
        bool="isdisabled isapiagent",
        int="id linemanager",
        array="teams roles departments customfields",
    ),
    "tickets": _fields(
        text="summary details details_html team category_1 _warning",
        bool="dont_do_rules donotapplytemplateintheapi return_this",
        int="id user_id client_id site_id agent_id tickettype_id priority_id status_id team_id",
        array="customfields",
    ),
    "actions": _fields(
        text="note note_html outcome _warning", bool="hiddenfromuser", int="id ticket_id outcome_id"
    ),
}
"""The known fields of each table, by kind: text, bool, int, double or array."""

NEEDED: dict[str, str] = {"tickets": "summary", "actions": "outcome"}
"""The field that a new record needs, where that is not `name`."""

WIDTHS: dict[str, int] = {"name": 255, "firstname": 200, "surname": 200, "samaccountname": 250}
"""Column widths, in UTF-16 units (an emoji takes two), where they are known."""


def bind(table: str, elements: list[Any]) -> tuple[list[Record], ModelState]:
    """Bind the elements of a POST to the records of one table.

    Returns:
        The bound elements, and the errors as ASP.NET Core words them: a list of sentences for each
        `[position].field`. Nothing may be stored when there are errors.
    """
    bound: list[Record] = []
    errors: ModelState = {}
    for position, element in enumerate(elements):
        if isinstance(element, dict):
            record, wrong = _bind_element(FIELDS[table], element, NEEDED.get(table, "name"))
        else:
            record, wrong = {}, {"": "The element must be an object."}
        bound.append(record)
        errors |= {f"[{position}].{name}".rstrip("."): [sentence] for name, sentence in wrong.items()}
    return bound, errors


def _bind_element(fields: dict[str, str], element: Record, needed: str) -> tuple[Record, dict[str, str]]:
    record: Record = {}
    errors: dict[str, str] = {}
    for key, value in element.items():
        name = key.lower()
        if name not in fields:
            continue
        try:
            record[name] = _bind_value(fields[name], name, value)
        except TypeError:
            errors[name] = f"The value could not be converted to the type {fields[name]}. Path '{name}'."
        else:
            if name in WIDTHS and _width(record[name] or "") > WIDTHS[name]:
                errors[name] = f"The field {name} must have a maximum length of {WIDTHS[name]}."
    is_new = "id" not in record and "id" not in errors
    if (is_new or needed in record) and needed not in errors and not (record.get(needed) or "").strip():
        errors[needed] = f"The {needed} field is required."
    return record, errors


def _width(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _bind_value(kind: str, name: str, value: Any) -> Any:
    if value is None:
        if name == "id":
            raise TypeError
        return None
    return _CONVERTERS[kind](value)


def _to_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | list | dict):
        raise TypeError
    return str(value)


def _to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise TypeError


def _to_int(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.removeprefix("-").isdecimal():
        return int(value)
    raise TypeError


def _to_double(value: Any) -> float:
    """A double takes 95 and 95.0, but of texts only whole numbers: Halo refuses "95.0"."""
    return value if isinstance(value, float) else float(_to_int(value))


def _to_array(value: Any) -> list[Any]:
    """All of Halo's arrays hold objects."""
    if isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
        return value
    raise TypeError


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "text": _to_text,
    "bool": _to_bool,
    "int": _to_int,
    "double": _to_double,
    "array": _to_array,
}
