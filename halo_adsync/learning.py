"""Learning: ask Halo for the places and users that a plan cannot be made without, and for no more."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from halo_adsync.customer import Customer
from halo_adsync.halo.port import Halo
from halo_adsync.model import HaloClientId, HaloUser, HaloUserId, Link, ObjectGuid, Place
from halo_adsync.packed import pack
from halo_adsync.plan.make import ladder, match_people
from halo_adsync.plan.match import STAMP
from halo_adsync.plan.places import find_client, find_site, may_make, missing, same_client, same_site
from halo_adsync.plan.side import HaloSide
from halo_adsync.plan.survey import Survey
from halo_adsync.plan.wanted import WantedClient, WantedSite, client_of
from halo_adsync.services import Progress
from halo_adsync.telemetry import phase

FEW = 2_000
"""Up to so many linked people, reading all of a customer's users (20 requests) is cheaper than thinking."""


type Taken = Callable[[Collection[HaloUserId]], Iterable[HaloUserId]]


def nobodys(_users: Collection[HaloUserId]) -> tuple[HaloUserId, ...]:
    """Tell of none: the links of everybody are known."""
    return ()


@dataclass(frozen=True, slots=True)
class Learner:
    """Learns for one plan."""

    customer: Customer
    mode: str
    """`reconcile` compares with what Halo really holds; a `delta` is about some people only."""
    progress: Progress
    taken: Taken = nobodys
    """Which of these users somebody is linked to whom the plan is not about."""

    @phase("look up in Halo")
    def learn(self, found: Survey, side: HaloSide, halo: Halo) -> tuple[HaloSide, tuple[Place, ...]]:
        """Ask Halo for the places and users that the plan cannot be made without."""
        newcomers = found.newcomers(side.links)
        wanted = list(found.wanted_sites())
        reconcile = self.mode == "reconcile"
        unknown = missing(wanted, {} if reconcile else side.places)
        to_make = any(may_make(site, side.places) for site in unknown)
        settled = not to_make and not _passed_over(found, side)
        if settled and not newcomers and not reconcile:
            return side, ()
        places = self._find_places(unknown, side.places, halo)
        known = {} if reconcile else side.places
        side = replace(side, places={**known, **places})
        clients = sorted(side.mapped()) if self.mode == "delta" else _clients(side, wanted)
        if reconcile or (self.mode == "full" and not side.links):
            everybody = (user for client in clients for user in halo.users(client))
            slim = (replace(user, fields=pack(user.fields)) for user in everybody)  # few are looked at twice
            side = replace(side, users=by_id(slim if reconcile else everybody), complete=reconcile)
        elif newcomers:
            side = replace(side, users=self._candidates(found, side, clients, halo))
        side = self._with_chosen(side, halo)
        side = replace(side, others=frozenset(self.taken(side.users.keys())))
        return self._with_details(found, side, halo), tuple(places.values())

    def _find_places(
        self, unknown: Sequence[WantedSite], known: Mapping[str, Place], halo: Halo
    ) -> dict[str, Place]:
        """Find the unknown places in Halo; one that was known before by its id, whatever its name is."""
        self.progress("Reading Halo's clients and sites", 0, None)
        clients: dict[str, WantedClient] = {site.client.key: site.client for site in unknown}
        default = client_of(self.customer.placement.client)
        clients.setdefault(default.key, default)
        there = halo.clients()
        places: dict[str, Place] = {}
        for key, wanted in sorted(clients.items()):
            client = same_client(known.get(key), there) or find_client(wanted, there)
            if client is None:
                continue
            places[key] = client
            sites = halo.sites(client.client)
            for site in unknown:
                if site.client.key != key:
                    continue
                place = same_site(known.get(site.key), sites) or find_site(site, client, sites)
                if place:
                    places[site.key] = place
        return places

    def _candidates(
        self, found: Survey, side: HaloSide, clients: Iterable[HaloClientId], halo: Halo
    ) -> dict[HaloUserId, HaloUser]:
        """Return Halo's users that a newcomer may be; by look-ups where reading all would cost more."""
        newcomers = found.newcomers(side.links)
        taken = side.linked()
        few = len(side.links) <= max(FEW, 100 * len(newcomers) * len(ladder(self.customer)))
        if few and self.mode != "delta":
            everybody = (user for client in clients for user in halo.users(client))
            return by_id(user for user in everybody if user.id not in taken)
        keys = [
            (rung, subject.person.guid if rung == STAMP else subject.desired.fields.get(rung, ""))
            for subject in newcomers
            for rung in ladder(self.customer)
        ]
        found_users = (
            user
            for client in clients
            for rung, value in keys
            if value
            for user in halo.find_users(client, rung, value)
        )
        return by_id(user for user in found_users if user.id not in taken)

    def _with_chosen(self, side: HaloSide, halo: Halo) -> HaloSide:
        """Read the users that people chose by hand, wherever in Halo they stand."""
        chosen = {decision.user for decision in side.decisions.values() if decision.user is not None}
        lacking = sorted(chosen - side.users.keys())
        return replace(side, users={**side.users, **by_id(halo.user(user) for user in lacking)})

    def _with_details(self, found: Survey, side: HaloSide, halo: Halo) -> HaloSide:
        """Fetch what lists leave out (custom fields) for the users that are about to be adopted."""
        matched = [m.user for m in match_people(self.customer, found, side).values() if m.user is not None]
        lacking = [user.id for user in matched if not user.fields.keys() >= self.customer.fields.keys()]
        if not lacking:
            return side
        return replace(side, users={**side.users, **by_id(halo.user(user) for user in lacking)})


def _passed_over(found: Survey, side: HaloSide) -> bool:
    """Tell whether somebody linked would be moved past a site that Halo may have, though it is not known."""
    for subject in found.subjects:
        link = side.links.get(subject.person.guid)
        if link is None or len(subject.options) < 2:  # noqa: PLR2004 - there is nothing to pass over
            continue
        keys = [option.site.key for option in subject.options]
        chosen = next((side.places[key] for key in keys if key in side.places), None)
        if keys[0] not in side.places and (chosen is None or chosen.site != link.site):
            return True
    return False


def _clients(side: HaloSide, wanted: Iterable[WantedSite]) -> tuple[HaloClientId, ...]:
    """Return the mapped clients: those of the wanted places, and of the people who are linked."""
    keys = {site.client.key for site in wanted} | {site.key for site in wanted}
    found = {side.places[key].client for key in keys if key in side.places}
    return tuple(sorted(found | _linked_clients(side.links)))


def _linked_clients(links: Mapping[ObjectGuid, Link]) -> set[HaloClientId]:
    return {link.client for link in links.values()}


def by_id(users: Iterable[HaloUser | None]) -> dict[HaloUserId, HaloUser]:
    """Return the users that are there, by their id."""
    return {user.id: user for user in users if user is not None}
