"""Builders for tests of the plan: a directory, a customer and Halo's side in few words.

OUs go by their path from the base down, such as `People/Leeds`; people, users and sites by a number.
"""

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from halo_adsync.customer import Customer
from halo_adsync.model import (
    Container,
    DirectoryRead,
    DistinguishedName,
    HaloClientId,
    HaloSiteId,
    HaloUser,
    HaloUserId,
    Link,
    ObjectGuid,
    Person,
    Place,
    Tree,
)
from halo_adsync.plan.make import make_plan
from halo_adsync.plan.mapping import Target
from halo_adsync.plan.side import HaloSide
from halo_adsync.plan.survey import survey
from halo_adsync.plan.types import Change, Plan

BASE = "DC=corp,DC=example"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CLIENT = HaloClientId(11)
CLIENT_KEY = "client:name:contoso"
MAIN_KEY = f"site:name:main@{CLIENT_KEY}"
TARGET = Target()


def guid(number: int) -> ObjectGuid:
    """Return the GUID of the person with this number."""
    return ObjectGuid(str(uuid.UUID(int=number)))


def ou(path: str = "") -> DistinguishedName:
    """Return the DN of the OU with this path."""
    steps = [f"OU={name}" for name in reversed(path.split("/")) if name]
    return DistinguishedName(",".join([*steps, BASE]))


def ou_guid(path: str = "") -> ObjectGuid:
    """Return the GUID of the OU with this path."""
    return ObjectGuid(str(uuid.uuid5(uuid.NAMESPACE_DNS, path)))


def tree(*paths: str) -> Tree:
    """Return the tree of these OUs and all that stand above them."""
    containers = {ou_guid(): Container(ou_guid(), ou(), "corp", None)}
    for path in paths:
        names = path.split("/")
        for depth in range(1, len(names) + 1):
            here, above = "/".join(names[:depth]), "/".join(names[: depth - 1])
            containers[ou_guid(here)] = Container(ou_guid(here), ou(here), names[depth - 1], ou_guid(above))
    return Tree(containers)


def person(number: int, path: str = "People", /, **attributes: str | tuple[str, ...]) -> Person:
    """Return the enabled account `u{number}` in this OU; an empty attribute is absent."""
    given: dict[str, str | tuple[str, ...]] = {
        "displayname": f"Person {number}",
        "samaccountname": f"u{number}",
    }
    present = {name: value for name, value in (given | attributes).items() if value}
    dn = DistinguishedName(f"CN=Person {number},{ou(path)}")
    return Person(guid(number), dn, "corp", ou_guid(path), enabled=True, expires=None, attributes=present)


def customer(**blocks: Any) -> Customer:
    """Return the customer Contoso, with these blocks of the file in place of the usual ones."""
    usual = {
        "id": "contoso",
        "name": "Contoso",
        "halo": {"url": "https://x.example", "client_id": "c", "client_secret": {"secret": "s"}},
        "directories": [
            {"id": "corp", "servers": ["dc.x:636"], "bind": {"user": "u", "password": {"secret": "p"}}}
        ],
        "placement": {"client": {"name": "Contoso"}},
    }
    return Customer.model_validate(usual | blocks)


def placed(*rules: Mapping[str, Any], **more: Any) -> Customer:
    """Return the customer Contoso with these placement rules."""
    return customer(placement={"client": {"name": "Contoso"}, "rules": list(rules), **more})


def read(
    who: Customer,
    ous: Tree,
    people: Iterable[Person],
    groups: Mapping[str, frozenset[ObjectGuid]] | None = None,
    managers: Mapping[int, int] | None = None,
) -> DirectoryRead:
    """Return what reading the directory brings; names of OUs that are not in the tree stay unresolved.

    `managers` says by number who is managed by whom.
    """
    people = tuple(people)
    there = {container.dn: container.guid for container in ous.containers.values()}
    named = (*who.scope.include, *who.scope.exclude, *who.placement_ous())
    anchors = {dn: there[DistinguishedName(dn)] for dn in named if dn in there}
    return DirectoryRead(
        "corp",
        "CORP",
        ous,
        anchors,
        groups or {},
        people,
        managers={guid(number): guid(manager) for number, manager in (managers or {}).items()},
        names={found.guid: found.guid for found in people},
    )


def user(number: int, *, stamp: int | None = None, site: int = 101, **more: Any) -> HaloUser:
    """Return a Halo user, stamped with the GUID of a person where `stamp` is given; `more` are fields."""
    return HaloUser(
        id=HaloUserId(number),
        client=CLIENT,
        site=HaloSiteId(site),
        active=more.pop("active", True),
        guid=None if stamp is None else guid(stamp),
        general=more.pop("general", False),
        managed_elsewhere=more.pop("managed_elsewhere", False),
        fields={"name": f"Person {number}", "emailaddress": "", "login": "", **more},
    )


def link(number: int, to: int, *, site: int = 101, active: bool = True, **fields: str) -> Link:
    """Return the link of a person to a Halo user, with what Halo was last known to hold."""
    dn = DistinguishedName(f"CN=Person {number},{ou('People')}")
    return Link(guid(number), HaloUserId(to), CLIENT, HaloSiteId(site), active, dn, fields)


def side(*known: HaloUser | Link | Place, complete: bool = False) -> HaloSide:
    """Return what is known of Halo: the client Contoso with its site Main (101), and what is given."""
    main = Place(MAIN_KEY, CLIENT, HaloSiteId(101), "Main")
    places = [Place(CLIENT_KEY, CLIENT, None, "Contoso"), main]
    places += [place for place in known if isinstance(place, Place)]
    return HaloSide(
        links={found.guid: found for found in known if isinstance(found, Link)},
        places={place.key: place for place in places},
        users={found.id: found for found in known if isinstance(found, HaloUser)},
        complete=complete,
    )


def plan(
    who: Customer,
    halo: HaloSide,
    people: Iterable[Person],
    ous: Tree | None = None,
    target: Target = TARGET,
    *,
    groups: Mapping[str, frozenset[ObjectGuid]] | None = None,
) -> Plan:
    """Make the plan of a full run."""
    found = survey(who, [read(who, ous or tree("People"), people, groups)], NOW, target)
    return make_plan(who, found, halo, "full")


def line_of(made: Plan, number: int) -> Change:
    """Return the one line of the person with this number."""
    (line,) = [change for change in made.changes if change.guid == guid(number)]
    return line
