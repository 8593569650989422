"""Searching a client's users by the value of one field.

`advanced_search` is known to work for `emailaddress`; whether it knows other fields is not. A filter that
Halo does not know is ignored in silence, so a filter is believed only while every answer agrees with it, and
one on another field only after it was tried on a user that is known to be there. Otherwise the client's
users are read in full, once, and searched here: nobody counts as absent because a filter did not work.
"""

from collections.abc import Sequence
from uuid import uuid4

from halo_adsync.errors import HaloRefused, HaloUnavailable
from halo_adsync.halo.client import HaloApi
from halo_adsync.halo.codec import (
    EMAIL_FIELD,
    GUID_FIELD,
    USERS,
    Record,
    canonical_guid,
    exact_search,
    is_detail,
    is_general,
    plain_text,
    record_id,
)
from halo_adsync.halo.pages import INACTIVE_TOO, page_parameters, records
from halo_adsync.halo.users import UserReader
from halo_adsync.model import HaloClientId, HaloUser


class UserSearch:
    """Searches the users of one instance."""

    def __init__(self, api: HaloApi, reader: UserReader) -> None:
        self._api = api
        self._reader = reader
        self._spelling = {name.lower(): name for name in api.config.fields}
        self._believed: dict[str, bool] = {EMAIL_FIELD: True}
        self._everybody: dict[HaloClientId, Sequence[HaloUser]] = {}

    def forget(self) -> None:
        """Drop the users that were read: something is about to be written."""
        self._everybody.clear()

    def find(self, client: HaloClientId, field: str, value: str) -> list[HaloUser]:
        """Return the users whose field equals a value without regard to case, inactive ones too.

        Raises:
            ValueError: the field is a custom one, which lists do not carry, or is not one of interest.
        """
        name = field.lower()
        if name != GUID_FIELD and (is_detail(name) or name not in self._spelling):
            raise ValueError(f"Users cannot be searched by {field}: no list was asked to carry it.")
        if not value.strip():
            return []
        found = self._by_filter(client, name, value) if self._believes(client, name) else None
        if found is None:
            found = [user for user in self._all(client) if self._matches(user, name, value)]
        return found

    def _all(self, client: HaloClientId) -> Sequence[HaloUser]:
        if client not in self._everybody:
            self._everybody[client] = tuple(self._reader.read(client, {}))
        return self._everybody[client]

    def _matches(self, user: HaloUser, name: str, value: str) -> bool:
        if name == GUID_FIELD:
            return user.guid is not None and user.guid == canonical_guid(value)
        return user.fields.get(self._spelling[name], "").casefold() == value.strip().casefold()

    def _by_filter(self, client: HaloClientId, name: str, value: str) -> list[HaloUser] | None:
        """Let Halo search; None, now and from now on, when it answers with users that were not asked for."""
        found: dict[int, HaloUser] = {}
        for spelling in _spellings(name, value):
            for user in self._reader.read(client, {"advanced_search": exact_search(name, spelling)}):
                if not self._matches(user, name, value) and not user.general:
                    self._believed[name] = False
                    return None
                found[user.id] = user
        return [user for user in found.values() if self._matches(user, name, value)]

    def _believes(self, client: HaloClientId, name: str) -> bool:
        if client in self._everybody:
            return False  # all are here already: nothing needs to be asked
        if name not in self._believed:
            self._believed[name] = self._proves(client, name)
        return self._believed[name]

    def _proves(self, client: HaloClientId, name: str) -> bool:
        """Try a filter on a known user, in letters of the other case, and on a value that nobody has."""
        listed = self._first_page(client, {})
        known = next((row for row in listed if not is_general(row) and plain_text(row.get(name))), None)
        if known is None:
            return False
        value = plain_text(known[name])
        try:
            hits = self._first_page(client, {"advanced_search": exact_search(name, value.swapcase())})
            misses = self._first_page(client, {"advanced_search": exact_search(name, str(uuid4()))})
        except (HaloRefused, HaloUnavailable):
            return False  # a filter that Halo stumbles over is one that it does not know
        same = all(plain_text(row.get(name)).casefold() == value.casefold() for row in hits)
        return same and record_id(known) in map(record_id, hits) and not misses

    def _first_page(self, client: HaloClientId, query: dict[str, str]) -> list[Record]:
        parameters = {**INACTIVE_TOO, "client_id": str(client), **page_parameters(1), **query}
        return records(self._api.get("/Users", parameters), USERS)


def _spellings(name: str, value: str) -> tuple[str, ...]:
    """Return the forms that Halo may hold a value in: other programs stamp GUIDs with braces."""
    guid = canonical_guid(value) if name == GUID_FIELD else None
    return (value.strip(),) if guid is None else (guid, f"{{{guid}}}")
