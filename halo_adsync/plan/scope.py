"""Scope: whose accounts are people to keep in step, and why the others are not."""

from datetime import datetime

from halo_adsync.customer import Customer
from halo_adsync.model import DirectoryRead, ObjectGuid, Person


class Scoping:
    """The scope of a customer, made ready for one directory as it was read."""

    def __init__(self, customer: Customer, read: DirectoryRead, now: datetime) -> None:
        self._tree = read.tree
        self._now = now
        self._include = [read.anchors[dn] for dn in customer.scope.include if dn in read.anchors]
        self._exclude = [read.anchors[dn] for dn in customer.scope.exclude if dn in read.anchors]
        self._everywhere = not customer.scope.include
        self._members = (
            frozenset[ObjectGuid]().union(*(read.groups.get(dn, ()) for dn in customer.scope.groups))
            if customer.scope.groups
            else None
        )
        self._places: dict[ObjectGuid, str | None] = {}

    def why_not(self, person: Person) -> str | None:
        """Return why this account is not to be in Halo now; None where it is."""
        if person.parent not in self._places:
            self._places[person.parent] = self._why_not_there(person.parent)
        outside = self._places[person.parent]
        if outside:
            return outside
        if self._members is not None and person.guid not in self._members:
            return "in none of the groups in scope"
        return why_unusable(person, self._now)

    def _why_not_there(self, parent: ObjectGuid) -> str | None:
        if any(self._tree.is_below(parent, top) for top in self._exclude):
            return "in an OU that is left out of scope"
        if self._everywhere or any(self._tree.is_below(parent, top) for top in self._include):
            return None
        return "in no OU that is in scope"


def why_unusable(person: Person, now: datetime) -> str | None:
    """Return why nobody can use this account at a time, UTC; None where it is in use."""
    if not person.enabled:
        return "the account is disabled"
    if person.expires is not None and person.expires <= now:
        return f"the account expired on {person.expires:%Y-%m-%d}"
    return None
