"""What placement asks for: clients and sites as they are wanted, before it is known whether Halo has them."""

from collections.abc import Mapping
from dataclasses import dataclass

from halo_adsync.customer import ClientRef, RuleClient, SiteRef
from halo_adsync.customer_values import without_blanks
from halo_adsync.model import HaloClientId, HaloSiteId, ObjectGuid
from halo_adsync.plan.mapping import cut

NAME_WIDTH = 255
"""How much of a client's or site's name Halo stores, in UTF-16 units."""


@dataclass(frozen=True, slots=True)
class WantedClient:
    """A client that somebody is to stand in; with `create` it is made where Halo does not have it."""

    key: str
    name: str = ""
    id: HaloClientId | None = None
    guid: ObjectGuid | None = None
    dn: str = ""
    create: bool = True
    renamed: bool = False
    """Whether it is given its OU's name where Halo calls it otherwise."""


@dataclass(frozen=True, slots=True)
class WantedSite:
    """A site that somebody is to stand in; with `create` it is made where Halo does not have it."""

    key: str
    client: WantedClient
    name: str = ""
    id: HaloSiteId | None = None
    guid: ObjectGuid | None = None
    dn: str = ""
    create: bool = True
    renamed: bool = False

    @property
    def certain(self) -> bool:
        """Tell whether the site will be there whatever Halo has: made if need be, and its client too."""
        return self.create and self.client.create


@dataclass(frozen=True, slots=True)
class Option:
    """One answer to where a person may stand, and which rule gave it."""

    site: WantedSite
    rule: str


def client_of(reference: ClientRef | RuleClient) -> WantedClient:
    """Return the client that the file names by name or id."""
    if reference.id is not None:
        return WantedClient(f"client:id:{reference.id}", id=HaloClientId(reference.id))
    return named_client(reference.name or "")


def named_client(name: str, *, create: bool = True) -> WantedClient:
    """Return the client of this name."""
    return WantedClient(f"client:name:{name.casefold()}", name, create=create)


def named_site(client: WantedClient, name: str, *, create: bool = True) -> WantedSite:
    """Return the site of this name in a client."""
    return WantedSite(f"site:name:{name.casefold()}@{client.key}", client, name, create=create)


def site_of(client: WantedClient, reference: SiteRef) -> WantedSite:
    """Return the site that the file names."""
    if reference.id is not None:
        return WantedSite(f"site:id:{reference.id}", client, id=HaloSiteId(reference.id))
    return named_site(client, reference.name or "")


def meant(value: str, aliases: Mapping[str, str]) -> str:
    """Return the name that a value stands for, as long as Halo stores it."""
    known = {without_blanks(alias): name for alias, name in aliases.items()}
    return cut(known.get(without_blanks(value), value), NAME_WIDTH)
