"""The domain's own types: what a directory holds, what Halo holds, and the link between the two.

Everything here is frozen data without behaviour that reaches outside. Values are canonical: the codecs
(`directory/entry.py`, `halo/codec.py`) bring what they read into this form, so that equal means equal.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NewType

CustomerId = NewType("CustomerId", str)
RunId = NewType("RunId", str)
ObjectGuid = NewType("ObjectGuid", str)
"""An objectGUID as lower-case text without braces, `8-4-4-4-12`."""
DistinguishedName = NewType("DistinguishedName", str)
"""A DN as the directory spelled it (RFC 4514). Compare by GUID, or by `directory.entry.canonical_dn`."""
HaloClientId = NewType("HaloClientId", int)
HaloSiteId = NewType("HaloSiteId", int)
HaloUserId = NewType("HaloUserId", int)

TEAM, ROLE, YES = "team:", "role:", "yes"
"""How the fields of an agent are called that stand for a team or a role, and what they hold."""
type AttributeValue = str | tuple[str, ...]
"""One value as text, or several in a stable order. Binary values are base64, times are ISO 8601 in UTC."""


type Renewed = Callable[[str], str | None]
"""Asked with a secret that was refused: returns the one that has taken its place, or None."""


def unchanged(_old: str) -> None:
    """Know of no other secret."""


@dataclass(frozen=True, slots=True)
class Container:
    """An organisational unit (or container, or the domain itself) that can hold people."""

    guid: ObjectGuid
    dn: DistinguishedName
    name: str
    parent: ObjectGuid | None


@dataclass(frozen=True, slots=True)
class Tree:
    """The containers of one directory, by GUID."""

    containers: Mapping[ObjectGuid, Container]

    def __contains__(self, guid: ObjectGuid) -> bool:
        return guid in self.containers

    def ancestry(self, guid: ObjectGuid | None) -> Iterator[Container]:
        """Yield the container with this GUID, then its parents up to the root."""
        while guid is not None and (container := self.containers.get(guid)) is not None:
            yield container
            guid = container.parent

    def is_below(self, guid: ObjectGuid, top: ObjectGuid) -> bool:
        """Tell whether `guid` is `top` or lies anywhere below it."""
        return any(container.guid == top for container in self.ancestry(guid))

    def below(self, guid: ObjectGuid, top: ObjectGuid) -> tuple[Container, ...] | None:
        """Return the containers from just below `top` down to `guid`; None where `guid` is elsewhere."""
        path: list[Container] = []
        for container in self.ancestry(guid):
            if container.guid == top:
                return tuple(reversed(path))
            path.append(container)
        return None


@dataclass(frozen=True, slots=True)
class Person:
    """A person's account in the directory, as far as the customer's file asks for it."""

    guid: ObjectGuid
    dn: DistinguishedName
    directory: str
    parent: ObjectGuid
    """The GUID of the container that the account stands in."""
    enabled: bool
    expires: datetime | None
    """When the account expires (UTC); None means never."""
    attributes: Mapping[str, AttributeValue] = field(repr=False)
    """Attribute values by lower-case attribute name; an attribute without a value is absent."""


@dataclass(frozen=True, slots=True)
class DirectoryRead:
    """One complete read of one directory; an incomplete one is an error instead."""

    directory: str
    netbios: str
    """The domain's NetBIOS name, as its partitions container says."""
    tree: Tree
    anchors: Mapping[str, ObjectGuid]
    """The GUID of every DN that the customer's file names for this directory, by that DN as written there."""
    groups: Mapping[str, frozenset[ObjectGuid]]
    """The members, nested ones included, of every group that the file names, by the group's DN there."""
    people: tuple[Person, ...]
    managers: Mapping[ObjectGuid, str] = field(default_factory=dict)
    """The canonical DN of each account's manager, for accounts that have one; empty unless asked for."""
    names: Mapping[str, ObjectGuid] = field(default_factory=dict)
    """The accounts of this read by canonical DN; empty unless managers were asked for."""
    staff: tuple[Person, ...] = ()
    """The accounts that are agents, or were, wherever they stand; some are among `people` as well."""
    server: str = ""
    """The DNS name of the domain controller that answered."""
    watched: frozenset[ObjectGuid] = frozenset()
    """Groups, nested ones included, and containers other than OUs that say something about people."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Up to where one directory's changes have been followed, and on which domain controller."""

    method: str
    """`dirsync` or `usn`."""
    server: str
    """The controller's DNS name."""
    database: str
    """The invocationId of its database: one that was restored has another (MS-ADTS, 3.1.1.1.9)."""
    position: str
    """DirSync's cookie in base64, or the last update sequence number that was seen."""
    digest: str
    """What the customer's file was when this began."""
    blind: bool = False
    """The account cannot see deleted objects."""
    watched: tuple[ObjectGuid, ...] = ()
    """Whose change concerns everybody: groups, and containers other than OUs."""


@dataclass(frozen=True, slots=True)
class EntraAccount:
    """An account in Entra that comes from a directory."""

    id: str
    """Its object id."""
    enabled: bool
    principal: str = field(default="", repr=False)
    """The name that its owner signs in to Entra with."""


