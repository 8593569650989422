"""Laws of the guards: more changes never break fewer limits, and wider limits never more."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halo_adsync.customer import Customer
from halo_adsync.model import DistinguishedName, HaloClientId, HaloSiteId, HaloUserId, Link, Place
from halo_adsync.plan.guard import Ground, judge, minds_everybody, safe_lines
from halo_adsync.plan.order import in_order
from halo_adsync.plan.types import Change, Kind, Plan, Violation
from tests.support.plan import customer, guid

CLIENTS, SITES = (1, 2), (11, 12, 21)
PLACES = {
    f"site {site}": Place(f"site {site}", HaloClientId(site // 10), HaloSiteId(site), f"S{site}")
    for site in SITES
}
PERCENTS = st.sampled_from([0, 1, 10, 50, 100]) | st.floats(0, 100)
COUNTS = st.integers(0, 12)
LIMITS = st.fixed_dictionaries(
    {
        "deactivate": st.fixed_dictionaries(
            {"percent": PERCENTS, "count": COUNTS, "always": st.integers(0, 4)}
        ),
        "site_percent": PERCENTS,
        "shrink_percent": PERCENTS,
        "create": COUNTS,
        "blocked": st.sampled_from(["all", "deactivations"]),
    }
)


@st.composite
def grounds(draw: st.DrawFn) -> Ground:
    """Draw people in clients and sites, some of them off already, and what the directory showed."""
    sites = draw(st.lists(st.sampled_from(SITES), max_size=25))
    links = [
        Link(
            guid(number),
            HaloUserId(number),
            HaloClientId(site // 10),
            HaloSiteId(site),
            draw(st.integers(0, 6)) > 0,
            DistinguishedName(f"CN={number}"),
            {"login": f"CORP\\p{number}" if number else "CORP\\u"},
        )
        for number, site in enumerate(sites)
    ]
    before = draw(st.none() | st.integers(0, 30))
    shown = {} if before is None else {"corp": before}
    return Ground(
        {link.guid: link for link in links},
        PLACES,
        {"corp": draw(st.integers(0, 30))},
        None if before is None else shown,
    )


@st.composite
def plans(draw: st.DrawFn, ground: Ground) -> list[Change]:
    """Draw what happens to some of these people, and some who are new."""
    lines = []
    for link in ground.links.values():
        kind = draw(st.sampled_from([None, None, Kind.DEACTIVATE, Kind.MOVE, Kind.UPDATE]))
        if kind is not None and link.active:
            place = draw(st.sampled_from(sorted(PLACES))) if kind is Kind.MOVE else ""
            lines.append(Change(kind, link.guid, link.dn, "r", user=link.user, place=place, base=link))
    new = draw(st.integers(0, 14))
    return lines + [
        Change(Kind.CREATE, guid(100 + number), "CN=x", "r", place="site 11") for number in range(new)
    ]


def of(changes: Sequence[Change]) -> Plan:
    """Return a plan of these lines, in the order of applying."""
    return Plan("contoso", "full", "", tuple(in_order(changes)), 0)


def broken(who: Customer, changes: Sequence[Change], ground: Ground) -> dict[tuple[str, str], Violation]:
    """Return the limits that these changes break, by rule and by whose limit it is."""
    found = judge(who, of(changes), ground)
    return {(one.rule, _whose(one)): one for one in found}


def _whose(violation: Violation) -> str:
    """Return the client or site that a violation is about: its name stands in quotes, or as a number."""
    words = violation.message.split()
    return next(
        (word for word, after in zip(words[1:], words, strict=False) if after in {"site", "client"}), ""
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[Ground, list[Change], list[Change], Any]:
    """Draw a ground, a plan, a part of that plan, and limits."""
    ground = draw(grounds())
    changes = draw(plans(ground))
    part = [change for change in changes if draw(st.booleans())]
    return ground, changes, part, draw(LIMITS)


@settings(deadline=None)
@given(cases())
def test_more_changes_never_break_fewer_limits(case: tuple[Ground, list[Change], list[Change], Any]) -> None:
    """What a part of a plan breaks, the whole breaks too, with numbers that are no smaller."""
    ground, changes, part, limits = case
    who = customer(limits=limits)
    of_part, of_whole = broken(who, part, ground), broken(who, changes, ground)
    assert of_part.keys() <= of_whole.keys()
    assert all(of_whole[key].count >= one.count for key, one in of_part.items())


@st.composite
def departures(draw: st.DrawFn, kind: Kind) -> tuple[Ground, list[Change]]:
    """Draw a ground and some people who leave their sites."""
    ground = draw(grounds().filter(lambda ground: any(ground.active())))
    active = [link for link in ground.links.values() if link.active]
    leaving = draw(
        st.lists(st.sampled_from(active), min_size=1, max_size=6, unique_by=lambda link: link.guid)
    )
    lines = [Change(kind, one.guid, one.dn, "r", user=one.user, place="site 21", base=one) for one in leaving]
    new = [Change(Kind.CREATE, guid(100 + number), "CN=x", "r") for number in range(draw(st.integers(0, 9)))]
    return ground, lines + new


@pytest.mark.parametrize("kind", [Kind.DEACTIVATE, Kind.MOVE])
@settings(deadline=None)
@given(data=st.data())
def test_where_everybody_does_not_matter_the_verdict_is_the_same_without_them(
    kind: Kind, data: st.DataObject
) -> None:
    """A delta reads the links of those it is about, and everybody's only where they may decide."""
    ground, lines = data.draw(departures(kind))
    who, about = customer(limits=data.draw(LIMITS)), {change.guid for change in lines}
    few = replace(ground, links={guid: link for guid, link in ground.links.items() if guid in about})
    if not minds_everybody(who, of(lines)):
        assert judge(who, of(lines), few) == judge(who, of(lines), ground)


