"""The objects of a directory, with what Active Directory adds to them by itself."""

from __future__ import annotations

import hashlib
import struct
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from devstack.directory import names
from devstack.directory.edits import Attributes, Edits, Values, as_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_GUIDS = uuid.UUID("5d0ee3bc-6a5c-4d0c-9f6b-6b8f5a0a4c11")
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
_ACCOUNT_TYPES = {"computer": 0x30000001, "user": 0x30000000, "group": 0x10000000}
_WELL_KNOWN_RIDS = {"administrator": 500, "guest": 501, "krbtgt": 502}
_KEPT_BY_TOMBSTONES = frozenset(
    {
        "objectclass",
        "objectguid",
        "objectsid",
        "samaccountname",
        "useraccountcontrol",
        "whencreated",
        "usncreated",
    }
)
_LINKS = ("member", "manager")


@dataclass(eq=False)
class Object:
    """One object; attribute names are kept as they were first written and found in any case."""

    dn: str
    attributes: dict[str, tuple[str, list[bytes]]] = field(default_factory=dict)

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


class Tree(Edits):
    """All objects of one domain and of its configuration partition.

    Attributes:
        base_dn: the domain's naming context.
        netbios: the domain's NetBIOS name.
        usn: the highest update sequence number so far.
    """

    def __init__(self, entries: Iterable[tuple[str, Attributes]], netbios: str | None = None) -> None:
        given = list(entries)
        self.base_dn = next(dn for dn, attributes in given if "domainDNS" in _text(attributes["objectClass"]))
        self.netbios = netbios or names.rdn_value(self.base_dn).upper()
        self.dns_domain = ".".join(
            names.unescape(part.partition("=")[2]) for part in names.parts(self.base_dn)
        )
        self.configuration_dn = f"CN=Configuration,{self.base_dn}"
        self.settings_dn = (
            f"CN=NTDS Settings,CN=DC01,CN=Servers,CN=Default-First-Site-Name,CN=Sites,{self.configuration_dn}"
        )
        self.usn = 12_288
        self.lock = threading.RLock()
        self._objects: dict[names.Key, Object] = {}
        self._sid = _domain_sid(self.base_dn)
        self._next_rid = 1_104
        self._links_are_stale = True
        for dn, attributes in [*given, *self._system_entries()]:
            if names.key(dn) not in self._objects:
                self.add(dn, attributes)

    def find(self, dn: str) -> Object | None:
        """Return the object of this name."""
        with self.lock:
            self._refresh_links()
            return self._objects.get(names.key(dn))

    def walk(self) -> Iterator[Object]:
        """Return all objects, tombstones included, as they are now."""
        with self.lock:
            self._refresh_links()
            return iter(list(self._objects.values()))

    def add(self, dn: str, attributes: Attributes) -> None:
        """Add an object.

        Raises:
            ValueError: there is one of this name, or its parent is missing.
        """
        with self.lock:
            added = Object(dn)
            if added.key in self._objects:
                raise ValueError(f"{dn} exists already.")
            if added.key[1:] not in self._objects and added.key != names.key(self.base_dn):
                raise ValueError(f"{dn} has no parent in this directory; add {names.parent(dn)} first.")
            for name, values in attributes.items():
                added.put(name, values)
            self._complete(added)
            self._objects[added.key] = added
            self._links_are_stale = True

    def modify(self, dn: str, changes: Attributes) -> None:
        """Replace the values of the named attributes; None or an empty list clears one.

        Raises:
            LookupError: there is no such object.
        """
        with self.lock:
            changed = self._existing(dn)
            for name, values in changes.items():
                changed.put(name, values)
            self._touch(changed)
            self._links_are_stale = True

    def move(self, dn: str, new_dn: str) -> None:
        """Rename an object, move it, or both; whatever stands below it follows.

        Raises:
            LookupError: there is no such object.
            ValueError: the new name is taken, or its parent is missing.
        """
        with self.lock:
            moved = self._existing(dn)
            target = names.key(new_dn)
            if target != moved.key and target in self._objects:
                raise ValueError(f"{new_dn} exists already.")
            if target[1:] not in self._objects:
                raise ValueError(f"{new_dn} has no parent in this directory.")
            self._refresh_links()
            depth = len(moved.key)
            for below in [o for o in self._objects.values() if o.key[-depth:] == moved.key]:
                own_parts = names.parts(below.dn)[: len(below.key) - depth]
                self._rename(below, ",".join([*own_parts, new_dn]))
            value = names.rdn_value(new_dn)
            moved.put("name", value)
            moved.put(names.rdn_type(new_dn).lower(), value)
            self._touch(moved)

    def delete(self, dn: str) -> None:
        """Delete an object; a tombstone stays.

        Raises:
            LookupError: there is no such object.
            ValueError: it has children.
        """
        with self.lock:
            deleted = self._existing(dn)
            if any(other.key[1:] == deleted.key for other in self._objects.values()):
                raise ValueError(f"{dn} has children; delete them first.")
            self._refresh_links()
            for other in self._objects.values():
                for link in _LINKS:
                    other.put(link, [v for v in other.get(link) if names.key(v.decode()) != deleted.key])
            last_parent = names.parent(deleted.dn)
            guid = uuid.UUID(bytes_le=deleted.get("objectguid")[0])
            rdn = f"{names.parts(deleted.dn)[0]}\\0ADEL:{guid}"
            deleted.attributes = {k: v for k, v in deleted.attributes.items() if k in _KEPT_BY_TOMBSTONES}
            self._rename(deleted, f"{rdn},CN=Deleted Objects,{self.base_dn}")
            deleted.put("name", names.rdn_value(deleted.dn))
            deleted.put("isDeleted", "TRUE")
            deleted.put("lastKnownParent", last_parent)
            self._touch(deleted)
            self._links_are_stale = True

    def values(self, dn: str, attribute: str) -> list[bytes]:
        """Return an attribute's values, none where the object has no such attribute.

        Raises:
            LookupError: there is no such object.
        """
        with self.lock:
            self._refresh_links()
            return list(self._existing(dn).get(attribute.lower()))

    def _existing(self, dn: str) -> Object:
        found = self._objects.get(names.key(dn))
        if found is None:
            raise LookupError(f"There is no {dn} in this directory.")
        return found

    def _rename(self, renamed: Object, new_dn: str) -> None:
        """Change one object's name, and the links that point at it."""
        old_key = renamed.key
        del self._objects[old_key]
        renamed.dn, renamed.key = new_dn, names.key(new_dn)
        renamed.put("distinguishedName", new_dn)
        self._objects[renamed.key] = renamed
        for other in self._objects.values():
            for link in _LINKS:
                if values := other.get(link):
                    other.put(
                        link, [new_dn.encode() if names.key(v.decode()) == old_key else v for v in values]
                    )
        self._links_are_stale = True

    def _touch(self, changed: Object) -> None:
        self.usn += 1
        changed.put("uSNChanged", self.usn)
        changed.put("whenChanged", _now())

    def _complete(self, added: Object) -> None:
        """Add what a domain controller adds."""
        self._touch(added)
        added.default("uSNCreated", self.usn)
        added.default("whenCreated", _now())
        added.default("objectGUID", uuid.uuid5(_GUIDS, added.dn.casefold()).bytes_le)
        added.put("distinguishedName", added.dn)
        value = names.rdn_value(added.dn)
        added.default("name", value)
        added.default(names.rdn_type(added.dn).lower(), value)
        classes = added.classes
        category = next((name for key, name in _CATEGORIES.items() if key in classes), "Container")
        added.default("objectCategory", f"CN={category},CN=Schema,{self.configuration_dn}")
        account_type = next((code for key, code in _ACCOUNT_TYPES.items() if key in classes), None)
        if account_type is not None:
            added.default("sAMAccountType", account_type)
            added.default("objectSid", self._sid + struct.pack("<I", self._rid(added)))
        if "domaindns" in classes:
            added.default("objectSid", bytes((1, 4)) + self._sid[2:])

    def _rid(self, added: Object) -> int:
        if known := _WELL_KNOWN_RIDS.get(added.text("samaccountname").lower()):
            return known
        self._next_rid += 1
        return self._next_rid - 1

    def _refresh_links(self) -> None:
        """Compute `memberOf` and `directReports` from the links that point here."""
        if not self._links_are_stale:
            return
        back: dict[str, dict[names.Key, list[str]]] = {"memberOf": {}, "directReports": {}}
        for source in self._objects.values():
            for link, backlink in zip(_LINKS, back, strict=True):
                for value in source.get(link):
                    back[backlink].setdefault(names.key(value.decode()), []).append(source.dn)
        for backlink, found in back.items():
            for target in self._objects.values():
                target.put(backlink, found.get(target.key))
        self._links_are_stale = False

    def _system_entries(self) -> list[tuple[str, Attributes]]:
        partitions = f"CN=Partitions,{self.configuration_dn}"
        container = {"objectClass": ["top", "container"], "isCriticalSystemObject": "TRUE"}
        cross_ref: Attributes = {
            "objectClass": ["top", "crossRef"],
            "nCName": self.base_dn,
            "nETBIOSName": self.netbios,
            "dnsRoot": self.dns_domain,
            "systemFlags": 3,
        }
        sites = f"CN=Sites,{self.configuration_dn}"
        site = f"CN=Default-First-Site-Name,{sites}"
        settings: Attributes = {
            "objectClass": ["top", "applicationSettings", "nTDSDSA"],
            "invocationId": uuid.uuid4().bytes_le,
        }
        return [
            (f"CN=Deleted Objects,{self.base_dn}", container | {"isDeleted": "TRUE"}),
            (self.configuration_dn, {"objectClass": ["top", "configuration"]}),
            (partitions, {"objectClass": ["top", "crossRefContainer"]}),
            (f"CN={self.netbios},{partitions}", cross_ref),
            (sites, {"objectClass": ["top", "sitesContainer"]}),
            (site, {"objectClass": ["top", "site"]}),
            (f"CN=Servers,{site}", {"objectClass": ["top", "serversContainer"]}),
            (f"CN=DC01,CN=Servers,{site}", {"objectClass": ["top", "server"]}),
            (self.settings_dn, settings),
        ]


def _domain_sid(base_dn: str) -> bytes:
    """A SID S-1-5-21-a-b-c with room for a relative id (MS-DTYP, 2.4.2.2), fixed for each domain."""
    digest = hashlib.sha256(base_dn.casefold().encode()).digest()
    return bytes((1, 5, 0, 0, 0, 0, 0, 5)) + struct.pack("<I", 21) + digest[:12]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y%m%d%H%M%S.0Z")


def _text(values: Values) -> list[str]:
    return [value.decode() for value in as_bytes(values)]
