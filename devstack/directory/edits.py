"""What tests do to a directory, in the same words for the demo directory and for Samba."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping

type Value = str | bytes | int
type Values = Value | Iterable[Value] | None
type Attributes = Mapping[str, Values]

ENABLED_ACCOUNT = 0x200
"""`userAccountControl` of an ordinary account."""
DISABLED = 0x2
"""The flag in `userAccountControl` that disables an account (Microsoft: ADS_UF_ACCOUNTDISABLE)."""


def as_bytes(values: Values) -> list[bytes]:
    """Turn one value, several or none into values as they go over the wire."""
    if values is None:
        return []
    if isinstance(values, str | bytes | int):
        values = [values]
    return [value if isinstance(value, bytes) else str(value).encode() for value in values]


def group_account_name(name: str) -> str:
    """Make a group's name a valid `sAMAccountName` (MS-SAMR, section 3.1.1.6)."""
    return "".join(character for character in name if character not in '"/\\[]:;|=,+*?<>')


def escape_rdn(value: str) -> str:
    """Escape a value for use in a distinguished name (RFC 4514, section 2.4)."""
    escaped = "".join(f"\\{character}" if character in ',+"\\<>;=' else character for character in value)
    if escaped.startswith(("#", " ")):
        escaped = f"\\{escaped}"
    return f"{escaped[:-1]}\\ " if len(escaped) > 1 and escaped.endswith(" ") else escaped


class Edits(ABC):
    """The changes that an administrator makes.

    Attributes:
        base_dn: the domain's naming context, for example `DC=corp,DC=example`.
    """

    base_dn: str

    @abstractmethod
    def add(self, dn: str, attributes: Attributes) -> None:
        """Add an object; `objectClass` must be among the attributes."""

    @abstractmethod
    def modify(self, dn: str, changes: Attributes) -> None:
        """Replace the values of the named attributes; None or an empty list clears one."""

    @abstractmethod
    def move(self, dn: str, new_dn: str) -> None:
        """Rename an object, move it, or both; whatever stands below it follows."""

    @abstractmethod
    def delete(self, dn: str) -> None:
        """Delete an object; a tombstone stays."""

    @abstractmethod
    def delete_tree(self, dn: str) -> None:
        """Delete an object with all that stands below it; tombstones need not stay."""

    @abstractmethod
    def restore(self, guid: bytes, new_dn: str) -> None:
        """Bring a deleted object back, with what its tombstone has kept, under this name.

        Args:
            guid: its objectGUID, as `values` gave it.
            new_dn: its name from now on.
        """

    @abstractmethod
    def values(self, dn: str, attribute: str) -> list[bytes]:
        """Return an attribute's values, none where the object has no such attribute."""

    def add_ou(self, name: str, parent: str | None = None) -> str:
        """Add an organisational unit and return its DN."""
        dn = f"OU={escape_rdn(name)},{parent or self.base_dn}"
        self.add(dn, {"objectClass": ["top", "organizationalUnit"], "ou": name})
        return dn

    def add_user(self, name: str, parent: str, /, **attributes: Values) -> str:
        """Add an enabled person and return the DN.

        Args:
            name: the common name, unescaped.
            parent: DN of the container.
            attributes: LDAP attributes that add to or override the defaults. The display name defaults to the
                common name, `sAMAccountName` to what of it may stand in one, with dots for blanks.
        """
        ascii_name = "".join(c for c in name.replace(" ", ".") if c.isascii() and (c.isalnum() or c in ".-_"))
        account = str(attributes.get("sAMAccountName") or ascii_name.lower()[:20].strip("."))
        defaults: dict[str, Values] = {
            "objectClass": ["top", "person", "organizationalPerson", "user"],
            "sAMAccountName": account,
            "userPrincipalName": f"{account}@{self.base_dn.lower().replace('dc=', '').replace(',', '.')}",
            "displayName": name,
            "userAccountControl": ENABLED_ACCOUNT,
        }
        dn = f"CN={escape_rdn(name)},{parent}"
        self.add(dn, {key: value for key, value in (defaults | attributes).items() if value is not None})
        return dn

    def add_group(self, name: str, parent: str, members: Iterable[str] = ()) -> str:
        """Add a global security group with the members' DNs and return its DN."""
        dn = f"CN={escape_rdn(name)},{parent}"
        attributes: dict[str, Values] = {
            "objectClass": ["top", "group"],
            "sAMAccountName": group_account_name(name),
        }
        attributes["groupType"] = -0x7FFFFFFE
        if present := list(members):
            attributes["member"] = present
        self.add(dn, attributes)
        return dn

    def set_members(self, group_dn: str, members: Iterable[str]) -> None:
        """Let a group have exactly these members (DNs)."""
        self.modify(group_dn, {"member": list(members)})

    def disable(self, dn: str) -> None:
        """Disable an account."""
        self.modify(dn, {"userAccountControl": self._control(dn) | DISABLED})

    def enable(self, dn: str) -> None:
        """Enable an account."""
        self.modify(dn, {"userAccountControl": self._control(dn) & ~DISABLED})

    def _control(self, dn: str) -> int:
        return int(self.values(dn, "userAccountControl")[0])
