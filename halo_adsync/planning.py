"""Planning: read what the plan needs from the directories and from Halo, no more, then make it."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from halo_adsync.asking import guids_request, read_request
from halo_adsync.customer import Customer, DirectoryBlock
from halo_adsync.departing import Search, absences, to_keep, with_tickets
from halo_adsync.directory.port import Directory
from halo_adsync.errors import HaloRefused
from halo_adsync.following import UNFOLLOWED, Followed, follow, still_to_do
from halo_adsync.halo.port import Halo
from halo_adsync.learning import Learner, by_id, nobodys
from halo_adsync.looking_up import facts_of
from halo_adsync.model import (
    Cursor,
    CustomField,
    DirectoryRead,
    Footing,
    Leaver,
    Link,
    Meter,
    ObjectGuid,
    Parked,
    Place,
)
from halo_adsync.plan.agents import AgentSide
from halo_adsync.plan.custom import resolved, with_custom
from halo_adsync.plan.fingerprints import fingerprints
from halo_adsync.plan.footing import remembered
from halo_adsync.plan.guard import Ground, minds_everybody
from halo_adsync.plan.make import blanks_to_verify, make_plan
from halo_adsync.plan.mapping import Target
from halo_adsync.plan.parking import over, waiting
from halo_adsync.plan.side import HaloSide
from halo_adsync.plan.survey import survey
from halo_adsync.plan.types import Plan
from halo_adsync.planning_agents import plan_agents
from halo_adsync.services import Pulse, Services
from halo_adsync.state.customer_state import CustomerState
from halo_adsync.state.knowledge import Known
from halo_adsync.state.newcomers import RUNS_LOOKED_THROUGH, is_established
from halo_adsync.telemetry import phase

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
    fingerprints_before: frozenset[bytes] = frozenset()
    """Those that were kept of people who were as they should be."""
    over: tuple[str, ...] = ()
    """The keys of parked records that need nothing any more."""
    cursors: Mapping[str, Cursor] = field(default_factory=dict)
    """From where the changes of each directory are followed once the plan is settled."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What the directories showed, and what was kept that goes with it."""

    known: Known
    parked: Mapping[str, Parked]
    followed: Followed
    reads: Sequence[DirectoryRead]
    agents: Mapping[ObjectGuid, Link]

    @property
    def about(self) -> frozenset[ObjectGuid] | None:
        """Whom the plan is about; None for everybody."""
        return self.followed.about(self.reads)


