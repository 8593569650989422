"""The people of the demo directories: names, and how an organisation writes them into Active Directory."""

from __future__ import annotations

import string
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from devstack.directory.edits import DISABLED, ENABLED_ACCOUNT, as_bytes, escape_rdn, group_account_name

if TYPE_CHECKING:
    from devstack.directory.edits import Attributes, Values
    from devstack.directory.ldif import Entry

# Two lists whose lengths have no common divisor, so that pairing them by position repeats late (after 1,763).
GIVEN_NAMES = (
    "Amara", "Anna", "Benedikt", "Björn", "Carys", "Chidi", "Chloé", "Daniel", "Elif", "Emma", "Farah",
    "Finn", "Grace", "Håkon", "Hannah", "Ibrahim", "Isla", "Jack", "José", "Jürgen", "Kateřina", "Leila",
    "Liam", "Maja", "Mohammed", "Niamh", "Noah", "Olivia", "Oscar", "Priya", "Quentin", "Rhys", "Saoirse",
    "Sofia", "Tariq", "Thomas", "Uma", "Victoria", "Wei", "Yusuf", "Zoë",
)  # fmt: skip
SURNAMES = (
    "Abbott", "Ahmed", "Åkesson", "Baker", "Brontë", "Chen", "Clarke", "D'Arcy", "Davies", "Dvořák",
    "Edwards", "Evans", "Fernández", "Fischer", "García", "Green", "Hughes", "Hussain", "Ito", "Jones",
    "Kaur", "Khan", "Lewis", "MacDonald", "Müller", "Nguyen", "Nowak", "O'Connor", "O'Neill", "Okafor",
    "Patel", "Quinn", "Rossi", "Schäfer", "Singh", "Smith", "Taylor", "Underwood", "van der Berg",
    "Walker", "Williams", "Young", "Zieliński",
)  # fmt: skip

PERSON = ("top", "person", "organizationalPerson", "user")
COMPUTER_ACCOUNT = 0x1000
"""`userAccountControl` of a computer (Microsoft: ADS_UF_WORKSTATION_TRUST_ACCOUNT)."""
PASSWORD = "Halo-Sync-1"
"""The password of `svc-halo`, the account that the sync signs in with."""


def full_name(number: int) -> tuple[str, str]:
    """Return the given name and the surname of the person of this number."""
    return GIVEN_NAMES[number * 7 % len(GIVEN_NAMES)], SURNAMES[number * 5 % len(SURNAMES)]


def account_name(names: tuple[str, str], number: int) -> str:
    """Make a `sAMAccountName` (20 characters at most) of ASCII letters and a number that makes it unique."""
    given, surname = (
        "".join(c for c in unicodedata.normalize("NFKD", name).lower() if c in string.ascii_lowercase)
        for name in names
    )
    return f"{given[:1]}.{surname[:13]}{number:03}"


@dataclass
class Organisation:
    """Collects an organisation's objects, parents first.

    Attributes:
        dns_domain: for example `trust.example`.
        entries: what was added so far.
    """

    dns_domain: str
    entries: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.base_dn = ",".join(f"DC={label}" for label in self.dns_domain.split("."))
        label = self.dns_domain.partition(".")[0]
        self.add(self.base_dn, {"objectClass": ("top", "domain", "domainDNS"), "dc": label})

    def add(self, dn: str, attributes: Attributes) -> str:
        """Add any object; attributes without values are left out. Returns the DN."""
        encoded = {name: as_bytes(values) for name, values in attributes.items()}
        self.entries.append((dn, {name: values for name, values in encoded.items() if values}))
        return dn

    def add_ou(self, name: str, parent: str | None = None) -> str:
        """Add an organisational unit and return its DN."""
        dn = f"OU={escape_rdn(name)},{parent or self.base_dn}"
        return self.add(dn, {"objectClass": ("top", "organizationalUnit"), "ou": name})

    def add_person(
        self,
        account: str,
        names: tuple[str, str],
        parent: str,
        attributes: Attributes,
        *,
        enabled: bool = True,
    ) -> str:
        """Add a person; the attributes add to the usual ones, override them, or (None) remove them."""
        given, surname = names
        usual: dict[str, Values] = {
            "objectClass": PERSON,
            "cn": f"{given} {surname}",
            "givenName": given,
            "sn": surname,
            "displayName": f"{given} {surname}",
            "mail": f"{account}@{self.dns_domain}",
        }
        return self._add_account(account, parent, {**usual, **attributes}, enabled=enabled)

    def add_service_account(self, account: str, parent: str, description: str, **attributes: Values) -> str:
        """Add an enabled account that is no person."""
        usual: dict[str, Values] = {"objectClass": PERSON, "cn": account, "displayName": account}
        usual["description"] = description
        return self._add_account(account, parent, usual | attributes)

    def add_computer(self, name: str, parent: str) -> str:
        """Add a computer; its class is derived from `user`, as its entry shows."""
        attributes: dict[str, Values] = {
            "objectClass": (*PERSON, "computer"),
            "cn": name,
            "sAMAccountName": f"{name}$",
            "userAccountControl": COMPUTER_ACCOUNT,
            "dNSHostName": f"{name.lower()}.{self.dns_domain}",
            "operatingSystem": "Windows 11 Enterprise",
        }
        return self.add(f"CN={name},{parent}", attributes)

    def add_group(self, name: str, parent: str, members: list[str]) -> str:
        """Add a global security group with these members (DNs)."""
        attributes: dict[str, Values] = {
            "objectClass": ("top", "group"),
            "cn": name,
            "sAMAccountName": group_account_name(name),
            "groupType": -0x7FFFFFFE,
            "member": members,
        }
        return self.add(f"CN={escape_rdn(name)},{parent}", attributes)

    def add_built_in_accounts(self) -> None:
        """Add what every domain has: critical system objects, of which only the administrator is enabled."""
        users = self.add(f"CN=Users,{self.base_dn}", {"objectClass": ("top", "container"), "cn": "Users"})
        for name, enabled in (("Administrator", True), ("Guest", False), ("krbtgt", False)):
            attributes: dict[str, Values] = {
                "objectClass": PERSON,
                "cn": name,
                "isCriticalSystemObject": "TRUE",
            }
            self._add_account(name, users, attributes, enabled=enabled)

    def _add_account(
        self, account: str, parent: str, attributes: dict[str, Values], *, enabled: bool = True
    ) -> str:
        common: dict[str, Values] = {
            "sAMAccountName": account,
            "userPrincipalName": f"{account}@{self.dns_domain}",
            "userAccountControl": ENABLED_ACCOUNT if enabled else ENABLED_ACCOUNT | DISABLED,
        }
        return self.add(f"CN={escape_rdn(str(attributes['cn']))},{parent}", attributes | common)
