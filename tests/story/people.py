"""The people of the story: what stands in the directory of each, and what Halo must hold of them.

`halo_record` is the story's oracle: worked out from what was seeded, without any code of the product.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from devstack.directory.edits import DISABLED, ENABLED_ACCOUNT, Attributes, Values, escape_rdn

NETBIOS = "CORP"
HEADCOUNT = 300
NAME_WIDTH = 255
"""Characters that Halo keeps of a name."""
PEOPLE_ITSELF = ""
"""Stands for people directly in the OU People."""
SITES = {
    PEOPLE_ITSELF: "Main",
    "Leeds": "Leeds",
    "Sales,Leeds": "Leeds",
    "York": "York",
    "Hull": "Kingston upon Hull",
    "Stoke, North": "Stoke, North",
    "St. John's": "St. John's",
    "Köln & Söhne": "Köln & Söhne",
    "Harbour 🚢": "Harbour 🚢",
}
"""The site where the people of each OU belong. `Sales,Leeds` is an OU below Leeds."""
OUS = {
    PEOPLE_ITSELF: "",
    "Sales,Leeds": "OU=Sales,OU=Leeds,",
    **{name: f"OU={escape_rdn(name)}," for name in SITES if name and not name.startswith("Sales,")},
}
"""The beginning of the DN of each OU, down to that of People."""

_FIRST = ("Anna", "Séamus", "Zoë", "Jürgen", "Łukasz", "Nuala", "Björn", "Mei 🦊", "Pat", "Adà Lú")
_LAST = ("O'Brien", "Müller", "Smith-Jones", "D'Arcy, Jr", "Ångström", "García y Vega", "Ng")
_TITLES = ("Teacher", "Head of R&D", 'Carpenter "Chips"', "", "Ingénieur")
_DEPARTMENTS = ("Finance", "Forschung & Lehre", "", "Sales")
_LONG_AGO, _ONE_DAY, _NEVER = 132223104000000000, 195000000000000000, 0x7FFFFFFFFFFFFFFF
"""Times of expiry: early in 2020, late in 2218, never; 100 ns since 1601 (Microsoft: FILETIME)."""


@dataclass(frozen=True)
class Person:
    """One account; an empty text is an attribute that is not there."""

    account: str
    cn: str
    office: str
    """One of `SITES`."""
    display: str
    first: str
    last: str
    mail: str = ""
    title: str = ""
    department: str = ""
    phone: str = ""
    mobile: str = ""
    notes: str = ""
    staff_number: str = ""
    control: int = ENABLED_ACCOUNT
    expires: int = _NEVER

    def dn(self, people_ou: str) -> str:
        """Where the account stands."""
        return f"CN={escape_rdn(self.cn)},{OUS[self.office]}{people_ou}"

    def attributes(self) -> Attributes:
        """What the directory holds."""
        texts: dict[str, Values] = {
            "sAMAccountName": self.account,
            "userPrincipalName": f"{self.account}@corp.example",
            "displayName": self.display,
            "givenName": self.first,
            "sn": self.last,
            "mail": self.mail,
            "title": self.title,
            "department": self.department,
            "telephoneNumber": self.phone,
            "mobile": self.mobile,
            "info": self.notes,
            "employeeID": self.staff_number,
        }
        return {
            "objectClass": ["top", "person", "organizationalPerson", "user"],
            "userAccountControl": self.control,
            "accountExpires": self.expires,
            **{name: value for name, value in texts.items() if value},
        }

    def halo_record(self) -> dict[str, str]:
        """What Halo must hold."""
        return {
            "site": SITES[self.office],
            "name": (self.display or self.cn)[:NAME_WIDTH],
            "firstname": self.first,
            "surname": self.last,
            "emailaddress": self.mail,
            "login": f"{NETBIOS}\\{self.account}",
            "title": self.notes or self.title,
            "department": self.department,
            "phonenumber": self.phone,
            "mobilenumber": self.mobile,
            "CFStaffNumber": self.staff_number,
        }


FIELDS: dict[str, Any] = {
    "name": "{{ displayName or cn }}",
    "firstname": "givenName",
    "surname": "sn",
    "emailaddress": "mail",
    "login": "{{ netbios }}\\{{ sAMAccountName }}",
    "title": "{{ info or title }}",
    "department": "department",
    "phonenumber": "telephoneNumber",
    "mobilenumber": {"from": "mobile", "mode": "always", "blank": "clear"},
    "CFStaffNumber": "employeeID",
}
"""How the customer file maps what `Person` describes."""


def somebody(prefix: str, number: int, office: str = "", **differences: Any) -> Person:
    """Make up person `number`; the same one every time."""
    first, last = _FIRST[number % len(_FIRST)], _LAST[number % len(_LAST)]
    account = f"{prefix}{number:03}"
    usual: dict[str, Any] = {
        "cn": f"{last}, {first} {number}",
        "office": office,
        "display": f"{first} {last}",
        "first": first,
        "last": last,
        "mail": f"{account}@corp.example",
        "title": _TITLES[number % len(_TITLES)],
        "department": _DEPARTMENTS[number % len(_DEPARTMENTS)],
        "phone": f"+44 1632 960{number:03}",
        "mobile": f"+44 7700 900{number:03}" if number % 3 else "",
        "staff_number": f"S-{number}",
    }
    return Person(account, **(usual | differences))


def crew(prefix: str) -> Iterator[Person]:
    """Yield the 300 people who belong in Halo, spread evenly over the OUs."""
    offices = list(SITES)
    oddities: dict[int, dict[str, Any]] = {
        11: {"notes": "Likes tea. " * 27 + "Now."},
        12: {"display": "N" * 256},
        21: {"mail": f"{prefix}shared@corp.example"},
        22: {"mail": f"{prefix}shared@corp.example"},
        31: {"display": ""},
        32: {"expires": _ONE_DAY},
        33: {"first": "", "last": "", "title": "", "phone": ""},
    }
    for number in range(HEADCOUNT):
        odd = oddities.get(number, {"mail": ""} if number % 10 == 0 else {})
        yield somebody(prefix, number, offices[number % len(offices)], **odd)


def outsiders(prefix: str) -> Iterator[Person]:
    """Yield ten people whose accounts are disabled or expired: they must not reach Halo."""
    for number in range(900, 905):
        yield somebody(prefix, number, "York", control=ENABLED_ACCOUNT | DISABLED)
    for number in range(905, 910):
        yield somebody(prefix, number, "Leeds", expires=_LONG_AGO)


def computers(prefix: str, people_ou: str) -> Iterator[tuple[str, Attributes]]:
    """Yield a few computers that stand among the people."""
    kinds = ["top", "person", "organizationalPerson", "user", "computer"]
    workstation = 0x1000
    for number in range(4):
        name = f"{prefix}-PC{number}"
        yield (
            f"CN={name},OU=Leeds,{people_ou}",
            {"objectClass": kinds, "sAMAccountName": f"{name}$", "userAccountControl": workstation},
        )
