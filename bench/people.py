"""Synthetic people, the same at every run: 100,000 have the same first 1,000 as 1,000."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE = "DC=bench,DC=example"
PEOPLE = f"OU=People,{BASE}"
ATTRIBUTES = (
    "accountExpires", "cn", "company", "department", "displayName", "givenName", "initials", "l", "mail",
    "manager", "mobile", "objectGUID", "physicalDeliveryOfficeName", "postalCode", "sAMAccountName", "sn",
    "streetAddress", "telephoneNumber", "title", "userAccountControl", "userPrincipalName",
)  # fmt: skip
"""What is read of everybody: 21 attributes."""

_OUS_PER_PERSON = 200
_FIRST = (
    "Anna Ben Carla Dev Élise Femi Grace Hans Ines Jürgen Keiko Liam Mira Noor Olu Pia Quinn Rosa Sam Tess"
)
_LAST = "Adams Berg Costa Dahl Ek Fischer Grant Hill Ito Jones Kaur Lang Meyer Novak O'Neill Park Reyes Singh"
_TITLES = "Nurse,Technician,Head of Department,Caretaker,Teacher,Analyst,Driver,Accountant,Receptionist"
_CITIES = ["Leeds", "York", "Hull", "Bath", "Truro", "Ely", "Wells", "Ripon", "Derby", "Stoke"]

type Entry = tuple[str, dict[str, list[str]]]


def organisation(count: int) -> Iterator[Entry]:
    """Yield so many people after the OUs that they stand in, about 200 in each."""
    yield PEOPLE, {"objectClass": ["top", "organizationalUnit"], "ou": ["People"]}
    for number in range(-(-count // _OUS_PER_PERSON)):
        name = f"Team {number:03}"
        yield f"OU={name},{PEOPLE}", {"objectClass": ["top", "organizationalUnit"], "ou": [name]}
    for number in range(count):
        yield _person(number)


def name_of(number: int) -> tuple[str, str]:
    """Return the DN and the common name of a person."""
    common = f"Person {number:06}"
    return f"CN={common},OU=Team {number // _OUS_PER_PERSON:03},{PEOPLE}", common


def _person(number: int) -> Entry:
    chance = random.Random(number)
    first, last = chance.choice(_FIRST.split()), chance.choice(_LAST.split())
    city = chance.choice(_CITIES)
    dn, common = name_of(number)
    chief = name_of(number - number % 20)[0]
    account = f"p{number:06}"
    return dn, {
        "objectClass": ["top", "person", "organizationalPerson", "user"],
        "cn": [common],
        "sAMAccountName": [account],
        "userPrincipalName": [f"{account}@bench.example"],
        "userAccountControl": ["514" if chance.randrange(50) == 0 else "512"],
        "accountExpires": ["9223372036854775807"],
        "givenName": [first],
        "sn": [last],
        "initials": [first[0] + last[0]],
        "displayName": [f"{first} {last} ({number})"],
        "mail": [f"{account}@mail.bench.example"],
        "title": [chance.choice(_TITLES.split(","))],
        "department": [f"Department {chance.randrange(60):02}"],
        "company": ["Bench Limited"],
        "physicalDeliveryOfficeName": [f"{city} office {chance.randrange(4) + 1}"],
        "telephoneNumber": [f"+44 1632 {960000 + number % 1000}"],
        "mobile": [f"+44 7700 {900000 + number % 1000}"],
        "streetAddress": [f"{chance.randrange(200) + 1} High Street"],
        "l": [city],
        "postalCode": [f"LS{chance.randrange(29) + 1} {chance.randrange(9)}AB"],
        "manager": [chief],
    }
