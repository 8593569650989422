"""Guards: right at 0, at 1, at the limit and one above it, for tiny populations as for large ones."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from halo_adsync.customer import Customer
from halo_adsync.model import DistinguishedName, HaloClientId, HaloSiteId, HaloUserId, Link, ObjectGuid
from halo_adsync.plan.guard import Ground, judge, safe_lines
from halo_adsync.plan.types import Change, Kind, Plan, Record
from tests.support.plan import customer, guid

DIRECTORY = "corp"


def linked(number: int, *, client: int = 1, site: int = 11, login: str = "") -> Link:
    """Return the link of an active person."""
    dn = DistinguishedName(f"CN=Person {number},DC=x")
    fields = {"login": login or f"CORP\\p{number}"}
    return Link(guid(number), HaloUserId(number), HaloClientId(client), HaloSiteId(site), True, dn, fields)


def line(kind: Kind, link: Link, *, record: Record = Record.USER) -> Change:
    """Return a line about somebody."""
    return Change(kind, link.guid, link.dn, "", "", link.user, base=link, record=record)


def plan(changes: Iterable[Change], **more: Any) -> Plan:
    """Return a plan of these lines."""
    return Plan("contoso", "full", "", tuple(changes), 0, **more)


def ground(links: Iterable[Link], *, before: int | None = None, now: int | None = None) -> Ground:
    """Return what a plan of these people is judged against."""
    known = {link.guid: link for link in links}
    counted = len(known) if before is None else before
    shown = counted if now is None else now
    return Ground(known, {}, {DIRECTORY: shown}, {DIRECTORY: counted})


def rules(who: Customer, changes: Iterable[Change], on: Ground) -> set[str]:
    """Return the names of the limits that a plan breaks."""
    return {violation.rule for violation in judge(who, plan(changes), on)}


def leaving(population: int, count: int, **limits: Any) -> set[str]:
    """Return the limits broken where so many of a population leave, spread over as many sites as people."""
    links = [linked(number, site=1_000 + number % 2) for number in range(population)]
    who = customer(limits={"site_percent": 100, **limits})
    return rules(who, [line(Kind.DEACTIVATE, link) for link in links[:count]], ground(links))


@pytest.mark.parametrize(
    ("population", "count", "broken"),
    [
        (0, 0, False), (1, 0, False), (1, 1, False), (3, 3, False), (4, 4, True), (30, 3, False),
        (31, 4, True), (100, 10, False), (100, 11, True), (1_000, 100, False), (109, 11, True),
    ],
)  # fmt: skip
def test_a_share_of_the_people_and_the_first_three_may_go(population: int, count: int, broken: bool) -> None:
    """Ten per cent, or three, whichever is more; one above it is too many."""
    assert ("deactivate.percent" in leaving(population, count)) is broken


@pytest.mark.parametrize(("count", "broken"), [(99, False), (100, False), (101, True)])
def test_no_share_is_larger_than_the_number(count: int, broken: bool) -> None:
    """A hundred of many thousands are few, and still the most that go unseen."""
    assert ("deactivate.count" in leaving(5_000, count)) is broken


@pytest.mark.parametrize("limit", [{"deactivate": {"percent": 0}}, {"deactivate": {"count": 0}}])
def test_a_limit_of_nought_allows_nobody(limit: dict[str, Any]) -> None:
    """Not even the first few; a plan in which nobody leaves breaks nothing."""
    assert leaving(1_000, 1, **limit)
    assert not leaving(1_000, 0, **limit)


def test_a_site_may_not_lose_most_of_its_people() -> None:
    """By deactivation or by a move; half of them may go, and three of a tiny one in any case."""
    links = [linked(number, site=11 if number < 10 else 12) for number in range(400)]
    gone = [line(Kind.DEACTIVATE, link) for link in links[:3]]
    moved = [line(Kind.MOVE, link) for link in links[3:6]]
    assert not [rule for rule in rules(customer(), [*gone, *moved[:2]], ground(links)) if "site" in rule]
    assert [rule for rule in rules(customer(), [*gone, *moved], ground(links)) if "site" in rule]


@pytest.mark.parametrize(
    ("before", "now", "rule"),
    [
        (0, 0, ""), (1, 1, ""), (1, 0, "directory.empty"), (400, 0, "directory.empty"),
        (100, 80, ""), (100, 79, "directory.shrink"), (10, 7, ""), (10, 6, "directory.shrink"),
        (100, 500, ""),
    ],
)  # fmt: skip
def test_a_directory_may_not_shrink_unseen(before: int, now: int, rule: str) -> None:
    """Nobody at all is never right; a fifth less is, and three fewer of a small one."""
    assert rules(customer(), [], ground([], before=before, now=now)) == ({rule} if rule else set())


def test_a_first_run_is_not_judged_by_what_was_before() -> None:
    """There is nothing to compare with: any number may be created, and afterwards no more than the limit."""
    created = [replace(line(Kind.CREATE, linked(number)), base=None) for number in range(201)]
    first = Ground({}, {}, {DIRECTORY: 201}, None)
    assert rules(customer(), created, first) == set()
    assert rules(customer(), created, ground([], before=201)) == {"create"}
    assert rules(customer(), created[:200], ground([], before=201)) == set()


@pytest.mark.parametrize(("others", "broken"), [(0, True), (1, False)])
def test_not_every_agent_may_go(others: int, broken: bool) -> None:
    """Somebody has to be left to work on tickets; agents are no people of the other limits."""
    changes = [line(Kind.DEACTIVATE, linked(number), record=Record.AGENT) for number in range(5)]
    made = plan(changes, agents_unchanged=others)
    found = {violation.rule for violation in judge(customer(), made, ground([]))}
    assert found == ({"agents.all"} if broken else set())


def test_the_account_of_the_sync_itself_never_leaves_unseen() -> None:
    """By whatever the file calls it; with nobody else leaving."""
    who = customer()
    account = who.directories[0].bind.user.rpartition("\\")[2].partition("@")[0]
    links = [linked(1, login=f"CORP\\{account}"), linked(2)]
    on = ground(links)
    assert rules(who, [line(Kind.DEACTIVATE, links[0])], on) == {"own_account"}
    assert rules(who, [line(Kind.DEACTIVATE, links[1])], on) == set()


def test_what_is_safe_goes_on_only_where_the_file_says_so() -> None:
    """The lines before the first deactivation, where only these are too many; else nothing, or everything."""
    links = [linked(number) for number in range(20)]
    changes = [line(Kind.UPDATE, links[0]), *(line(Kind.DEACTIVATE, link) for link in links[1:12])]
    some = customer(limits={"blocked": "deactivations", "site_percent": 100})
    assert safe_lines(some, plan(changes), ground(links)) == 1
    assert safe_lines(customer(), plan(changes), ground(links)) == 0
    assert safe_lines(some, plan(changes[:3]), ground(links)) == 3
    assert safe_lines(some, plan(changes), ground(links, before=100, now=10)) == 0


def test_every_limit_that_is_broken_is_named_with_its_numbers() -> None:
    """Whoever has to decide sees them all at once, each with a sentence that says the way on."""
    links = [linked(number) for number in range(400)]
    changes = [line(Kind.DEACTIVATE, link) for link in links[:300]]
    found = {violation.rule: violation for violation in judge(customer(), plan(changes), ground(links))}
    assert {"deactivate.percent", "deactivate.count"} < found.keys()
    assert (found["deactivate.percent"].actual, found["deactivate.percent"].limit) == (75, 10)
    assert all("approve" in violation.message for violation in found.values())
    assert ObjectGuid(guid(1)) in {change.guid for change in changes}
