"""Places: which of the wanted clients and sites Halo has. What it has not is an entry of the plan."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from halo_adsync.errors import ConfigurationError
from halo_adsync.model import HaloClient, HaloSite, Place
from halo_adsync.plan.wanted import WantedClient, WantedSite


def find_client(wanted: WantedClient, clients: Sequence[HaloClient]) -> Place | None:
    """Find a wanted client by id, else by its OU's GUID, else by name; None where it has to be created.

    Raises:
        ConfigurationError: the id is not in Halo, or the name does not tell which client is meant.
    """
    if wanted.id is not None:
        by_id = [client for client in clients if client.id == wanted.id]
        if not by_id:
            raise ConfigurationError(
                f"placement: Halo has no client with the id {wanted.id}, or the API application may not see"
                " it; correct the id in the customer file."
            )
        return Place(wanted.key, by_id[0].id, None, by_id[0].name)
    stamped = [client for client in clients if wanted.guid is not None and client.guid == wanted.guid]
    if stamped:
        return Place(wanted.key, stamped[0].id, None, stamped[0].name, wanted.guid)
    named = [
        client
        for client in clients
        if client.name.strip().casefold() == wanted.name.strip().casefold()
        and (wanted.guid is None or client.guid is None)
    ]
    named = [client for client in named if client.active] or named
    if len(named) > 1:
        ids = ", ".join(str(client.id) for client in named)
        raise ConfigurationError(
            f'Halo has {len(named)} clients called "{wanted.name}" (ids {ids});'
            " name the one that is meant by its id in the customer file."
        )
    return Place(wanted.key, named[0].id, None, named[0].name, wanted.guid) if named else None


def find_site(wanted: WantedSite, client: Place, sites: Sequence[HaloSite]) -> Place | None:
    """Find a wanted site among those of its client: by id, else by its OU's GUID, else by name.

    Raises:
        ConfigurationError: the id is not in Halo, or the name does not tell which site is meant.
    """
    if wanted.id is not None:
        found = [site for site in sites if site.id == wanted.id]
        if not found:
            raise ConfigurationError(
                f'placement.rules: the client "{client.name}" has no site {wanted.id} in Halo;'
                " correct the site's id in the customer file."
            )
    else:
        found = [site for site in sites if wanted.guid is not None and site.guid == wanted.guid]
        found = found or _named(wanted, sites)
    if len(found) > 1:
        ids = ", ".join(str(site.id) for site in found)
        raise ConfigurationError(
            f'The client "{client.name}" has {len(found)} sites called "{wanted.name}" in Halo (ids {ids});'
            " rename all but one, or name the one that is meant by its id in the customer file."
        )
    return Place(wanted.key, client.client, found[0].id, found[0].name, wanted.guid) if found else None


def _named(wanted: WantedSite, sites: Sequence[HaloSite]) -> list[HaloSite]:
    """Return the sites of that name; those first that mirror no OU, then active ones.

    A site that mirrors another OU is no answer for an OU, but it is for a name that the file gives.
    """
    name = wanted.name.strip().casefold()
    same = [site for site in sites if site.name.strip().casefold() == name]
    plain = [site for site in same if site.guid is None]
    named = plain if plain or wanted.guid is not None else same
    return [site for site in named if site.active] or named


def same_client(known: Place | None, clients: Sequence[HaloClient]) -> Place | None:
    """Return a client that was known before, with the name that it has now; None where it is gone."""
    found = next((client for client in clients if known and client.id == known.client), None)
    return replace(known, name=found.name) if known and found else None


def same_site(known: Place | None, sites: Sequence[HaloSite]) -> Place | None:
    """Return a site that was known before, with the name that it has now; None where it is gone."""
    found = next((site for site in sites if known and site.id == known.site), None)
    return replace(known, name=found.name) if known and found else None


def missing(wanted: Iterable[WantedSite], known: Mapping[str, Place]) -> tuple[WantedSite, ...]:
    """Return the wanted sites that are not known yet, each once, in a stable order."""
    unknown = {site.key: site for site in wanted if site.key not in known}
    return tuple(unknown[key] for key in sorted(unknown))


def may_make(wanted: WantedSite, known: Mapping[str, Place]) -> bool:
    """Tell whether a plan may create a site that Halo does not have."""
    return wanted.create and (wanted.client.create or wanted.client.key in known)
