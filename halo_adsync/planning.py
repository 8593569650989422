"""Planning: read what the plan needs from the directories and from Halo, no more, then make it."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from halo_adsync.asking import guids_request, read_request
from halo_adsync.customer import Customer, DirectoryBlock
from halo_adsync.departing import Search, absences, to_keep, with_tickets
from halo_adsync.directory.port import Directory
from halo_adsync.errors import HaloRefused
from halo_adsync.halo.port import Halo
from halo_adsync.looking_up import facts_of
from halo_adsync.model import (
    DirectoryRead,
    Footing,
    HaloClientId,
    HaloUser,
    HaloUserId,
    Leaver,
    Link,
    Meter,
    ObjectGuid,
    Place,
)
from halo_adsync.plan.agents import AgentSide
from halo_adsync.plan.custom import Known, resolved, with_custom
from halo_adsync.plan.footing import remembered
from halo_adsync.plan.guard import Ground
from halo_adsync.plan.make import blanks_to_verify, ladder, make_plan, match_people
from halo_adsync.plan.mapping import Target
from halo_adsync.plan.match import STAMP
from halo_adsync.plan.parking import over, waiting
from halo_adsync.plan.places import find_client, find_site, may_make, missing, same_client, same_site
from halo_adsync.plan.side import HaloSide
from halo_adsync.plan.survey import Survey, survey
from halo_adsync.plan.types import Plan
from halo_adsync.plan.wanted import WantedClient, WantedSite, client_of
from halo_adsync.planning_agents import plan_agents
from halo_adsync.services import Pulse, Services
from halo_adsync.state.newcomers import RUNS_LOOKED_THROUGH, is_established
from halo_adsync.state.store import CustomerState

FEW = 2_000
"""Up to so many linked people, reading all of a customer's users (20 requests) is cheaper than thinking."""


TICKETS_WAIT = timedelta(days=30)
"""A ticket that was not opened by then is none for a new starter any more."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and what was learnt on the way that is worth keeping."""

    plan: Plan
    anchors: Mapping[str, ObjectGuid] | None
    """Which OUs and groups are meant; None where that is known."""
    places: tuple[Place, ...]
    """Clients and sites that were found in Halo and not known before."""
    footing: Footing | None
    """From where OUs are counted; None where that is known."""
    ground: Ground
    """What the plan is judged against."""
    leavers: Mapping[ObjectGuid, Leaver]
    """What is to be kept of people who may have left, where the run counts."""
    leavers_before: Mapping[ObjectGuid, Leaver]
    """What was kept of them."""
    over: tuple[str, ...] = ()
    """The keys of parked records that need nothing any more."""


