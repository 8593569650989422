"""Search filters for accounts by GUID, wherever they stand, and by group."""

from collections.abc import Iterable

from halo_adsync.directory.entry import PEOPLE, escape_filter_value, guid_to_bytes
from halo_adsync.directory.filters import both
from halo_adsync.model import ObjectGuid

GUIDS_AT_ONCE = 100
"""How many objects one search looks for by GUID: about 5 KiB of filter."""


def guids_filter(guids: Iterable[ObjectGuid]) -> str:
    """Return the filter for the objects with these GUIDs."""
    parts = (f"(objectGUID={escape_filter_value(guid_to_bytes(guid))})" for guid in guids)
    return f"(|{''.join(parts)})"


def deleted_filter(guids: Iterable[ObjectGuid]) -> str:
    """Return the filter for those of the objects with these GUIDs that were deleted."""
    return f"(&(isDeleted=TRUE){guids_filter(guids)})"


def members_filter(dn: str) -> str:
    """Return the filter for the people who are direct members of a group."""
    return both(PEOPLE, f"(memberOf={escape_filter_value(dn)})")
