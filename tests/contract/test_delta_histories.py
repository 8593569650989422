"""Histories: whatever happens in a directory, deltas end where a full run from nothing would.

A history is a sequence of what administrators do, with a delta after some of it. At its end another Halo, and
another table, get one full run: both must hold the same people in the same places, with the same values.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devstack.directory import Directory
from devstack.directory.edits import Edits
from devstack.halo import SimulatedHalo
from devstack.memory import MemoryTable
from halo_adsync.state.runs import Status
from tests.contract.conftest import ACCOUNT, PASSWORD, DirectoryStand
from tests.contract.halo_desk import Time
from tests.contract.sync_stage import Stage, go, rules
from tests.support.fuzzing import SOAK

HISTORIES = 125 if SOAK else 3
"""Of each kind of directory, and of each way to follow changes: 500 in a soak."""
OFTEN = ("add", "change", "move", "run")
SELDOM = ("clear", "login", "rename", "disable", "enable", "delete", "restore", "manager")
OUS = ("add_ou", "rename_ou", "move_ou", "return_ou", "delete_ou")
GROUPS = ("join", "join", "leave", "leave", "nest", "rename_group", "delete_group", "restore_group")
WHAT = st.sampled_from((*OFTEN, *OFTEN, *SELDOM, *OUS, *GROUPS))
IN_GROUPS = st.tuples(st.sampled_from(("join", "leave", "nest")), st.integers(0, 7), st.integers(0, 7))
STEPS = st.lists(st.tuples(WHAT, st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=16)


@dataclass
class Domain:
    """The part of a directory in which a history happens: OUs, people and groups, by number.

    One person always stays, because nobody at all would rightly be blocked.
    """

    edits: Edits
    top: str
    mark: str
    ous: list[str] = field(default_factory=list)
    away: list[str] = field(default_factory=list)
    """OUs that were moved out of the scope."""
    people: list[str] = field(default_factory=list)
    deleted: list[bytes] = field(default_factory=list)
    deleted_group: bytes = b""
    count: int = 0

    def __post_init__(self) -> None:
        self.inside = self.edits.add_ou("Inside", self.top)
        self.outside = self.edits.add_ou("Outside", self.top)
        self.ous = [self.edits.add_ou(name, self.inside) for name in ("Leeds", "York")]
        for ou in (0, 1, 0):
            self.add(ou, 0)
        stays = self.edits.add_user("Stays", self.inside, sAMAccountName=f"s{self.mark}")
        members = {"Group": [stays, *self.people[1:]], "Placed": self.people[2:], "Nested": self.people[:1]}
        self.groups = [
            self.edits.add_group(f"{name} {self.mark}", self.outside, dns) for name, dns in members.items()
        ]

    def do(self, what: str, one: int, two: int) -> None:
        """Do one thing, to the objects of these numbers, as far as there are any."""
        ways: dict[str, Callable[[int, int], None]] = {
            "add": self.add,
            "change": lambda person, value: self.modify(person, title=f"T {value}", mail=f"{value}@x.test"),
            "clear": lambda person, _: self.modify(person, title=None),
            "login": self.login,
            "disable": lambda person, _: self.switch(person, on=False),
            "enable": lambda person, _: self.switch(person, on=True),
            "rename": self.rename,
            "move": self.move,
            "delete": lambda person, _: self.delete(person),
            "restore": self.restore,
            "manager": self.manager,
            "join": lambda person, group: self.member(group, person, joins=True),
            "leave": lambda person, group: self.member(group, person, joins=False),
            "nest": self.nest,
            "rename_group": self.rename_group,
            "delete_group": self.delete_group,
            "restore_group": self.restore_group,
            "add_ou": self.add_ou,
            "rename_ou": self.rename_ou,
            "move_ou": self.move_ou,
            "return_ou": self.return_ou,
            "delete_ou": self.delete_ou,
        }
        ways[what](one, two)

    def add(self, ou: int, _: int) -> None:
        """Hire somebody."""
        self.count += 1
        name = f"Person {self.count}"
        account = f"h{self.mark}-{self.count}"[:20]
        if self.ous:
            parent = self.ous[ou % len(self.ous)]
            self.people.append(self.edits.add_user(name, parent, sAMAccountName=account, title="New"))
            if self.count % 2 and hasattr(self, "groups"):
                self.member(0, len(self.people) - 1, joins=True)

    def modify(self, person: int, **changes: Any) -> None:
        """Change attributes."""
        if self.people:
            self.edits.modify(self.people[person % len(self.people)], changes)

    def login(self, person: int, _: int) -> None:
        """Give somebody another logon name."""
        self.count += 1
        self.modify(person, sAMAccountName=f"n{self.mark}-{self.count}"[:20])

    def switch(self, person: int, *, on: bool) -> None:
        """Enable or disable an account."""
        if self.people:
            (self.edits.enable if on else self.edits.disable)(self.people[person % len(self.people)])

    def rename(self, person: int, value: int) -> None:
        """Give somebody another name."""
        if self.people:
            self._go(person, f"CN=Renamed {value} {self.count}", self.people[person % len(self.people)])
            self.count += 1

    def move(self, person: int, ou: int) -> None:
        """Move somebody to an OU, or out of the scope."""
        if self.people:
            places = [*self.ous, self.outside]
            dn = self.people[person % len(self.people)]
            self._go(person, dn.split(",", 1)[0], f"x,{places[ou % len(places)]}")

    def delete(self, person: int) -> None:
        """Delete an account."""
        if self.people:
            gone = self.people.pop(person % len(self.people))
            self.deleted += self.edits.values(gone, "objectGUID")
            self.edits.delete(gone)

    def restore(self, person: int, ou: int) -> None:
        """Bring a deleted account back, wherever that is."""
        if self.deleted:
            places = [*self.ous, self.outside]
            self.count += 1
            self.people.append(f"CN=Restored {self.count},{places[ou % len(places)]}")
            self.edits.restore(self.deleted.pop(person % len(self.deleted)), self.people[-1])

    def manager(self, person: int, chief: int) -> None:
        """Give somebody a manager."""
        if self.people:
            self.modify(person, manager=self.people[chief % len(self.people)])

    def member(self, group: int, person: int, *, joins: bool) -> None:
        """Let somebody join a group, or leave it."""
        if self.people:
            dn, where = self.people[person % len(self.people)], self.groups[group % len(self.groups)]
            self._join(where, dn) if joins else self._leave(where, dn)

    def nest(self, outer: int, _: int) -> None:
        """Put the last group into one of the others, or take it out; the others never stand in it."""
        if self.deleted_group:
            return
        where, nested = self.groups[outer % 2], self.groups[2]
        there = [value.decode().lower() for value in self.edits.values(where, "member")]
        (self._leave if nested.lower() in there else self._join)(where, nested)

    def rename_group(self, group: int, _: int) -> None:
        """Give a group another name."""
        number = group % len(self.groups)
        self.count += 1
        renamed = f"CN=Group {self.count} {self.mark},{self.outside}"
        self.edits.move(self.groups[number], renamed)
        self.groups[number] = renamed

    def delete_group(self, _: int, __: int) -> None:
        """Delete the group that no customer file names."""
        if not self.deleted_group:
            nested = self.groups.pop()
            (self.deleted_group,) = self.edits.values(nested, "objectGUID")
            self.edits.delete(nested)

    def restore_group(self, _: int, __: int) -> None:
        """Bring it back."""
        if self.deleted_group:
            self.count += 1
            self.groups.append(f"CN=Restored {self.count} {self.mark},{self.outside}")
            self.edits.restore(self.deleted_group, self.groups[-1])
            self.deleted_group = b""

    def _join(self, group: str, dn: str) -> None:
        there = [value.decode() for value in self.edits.values(group, "member")]
        if dn.lower() not in map(str.lower, there):
            self.edits.set_members(group, [*there, dn])

    def _leave(self, group: str, dn: str) -> None:
        there = [value.decode() for value in self.edits.values(group, "member")]
        self.edits.set_members(group, [name for name in there if name.lower() != dn.lower()])

    def add_ou(self, _: int, __: int) -> None:
        """Make an OU."""
        self.count += 1
        self.ous.append(self.edits.add_ou(f"Office {self.count}", self.inside))

    def rename_ou(self, ou: int, _: int) -> None:
        """Give an OU another name."""
        if self.ous:
            self.count += 1
            self._go_ou(ou, f"OU=Renamed office {self.count}", self.inside)

    def move_ou(self, ou: int, where: int) -> None:
        """Move an OU out of the scope, or into another one, with everybody in it."""
        if len(self.ous) > 1:
            old = self.ous.pop(ou % len(self.ous))
            others = [dn for dn in self.ous if not dn.endswith(f",{old}")]
            inside = bool(where % 3 and others)
            self.count += 1
            new = f"OU=Moved {self.count},{others[where % len(others)] if inside else self.outside}"
            (self.ous if inside else self.away).append(new)
            self.edits.move(old, new)
            self._follow(old, new)

    def return_ou(self, ou: int, _: int) -> None:
        """Move an OU back into the scope, with everybody in it."""
        if self.away:
            old = self.away.pop(ou % len(self.away))
            self.count += 1
            self.ous.append(f"OU=Back {self.count},{self.inside}")
            self.edits.move(old, self.ous[-1])
            self._follow(old, self.ous[-1])

    def delete_ou(self, ou: int, _: int) -> None:
        """Delete an OU, if nobody stands in it."""
        inhabited = [*self.people, *self.ous]
        empty = [dn for dn in self.ous if not any(each.endswith(f",{dn}") for each in inhabited)]
        if empty and len(self.ous) > 1:
            gone = empty[ou % len(empty)]
            self.ous.remove(gone)
            self.edits.delete(gone)

    def _go(self, person: int, rdn: str, below: str) -> None:
        number = person % len(self.people)
        new = f"{rdn},{below.split(',', 1)[1]}"
        if new.lower() != self.people[number].lower():
            self.edits.move(self.people[number], new)
            self.people[number] = new

    def _go_ou(self, ou: int, rdn: str, parent: str) -> None:
        number = ou % len(self.ous)
        old, self.ous[number] = self.ous[number], f"{rdn},{parent}"
        self.edits.move(old, self.ous[number])
        self._follow(old, self.ous[number])

    def _follow(self, old: str, new: str) -> None:
        for dns in (self.people, self.ous, self.away):
            dns[:] = [f"{dn.removesuffix(old)}{new}" if dn.endswith(f",{old}") else dn for dn in dns]


def stage_of(stand: DirectoryStand, domain: Domain, halo: SimulatedHalo, time: Time, delta: str) -> Stage:
    """Return a customer of that part of the directory, with an empty Halo and an empty table."""
    host, port = stand.ldaps
    user = getattr(stand.edits, "admin_user", ACCOUNT)  # on Samba only administrators see who was deleted
    directory: Any = SimpleNamespace(ca_path=stand.ca_path, ldaps_port=port)
    stage = Stage(directory, halo, MemoryTable(), time)
    stage.environment["SECRET_AD"] = getattr(stand.edits, "admin_password", PASSWORD)
    block = {
        "id": "corp",
        "servers": [f"{host}:{port}"],
        "ca_file": str(stand.ca_path),
        "bind": {"user": user, "password": {"secret": "ad"}},
        "delta": delta,
    }
    mapped = {"title": "title", "emailaddress": "mail", "other1": "{{ manager_name }}"}
    cleared = {name: {"from": source, "blank": "clear"} for name, source in mapped.items()}
    rules(
        stage,
        directories=[block],
        policy="full",
        scope={"include": [domain.inside], "groups": [domain.groups[0]]},
        placement={
            "client": {"name": "Contoso Ltd"},
            "rules": [
                {"group": domain.groups[1], "site": {"name": "Placed"}},
                {"mirror": domain.inside, "site_level": 1, "rename_sites": True, "moved": "follow"},
            ],
            "default_site": "Main",
        },
        fields={"name": "name", "login": "{{ login }}", **cleared},
        schedule={"delta": "*/15 * * * *"},
        limits={"deactivate": {"percent": 100, "count": 1000}, "shrink_percent": 100, "site_percent": 100},
    )
    return stage


def seen(stage: Stage) -> set[tuple[object, ...]]:
    """Return who is active in Halo, where, and with which values.

    Without the manager: who has one that left the scope keeps what Halo has, which a new Halo has not. That
    deltas do no less than full runs there is seen when a full run follows them.
    """
    sites = {site["id"]: site["name"] for site in stage.halo.sites.values()}
    return {
        (
            user["third_party_guid"],
            user["name"],
            user.get("login"),
            sites[user["site_id"]],
            user.get("title") or "",
            user.get("emailaddress") or "",
        )
        for user in stage.halo.people
        if not user["inactive"]
    }


def begin(stand: DirectoryStand, halo: SimulatedHalo, time: Time, delta: str) -> tuple[Domain, Stage]:
    """Return a part of the directory where nothing has happened yet, and a customer who has it in Halo."""
    number = next(stand.numbers)
    domain = Domain(stand.edits, stand.edits.add_ou(f"History {number}"), str(number))
    halo.reset()
    followed = stage_of(stand, domain, halo, time, delta)
    assert go(followed).status is Status.OK
    return domain, followed


def same_as_from_nothing(stand: DirectoryStand, domain: Domain, followed: Stage, halo: SimulatedHalo) -> None:
    """Assert that a full run into an empty Halo ends the same, and that one into this one finds nothing."""
    halo.reset()
    anew = stage_of(stand, domain, halo, followed.time, "off")
    assert go(anew).status is Status.OK
    assert seen(followed) == seen(anew)
    followed.halo.forget_requests()
    assert go(followed).status is Status.OK
    assert followed.writes() == [], "a full run found something that the deltas had missed"
    stand.edits.delete_tree(domain.top)  # or each history would be slower than the one before


@pytest.fixture(scope="module")
def halos() -> Iterator[tuple[SimulatedHalo, SimulatedHalo, Time]]:
    """Two Halos by one clock."""
    time = Time()
    with SimulatedHalo(clock=time.seconds) as one, SimulatedHalo(clock=time.seconds) as other:
        yield one, other, time


@pytest.fixture
def small_answers(directory_stand: DirectoryStand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a controller that can do so give little at a time: pages, ranges and parts are put together."""
    if isinstance(directory_stand.edits, Directory):
        for limit, number in (("page", 4), ("values", 2), ("changes", 3)):
            monkeypatch.setattr(directory_stand.edits.limits, limit, number)


