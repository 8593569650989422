"""Halo's field names, and the way between its records and the domain's types. Pure.

Field names, widths and types are those of Halo's OpenAPI (April 2025) and its database. Halo takes names
without regard to case, so the records that come in here have theirs in lower case already (`parse`). It
answers some ids as doubles, and has custom fields (`CF...`) in a list of their own.
"""

import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import Enum
from typing import Any

from halo_adsync.errors import HaloUnavailable, RecordRejected
from halo_adsync.halo.port import UserWrite
from halo_adsync.model import (
    HaloClientId,
    HaloSiteId,
    HaloUser,
    HaloUserId,
    ObjectGuid,
)

type Record = Mapping[str, Any]
"""One record as Halo answers it, its names in lower case."""

GUID_FIELD = "third_party_guid"
EMAIL_FIELD = "emailaddress"
LOGIN_FIELD = "login"
DN_FIELD = "activedirectory_dn"
CUSTOM_PREFIX = "cf"
GENERAL_USER = "general user"

USERS, CLIENTS, SITES = "users", "clients", "sites"
"""The keys that lists stand under."""

_GUID = re.compile(r"\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?")
_GENERAL_FLAGS = ("isgeneraluser", "is_general_user", "generaluser")
_OTHER_MASTERS = ("adconnection", "azure_connectionid")
_INT32 = 2**31 - 1
_ECHOED = ("name", EMAIL_FIELD, LOGIN_FIELD, "email", "ad")


class Kind(Enum):
    """How a field's canonical text is written in JSON."""

    TEXT = "text"
    FLAG = "true or false"
    NUMBER = "a whole number"
    IDS = "ids, separated by commas"


_TEXTS = (
    "name firstname surname initials title emailaddress email2 email3 phonenumber sitephonenumber homenumber"
    " mobilenumber mobilenumber2 fax login azureoid azure_tenant_id activedirectory_dn container_dn"
    " samaccountname department admanager manager_email other1 other2 other3 other4 other5 notes"
)
FIELDS: Mapping[str, Kind] = {
    **dict.fromkeys(_TEXTS.split(), Kind.TEXT),
    **dict.fromkeys(("isserviceaccount", "neversendemails", "sendwelcomeemail"), Kind.FLAG),
    **dict.fromkeys(("useadlogin", "adconnection", "linked_agent_id"), Kind.NUMBER),
    "departments": Kind.IDS,
}
"""Every user field that a customer's file may map, custom fields aside, with the kind of its value."""

WIDTHS: Mapping[str, int] = {"name": 255, "firstname": 200, "surname": 200, "samaccountname": 250}
"""Column widths in characters, where they are known; Halo refuses what is longer."""


