"""A year in a directory's life: whatever happens in whatever order, Halo ends as a simple model says.

The model knows nothing of plans, links or placement: it says of each person whether they are to be in Halo,
and what Halo is to hold of them. After each run it is compared with what the product made of Halo.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from halo_adsync.model import HaloSiteId, HaloUser, HaloUserId, Keep, ObjectGuid
from tests.support.fuzzing import SOAK
from tests.support.plan import CLIENT, NOW, guid
from tests.support.year import (
    DISABLED,
    ELSEWHERE,
    GENERAL,
    LOCKED_OUT,
    OUT,
    PASSWORD_EXPIRED,
    PEOPLE,
    WHO,
    Account,
    Year,
)

NUMBERS = st.integers(1, 9)
NAMES = st.sampled_from(["Ada", "Zoë", "O'Neil", "Ada", "Bo"])
TITLES = st.sampled_from(["", "Teacher", "Head"])
OUS = st.sampled_from(["Leeds", "York", "Hull"])
MODES = st.sampled_from(["full", "full", "delta", "reconcile"])


@dataclass
class Expected:
    """What is to be in Halo of one person."""

    active: bool = True
    """As the directory wants it."""
    shown: bool = True
    """As it stands in Halo, where somebody may have changed it by hand."""
    name: str = ""
    title: str = ""
    synced: str = ""
    """The title that was written last: a change in Halo by hand is seen by a reconcile only."""
    manager: str = ""
    site: ObjectGuid | None = None
    missing: int = 0


class Lives(RuleBasedStateMachine):
    """What may happen in a year."""

    def __init__(self) -> None:
        super().__init__()
        self.year = Year()
        self.expected: dict[int, Expected] = {}
        self.made = 0
        """How many OUs were made."""

    @initialize(count=st.integers(1, 4), tombstones=st.booleans())
    def begin(self, count: int, tombstones: bool) -> None:
        """Some people are there from the beginning."""
        self.year.tombstones = tombstones
        for number in range(1, count + 1):
            self.year.accounts[number] = Account(number, PEOPLE, f"Person {number}")

    def _somebody(self, data: st.DataObject, among: Collection[int] | None = None) -> int:
        number: int = data.draw(st.sampled_from(sorted(among or self.year.accounts)))
        return number

    # ---- in the directory ------------------------------------------------------------------------------

    @rule(number=NUMBERS, name=NAMES, title=TITLES)
    def hire(self, number: int, name: str, title: str) -> None:
        """Somebody new begins; a number that was there before is somebody who comes back."""
        if number in self.year.deleted:
            self._bring_back(number)
        else:
            self.year.accounts.setdefault(number, Account(number, PEOPLE, name, title))

    @precondition(lambda self: self.year.accounts)
    @rule(data=st.data(), name=NAMES, title=TITLES)
    def rename(self, data: st.DataObject, name: str, title: str) -> None:
        """Somebody marries, or is promoted."""
        account = self.year.accounts[self._somebody(data)]
        account.name, account.title = name, title

    @precondition(lambda self: self.year.accounts)
    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        """Somebody goes to another OU, in scope or out of it."""
        self.year.accounts[self._somebody(data)].ou = data.draw(st.sampled_from(self._places()))

    @precondition(lambda self: self.year.accounts)
    @rule(data=st.data(), flag=st.sampled_from([DISABLED, DISABLED, LOCKED_OUT, PASSWORD_EXPIRED]))
    def flag(self, data: st.DataObject, flag: int) -> None:
        """An account is disabled or enabled, locked out or unlocked, or its password's time is over."""
        self.year.accounts[self._somebody(data)].flags ^= flag

    @precondition(lambda self: self.year.accounts)
    @rule(data=st.data(), days=st.sampled_from([-1, 1, 2, None]))
    def expire(self, data: st.DataObject, days: int | None) -> None:
        """An account expires, now or soon, or not any more."""
        account = self.year.accounts[self._somebody(data)]
        account.expires = None if days is None else self.year.now + timedelta(days=days)

    @precondition(lambda self: self.year.accounts)
    @rule(data=st.data(), manager=st.none() | NUMBERS)
    def report_to(self, data: st.DataObject, manager: int | None) -> None:
        """Somebody gets another manager, who may not be there, or be themselves."""
        self.year.accounts[self._somebody(data)].manager = manager

    @precondition(lambda self: self.year.accounts)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        """An account is deleted."""
        number = self._somebody(data)
        self.year.deleted[number] = self.year.accounts.pop(number)

    @precondition(lambda self: self.year.deleted)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        """An account is taken out of the recycle bin."""
        number = self._somebody(data, self.year.deleted)
        self._bring_back(number)

    def _bring_back(self, number: int) -> None:
        account = self.year.accounts[number] = self.year.deleted.pop(number)
        if account.ou not in self._places():
            account.ou = PEOPLE

    def _places(self) -> list[str]:
        return [PEOPLE, OUT, ELSEWHERE, *(f"{PEOPLE}/{name}" for name in self.year.ous)]

    @rule(seen=st.booleans())
    def recycle_bin(self, seen: bool) -> None:
        """The sync's account may see what was deleted, or may not."""
        self.year.tombstones = seen

    @rule(name=OUS)
    def make_ou(self, name: str) -> None:
        """An OU is made; one of a name that was there before is another one."""
        self.made += 1
        self.year.ous.setdefault(name, ObjectGuid(str(uuid.UUID(int=1_000 + self.made))))

    @precondition(lambda self: self.year.ous)
    @rule(data=st.data(), to=OUS)
    def rename_ou(self, data: st.DataObject, to: str) -> None:
        """An OU gets another name, and its people go with it."""
        name = self._somebody_ou(data)
        if to in self.year.ous:
            return
        self.year.ous[to] = self.year.ous.pop(name)
        for account in self.year.accounts.values():
            if account.ou == f"{PEOPLE}/{name}":
                account.ou = f"{PEOPLE}/{to}"

    @precondition(lambda self: self.year.ous)
    @rule(data=st.data())
    def delete_ou(self, data: st.DataObject) -> None:
        """An OU is deleted with everybody in it."""
        name = self._somebody_ou(data)
        del self.year.ous[name]
        inside = [number for number, one in self.year.accounts.items() if one.ou == f"{PEOPLE}/{name}"]
        for number in inside:
            self.year.deleted[number] = self.year.accounts.pop(number)

    def _somebody_ou(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.year.ous)))

    # ---- in Halo ---------------------------------------------------------------------------------------

    @rule(number=NUMBERS)
    def user_by_hand(self, number: int) -> None:
        """Somebody makes a user in Halo for a person who may come later."""
        if self.year.user_of(number) is None and number not in self.expected:
            identity = HaloUserId(200 + number)
            fields = {"name": "By hand", "login": f"u{number}", "title": "", "other1": ""}
            self.year.change_user(
                HaloUser(identity, CLIENT, HaloSiteId(101), True, None, False, False, fields)
            )

    @precondition(lambda self: self.expected)
    @rule(data=st.data(), title=TITLES)
    def edit(self, data: st.DataObject, title: str) -> None:
        """Somebody edits a user in Halo by hand."""
        number = self._somebody(data, self.expected)
        user = self.year.user_of(number)
        assert user is not None
        self.year.change_user(replace(user, fields={**user.fields, "title": title}))
        self.expected[number].title = title

    @precondition(lambda self: self.expected)
    @rule(data=st.data())
    def switch(self, data: st.DataObject) -> None:
        """Somebody switches a user off or on in Halo by hand."""
        number = self._somebody(data, self.expected)
        user = self.year.user_of(number)
        assert user is not None
        self.year.change_user(replace(user, active=not user.active))
        self.expected[number].shown = not user.active

    @rule(number=NUMBERS, count=st.integers(0, 2))
    def tickets(self, number: int, count: int) -> None:
        """Tickets are opened and closed."""
        self.year.open_tickets[number] = count

    @rule(number=NUMBERS, kept=st.booleans())
    def keep(self, number: int, kept: bool) -> None:
        """A person decides to keep somebody, or not any more."""
        if kept:
            self.year.keeps[guid(number)] = Keep(guid(number), "ada", NOW.isoformat())
        else:
            self.year.keeps.pop(guid(number), None)

    # ---- runs ------------------------------------------------------------------------------------------

    @precondition(lambda self: self.year.accounts)
    @rule(data=st.data())
    def overlook(self, data: st.DataObject) -> None:
        """The next read misses somebody who is there: moved between two pages, say."""
        self.year.overlooked.add(self._somebody(data))

    @rule(count=st.integers(2, 4))
    def quiet_time(self, count: int) -> None:
        """Nothing happens for a few runs."""
        for _ in range(count):
            self.run("full")

    @rule(mode=MODES)
    def runs(self, mode: str) -> None:
        """The sync runs."""
        self.run(mode)

    def run(self, mode: str) -> None:
        """Let the sync run, and see that everything in Halo is as the model says."""
        read = self.year.read()
        stopped = not read.people and bool(self.year.baseline)
        overlooked = set(self.year.overlooked)
        assert self.year.run(mode) is not stopped
        if not stopped:
            self._expect(mode, overlooked)
        self._compare()

    def _expect(self, mode: str, overlooked: set[int]) -> None:
        """Let the model live through a run."""
        for number in sorted({*self.year.accounts, *self.year.deleted}):
            account, known = self.year.accounts.get(number), self.expected.get(number)
            if account is not None and self._is_in_use(account) and number not in overlooked:
                self.expected[number] = self._after(account, known, mode)
            elif known is not None:
                self._leaves(number, account, known, mode)
        for number, account in self.year.accounts.items():
            if self._is_in_use(account) and number not in overlooked:
                self._has_manager(account, overlooked)

    def _is_in_use(self, account: Account) -> bool:
        expired = account.expires is not None and account.expires <= self.year.now
        return account.ou not in {OUT, ELSEWHERE} and not account.flags & DISABLED and not expired

    def _after(self, account: Account, known: Expected | None, mode: str) -> Expected:
        """Return what is to be in Halo of somebody who is read and in use."""
        name = account.ou.rpartition("/")[2]
        one = known or Expected()
        one.name, one.site, one.missing = account.name, self.year.ous.get(name), 0
        if known is None or mode == "reconcile" or account.title != one.synced:
            one.title = one.synced = account.title
        if known is None or mode == "reconcile" or not one.active:
            one.shown = True
        one.active = True
        return one

    def _leaves(self, number: int, account: Account | None, known: Expected, mode: str) -> None:
        """Say what becomes of somebody who is in Halo, and was not read as in use."""
        if account is None and known.active:
            known.missing += 1
        if account is not None:
            known.missing = 0
            if self._is_in_use(account):  # overlooked: nothing is concluded
                return
        proven = account is not None or self.year.tombstones
        left = proven or known.missing >= WHO.leavers.missing_runs or not known.active
        held = guid(number) in self.year.keeps or bool(self.year.open_tickets.get(number))
        seen_active = known.shown if mode == "reconcile" else known.active
        if seen_active and left and not held:
            known.active = known.shown = False

    def _has_manager(self, account: Account, overlooked: set[int]) -> None:
        """Set what is to be in Halo of somebody's manager; of one who cannot be told, it stays."""
        one = self.expected[account.number]
        chief = self.year.accounts.get(account.manager) if account.manager else None
        if account.manager is None:
            one.manager = ""
        elif chief is not None and self._is_in_use(chief) and chief.number not in overlooked:
            one.manager = chief.name

    def _compare(self) -> None:
        """Compare Halo with the model, person by person."""
        sites = {site.id: site.guid for site in self.year.halo.sites}
        for number, one in self.expected.items():
            user = self.year.user_of(number)
            assert user is not None
            assert user.active == one.shown, f"person {number}"
            assert user.guid == guid(number)
            if one.active:
                held = (user.fields["name"], user.fields.get("title", ""), user.fields.get("other1", ""))
                assert held == (one.name, one.title, one.manager), f"person {number}"
                assert sites[user.site] == one.site, f"person {number}"

    @invariant()
    def nobody_is_there_twice(self) -> None:
        """Each person is one user, linked once; and what is nobody's is as it was."""
        side = self.year.halo.side
        stamps = [user.guid for user in side.users.values() if user.guid is not None]
        assert len(set(stamps)) == len(stamps)
        assert len({link.user for link in side.links.values()}) == len(side.links)
        assert set(side.links) == {guid(number) for number in self.expected}
        assert side.users[GENERAL.id] == GENERAL


TestYear = Lives.TestCase
TestYear.settings = settings(
    deadline=None, max_examples=2_000 if SOAK else 60, stateful_step_count=50 if SOAK else 40
)