@pytest.mark.usefixtures("small_answers")
@pytest.mark.timeout(0 if SOAK else 300)
def test_members_who_come_and_go_need_no_full_run(
    directory_stand: DirectoryStand, halos: tuple[SimulatedHalo, SimulatedHalo, Time]
) -> None:
    """DirSync names who joined or left the groups of scope and placement, and the groups within them."""

    @settings(max_examples=HISTORIES // 5 + 1, deadline=None, suppress_health_check=list(HealthCheck))
    @given(steps=st.lists(IN_GROUPS, min_size=1, max_size=12))
    def holds(steps: list[tuple[str, int, int]]) -> None:
        one, other, time = halos
        domain, followed = begin(directory_stand, one, time, "auto")
        for step in steps:
            domain.do(*step)
            run = go(followed, mode="delta")
            assert (run.mode, run.status, run.warnings) == ("delta", Status.OK, ())
        same_as_from_nothing(directory_stand, domain, followed, other)

    holds()


@pytest.mark.parametrize("delta", ["auto", "usn"])
@pytest.mark.usefixtures("small_answers")
@pytest.mark.timeout(0 if SOAK else 300)
def test_deltas_end_where_a_full_run_from_nothing_does(
    directory_stand: DirectoryStand,
    halos: tuple[SimulatedHalo, SimulatedHalo, Time],
    delta: str,
) -> None:
    """For any history."""
    modes: list[str] = []

    @settings(max_examples=HISTORIES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(steps=STEPS, has_recycle_bin=st.booleans())
    def holds(steps: list[tuple[str, int, int]], *, has_recycle_bin: bool) -> None:
        one, other, time = halos
        if isinstance(directory_stand.edits, Directory):
            directory_stand.edits.has_recycle_bin = has_recycle_bin
        domain, followed = begin(directory_stand, one, time, delta)
        for what, first, second in [*steps, ("run", 0, 0)]:
            if what != "run":
                domain.do(what, first, second)
                continue
            run = go(followed, mode="delta")
            assert run.status is Status.OK, run.message
            modes.append(run.mode)
        same_as_from_nothing(directory_stand, domain, followed, other)

    holds()
    assert "delta" in modes
