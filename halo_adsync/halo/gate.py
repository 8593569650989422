"""The gate: nothing is written in Halo but what the licence covers, whatever a plan says.

The plan keeps to the same rules, and with better sentences. This is the second lock on the door: a mistake
in a plan, a row that somebody changed or a user who was moved meanwhile still writes to nobody else's users.
"""

from collections.abc import Collection, Mapping, Sequence

from halo_adsync.errors import RecordRejected
from halo_adsync.halo.port import Licence, UserOutcome, UserWrite
from halo_adsync.halo.users import UserReader
from halo_adsync.model import HaloClientId, HaloSiteId, HaloUserId, ObjectGuid

_GENERAL = "This is a General User of Halo, which stands for nobody in particular; it is never written."


class Gate:
    """Holds the licence, and says what it does not cover."""

    def __init__(self, reader: UserReader) -> None:
        self.licence = Licence()
        self._reader = reader

    def refusals(self, writes: Sequence[UserWrite]) -> dict[ObjectGuid, UserOutcome]:
        """Return an outcome for each write that is not covered."""
        clients, sites = self._clients(), self._sites()
        refused = {write.guid: self._why_not(write, clients, sites) for write in writes}
        return {guid: UserOutcome(guid, error=why) for guid, why in refused.items() if why is not None}

    def check_client(self, client: HaloClientId) -> None:
        """Make sure that a client is mapped.

        Raises:
            RecordRejected: it is not.
        """
        if client not in self._clients():
            raise RecordRejected(f"Client {client} is not mapped for this customer; it is not written.")

    def check_site(self, site: HaloSiteId) -> None:
        """Make sure that a site is one of a mapped client.

        Raises:
            RecordRejected: it is not.
        """
        if site not in self._sites():
            raise RecordRejected(_foreign_site(site))

    def check_user(self, user: HaloUserId) -> None:
        """Make sure that a user is linked.

        Raises:
            RecordRejected: it is not.
        """
        if user not in self.licence.users.values():
            raise RecordRejected(f"Halo user {user} is linked to nobody; nothing is written for it.")

    def _clients(self) -> set[HaloClientId]:
        return {place.client for place in self.licence.places.values()}

    def _sites(self) -> set[HaloSiteId]:
        return {place.site for place in self.licence.places.values() if place.site is not None}

    def _why_not(
        self, write: UserWrite, clients: Collection[HaloClientId], sites: Collection[HaloSiteId]
    ) -> str | None:
        if write.site is not None and write.site not in sites:
            return _foreign_site(write.site)
        if write.user is not None and self._reader.is_general(write.user):
            return _GENERAL
        return not_linked(write, self.licence.users, "user") or self._standing(write, clients)

    def _standing(self, write: UserWrite, clients: Collection[HaloClientId]) -> str | None:
        """Say what a user's own record has against a write, as far as it was read or has to be."""
        user, reader = write.user, self._reader
        if user is None:
            return None
        has_to_be = write.adopts is not None or write.active is not None or write.site is not None
        if has_to_be and reader.client_of(user) is None and reader.details(user) is None:
            return f"Halo has no user {user} any more."
        if reader.is_general(user):
            return _GENERAL
        client = reader.client_of(user)
        if client not in clients and (has_to_be or client is not None):
            stands = "does not show its client" if client is None else f"stands in client {client}"
            return f"Halo user {user} {stands}, which is not mapped for this customer; it is not written."
        return other_stamp(write, reader.stamp_of(user), "user")


def not_linked(write: UserWrite, linked: Mapping[ObjectGuid, HaloUserId], noun: str) -> str | None:
    """Say why the links do not cover a write, if they do not.

    Args:
        write: what is to be written.
        linked: the linked records, by account.
        noun: what sentences call a record.
    """
    own = linked.get(write.guid)
    if own == write.user:  # the linked record, or a new one for an account that has none
        return None
    if own is not None:
        return f"The account is linked to Halo {noun} {own}; it is given no other."
    if write.adopts is None:
        return f"Halo {noun} {write.user} is not linked to this account; only linked {noun}s are written."
    if write.user in linked.values():
        return f"Halo {noun} {write.user} is linked to another account by now."
    return None


def other_stamp(write: UserWrite, stamp: ObjectGuid | None, noun: str) -> str | None:
    """Say that a record was marked for another account since its adoption was planned, if it was."""
    if write.adopts is None or stamp is None or stamp in {write.guid, write.adopts}:
        return None
    return f"Halo {noun} {write.user} was marked as another directory account's meanwhile; it is not adopted."


def _foreign_site(site: HaloSiteId) -> str:
    return f"Site {site} is in no client that is mapped for this customer; it is not written."