@settings(deadline=None)
@given(cases(), LIMITS)
def test_wider_limits_never_break_more(
    case: tuple[Ground, list[Change], list[Change], Any], other: Any
) -> None:
    """With each limit at the greater of two, nothing is broken that both keep."""
    ground, changes, _, limits = case
    wider = {**limits, **_wider(limits, other, ("site_percent", "shrink_percent", "create"))}
    wider["deactivate"] = _wider(limits["deactivate"], other["deactivate"], ("percent", "count", "always"))
    narrow = broken(customer(limits=limits), changes, ground)
    assert broken(customer(limits=wider), changes, ground).keys() <= narrow.keys()


def _wider(one: Any, other: Any, names: Sequence[str]) -> dict[str, float]:
    return {name: max(one[name], other[name]) for name in names}


@settings(deadline=None)
@given(cases())
def test_a_limit_of_0_allows_none(case: tuple[Ground, list[Change], list[Change], Any]) -> None:
    """Not one person, however small or large the population is."""
    ground, changes, _, limits = case
    none = {**limits, "deactivate": {**limits["deactivate"], "percent": 0}, "site_percent": 0, "create": 0}
    rules = {rule for rule, _ in broken(customer(limits=none), changes, ground)}
    kinds = [change.kind for change in changes]
    assert ("deactivate.percent" in rules) == (Kind.DEACTIVATE in kinds)
    assert ("create" in rules) == (ground.before is not None and Kind.CREATE in kinds)
    assert Kind.DEACTIVATE not in kinds or "site.percent" in rules


@settings(deadline=None)
@given(cases())
def test_what_is_let_through_breaks_no_limit(case: tuple[Ground, list[Change], list[Change], Any]) -> None:
    """The lines that go without consent, and these only, would be allowed as a plan of their own."""
    ground, changes, _, limits = case
    who, plan = customer(limits=limits), of(changes)
    work = plan.work()
    safe = safe_lines(who, plan, ground)
    assert 0 <= safe <= len(work)
    assert (safe == len(work)) or broken(who, changes, ground)
    if safe:
        assert not judge(who, replace(plan, changes=work[:safe]), ground)
    if limits["blocked"] == "all":
        assert safe in {0, len(work)}