@dataclass(frozen=True, slots=True)
class HaloClient:
    """A client ("customer", "organisation") in Halo; `guid` is the OU that it mirrors (Halo's `actguid`)."""

    id: HaloClientId
    name: str
    active: bool = True
    guid: ObjectGuid | None = None


@dataclass(frozen=True, slots=True)
class HaloSite:
    """A site of a client in Halo; `guid` is the OU that it mirrors (Halo's `actguid`)."""

    id: HaloSiteId
    client: HaloClientId
    name: str
    active: bool = True
    guid: ObjectGuid | None = None


@dataclass(frozen=True, slots=True)
class HaloUser:
    """An end user in Halo, or an agent, who has neither client nor site (both are 0)."""

    id: HaloUserId
    client: HaloClientId
    site: HaloSiteId
    active: bool
    guid: ObjectGuid | None
    """The directory account that the user is stamped with (Halo's `third_party_guid`)."""
    general: bool
    """A site's "General User", an agent for the API only, or our own: never matched, never written."""
    managed_elsewhere: bool
    """Halo's own AD or Entra integration manages this user as well: two masters fight."""
    fields: Mapping[str, str] = field(repr=False)
    """Field values as canonical text by Halo's field name; an empty string where Halo holds nothing."""


@dataclass(frozen=True, slots=True)
class CustomField:
    """A custom field of a Halo instance, as far as it is known what it takes."""

    name: str
    kind: Literal["text", "flag", "date", "choice", "other"] = "text"
    """`other` is what one text cannot fill, such as a table or several choices."""
    width: int | None = None
    """The greatest length; None where there is none, or it is not known."""
    choices: Mapping[str, str] = field(default_factory=dict)
    """The ids of its choices by their names; empty where Halo does not list them."""


@dataclass(frozen=True, slots=True)
class Seats:
    """The licences of an instance for agents, and how many of them are taken."""

    total: int
    taken: int


@dataclass(frozen=True, slots=True)
class Link:
    """objectGUID <-> Halo id: the licence to change a record, with what Halo was last known to hold.

    Links to agents are kept apart from those to users; their client and site are 0.
    """

    guid: ObjectGuid
    user: HaloUserId
    client: HaloClientId
    site: HaloSiteId
    active: bool
    dn: DistinguishedName
    fields: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about an account that matching could not settle."""

    guid: ObjectGuid
    action: Literal["link", "ignore", "create"]
    user: HaloUserId | None = None
    """The Halo user to link to, for `link`."""
    actor: str = ""
    made: str = ""
    """When, ISO 8601 in UTC."""


@dataclass(frozen=True, slots=True)
class Tickets:
    """The tickets of one Halo user: how many, and the first few by number and summary."""

    count: int
    shown: tuple[tuple[int, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Leaver:
    """What is kept of somebody who may have left."""

    guid: ObjectGuid
    missing: int = 0
    """In how many complete full runs in a row the account was not found."""
    run: str = ""
    """The run that counted last."""
    tickets: Tickets | None = None
    """The tickets that hold the person back; None where none were found, or nobody looked."""
    looked: str = ""
    """When the tickets were counted last, ISO 8601 in UTC."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Somebody whom a person decided to keep, whatever the directory says."""

    guid: ObjectGuid
    actor: str
    made: str
    """When, ISO 8601 in UTC."""


@dataclass(frozen=True, slots=True)
class Parked:
    """A record that Halo refused, which is not tried in every run."""

    key: str
    """Whose record of which kind: `user|GUID` or `agent|GUID`."""
    digest: str
    """Of what was to be written: something else is tried at once."""
    failures: int
    """How often in a row it was refused."""
    until: str
    """When it is tried again, ISO 8601 in UTC."""
    said: str = field(repr=False)
    """Halo's words."""


@dataclass(frozen=True, slots=True)
class Place:
    """A client or a site that exists in Halo, under the key that placement gives it.

    `site` is None for a client. `guid` is the OU it follows, where it follows one.
    """

    key: str
    client: HaloClientId
    site: HaloSiteId | None
    name: str
    guid: ObjectGuid | None = None


@dataclass(frozen=True, slots=True)
class Footing:
    """What is remembered of a customer's OUs from plan to plan: where moved ones are counted from."""

    seen: Mapping[ObjectGuid, ObjectGuid] = field(default_factory=dict)
    """The parent of each OU at the last plan."""
    kept: Mapping[str, Mapping[ObjectGuid, ObjectGuid]] = field(default_factory=dict)
    """By rule (`plan.footing.rule_key`): the OUs that were moved, each with the parent that still counts."""


NEW_FOOTING = Footing()
"""Nothing is remembered: every rule sees the tree as it stands."""


@dataclass(slots=True)
class Meter:
    """What a run has cost so far. Every adapter counts what it does on the meter that it is given."""

    ldap_searches: int = 0
    ldap_entries: int = 0
    halo_requests: int = 0
    halo_writes: int = 0
    table_transactions: int = 0
    seconds: float = 0.0
    peak_rss_mib: int = 0