def parse(body: bytes) -> Any:
    """Return an answer's JSON with every name in lower case.

    Raises:
        ValueError: it is no JSON, or nested too deeply.
    """
    try:
        return json.loads(
            body, object_pairs_hook=lambda pairs: {name.lower(): value for name, value in pairs}
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def is_custom(field: str) -> bool:
    """Tell whether a name is that of a custom field."""
    return field.lower().startswith(CUSTOM_PREFIX)


def is_detail(field: str) -> bool:
    """Tell whether only a user's single record carries a field: custom ones, and lists of their own."""
    return is_custom(field) or _kind(field) is Kind.IDS


def canonical_guid(value: Any) -> ObjectGuid | None:
    """Return a GUID as lower-case text without braces; None for anything that is no GUID."""
    found = _GUID.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    return ObjectGuid("-".join(found.groups())) if found else None


def canonical_text(field: str, text: str) -> str:
    """Return a value for `field` as Halo will answer it when it is read again.

    Raises:
        ValueError: the field holds a flag or a number, and the text is neither.
    """
    kind = _kind(field)
    if kind is Kind.TEXT:
        return text.strip()
    return plain_text(_PARSERS[kind](text.strip().lower()))


def identity(record: Record) -> tuple[int, Any]:
    """Return what tells a record from the others of a list; ids up to 0 are shared by several General Users.

    Raises:
        HaloUnavailable: the record has no id.
    """
    number = number_in(record.get("id"))
    if number is None:
        raise HaloUnavailable("Halo's list holds a record without an id; nothing is concluded from it.")
    return (number, None) if number > 0 else (number, number_in(record.get("site_id")))


def record_id(record: Any) -> int | None:
    """Return a record's id; None when it has none that a stored record can have."""
    number = number_in(record.get("id")) if isinstance(record, Mapping) else None
    return number if number is not None and number > 0 else None


def record_client(record: Record) -> HaloClientId | None:
    """Return the client that a record names as its own."""
    number = number_in(record.get("client_id"))
    return None if number is None else HaloClientId(number)


def record_guid(record: Record) -> ObjectGuid | None:
    """Return the directory account that a user's record is stamped with."""
    return canonical_guid(record.get(GUID_FIELD))


def echoes(sent: Record, answered: Record) -> bool:
    """Tell whether an answered user may be the one that was sent: nothing telling in it says otherwise."""
    return all(
        plain_text(sent[name]).strip().casefold() == plain_text(answered[name]).strip().casefold()
        for name in _ECHOED
        if name in sent and answered.get(name) is not None
    )


def listed_fields(fields: Iterable[str]) -> frozenset[str]:
    """Return, in lower case, what a user's record must carry: the stamp, and `fields` but for details."""
    return frozenset({GUID_FIELD, *(name.lower() for name in fields if not is_detail(name))})


def is_general(record: Record) -> bool:
    """Tell whether a user's record is a General User."""
    return (
        (number_in(record.get("id")) or 0) <= 0
        or plain_text(record.get("name")).strip().casefold() == GENERAL_USER
        or any(is_true(record.get(flag)) for flag in _GENERAL_FLAGS)
    )


def decode_user(record: Record, fields: Collection[str], client: HaloClientId | None = None) -> HaloUser:
    """Read a user.

    Args:
        record: as Halo answered it. A field that it does not carry is one that Halo holds nothing in.
        fields: the field names of interest; they are the keys of the result's `fields`, spelled as here.
            Custom fields are left out of the result where the record does not list custom fields.
        client: the client that was asked about, for a record that names none.

    Raises:
        HaloUnavailable: the record has no id, or neither it nor the caller names a client.
    """
    owner = record_client(record) or client
    if owner is None:
        raise HaloUnavailable("Halo answered a user without its client; nothing is concluded from it.")
    number = identity(record)[0]
    return HaloUser(
        id=HaloUserId(number),
        client=owner,
        site=HaloSiteId(number_in(record.get("site_id")) or number_in(record.get("site_id_int")) or 0),
        active=not is_true(record.get("inactive")),
        guid=canonical_guid(record.get(GUID_FIELD)),
        general=is_general(record),
        managed_elsewhere=any(_is_set(record.get(name)) for name in _OTHER_MASTERS),
        fields=_field_values(record, fields),
    )


def encode_user(write: UserWrite) -> dict[str, Any]:
    """Write a user as an element of `POST /Users`.

    A new user is stamped with its directory account, gets no welcome mail and fires no automation. A user
    that is there is stamped only where `write.fields` says so.

    Raises:
        RecordRejected: a value does not fit its field, or a new user has no site.
    """
    element: dict[str, Any] = {}
    if write.user is not None:
        element["id"] = int(write.user)
    elif write.site is None:
        raise RecordRejected("A new user needs a site, and none is named.")
    else:
        element |= {GUID_FIELD: write.guid, "sendwelcomeemail": False, "_dont_fire_automations": True}
    if write.site is not None:
        element["site_id"] = int(write.site)
    if write.active is not None:
        element["inactive"] = not write.active
    custom = []
    for name, text in sorted(write.fields.items()):
        if is_custom(name):
            custom.append({"name": name, "value": text})
        else:
            element[name.lower()] = _encode_value(name, text)
    return element | ({"customfields": custom} if custom else {})


def exact_search(field: str, value: str) -> str:
    """Return the `advanced_search` parameter that asks for users whose field equals a value."""
    exact = 2
    return json.dumps([{"filter_name": field.lower(), "filter_type": exact, "filter_value": value}])


def _kind(field: str) -> Kind:
    return FIELDS.get(field.lower(), Kind.TEXT)


def _encode_value(field: str, text: str) -> str | int | bool | list[dict[str, int]]:
    limit = WIDTHS.get(field.lower())
    if limit is not None and len(text) > limit:
        raise RecordRejected(f"{field}: the value has {len(text)} characters; Halo takes {limit} there.")
    kind = _kind(field)
    try:
        value = _PARSERS[kind](text if kind is Kind.TEXT else text.strip().lower())
    except ValueError as error:
        raise RecordRejected(f"{field}: the value must be {kind.value}.") from error
    ids = str(value).split(",") if kind is Kind.IDS and value else []
    return [{"department_id": int(number)} for number in ids] if kind is Kind.IDS else value


def _ids(text: str) -> str:
    numbers = {int(part) for part in text.split(",") if part.strip()}
    if min(numbers, default=1) <= 0:
        raise ValueError("an id is above 0")
    return ",".join(map(str, sorted(numbers)))


def _flag(text: str) -> bool:
    if text not in {"true", "false", ""}:
        raise ValueError("neither true nor false")
    return text == "true"


_PARSERS: Mapping[Kind, Callable[[str], str | int | bool]] = {
    Kind.TEXT: str,
    Kind.FLAG: _flag,
    Kind.NUMBER: lambda text: int(text or "0"),
    Kind.IDS: _ids,
}


def _field_values(record: Record, fields: Collection[str]) -> dict[str, str]:
    values = {name: plain_text(record.get(name.lower())).strip() for name in fields if not is_detail(name)}
    for name in fields:
        if _kind(name) is Kind.IDS and isinstance(record.get(name.lower()), list):
            ids = (number_in(row.get("department_id")) or 0 for row in rows_in(record, name.lower()))
            values[name] = _ids(",".join(str(number) for number in ids if number > 0))
    if isinstance(record.get("customfields"), list):
        rows = rows_in(record, "customfields")
        custom = {plain_text(row.get("name")).lower(): plain_text(row.get("value")) for row in rows}
        values |= {name: custom.get(name.lower(), "").strip() for name in fields if is_custom(name)}
    return values


def rows_in(record: Record, key: str) -> list[Record]:
    """Return the records of a list inside a record; what is no record is passed over."""
    rows = record.get(key)
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def plain_text(value: Any) -> str:
    """Return a JSON value as canonical text; empty for null."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case str() | int() | float():
            return str(value)
        case _:
            return json.dumps(value, sort_keys=True)


def number_in(value: Any) -> int | None:
    """Return an id or a count, which may come as a double or as text; None for what is none.

    Halo's are of 32 bits (OpenAPI: `int32`).
    """
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(number) if number.is_integer() and abs(number) <= _INT32 else None


def is_true(value: Any) -> bool:
    """Read a flag, which may come as a text or a number."""
    return plain_text(value).lower() in {"true", "1"}


def _is_set(value: Any) -> bool:
    number = number_in(value)
    return bool(value) if number is None else number != 0
