"""One object of a directory, and what a domain controller gives to it by itself."""

from __future__ import annotations

import hashlib
import struct
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from devstack.directory import names
from devstack.directory.edits import as_bytes
from devstack.directory.stamps import Stamps

if TYPE_CHECKING:
    from devstack.directory.edits import Values

_GUIDS = uuid.UUID("5d0ee3bc-6a5c-4d0c-9f6b-6b8f5a0a4c11")
_FIRST_USN, _FIRST_RID = 12_288, 1_104
_WELL_KNOWN_RIDS = {"administrator": 500, "guest": 501, "krbtgt": 502}
_ACCOUNT_TYPES = {"computer": 0x30000001, "user": 0x30000000, "group": 0x10000000}
# A computer is a user too: the first class found decides.
_CATEGORIES = {
    "computer": "Computer",
    "user": "Person",
    "contact": "Person",
    "group": "Group",
    "organizationalunit": "Organizational-Unit",
    "domaindns": "Domain-DNS",
    "crossref": "Cross-Ref",
    "container": "Container",
}


@dataclass(eq=False)
class Object:
    """One object; attribute names are kept as they were first written and found in any case."""

    dn: str
    attributes: dict[str, tuple[str, list[bytes]]] = field(default_factory=dict)
    stamps: Stamps = field(default_factory=Stamps)

    def __post_init__(self) -> None:
        self.key = names.key(self.dn)

    def get(self, attribute: str) -> list[bytes]:
        """Return an attribute's values, given its name in lower case."""
        return self.attributes.get(attribute, ("", []))[1]

    def text(self, attribute: str) -> str:
        """Return an attribute's first value as text, or an empty text."""
        values = self.get(attribute)
        return values[0].decode(errors="replace") if values else ""

    def number(self, attribute: str) -> int:
        """Return an attribute's first value as a number, or 0."""
        return int(self.text(attribute) or 0)

    def put(self, attribute: str, values: Values) -> None:
        """Replace an attribute's values; none removes it."""
        if present := as_bytes(values):
            name = self.attributes.get(attribute.lower(), (attribute, []))[0]
            self.attributes[attribute.lower()] = (name, present)
        else:
            self.attributes.pop(attribute.lower(), None)

    def default(self, attribute: str, values: Values) -> None:
        """Set an attribute that has no values yet."""
        if attribute.lower() not in self.attributes:
            self.put(attribute, values)

    @property
    def classes(self) -> list[str]:
        """The object's classes in lower case, the most general first."""
        return [value.decode().lower() for value in self.get("objectclass")]


class Issuer:
    """Numbers and dates objects as a domain controller does.

    Attributes:
        usn: the highest update sequence number so far.
        is_loading: whether a new object's GUID follows from its name, so that it is the same at each start;
            later a name may be used again, by another object.
    """

    def __init__(self, base_dn: str, configuration_dn: str) -> None:
        self.usn = _FIRST_USN
        self.is_loading = True
        self._configuration_dn = configuration_dn
        self._next_rid = _FIRST_RID
        # A SID S-1-5-21-a-b-c with room for a relative id (MS-DTYP, section 2.4.2.2), fixed for each domain.
        digest = hashlib.sha256(base_dn.casefold().encode()).digest()
        self._sid = bytes((1, 5, 0, 0, 0, 0, 0, 5)) + struct.pack("<I", 21) + digest[:12]

    def touch(self, changed: Object) -> None:
        """Note that an object was changed."""
        self.usn += 1
        changed.put("uSNChanged", self.usn)
        changed.put("whenChanged", _now())

    def complete(self, added: Object) -> None:
        """Add to a new object what it does not have yet."""
        self.touch(added)
        guid = uuid.uuid5(_GUIDS, added.dn.casefold()) if self.is_loading else uuid.uuid4()
        value = names.rdn_value(added.dn)
        added.put("distinguishedName", added.dn)
        added.default("uSNCreated", self.usn)
        added.default("whenCreated", _now())
        added.default("objectGUID", guid.bytes_le)
        added.default("name", value)
        added.default(names.rdn_type(added.dn).lower(), value)
        classes = added.classes
        category = next((name for key, name in _CATEGORIES.items() if key in classes), "Container")
        added.default("objectCategory", f"CN={category},CN=Schema,{self._configuration_dn}")
        account_type = next((code for key, code in _ACCOUNT_TYPES.items() if key in classes), None)
        if account_type is not None:
            added.default("sAMAccountType", account_type)
            added.default("objectSid", self._sid + struct.pack("<I", self._rid(added)))
        elif "domaindns" in classes:
            added.default("objectSid", bytes((1, 4)) + self._sid[2:])

    def _rid(self, added: Object) -> int:
        if known := _WELL_KNOWN_RIDS.get(added.text("samaccountname").lower()):
            return known
        self._next_rid += 1
        return self._next_rid - 1


def _now() -> str:
    return datetime.now(UTC).strftime("%Y%m%d%H%M%S.0Z")
