"""The objects of a directory: finding them, and changing them with the consequences that a change has."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING

from devstack.directory import names
from devstack.directory.edits import Attributes, Edits, Values, as_bytes
from devstack.directory.objects import Issuer, Object
from devstack.directory.stamps import OF_ONE_CONTROLLER
from devstack.directory.system import system_entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LINKS = ("member", "manager")
type _Cut = tuple[Object, str, Object]
"""A link that was cut: from where, which, to where."""

_KEPT_BY_TOMBSTONES = frozenset(
    {"objectclass", "objectguid", "objectsid", "samaccountname", "useraccountcontrol"}
    | {"whencreated", "usncreated"}
)


class Tree(Edits):
    """All objects of one domain and of its configuration partition.

    Attributes:
        base_dn: the domain's naming context.
        netbios: the domain's NetBIOS name.
        has_recycle_bin: whether what is deleted comes back with all that it had, its groups and members
            included; what was deleted before this was switched on does not.
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
        self.lock = threading.RLock()
        self._objects: dict[names.Key, Object] = {}
        self._issuer = Issuer(self.base_dn, self.configuration_dn)
        self._links_are_stale = True
        self.has_recycle_bin = False
        self._cut_links: dict[Object, list[_Cut]] = {}
        for dn, attributes in [*given, *system_entries(self)]:
            if names.key(dn) not in self._objects:
                self.add(dn, attributes)
        self._issuer.is_loading = False

    @property
    def usn(self) -> int:
        """The highest update sequence number so far."""
        return self._issuer.usn

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

    def replicated(self) -> list[tuple[str, Attributes]]:
        """Return the domain as another of its controllers has it: by name, parents first, GUIDs and all."""
        configuration = names.key(self.configuration_dn)
        there = [o for o in self.walk() if o.key[-len(configuration) :] != configuration]
        return [
            (o.dn, {n: values for key, (n, values) in o.attributes.items() if key not in OF_ONE_CONTROLLER})
            for o in sorted(there, key=lambda o: len(o.key))
        ]

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
            self._issuer.complete(added)
            self._objects[added.key] = added
            self._stamp(added)
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
            self._issuer.touch(changed)
            self._stamp(changed)
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
            self._issuer.touch(moved)
            self._stamp(moved)

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
            cut = list(self._cut(deleted))
            last_parent = names.parent(deleted.dn)
            guid = uuid.UUID(bytes_le=deleted.get("objectguid")[0])
            rdn = f"{names.parts(deleted.dn)[0]}\\0ADEL:{guid}"
            if self.has_recycle_bin:
                self._cut_links[deleted] = cut
            else:
                kept = {k: v for k, v in deleted.attributes.items() if k in _KEPT_BY_TOMBSTONES}
                deleted.attributes = kept
            self._rename(deleted, f"{rdn},CN=Deleted Objects,{self.base_dn}")
            deleted.put("name", names.rdn_value(deleted.dn))
            deleted.put("isDeleted", "TRUE")
            deleted.put("lastKnownParent", last_parent)
            self._issuer.touch(deleted)
            self._stamp(deleted)
            self._links_are_stale = True

    def delete_tree(self, dn: str) -> None:
        """Delete an object with all that stands below it, and forget all tombstones.

        Raises:
            LookupError: there is no such object.
        """
        with self.lock:
            depth = len(self._existing(dn).key)
            below = [o for o in self._objects.values() if o.key[-depth:] == names.key(dn)]
            for each in sorted(below, key=lambda o: -len(o.key)):
                self.delete(each.dn)
            self.forget_tombstones()

    def restore(self, guid: bytes, new_dn: str) -> None:
        """Bring a deleted object back; from the recycle bin with its links, of which no stamp tells.

        Raises:
            LookupError: no deleted object has this GUID.
            ValueError: the new name is taken, or its parent is missing.
        """
        with self.lock:
            restored = next((o for o in self._objects.values() if _is_tombstone(o, guid)), None)
            if restored is None:
                raise LookupError("No deleted object has this objectGUID.")
            for name in ("isDeleted", "lastKnownParent"):
                restored.put(name, None)
            for source, link, target in self._cut_links.pop(restored, []):
                gone = next((end for end in (source, target) if end.get("isdeleted")), None)
                if gone is not None:  # the link waits for its other end
                    self._cut_links.setdefault(gone, []).append((source, link, target))
                elif link == "member" or not source.get(link):
                    source.put(link, [*source.get(link), target.dn])
            self.move(restored.dn, new_dn)
            self._issuer.complete(restored)
            self._stamp(restored)
            self._links_are_stale = True

    def forget_tombstones(self) -> None:
        """Let what was deleted be gone without a trace, as when its lifetime has passed."""
        with self.lock:
            # Their container, which always was there, is marked as deleted as well.
            self._objects = {k: o for k, o in self._objects.items() if not o.get("lastknownparent")}

    def values(self, dn: str, attribute: str) -> list[bytes]:
        """Return an attribute's values, none where the object has no such attribute.

        Raises:
            LookupError: there is no such object.
        """
        with self.lock:
            self._refresh_links()
            return list(self._existing(dn).get(attribute.lower()))

    def _cut(self, deleted: Object) -> Iterator[_Cut]:
        """Take away the links that lead to an object, and those from it."""
        for source in self._objects.values():
            for link in _LINKS:
                for value in source.get(link):
                    target = self._objects.get(names.key(value.decode()))
                    if target is not None and deleted in (source, target):
                        yield source, link, target
                kept = [v for v in source.get(link) if names.key(v.decode()) != deleted.key]
                source.put(link, [] if source is deleted else kept)
            if not self.has_recycle_bin:
                source.stamps.forget(deleted)

    def _stamp(self, changed: Object) -> None:
        changed.stamps.note(changed, self._issuer.usn, self._objects.get)

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


def _is_tombstone(entry: Object, guid: bytes) -> bool:
    return bool(entry.get("isdeleted")) and guid in entry.get("objectguid")


def _text(values: Values) -> list[str]:
    return [value.decode() for value in as_bytes(values)]
