"""Reading users: lists, single records, and who is stamped with which account.

Lists leave out custom fields, and on some instances perhaps the stamp or the login as well; that an
instance leaves out what is empty is as likely. A few single records tell the two apart: a field that no row
of a list carries, but one of these holds something in, is one that lists leave out. Of such fields those
that people are matched by are then fetched for every user, and the others are left out of the answer.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from halo_adsync.halo.client import HaloApi
from halo_adsync.halo.codec import (
    EMAIL_FIELD,
    GUID_FIELD,
    LOGIN_FIELD,
    USERS,
    Record,
    decode_user,
    is_detail,
    is_general,
    listed_fields,
    record_client,
    record_guid,
    record_id,
)
from halo_adsync.halo.pages import INACTIVE_TOO, read_all
from halo_adsync.model import HaloClientId, HaloSiteId, HaloUser, HaloUserId, ObjectGuid
from halo_adsync.packed import opened, pack

IDENTIFYING = frozenset({GUID_FIELD, LOGIN_FIELD, EMAIL_FIELD})
SMALL_SAMPLE, SAMPLE = 3, 10
"""How many single records are read to learn about ordinary fields, and about those that identify somebody."""
EMPTY: tuple[object, ...] = (None, "")


class UserReader:
    """Reads the users of one instance, and remembers what reading taught about it."""

    def __init__(self, api: HaloApi) -> None:
        self._api = api
        self._fields = api.config.fields
        self._carried: set[str] = set()
        """Every field name that a list was seen to carry: where it is missing in another row, it is empty."""
        self._hidden: set[str] = set()
        """Every plain field of interest that lists leave out although it is filled."""
        self._stamps: dict[int, ObjectGuid | None] = {}
        """The stamps of users whose record showed one, or whose single record was read."""
        self._general: set[int] = set()
        self._clients: dict[int, HaloClientId] = {}
        """Where the users stand whose record was read."""

    def is_general(self, user: HaloUserId) -> bool:
        """Tell whether a user has shown itself to be a General User."""
        return user <= 0 or user in self._general

    def client_of(self, user: HaloUserId) -> HaloClientId | None:
        """Return the client that a user was last seen in; None where it was not seen, or shows none."""
        return self._clients.get(user)

    def stamp_of(self, user: HaloUserId) -> ObjectGuid | None:
        """Return the account that a user was last seen to be stamped with."""
        return self._stamps.get(user)

    def read(self, client: HaloClientId, query: Mapping[str, str]) -> Iterator[HaloUser]:
        """Yield every user of a client that a further query selects, each once, inactive ones too.

        Every user has its true stamp, login and address. A field that lists leave out is not among `fields`.
        """
        rows = self._rows({"client_id": str(client), **query})
        plain = [name for name in self._fields if not is_detail(name)]
        decoded = (decode_user(row, plain, client) for row in rows)  # a row has some hundred fields more
        users = [replace(user, fields=pack(user.fields)) for user in decoded]
        left_out = self._left_out(users)
        shown = [name for name in self._fields if name.lower() not in left_out]
        for listed in users:
            if listed.general or not left_out & IDENTIFYING:
                held = opened(listed.fields)
                user: HaloUser | None = replace(listed, fields={name: held[name] for name in shown})
            else:
                record = self.details(listed.id)
                user = None if record is None else decode_user(record, self._fields, client)
            if user is not None and user.client == client:
                yield user

    def _left_out(self, users: Sequence[HaloUser]) -> frozenset[str]:
        """Return the fields of interest that lists leave out, filled or not; custom ones always are."""
        unseen = listed_fields(self._fields) - self._carried
        people = [user.id for user in users if not user.general]
        step = max(1, len(people) // SAMPLE)
        for one in people[::step][: SAMPLE if unseen & IDENTIFYING else SMALL_SAMPLE] if unseen else ():
            record = self.details(one) or {}
            self._hidden.update(name for name in unseen if record.get(name) not in EMPTY)
        custom = {name.lower() for name in self._fields if is_detail(name)}
        return frozenset(self._hidden | custom)

    def user(self, user: HaloUserId) -> HaloUser | None:
        """Return one user with all its details; None where Halo has none."""
        record = self.details(user)
        return None if record is None else decode_user(record, self._fields)

    def details(self, user: int) -> Record | None:
        """Return the single record of a user, custom fields and all; None where Halo has none."""
        record = self._api.get(f"/Users/{user}", {"includedetails": "true"}, missing_ok=True)
        if record_id(record) != user:
            return None
        self._stamps[user] = None
        self._note(record)
        return {**record}

    def stamped(self, sites: Iterable[HaloSiteId]) -> dict[ObjectGuid, list[HaloUserId]]:
        """Return the users of these sites by the account that they are stamped with."""
        found: dict[ObjectGuid, list[HaloUserId]] = {}
        for site in sorted(set(sites)):
            for row in self._rows({"site_id": str(site)}):
                number = record_id(row)
                guid = None if number is None or is_general(row) else self._stamp(number, row)
                if number is not None and guid is not None:
                    found.setdefault(guid, []).append(HaloUserId(number))
        return found

    def _rows(self, query: Mapping[str, str]) -> Iterator[Record]:
        def fetch(page: Mapping[str, str]) -> object:
            return self._api.get("/Users", page)

        for row in read_all(fetch, USERS, {**INACTIVE_TOO, **query}):
            self._carried.update(row)
            self._note(row)
            yield row

    def _note(self, record: Record) -> None:
        number = record_id(record)
        if number is None:
            return
        if is_general(record):
            self._general.add(number)
        if (client := record_client(record)) is not None:
            self._clients[number] = client
        if (guid := record_guid(record)) is not None:
            self._stamps[number] = guid

    def _stamp(self, number: int, row: Record) -> ObjectGuid | None:
        if GUID_FIELD in self._carried:
            return record_guid(row)
        if number not in self._stamps:
            self.details(number)
        return self._stamps.get(number)
