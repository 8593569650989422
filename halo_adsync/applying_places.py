"""Applying, places: clients and sites are created only where a look shows that they are not there."""

from collections.abc import Sequence
from dataclasses import replace

from halo_adsync.errors import Doubtful, RecordRejected
from halo_adsync.halo.port import Halo, SiteWrite
from halo_adsync.model import HaloClient, HaloClientId, HaloSite, ObjectGuid, Place
from halo_adsync.plan.places import find_client, find_site
from halo_adsync.plan.types import Change, Kind
from halo_adsync.plan.wanted import WantedClient, WantedSite
from halo_adsync.state.lines import Line, Settled


class PlaceMaker:
    """Settles the lines of clients and sites.

    Args:
        halo: where they are created.
        places: those that exist, by key; what is made is added.
        main_site: what a new client's first site is called.
    """

    def __init__(self, halo: Halo, places: dict[str, Place], main_site: str) -> None:
        self._halo, self._places, self._main_site = halo, places, main_site
        self._clients: Sequence[HaloClient] | None = None
        self._sites: dict[HaloClientId, list[HaloSite]] = {}

    def settle(self, line: Line) -> Settled:
        """Create or rename one, and return what that came to; a doubtful answer is looked into once more."""
        ensure = {Kind.CREATE_CLIENT: self._ensure_client, Kind.CREATE_SITE: self._ensure_site}.get(
            line.change.kind, self._rename
        )
        try:
            try:
                place = ensure(line.change)
            except Doubtful:  # one more look and, if it is not there, one more try
                self._forget()
                place = ensure(line.change)
        except (Doubtful, RecordRejected) as error:
            return Settled(replace(line, status="failed", outcome=str(error)))
        self._places[place.key] = place
        return Settled(replace(line, status="done"), place=place)

    def _ensure_client(self, change: Change) -> Place:
        """Return the client, created only if a look shows that it is not there."""
        guid = ObjectGuid(change.guid) if change.guid else None
        if self._clients is None:
            self._clients = self._halo.clients()
        found = find_client(WantedClient(change.place, change.name, guid=guid), self._clients)
        if found:
            return found
        created = self._halo.create_client(change.name, self._main_site, guid)
        return Place(change.place, created.id, None, created.name, guid)

    def _ensure_site(self, change: Change) -> Place:
        """Return the site, created only if a look shows that it is not there."""
        client = self._places.get(change.client)
        if client is None:
            raise RecordRejected("its client could not be created; see there")
        if client.client not in self._sites:
            self._sites[client.client] = list(self._halo.sites(client.client))
        guid = ObjectGuid(change.guid) if change.guid else None
        wanted = WantedSite(change.place, WantedClient(change.client), change.name, guid=guid)
        found = find_site(wanted, client, self._sites[client.client])
        if found:
            return found
        created = self._halo.create_site(SiteWrite(client.client, change.name, guid, change.dn or None))
        self._sites[client.client].append(created)
        return Place(change.place, client.client, created.id, created.name, guid)

    def _rename(self, change: Change) -> Place:
        """Give a client or a site its OU's name; done twice, it comes to the same."""
        place = self._places[change.place]
        if place.site is None:
            self._halo.rename_client(place.client, change.name)
        else:
            self._halo.rename_site(place.site, change.name)
        return replace(place, name=change.name)

    def _forget(self) -> None:
        self._clients = None
        self._sites.clear()