class Planner:
    """Makes the plan of one run."""

    def __init__(self, services: Services, customer: Customer, mode: str, meter: Meter, pulse: Pulse) -> None:
        self._services, self._customer, self._mode = services, customer, mode
        self._meter, self._pulse = meter, pulse

    def plan(
        self,
        state: CustomerState,
        known: Known,
        halo: Halo,
        run: str,
        *,
        counts: bool,
        retry: bool = False,
    ) -> Planned:
        """Read the directories completely, learn what is needed of Halo, and plan.

        Args:
            state: the customer's.
            known: what is known of it.
            halo: where to ask.
            run: the run's id.
            counts: whether who is absent counts as missing once more.
            retry: whether what is parked is tried all the same.

        Raises:
            IncompleteRead, DirectoryRefused: no plan is made from half a directory.
            HaloUnavailable, HaloRefused, BudgetSpent: Halo had to be asked and did not answer.
            ConfigurationError: the file names a client or site that is not there.
        """
        with phase("read"), ExitStack() as stack:
            blocks = self._customer.directories
            opened = {block.id: stack.enter_context(self._open(block)) for block in blocks}
            parked = state.parked()
            waits = still_to_do(self._customer, state, parked)
            ask = partial(follow, self._customer, opened, known, tuple(waits), self._mode)
            followed = ask() if counts else UNFOLLOWED
            if followed.concerned == frozenset():
                return self._nothing(followed)
            agents = state.agent_links() if self._customer.agents.asked_for else {}
            reads = self._reads(opened, known.anchors, frozenset(agents), followed.concerned)
            if torn := followed.torn(reads):
                followed = replace(ask(), concerned=None, warnings=torn)
                reads = self._reads(opened, known.anchors, frozenset(agents), None)
        if followed.concerned is None and self._mode == "delta":
            self._mode = "full"
        self._pulse()
        look = _Look(known, parked, followed, reads, agents)
        return self._plan(state, halo, run, look, counts=counts, retry=retry)

    def _nothing(self, followed: Followed) -> Planned:
        """Return the plan of a delta that is about nobody."""
        digest = self._customer.settings_digest()
        plan = Plan(self._customer.id, self._mode, digest, (), 0, warnings=followed.warnings)
        return Planned(plan, None, (), None, Ground(), {}, {}, cursors=followed.cursors)

    @phase("plan")
    def _plan(
        self,
        state: CustomerState,
        halo: Halo,
        run: str,
        look: _Look,
        *,
        counts: bool,
        retry: bool,
    ) -> Planned:
        now, customer = self._services.now(), self._customer
        reads, known, agents, about = look.reads, look.known, look.agents, look.about
        target = self._target(state, halo)
        footing = remembered(known.footing, customer, reads)
        facts = replace(facts_of(self._services, customer, self._pulse), agents=agents)
        found = survey(customer, reads, now, target, footing, facts=facts)
        side = self._side(state, known, about)
        before = {guid: row for guid, row in known.leavers.items() if about is None or guid in about}
        side = replace(side, parked={} if retry else waiting(look.parked, now))
        taken = nobodys if about is None else lambda users: state.linked_to(users).values()
        learner = Learner(customer, self._mode, self._services.progress, taken)
        side, learnt = learner.learn(found, side, halo)
        if counts and about is None and self._mode == "full":
            known_ones = state.fingerprints()
            told = fingerprints(customer, target, self._services.program(), known_ones)
            side = replace(side, fingerprints=told)
        search = Search(customer, self._open, partial(guids_request, known.anchors), now)
        departures = absences(before, found, side, search, run, counts=counts and about is None)
        side = replace(side, departures=replace(departures, keeps=known.keeps))
        plan = make_plan(customer, found, side, self._mode)
        unsure = blanks_to_verify(customer, plan, side)
        if unsure:
            side = replace(side, users={**side.users, **by_id(halo.user(user) for user in unsure)})
            plan = make_plan(customer, found, side, self._mode)
        departures = with_tickets(customer, plan, side.departures, halo, now)
        if departures != side.departures:
            side = replace(side, departures=departures)
            plan = make_plan(customer, found, side, self._mode)
        kept = to_keep(plan, departures)
        if customer.agents.asked_for:
            staff = AgentSide(agents, parked=side.parked)
            plan = plan_agents(customer, reads, staff, halo.agents, mode=self._mode, now=now).beside(plan)
        plan = replace(plan, warnings=(*plan.warnings, *look.followed.warnings))
        resolved = {f"{read.directory}|{dn}": guid for read in reads for dn, guid in read.anchors.items()}
        parked = {key: one for key, one in look.parked.items() if about is None or _guid_of(key) in about}
        return Planned(
            plan,
            None if resolved == known.anchors else resolved,
            learnt,
            None if footing == known.footing else footing,
            self._ground(state, side, plan, look),
            kept,
            before,
            side.fingerprints.known if side.fingerprints else frozenset(),
            tuple(over(parked, plan.changes)),
            look.followed.kept(reads),
        )

    def _ground(
        self,
        state: CustomerState,
        side: HaloSide,
        plan: Plan,
        look: _Look,
    ) -> Ground:
        """Return what the plan is judged against; a delta reads everybody's links only where it matters."""
        if look.about is None:
            shown = {read.directory: len(read.people) for read in look.reads}
            return Ground(side.links, side.places, shown, look.known.baseline)
        links = state.links() if minds_everybody(self._customer, plan) else side.links
        return Ground(links, side.places, before=look.known.baseline)

    def _open(self, directory: DirectoryBlock) -> AbstractContextManager[Directory]:
        return self._services.open_directory(directory, self._meter)

    def _target(self, state: CustomerState, halo: Halo) -> Target:
        """Return what Halo can store; custom fields are asked for when one is new, and by a reconcile."""
        names = self._customer.custom_fields()
        known: Mapping[str, CustomField | None] = state.custom_fields() if names else {}
        if names and (self._mode == "reconcile" or not {name.lower() for name in names} <= known.keys()):
            try:
                there = halo.custom_fields()
            except HaloRefused:  # the account may not see them, and may write them all the same
                there = ()
            known = resolved(names, there)
            state.keep_custom_fields(known)
        return with_custom(self._services.target, known)

    def _side(self, state: CustomerState, known: Known, about: Collection[ObjectGuid] | None) -> HaloSide:
        among = sum((known.baseline or {}).values())
        links = state.links() if about is None else state.links_of(about, among)
        open_decisions = {guid: made for guid, made in known.decisions.items() if guid not in links}
        side = HaloSide(links, state.places(), decisions=open_decisions)
        if self._customer.onboarding.ticket is None:
            return side
        due = state.newcomers.due(self._services.now() - TICKETS_WAIT)
        established = is_established(state.runs(RUNS_LOOKED_THROUGH))
        return replace(side, tickets_due=due, established=established)

    def _reads(
        self,
        opened: Mapping[str, Directory],
        anchors: Mapping[str, ObjectGuid],
        linked: frozenset[ObjectGuid],
        about: frozenset[ObjectGuid] | None,
    ) -> list[DirectoryRead]:
        blocks = self._customer.directories
        return [self._read(block, opened[block.id], anchors, linked, about) for block in blocks]

    def _read(
        self,
        directory: DirectoryBlock,
        opened: Directory,
        anchors: Mapping[str, ObjectGuid],
        linked: frozenset[ObjectGuid],
        about: frozenset[ObjectGuid] | None,
    ) -> DirectoryRead:
        request = replace(read_request(self._customer, directory, anchors, linked), guids=about)

        def progress(count: int) -> None:
            self._pulse()
            self._services.progress(f"Reading {directory.id}", count, None)

        return opened.read(request, progress)


def _guid_of(parked: str) -> ObjectGuid:
    return ObjectGuid(parked.partition("|")[2])
