"""What applying a plan does, done to plain data: a Halo that takes everything as it is sent."""

from dataclasses import dataclass, replace

from halo_adsync.model import (
    DistinguishedName,
    HaloClient,
    HaloClientId,
    HaloSite,
    HaloSiteId,
    HaloUser,
    HaloUserId,
    Link,
    ObjectGuid,
    Place,
)
from halo_adsync.plan.match import STAMP
from halo_adsync.plan.places import find_client, find_site
from halo_adsync.plan.side import HaloSide
from halo_adsync.plan.types import SITE, Change, Kind, Plan
from halo_adsync.plan.wanted import WantedClient, WantedSite


@dataclass(frozen=True)
class Halo:
    """All that a Halo holds, and what the product has kept of it."""

    clients: tuple[HaloClient, ...]
    sites: tuple[HaloSite, ...]
    side: HaloSide


def applied(halo: Halo, plan: Plan) -> Halo:
    """Do what applying does, on a Halo that takes everything as it is sent."""
    clients, sites = list(halo.clients), list(halo.sites)
    places, links, users = dict(halo.side.places), dict(halo.side.links), dict(halo.side.users)
    ids = (*(client.id for client in halo.clients), *(site.id for site in halo.sites), *users)
    for number, change in enumerate(plan.work(), start=max([5_000, *(one + 1 for one in ids)])):
        if change.kind is Kind.CREATE_CLIENT:
            places[change.place] = client_there(change, clients, number)
        elif change.kind is Kind.CREATE_SITE:
            places[change.place] = site_there(change, places[change.client], sites, number)
        elif change.kind in {Kind.RENAME_CLIENT, Kind.RENAME_SITE}:
            places[change.place] = replace(places[change.place], name=change.name)
        else:
            link = linked(change, places, HaloUserId(number))
            links[link.guid] = link
            users[link.user] = written_to(users.get(link.user), change, link)
    return Halo(tuple(clients), tuple(sites), replace(halo.side, links=links, places=places, users=users))


def written_to(there: HaloUser | None, change: Change, link: Link) -> HaloUser:
    """Return the user of a line once it is done; nothing but what the line changes is another than it was."""
    if there is None:
        return HaloUser(link.user, link.client, link.site, link.active, link.guid, False, False, link.fields)
    written = {name: link.fields[name] for name in change.fields if name in link.fields}
    return replace(
        there,
        guid=link.guid if change.adopts else there.guid,
        site=link.site if change.place else there.site,
        active=link.active if change.kind in {Kind.REACTIVATE, Kind.DEACTIVATE} else there.active,
        fields={**there.fields, **written},
    )


def client_there(change: Change, clients: list[HaloClient], number: int) -> Place:
    """Return the client of a line, made if it is not there."""
    stamp = ObjectGuid(change.guid) if change.guid else None
    found = find_client(WantedClient(change.place, change.name, guid=stamp), clients)
    if found is None:
        clients.append(HaloClient(HaloClientId(number), change.name, guid=stamp))
    return found or Place(change.place, HaloClientId(number), None, change.name, stamp)


def site_there(change: Change, client: Place, sites: list[HaloSite], number: int) -> Place:
    """Return the site of a line, made if it is not there."""
    stamp = ObjectGuid(change.guid) if change.guid else None
    wanted = WantedSite(change.place, WantedClient(change.client), change.name, guid=stamp)
    found = find_site(wanted, client, [site for site in sites if site.client == client.client])
    if found is None:
        sites.append(HaloSite(HaloSiteId(number), client.client, change.name, guid=stamp))
    return found or Place(change.place, client.client, HaloSiteId(number), change.name, stamp)


def linked(change: Change, places: dict[str, Place], new: HaloUserId) -> Link:
    """Return the link of a line's person once the line is done."""
    written = {name: field.after for name, field in change.fields.items() if name not in {SITE, STAMP}}
    base, place = change.base, places.get(change.place)
    if base is None:
        assert place is not None
        base = Link(
            ObjectGuid(change.guid), new, place.client, HaloSiteId(0), True, DistinguishedName(""), {}
        )
    site = base.site if place is None or place.site is None else place.site
    active = change.kind is not Kind.DEACTIVATE
    active = active and (base.active or change.kind in {Kind.REACTIVATE, Kind.CREATE})
    return replace(base, site=site, active=active, fields={**base.fields, **written})
