"""The codec between LDAP entries and the domain: pure. Attribute names stand here and in `attributes`.

Distinguished names, search filters and values have modules of their own; what others need of them can
be imported from here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag

from halo_adsync.directory.attributes import attribute_value
from halo_adsync.directory.dn import canonical_dn, format_dn, parent_dn, parse_dn, shown
from halo_adsync.directory.filters import both, checked_filter, escape_filter_value
from halo_adsync.directory.values import (
    datetime_from_filetime,
    datetime_from_generalized_time,
    guid_from_bytes,
    guid_to_bytes,
    sid_from_bytes,
)
from halo_adsync.errors import IncompleteRead
from halo_adsync.model import Container, DistinguishedName, ObjectGuid

__all__ = [
    "CONTAINERS",
    "EVERYTHING",
    "GROUP",
    "GUID",
    "HIGHEST_USN",
    "IDENTITY",
    "INVOCATION",
    "MANAGER",
    "MEMBER",
    "MEMBER_OF",
    "NETBIOS",
    "PEOPLE",
    "ROOT_DSE",
    "SERVER",
    "SETTINGS",
    "STATE",
    "AccountControl",
    "RawEntry",
    "account_control",
    "account_expires",
    "attribute_value",
    "canonical_dn",
    "checked_filter",
    "container_from_entry",
    "datetime_from_filetime",
    "datetime_from_generalized_time",
    "escape_filter_value",
    "format_dn",
    "groups_in_group_filter",
    "guid_dn",
    "guid_from_bytes",
    "guid_to_bytes",
    "is_group",
    "members_of_any_kind_filter",
    "nested_groups_filter",
    "netbios_filter",
    "parent_dn",
    "parse_dn",
    "partitions_dn",
    "people_filter",
    "person_filter",
    "range_from",
    "sid_from_bytes",
]

EVERYTHING = "(objectClass=*)"
GUID = "objectGUID"
MEMBER = "member"
MEMBER_OF = "memberOf"
MANAGER = "manager"
STATE = ("userAccountControl", "accountExpires")
"""What tells whether an account is in use."""
IDENTITY = frozenset({GUID, *STATE})
"""What is read of every person, whatever the customer's file asks for."""
ROOT_DSE = ("defaultNamingContext", "configurationNamingContext")
SERVER, SETTINGS = "dnsHostName", "dsServiceName"
HIGHEST_USN = "highestCommittedUSN"
INVOCATION = "invocationId"
GROUP = (GUID, "objectClass", MEMBER)
NETBIOS = "nETBIOSName"
CONTAINERS = (
    "(|(objectClass=organizationalUnit)(objectClass=container)(objectClass=builtinDomain)"
    "(objectClass=domainDNS)(objectClass=lostAndFound))"
)
PEOPLE = "(&(objectCategory=person)(objectClass=user)(!(isCriticalSystemObject=TRUE)))"
"""People; not computers (their category is another), nor what the domain itself needs, such as krbtgt."""

_GUID_TEXT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RANGE = re.compile(r"range=[0-9]+-([0-9]{1,9}|\*)")


class AccountControl(IntFlag):
    """The bits of userAccountControl that matter to people (Microsoft: MS-ADTS, 2.2.16)."""

    DISABLED = 0x2
    HOME_DIRECTORY_REQUIRED = 0x8
    LOCKED_OUT = 0x10
    PASSWORD_NOT_REQUIRED = 0x20
    PASSWORD_CANNOT_CHANGE = 0x40
    NORMAL_ACCOUNT = 0x200
    PASSWORD_NEVER_EXPIRES = 0x10000
    SMARTCARD_REQUIRED = 0x40000
    PASSWORD_EXPIRED = 0x800000


@dataclass(frozen=True, slots=True)
class RawEntry:
    """An entry as the server gave it, its attributes under their lower-case names without options."""

    dn: DistinguishedName
    attributes: Mapping[str, Sequence[bytes]]
    continued: Mapping[str, int]
    """Attributes of which the server has more values, with the index of the next one."""

    @classmethod
    def received(cls, dn: str, attributes: Mapping[str, Sequence[bytes]]) -> "RawEntry":
        """Sort out options such as `;binary` and `;range=0-1499` (Microsoft: MS-ADTS, 3.1.1.3.1.3.3)."""
        names = "".join(attributes)
        if ";" not in names and names == names.lower():
            return cls(DistinguishedName(dn), attributes, {})
        values: dict[str, list[bytes]] = {}
        continued: dict[str, int] = {}
        for description, part in attributes.items():
            name, *options = description.lower().split(";")
            values.setdefault(name, []).extend(part or ())
            for option in options:
                if (match := _RANGE.fullmatch(option)) and match[1] != "*":
                    continued[name] = int(match[1]) + 1
        whole = {name: tuple(parts) for name, parts in values.items()}
        return cls(DistinguishedName(dn), whole, continued)

    @property
    def guid(self) -> ObjectGuid:
        """The object's GUID.

        Raises:
            IncompleteRead: the server did not give it.
        """
        try:
            return guid_from_bytes(self.attributes[GUID.lower()][0])
        except (KeyError, IndexError, ValueError):
            raise _unreadable(self, GUID) from None

    def texts(self, name: str) -> list[str]:
        """Return an attribute's values as text, in the order in which the server gave them.

        Raises:
            IncompleteRead: a value is no text.
        """
        try:
            return [value.decode() for value in self.attributes.get(name.lower(), ())]
        except UnicodeDecodeError:
            raise _unreadable(self, name) from None

    def text(self, name: str) -> str | None:
        """Return an attribute's first value as text; None where it has none.

        Raises:
            IncompleteRead: as `texts`.
        """
        return next(iter(self.texts(name)), None)