class Planner:
    """Makes the plan of one run."""

    def __init__(self, services: Services, customer: Customer, mode: str, meter: Meter, pulse: Pulse) -> None:
        self._services, self._customer, self._mode = services, customer, mode
        self._meter, self._pulse = meter, pulse

    def plan(
        self, state: CustomerState, halo: Halo, run: str, *, counts: bool, retry: bool = False
    ) -> Planned:
        """Read the directories completely, learn what is needed of Halo, and plan.

        Args:
            state: what is kept of the customer.
            halo: where to ask.
            run: the run's id.
            counts: whether who is absent counts as missing once more.
            retry: whether what is parked is tried all the same.

        Raises:
            IncompleteRead, DirectoryRefused: no plan is made from half a directory.
            HaloUnavailable, HaloRefused, BudgetSpent: Halo had to be asked and did not answer.
            ConfigurationError: the file names a client or site that is not there.
        """
        anchors, now = state.anchors(), self._services.now()
        agents = state.agent_links() if self._customer.agents.asked_for else {}
        linked = frozenset(agents)
        reads = [self._read(directory, anchors, linked) for directory in self._customer.directories]
        self._pulse()
        target = self._target(state, halo)
        footing_before = state.footing()
        footing = remembered(footing_before, self._customer, reads)
        facts = replace(facts_of(self._services, self._customer, self._pulse), agents=agents)
        found = survey(self._customer, reads, now, target, footing, facts=facts)
        side, known, parked = self._side(state), state.leavers(), state.parked()
        side = replace(side, parked={} if retry else waiting(parked, now))
        side, learnt = self._learn(found, side, halo)
        search = Search(self._customer, self._open, partial(guids_request, anchors), now)
        departures = absences(known, found, side, search, run, counts=counts)
        side = replace(side, departures=replace(departures, keeps=state.keeps()))
        plan = make_plan(self._customer, found, side, self._mode)
        unsure = blanks_to_verify(self._customer, plan, side)
        if unsure:
            side = replace(side, users={**side.users, **_by_id(halo.user(user) for user in unsure)})
            plan = make_plan(self._customer, found, side, self._mode)
        departures = with_tickets(self._customer, plan, side.departures, halo, now)
        if departures != side.departures:
            side = replace(side, departures=departures)
            plan = make_plan(self._customer, found, side, self._mode)
        kept = to_keep(plan, departures)
        if self._customer.agents.asked_for:
            staff = AgentSide(agents, parked=side.parked)
            plan = plan_agents(self._customer, reads, staff, halo.agents, mode=self._mode, now=now).beside(
                plan
            )
        resolved = {f"{read.directory}|{dn}": guid for read in reads for dn, guid in read.anchors.items()}
        shown = {read.directory: len(read.people) for read in reads}
        ground = Ground(side.links, side.places, shown, state.baseline())
        news = None if resolved == anchors else resolved
        moved = None if footing == footing_before else footing
        needless = tuple(over(parked, plan.changes))
        return Planned(plan, news, learnt, moved, ground, kept, known, needless)

    def _open(self, directory: DirectoryBlock) -> AbstractContextManager[Directory]:
        return self._services.open_directory(directory, self._meter)

    def _target(self, state: CustomerState, halo: Halo) -> Target:
        """Return what Halo can store; custom fields are asked for when one is new, and by a reconcile."""
        names = self._customer.custom_fields()
        known: Known = state.custom_fields() if names else {}
        if names and (self._mode == "reconcile" or not {name.lower() for name in names} <= known.keys()):
            try:
                there = halo.custom_fields()
            except HaloRefused:  # the account may not see them, and may write them all the same
                there = ()
            known = resolved(names, there)
            state.keep_custom_fields(known)
        return with_custom(self._services.target, known)

    def _side(self, state: CustomerState) -> HaloSide:
        links = state.links()
        open_decisions = {guid: made for guid, made in state.decisions().items() if guid not in links}
        side = HaloSide(links, state.places(), decisions=open_decisions)
        if self._customer.onboarding.ticket is None:
            return side
        due = state.newcomers.due(self._services.now() - TICKETS_WAIT)
        established = is_established(state.runs(RUNS_LOOKED_THROUGH))
        return replace(side, tickets_due=due, established=established)

    def _read(
        self,
        directory: DirectoryBlock,
        anchors: Mapping[str, ObjectGuid],
        linked: frozenset[ObjectGuid],
    ) -> DirectoryRead:
        request = read_request(self._customer, directory, anchors, linked)

        def progress(count: int) -> None:
            self._pulse()
            self._services.progress(f"Reading {directory.id}", count, None)

        with self._services.open_directory(directory, self._meter) as opened:
            return opened.read(request, progress)

    def _learn(self, found: Survey, side: HaloSide, halo: Halo) -> tuple[HaloSide, tuple[Place, ...]]:
        """Ask Halo for the places and users that the plan cannot be made without."""
        newcomers = found.newcomers(side.links)
        wanted = list(found.wanted_sites())
        reconcile = self._mode == "reconcile"
        unknown = missing(wanted, {} if reconcile else side.places)
        to_make = any(may_make(site, side.places) for site in unknown)
        settled = not to_make and not _passed_over(found, side)
        if settled and not newcomers and not reconcile:
            return side, ()
        places = self._find_places(unknown, side.places, halo)
        known = {} if reconcile else side.places
        side = replace(side, places={**known, **places})
        clients = _clients(side, wanted)
        if reconcile or not side.links:
            users = _by_id(user for client in clients for user in halo.users(client))
            side = replace(side, users=users, complete=reconcile)
        elif newcomers:
            side = replace(side, users=self._candidates(found, side, clients, halo))
        side = self._with_chosen(side, halo)
        return self._with_details(found, side, halo), tuple(places.values())

    def _find_places(
        self, unknown: Sequence[WantedSite], known: Mapping[str, Place], halo: Halo
    ) -> dict[str, Place]:
        """Find the unknown places in Halo; one that was known before by its id, whatever its name is."""
        self._services.progress("Reading Halo's clients and sites", 0, None)
        clients: dict[str, WantedClient] = {site.client.key: site.client for site in unknown}
        default = client_of(self._customer.placement.client)
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
        taken = {link.user for link in side.links.values()}
        if len(side.links) <= max(FEW, 100 * len(newcomers) * len(ladder(self._customer))):
            everybody = (user for client in clients for user in halo.users(client))
            return _by_id(user for user in everybody if user.id not in taken)
        keys = [
            (rung, subject.person.guid if rung == STAMP else subject.desired.fields.get(rung, ""))
            for subject in newcomers
            for rung in ladder(self._customer)
        ]
        found_users = (
            user
            for client in clients
            for rung, value in keys
            if value
            for user in halo.find_users(client, rung, value)
        )
        return _by_id(user for user in found_users if user.id not in taken)

    def _with_chosen(self, side: HaloSide, halo: Halo) -> HaloSide:
        """Read the users that people chose by hand, wherever in Halo they stand."""
        chosen = {decision.user for decision in side.decisions.values() if decision.user is not None}
        lacking = sorted(chosen - side.users.keys())
        return replace(side, users={**side.users, **_by_id(halo.user(user) for user in lacking)})

    def _with_details(self, found: Survey, side: HaloSide, halo: Halo) -> HaloSide:
        """Fetch what lists leave out (custom fields) for the users that are about to be adopted."""
        matched = [m.user for m in match_people(self._customer, found, side).values() if m.user is not None]
        lacking = [user.id for user in matched if not user.fields.keys() >= self._customer.fields.keys()]
        if not lacking:
            return side
        return replace(side, users={**side.users, **_by_id(halo.user(user) for user in lacking)})


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


def _by_id(users: Iterable[HaloUser | None]) -> dict[HaloUserId, HaloUser]:
    return {user.id: user for user in users if user is not None}
