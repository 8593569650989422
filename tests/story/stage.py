"""One telling's stage: its OU in the directory, its customer, its Halo, and what both must come to."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from devstack.directory.edits import Values
from devstack.halo import LoggedRequest, SimulatedHalo
from devstack.samba import SambaDomain
from tests.story.people import FIELDS, OUS, Person, computers, crew, outsiders, somebody
from tests.story.telling import Telling

ACCOUNT = "svc-halo@corp.example"
PASSWORD = "Gr4ve-Secret!"
AD_SECRET, HALO_SECRET = "SECRET_STORY_AD", "SECRET_STORY_HALO"
CLIENT = "Story & Söhne Ltd"


@dataclass
class Stage:
    """Where one telling of the story takes place.

    Attributes:
        prefix: what its accounts begin with; account names are unique in a domain.
        people_ou: the DN of its OU People.
        client: the id of its client in Halo.
        people: who must be in Halo, by account.
        strangers: users in Halo who must stay exactly as they are, by id.
    """

    domain: SambaDomain
    halo: SimulatedHalo
    telling: Telling
    prefix: str
    people_ou: str
    client: int
    people: dict[str, Person] = field(default_factory=dict)
    strangers: dict[int, dict[str, Any]] = field(default_factory=dict)

    def person(self, number: int) -> Person:
        """Return the person of this number."""
        return self.people[f"{self.prefix}{number:03}"]

    def add(self, person: Person, *, arrives: bool = True) -> None:
        """Add a person to the directory, who is to arrive in Halo or not."""
        self.domain.add(person.dn(self.people_ou), person.attributes())
        if arrives:
            self.people[person.account] = person

    def change(self, person: Person, attributes: Mapping[str, Values], **differences: Any) -> None:
        """Change attributes in the directory, and what is expected of Halo."""
        self.domain.modify(person.dn(self.people_ou), attributes)
        self.people[person.account] = replace(person, **differences)

    def move(self, person: Person, *, cn: str | None = None, office: str | None = None) -> None:
        """Give an account another common name, or another office."""
        after = replace(
            person, cn=person.cn if cn is None else cn, office=person.office if office is None else office
        )
        self.domain.move(person.dn(self.people_ou), after.dn(self.people_ou))
        self.people[person.account] = after

    def stranger(self, **fields: Any) -> None:
        """Add a user to Halo who must stay exactly as it is."""
        user = self.halo.add_user(**fields)
        self.strangers[user] = copy.deepcopy(self.halo.users[user])

    def halo_id(self, person: Person) -> int:
        """Return the Halo id of the one user with a person's login."""
        login = person.halo_record()["login"]
        (found,) = (user["id"] for user in self.halo.people if user["login"] == login)
        return int(found)

    def guid(self, dn: str) -> str:
        """Return an object's GUID, which the wire has with little-endian parts (MS-DTYP, 2.3.4.2)."""
        return str(UUID(bytes_le=self.domain.values(dn, "objectGUID")[0]))

    def writes(self) -> list[LoggedRequest]:
        """Return the requests since the log was emptied that write; signing in is none."""
        return written(self.halo)

    def check_halo(self) -> None:
        """Assert that Halo holds everybody exactly once, right in every field, and strangers as they were."""
        held = [self._as_record(user) for user in self.halo.people if user["id"] not in self.strangers]
        expected = [person.halo_record() for person in self.people.values()]
        assert sorted(held, key=_by_login) == sorted(expected, key=_by_login)
        assert {user: self.halo.users[user] for user in self.strangers} == self.strangers
        assert self.halo.violations == []

    def _as_record(self, user: Mapping[str, Any]) -> dict[str, str]:
        assert user["client_id"] == self.client
        assert user["inactive"] is False
        custom = {entry["name"]: entry["value"] for entry in user["customfields"]}
        fields = {name: user.get(name) or custom.get(name) or "" for name in FIELDS}
        return {"site": self.halo.sites[int(user["site_id"])]["name"], **fields}


def set_stage(domain: SambaDomain, halo: SimulatedHalo, telling: Telling, prefix: str) -> Stage:
    """Fill a telling's OU with everybody who stands in it, and its Halo with a client and two sites."""
    people_ou = domain.add_ou("People", domain.add_ou(telling.customer))
    for beginning in sorted(filter(None, OUS.values()), key=lambda text: text.count("OU=")):
        domain.add(f"{beginning}{people_ou}", {"objectClass": ["top", "organizationalUnit"]})
    services = domain.add_ou("Service Accounts", people_ou)
    domain.add_user("Backup", services, sAMAccountName=f"{prefix}-backup", mail="backup@corp.example")
    people = {person.account: person for person in crew(prefix)}
    everybody = [*people.values(), *outsiders(prefix)]
    domain.seed([(person.dn(people_ou), person.attributes()) for person in everybody])
    domain.seed(computers(prefix, people_ou))
    client = halo.add_client(CLIENT)
    halo.add_site(client, "York")
    return Stage(domain, halo, telling, prefix, people_ou, client, people)


def recruits(stage: Stage, numbers: range) -> None:
    """Add many people to Leeds at once."""
    new = [somebody(stage.prefix, number, "Leeds") for number in numbers]
    stage.domain.seed([(person.dn(stage.people_ou), person.attributes()) for person in new])
    stage.people |= {person.account: person for person in new}


def customer_file(domain: SambaDomain, halo: SimulatedHalo, customer: str, people_ou: str) -> dict[str, Any]:
    """Return a customer file that is right."""
    return {
        "id": customer,
        "name": "The story's customer",
        "halo": {
            "url": halo.url,
            "client_id": halo.client_id,
            "client_secret": {"secret": "story-halo"},
        },
        "directories": [
            {
                "id": "corp",
                "servers": [f"{domain.host}:{domain.port}"],
                "ca_file": str(domain.ca_path),
                "bind": {"user": ACCOUNT, "password": {"secret": "story-ad"}},
            }
        ],
        "scope": {"include": [people_ou], "exclude": [f"OU=Service Accounts,{people_ou}"]},
        "placement": {
            "client": {"name": CLIENT},
            "rules": [
                {"ou": f"OU=Hull,{people_ou}", "site": {"name": "Kingston upon Hull"}},
                {"mirror": people_ou, "site_level": 1},
            ],
        },
        "fields": FIELDS,
    }


def written(halo: SimulatedHalo) -> list[LoggedRequest]:
    """Return the logged requests that change a record."""
    return [request for request in halo.requests if request.method != "GET" and "/api/" in request.path]


def _by_login(record: Mapping[str, str]) -> str:
    return record["login"]
