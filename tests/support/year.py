"""A directory and a Halo that go through a year together, with the product's own plan between them.

The directory answers in LDAP entries, so that the codec is part of it; Halo is plain data that takes
everything as it is sent. What the product keeps from run to run is kept here as a run of it does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import cast

from halo_adsync.departing import Search, absences, to_keep, with_tickets
from halo_adsync.directory.entry import RawEntry, guid_to_bytes
from halo_adsync.directory.people import PersonCodec
from halo_adsync.halo.port import Halo as HaloPort
from halo_adsync.model import (
    NEW_FOOTING,
    DirectoryRead,
    Footing,
    HaloClient,
    HaloSite,
    HaloSiteId,
    HaloUser,
    HaloUserId,
    Keep,
    Leaver,
    ObjectGuid,
    Person,
    Place,
    Tickets,
    Tree,
)
from halo_adsync.plan.footing import remembered
from halo_adsync.plan.guard import Ground, judge
from halo_adsync.plan.leavers import TOMBSTONE
from halo_adsync.plan.make import make_plan
from halo_adsync.plan.scope import Scoping
from halo_adsync.plan.side import HaloSide
from halo_adsync.plan.survey import survey
from halo_adsync.plan.types import Plan
from tests.support.applied import Halo, applied
from tests.support.plan import CLIENT, CLIENT_KEY, MAIN_KEY, NOW, TARGET, customer, guid, ou, ou_guid, tree

PEOPLE, OUT, ELSEWHERE = "People", "People/Out", "Elsewhere"
DISABLED, LOCKED_OUT, PASSWORD_EXPIRED, NORMAL = 0x2, 0x10, 0x800000, 0x200
EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
WHO = customer(
    policy="full",
    scope={"include": [ou(PEOPLE)], "exclude": [ou(OUT)]},
    placement={
        "client": {"name": "Contoso"},
        "rules": [{"mirror": ou(PEOPLE), "site_level": 1}],
        "default_site": "Main",
    },
    fields={
        "name": "displayName",
        "login": "sAMAccountName",
        "title": {"from": "title", "blank": "clear"},
        "other1": {"from": "{{ manager_name }}", "blank": "clear"},
    },
    match=["third_party_guid", "login"],
    limits={
        "deactivate": {"percent": 100, "count": 9_999},
        "site_percent": 100,
        "shrink_percent": 100,
        "create": 9_999,
    },
)
"""Limits are wide, so that nothing but an empty directory is stopped: guards have tests of their own."""

GENERAL = HaloUser(HaloUserId(1), CLIENT, HaloSiteId(101), True, None, True, False, {"name": "General User"})


@dataclass
class Account:
    """One account of the directory."""

    number: int
    ou: str
    name: str
    title: str = ""
    manager: int | None = None
    flags: int = NORMAL
    expires: datetime | None = None

    def entry(self) -> RawEntry:
        """Return the account as LDAP gives it."""
        ticks = 0 if self.expires is None else (self.expires - EPOCH) // timedelta(microseconds=1) * 10
        attributes = {
            "objectGUID": [guid_to_bytes(guid(self.number))],
            "userAccountControl": [str(self.flags).encode()],
            "accountExpires": [str(ticks).encode()],
            "sAMAccountName": [f"u{self.number}".encode()],
            "displayName": [self.name.encode()],
            "title": [self.title.encode()] if self.title else [],
        }
        return RawEntry.received(f"CN={self.number},{ou(self.ou)}", attributes)


@dataclass
class Year:
    """Everything that there is, at one moment."""

    accounts: dict[int, Account] = field(default_factory=dict)
    deleted: dict[int, Account] = field(default_factory=dict)
    tombstones: bool = True
    """Whether the sync may see what was deleted."""
    ous: dict[str, ObjectGuid] = field(default_factory=dict)
    """The OUs below People by name, with what tells each from an earlier one of that name."""
    overlooked: set[int] = field(default_factory=set)
    """Who is missing in the next read, though the directory has them."""
    now: datetime = NOW
    runs: int = 0
    open_tickets: dict[int, int] = field(default_factory=dict)
    """Open tickets by the number of the person."""
    keeps: dict[ObjectGuid, Keep] = field(default_factory=dict)
    leavers: dict[ObjectGuid, Leaver] = field(default_factory=dict)
    baseline: int | None = None
    footing: Footing = NEW_FOOTING
    halo: Halo = field(
        default_factory=lambda: Halo(
            (HaloClient(CLIENT, "Contoso"),),
            (HaloSite(HaloSiteId(101), CLIENT, "Main"),),
            HaloSide(
                places={
                    CLIENT_KEY: Place(CLIENT_KEY, CLIENT, None, "Contoso"),
                    MAIN_KEY: Place(MAIN_KEY, CLIENT, HaloSiteId(101), "Main"),
                },
                users={GENERAL.id: GENERAL},
            ),
        )
    )

    # ---- the directory ---------------------------------------------------------------------------------

    def tree(self) -> Tree:
        """Return the containers, each OU under its own GUID."""
        found = tree(PEOPLE, OUT, ELSEWHERE, *(f"{PEOPLE}/{name}" for name in self.ous))
        containers = {}
        for container in found.containers.values():
            own = self.ous.get(container.name, container.guid)
            containers[own] = replace(container, guid=own)
        return Tree(containers)

    def read(self, *, everybody: bool = False) -> DirectoryRead:
        """Return what a read brings; `everybody` finds those as well that a run overlooks."""
        anchors: dict[str, ObjectGuid] = {ou(PEOPLE): ou_guid(PEOPLE), ou(OUT): ou_guid(OUT)}
        seen = [one for one in self.accounts.values() if everybody or one.number not in self.overlooked]
        inside = [one for one in seen if everybody or one.ou not in {OUT, ELSEWHERE}]
        people = tuple(self._person(one) for one in inside)
        managers = {guid(one.number): str(guid(one.manager)) for one in inside if one.manager is not None}
        names = {str(person.guid): person.guid for person in people}
        return DirectoryRead("corp", "CORP", self.tree(), anchors, {}, people, managers, names)

    def _person(self, account: Account) -> Person:
        name = account.ou.rpartition("/")[2]
        parent = self.ous.get(name) or ou_guid(account.ou)
        kept = ("samaccountname", "displayname", "title")
        return PersonCodec("corp", kept).person(account.entry(), parent)

    def find(self, missing: Sequence[ObjectGuid]) -> tuple[dict[ObjectGuid, str], frozenset[ObjectGuid]]:
        """Look for people by GUID, as `departing.Search` does."""
        read = self.read(everybody=True)
        scoping = Scoping(WHO, read, self.now)
        there = {person.guid: scoping.why_not(person) for person in read.people if person.guid in missing}
        proofs = {found: reason for found, reason in there.items() if reason is not None}
        if self.tombstones:
            gone = {guid(number) for number in self.deleted} & set(missing)
            proofs |= dict.fromkeys(gone, TOMBSTONE)
        return proofs, frozenset(there.keys() - proofs.keys())

    # ---- Halo ------------------------------------------------------------------------------------------

    def user_of(self, number: int) -> HaloUser | None:
        """Return the one user in Halo who stands for a person."""
        found = [user for user in self.halo.side.users.values() if user.fields.get("login") == f"u{number}"]
        assert len(found) <= 1, f"person {number} is in Halo {len(found)} times"
        return found[0] if found else None

    def change_user(self, user: HaloUser) -> None:
        """Let somebody change a user in Halo by hand."""
        users = {**self.halo.side.users, user.id: user}
        self.halo = replace(self.halo, side=replace(self.halo.side, users=users))

    def tickets(self, user: HaloUserId, *, open_only: bool) -> Tickets:
        """Count somebody's tickets, as `Halo.tickets` does."""
        assert open_only
        login = self.halo.side.users[user].fields["login"]
        return Tickets(self.open_tickets.get(int(login[1:]), 0))

    # ---- a run -----------------------------------------------------------------------------------------

    def run(self, mode: str) -> bool:
        """Run the sync; tell whether its plan was applied, or a guard stopped it."""
        self.runs += 1
        self.now += timedelta(hours=8)
        read = self.read()
        plan, kept = self._plan(read, mode, counts=True)
        before = None if self.baseline is None else {"corp": self.baseline}
        ground = Ground(self.halo.side.links, self.halo.side.places, {"corp": len(read.people)}, before)
        if judge(WHO, plan, ground):
            return False
        self.leavers, self.baseline = kept, len(read.people)
        self.halo = applied(self.halo, plan)
        again, _ = self._plan(read, mode, counts=False)
        assert again.work() == (), "a second run has something to do"
        self.overlooked.clear()
        return True

    def _plan(self, read: DirectoryRead, mode: str, *, counts: bool) -> tuple[Plan, dict[ObjectGuid, Leaver]]:
        """Plan as a run does, and return what is to be kept of leavers as well."""
        self.footing = remembered(self.footing, WHO, [read])
        found = survey(WHO, [read], self.now, TARGET, self.footing)
        search, desk = cast("Search", self), cast("HaloPort", self)
        known, run = self._known(mode), f"run-{self.runs}"
        departures = absences(self.leavers, found, known, search, run, counts=counts)
        side = replace(known, departures=replace(departures, keeps=self.keeps))
        plan = make_plan(WHO, found, side, mode)
        looked = with_tickets(WHO, plan, side.departures, desk, self.now)
        plan = make_plan(WHO, found, replace(side, departures=looked), mode)
        return plan, to_keep(plan, looked)

    def _known(self, mode: str) -> HaloSide:
        """Return what a run knows of Halo: all of it where it reconciles, else who may be a newcomer."""
        side = self.halo.side
        if mode == "reconcile":
            return replace(side, complete=True)
        taken = {link.user for link in side.links.values()}
        return replace(side, users={key: user for key, user in side.users.items() if key not in taken})
