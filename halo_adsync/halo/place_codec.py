"""Halo's field names of clients and sites, and the way between its records and the domain's types. Pure.

Names are those of Halo's OpenAPI (April 2025). `actguid` and `ldapstring` mark what mirrors an OU.
"""

from typing import Any

from halo_adsync.halo.codec import Record, canonical_guid, identity, is_true, number_in, plain_text
from halo_adsync.halo.port import SiteWrite
from halo_adsync.model import HaloClient, HaloClientId, HaloSite, HaloSiteId, ObjectGuid


def decode_client(record: Record) -> HaloClient:
    """Read a client."""
    return HaloClient(
        HaloClientId(identity(record)[0]),
        plain_text(record.get("name")).strip(),
        active=not is_true(record.get("inactive")),
        guid=canonical_guid(record.get("actguid")),
    )


def decode_site(record: Record, client: HaloClientId) -> HaloSite:
    """Read a site; `client` is the one that was asked about, for a record that names none."""
    return HaloSite(
        HaloSiteId(identity(record)[0]),
        HaloClientId(number_in(record.get("client_id")) or client),
        plain_text(record.get("name")).strip(),
        active=not is_true(record.get("inactive")),
        guid=canonical_guid(record.get("actguid")),
    )


def encode_client(name: str, main_site: str, guid: ObjectGuid | None) -> dict[str, Any]:
    """Write a new client as an element of `POST /Client`, marked with the OU that it mirrors."""
    return {"name": name, "newclient_sitename": main_site} | ({"actguid": guid} if guid else {})


def encode_site(site: SiteWrite) -> dict[str, Any]:
    """Write a new site as an element of `POST /Site`, marked with the OU that it mirrors."""
    mark = {"actguid": site.guid, "ldapstring": site.dn}
    return {"name": site.name, "client_id": int(site.client)} | {k: v for k, v in mark.items() if v}


def encode_rename(record: int, name: str) -> dict[str, Any]:
    """Write another name for a client or a site that is there."""
    return {"id": int(record), "name": name}
