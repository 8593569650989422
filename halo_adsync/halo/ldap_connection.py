"""The set-up of Halo's own directory integration (`/LDAPConnection`), read as plain data. Pure.

Names are those of Halo's OpenAPI (April 2025). How Halo spells a user's field in a mapping is documented
nowhere, so a field is known by its API name or by its label on the user's page, whatever its case, blanks and
punctuation. The connection's passwords stand in several fields of the record; none of them is read.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from halo_adsync.halo.codec import (
    EMAIL_FIELD,
    FIELDS,
    GUID_FIELD,
    LOGIN_FIELD,
    Record,
    identity,
    is_custom,
    number_in,
    plain_text,
    rows_in,
)

CONNECTIONS = "ldapconnections"
"""The key that the list stands under, should it ever come in an envelope."""

_DECIDED_BY_PLACEMENT = ("site_id", "client_id", "inactive")
_LABELS: Mapping[str, str] = {
    "fullname": "name",
    "lastname": "surname",
    "jobtitle": "title",
    "email": EMAIL_FIELD,
    "networklogin": LOGIN_FIELD,
    "phone": "phonenumber",
    "telephonenumber": "phonenumber",
    "mobile": "mobilenumber",
    "mobilephone": "mobilenumber",
    "faxnumber": "fax",
    "objectguid": GUID_FIELD,
    "site": "site_id",
    "client": "client_id",
}
_SEPARATORS = re.compile(r"[,;|]")
_NO_LETTER = re.compile(r"[^a-z0-9]")
_ADSI_PREFIX = re.compile(r"^(?:ldaps?|gc)://(?:[^/=,]*(?:/|$))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FieldName:
    """A user's field: `label` as Halo's set-up spells it, `field` as the API does, None where unknown."""

    label: str
    field: str | None


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """One line of the field mappings."""

    attribute: str
    target: FieldName


@dataclass(frozen=True, slots=True)
class ContainerMapping:
    """A container and what its people become: users of a site, agents, or members of a board."""

    dn: str
    site: int | None = None
    client: int | None = None
    filter: str = ""
    recursive: bool = False
    agents: bool = False
    board: bool = False
    """A change advice board (CAB)."""
    agent_role: str = ""
    """The role's GUID, for agents."""
    user_role: int | None = None


@dataclass(frozen=True, slots=True)
class LdapConnection:
    """One connection; a list carries only its `id` and `name` and perhaps how to connect."""

    id: int
    name: str
    host: str = ""
    port: int | None = None
    ssl: bool = False
    domain: str = ""
    base_dn: str = ""
    user: str = ""
    authentication: str = ""
    containers: tuple[ContainerMapping, ...] = ()
    user_fields: tuple[FieldMapping, ...] = ()
    agent_fields: tuple[FieldMapping, ...] = ()
    onboarding_fields: tuple[FieldMapping, ...] = ()
    matching: tuple[FieldName, ...] = ()
    agent_matching: tuple[FieldName, ...] = ()
    guid_attribute: str = ""
    """The attribute that Halo takes an account's GUID from, where it names one."""
    onboarding: bool = False
    """Halo opens a ticket for each new user."""
    integrator: bool = False
    """The Halo Integrator runs this connection."""


def decode_connection(record: Record) -> LdapConnection:
    """Read a connection; what the record does not carry is empty.

    Raises:
        HaloUnavailable: the record has no id.
    """
    return LdapConnection(
        id=identity(record)[0],
        name=_text(record, "name"),
        host=_text(record, "hostname"),
        port=_number(record, "port"),
        ssl=_flag(record, "use_ssl"),
        domain=_text(record, "domainname"),
        base_dn=_dn(_text(record, "basedn")),
        user=_text(record, "username"),
        authentication=_text(record, "authentication_type"),
        containers=tuple(_containers(record)),
        user_fields=tuple(_fields(record, "mappings_user")),
        agent_fields=tuple(_fields(record, "mappings_agent")),
        onboarding_fields=tuple(_fields(record, "mappings_new_user")),
        matching=tuple(_matching(record, "user_matching")),
        agent_matching=tuple(_matching(record, "agent_matching")),
        guid_attribute=_text(record, "uactguidmappingfield"),
        onboarding=_number(record, "new_user_template") is not None,
        integrator=_flag(record, "halointegratorenabled"),
    )


def field_named(label: str) -> FieldName:
    """Return the user's field that Halo's set-up calls by this label."""
    if is_custom(label) and " " not in label:
        return FieldName(label, label)
    return FieldName(label, _KNOWN.get(_folded(label)))


def _containers(record: Record) -> Iterator[ContainerMapping]:
    for row in rows_in(record, "ldap_strings"):
        yield _container(row, board=_flag(row, "cabmapping"))
    for row in rows_in(record, "cab_ldap_strings"):
        yield _container(row, board=True)


def _container(row: Record, *, board: bool) -> ContainerMapping:
    return ContainerMapping(
        dn=_dn(_text(row, "dn") or _text(row, "ldapstring")),
        site=_number(row, "site_id"),
        client=_number(row, "client_id"),
        filter=_text(row, "filter"),
        recursive=_flag(row, "isrecursive"),
        agents=_flag(row, "agentmapping"),
        board=board,
        agent_role=_text(row, "role_id"),
        user_role=_number(row, "userrole_id"),
    )


def _fields(record: Record, key: str) -> Iterator[FieldMapping]:
    for row in rows_in(record, key):
        yield FieldMapping(_text(row, "ldap_field"), field_named(_text(row, "nhd_field")))


def _matching(record: Record, key: str) -> Iterator[FieldName]:
    """Yield the matching fields: from the list, which has names, else from the text, which may have ids."""
    rows = rows_in(record, f"{key}_list")
    for row in rows:
        named, keyed = field_named(_text(row, "name")), field_named(_text(row, "id"))
        yield named if named.field or not keyed.field else keyed
    if not rows:
        labels = map(str.strip, _SEPARATORS.split(_text(record, f"{key}_fields")))
        yield from (field_named(label) for label in labels if label)


def _text(record: Record, name: str) -> str:
    return plain_text(record.get(name)).strip()


def _flag(record: Record, name: str) -> bool:
    return _text(record, name).lower() in {"true", "1"}


def _number(record: Record, name: str) -> int | None:
    """Return a number above 0; Halo writes 0 or less where nothing is chosen."""
    number = number_in(record.get(name))
    return number if number is not None and number > 0 else None


def _dn(text: str) -> str:
    """Return the DN of an ADSI path such as `LDAP://dc01/OU=People,DC=corp` (Microsoft, "LDAP ADsPath")."""
    return _ADSI_PREFIX.sub("", text)


def _folded(label: str) -> str:
    return _NO_LETTER.sub("", label.lower())


_KNOWN: Mapping[str, str] = {
    **{_folded(name): name for name in (*FIELDS, GUID_FIELD, *_DECIDED_BY_PLACEMENT)},
    **_LABELS,
}