def container_from_entry(entry: RawEntry, parent: ObjectGuid | None) -> Container:
    """Turn an entry into a container; its name is the value of the first step of its DN.

    Raises:
        IncompleteRead: the entry lacks its identity, or its name is none.
    """
    try:
        name = parse_dn(entry.dn)[0][0][1]
    except (ValueError, IndexError):
        raise _unreadable(entry, "name") from None
    return Container(guid=entry.guid, dn=entry.dn, name=name, parent=parent)


def account_control(entry: RawEntry) -> AccountControl:
    """Return the flags of an account.

    Raises:
        IncompleteRead: the server did not give them, so nothing can be said about the account.
    """
    try:
        return AccountControl(int(entry.attributes["useraccountcontrol"][0]) & 0xFFFFFFFF)
    except (KeyError, IndexError, ValueError):
        raise _unreadable(entry, "userAccountControl") from None


def account_expires(entry: RawEntry) -> datetime | None:
    """Return when an account expires (UTC); None means never.

    Raises:
        IncompleteRead: what the server gave is no time.
    """
    value = entry.text("accountExpires")
    try:
        return datetime_from_filetime(int(value)) if value else None
    except ValueError:
        raise _unreadable(entry, "accountExpires") from None


def is_group(entry: RawEntry) -> bool:
    """Tell whether the object is a group."""
    return any(name.lower() == "group" for name in entry.texts("objectClass"))


def people_filter(extra: str) -> str:
    """Return the filter for the people that a customer wants.

    Raises:
        ConfigurationError: `extra` is no LDAP filter.
    """
    return both(PEOPLE, checked_filter(extra))


def person_filter(key: str) -> str:
    """Return the filter for the accounts that go by a GUID, a DN, a logon name, a UPN or a mail address."""
    value = escape_filter_value(key.rpartition("\\")[2])
    names = ("sAMAccountName", "userPrincipalName", "mail")
    parts = [f"({name}={value})" for name in names]
    parts.append(f"(distinguishedName={escape_filter_value(key)})")
    guid = key.strip("{}").lower()
    if _GUID_TEXT.fullmatch(guid):
        parts.append(f"(objectGUID={escape_filter_value(guid_to_bytes(ObjectGuid(guid)))})")
    return f"(|{''.join(parts)})"


def groups_in_group_filter(dn: str) -> str:
    """Return the filter for the groups that are direct members of a group."""
    return f"(&(objectClass=group)(memberOf={escape_filter_value(dn)}))"


def members_of_any_kind_filter(dn: str) -> str:
    """Return the filter for the people and the groups that are direct members of a group."""
    return f"(&(|{PEOPLE}(objectClass=group))({MEMBER_OF}={escape_filter_value(dn)}))"


def nested_groups_filter(candidates: str) -> str:
    """Return the filter for those of the objects that are groups and members of a group."""
    return f"(&(objectClass=group)({MEMBER_OF}=*){candidates})"


def netbios_filter(domain: str) -> str:
    """Return the filter for the cross-reference object of a domain (Microsoft: MS-ADTS, 6.1.1.2.1.1)."""
    return f"(&(objectClass=crossRef)(nCName={escape_filter_value(domain)})({NETBIOS}=*))"


def partitions_dn(configuration: str) -> str:
    """Return the DN of the container that lists a forest's domains."""
    return f"CN=Partitions,{configuration}"


def guid_dn(guid: ObjectGuid) -> str:
    """Return a search base that finds an object wherever it stands (Microsoft: MS-ADTS, 3.1.1.3.1.2.4)."""
    return f"<GUID={guid}>"


def range_from(name: str, start: int) -> str:
    """Return the attribute description that asks for an attribute's values from an index on."""
    return f"{name};range={start}-*"


def _unreadable(entry: RawEntry, name: str) -> IncompleteRead:
    return IncompleteRead(
        f"The directory did not give a usable {name} of '{shown(entry.dn)}', so nothing can be said about"
        " that object: let the account of the customer file read it, or exclude the OU."
    )
