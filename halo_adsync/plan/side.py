"""What is known of Halo when a plan is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from halo_adsync.model import Decision, HaloClientId, HaloUser, HaloUserId, Link, ObjectGuid, Parked, Place
from halo_adsync.plan.fingerprints import Fingerprints
from halo_adsync.plan.leavers import Departures


@dataclass(frozen=True, slots=True)
class HaloSide:
    """Halo's side of a plan: links, places, and as many users as had to be read."""

    links: Mapping[ObjectGuid, Link] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    """The clients and sites that exist, by key."""
    users: Mapping[HaloUserId, HaloUser] = field(default_factory=dict)
    """Halo's users, where they were read: candidates for matching, and the truth for `reconcile`."""
    decisions: Mapping[ObjectGuid, Decision] = field(default_factory=dict)
    """What people decided about accounts that have no link."""
    tickets_due: frozenset[ObjectGuid] = frozenset()
    """New people whose ticket an earlier run planned and did not come to open."""
    established: bool = False
    """Whether an earlier run has brought everybody to Halo, so that who is created now is new."""
    complete: bool = False
    """Whether `users` are all users of the mapped clients, so that a linked user not among them is gone."""
    departures: Departures = field(default_factory=Departures)
    """What is known of people who may have left."""
    parked: Mapping[str, Parked] = field(default_factory=dict)
    """The records whose time to be tried again has not come yet, by key."""
    fingerprints: Fingerprints | None = None
    """Of those who were as they should be; None where everybody's wishes are to be worked out."""
    others: frozenset[HaloUserId] = frozenset()
    """Those of `users` who are linked to somebody whom the plan is not about."""

    def linked(self) -> frozenset[HaloUserId]:
        """Return the users who belong to somebody: no newcomer may be one of them."""
        return self.others | {link.user for link in self.links.values()}

    def is_active(self, link: Link) -> bool:
        """Tell whether somebody is active in Halo, as far as that is known."""
        user = self.users.get(link.user)
        return user.active if user else link.active

    def mapped(self) -> frozenset[HaloClientId]:
        """Return the customer's clients: nobody who stands in another is adopted."""
        return frozenset(place.client for place in self.places.values())
