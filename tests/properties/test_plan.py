"""Properties of whole plans over customers of every shape: rules, clients, field modes, ladders and scopes.

`test_plan_laws.py` holds the plan of one customer to its laws; here the customer is drawn too.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from halo_adsync.customer import Customer
from halo_adsync.model import (
    Person,
    Tree,
)
from halo_adsync.plan.diff import diff
from halo_adsync.plan.render import as_csv, as_json, as_text
from halo_adsync.plan.side import HaloSide
from halo_adsync.plan.types import BUCKETS, STRUCTURE, Kind
from tests.support.applied import Halo, applied
from tests.support.worlds import CUSTOMERS, NAMES, OUS, accounts, halos, planned


@settings(deadline=None)
@given(CUSTOMERS, accounts(), halos())
def test_everybody_has_one_line_or_is_unchanged(who: Customer, people: Sequence[Person], halo: Halo) -> None:
    """Read or linked, each person is in exactly one bucket, with a reason that is no one's data."""
    plan = planned(who, people, halo.side)
    population = {found.guid for found in people} | halo.side.links.keys()
    counts = plan.counts()
    assert sum(counts[bucket.value] for bucket in BUCKETS) == len(population)
    lines = Counter(change.guid for change in plan.changes if change.kind not in STRUCTURE)
    assert set(lines.values()) <= {1}
    assert lines.keys() <= population
    assert all(change.reason and "\x1b" not in change.reason for change in plan.changes)


@settings(deadline=None)
@given(CUSTOMERS, accounts(), halos(), st.randoms(use_true_random=False))
def test_no_order_of_input_matters(
    who: Customer, people: Sequence[Person], halo: Halo, random: Random
) -> None:
    """People, users, links, places and OUs in another order give the same lines and the same digest."""

    def mixed[K, V](mapping: dict[K, V]) -> dict[K, V]:
        return dict(random.sample(list(mapping.items()), len(mapping)))

    other = replace(
        halo.side,
        links=mixed(dict(halo.side.links)),
        places=mixed(dict(halo.side.places)),
        users=mixed(dict(halo.side.users)),
    )
    first = planned(who, people, halo.side)
    again = planned(who, random.sample(people, len(people)), other, Tree(mixed(dict(OUS.containers))))
    assert again == first
    assert again.digest() == first.digest()


@settings(deadline=None, max_examples=200)
@given(CUSTOMERS, accounts(), halos())
def test_what_is_applied_needs_no_second_run(who: Customer, people: Sequence[Person], halo: Halo) -> None:
    """After one run the next has nothing to do: no move back, no second site, no field that flickers."""
    first = planned(who, people, halo.side)
    after = applied(halo, first)
    again = planned(who, people, after.side)
    assert again.work() == ()
    assert again.counts()["create"] == 0


@settings(deadline=None)
@given(CUSTOMERS, accounts(), halos())
def test_nobody_is_touched_without_a_licence(who: Customer, people: Sequence[Person], halo: Halo) -> None:
    """A target is one's own link, or one free user found by the ladder; never a General User, never two's."""
    plan = planned(who, people, halo.side)
    owners = {link.user: link.guid for link in halo.side.links.values()}
    in_scope = {found.guid for found in people}
    targets = [change for change in plan.work() if change.user is not None]
    assert len({change.user for change in targets}) == len(targets)
    for change in targets:
        assert change.user is not None
        user = halo.side.users[change.user]
        assert not user.general
        assert change.guid in in_scope
        assert change.adopts == (change.user not in owners)
        if change.adopts:
            assert who.match or user.guid == change.guid, "without rungs only our own stamp is one"
            assert user.guid in {None, change.guid}
        else:
            assert owners[change.user] == change.guid


@settings(deadline=None)
@given(CUSTOMERS, accounts())
def test_who_is_in_scope_is_placed_once_or_told_why_not(who: Customer, people: Sequence[Person]) -> None:
    """A first plan creates each person in one place that is there by then, or says what is missing."""
    plan = planned(who, people, HaloSide())
    there: set[str] = set()
    for change in plan.changes:
        if change.kind in STRUCTURE:
            assert change.place not in there
            assert change.name
            assert not change.client or change.client in there
            there.add(change.place)
        elif change.kind is Kind.CREATE:
            assert change.place in there
        else:
            assert change.kind is Kind.SKIPPED
            assert not change.place
    needed = {change.place for change in plan.changes if change.kind is Kind.CREATE}
    assert {change.place for change in plan.changes if change.kind is Kind.CREATE_SITE} == needed


@settings(deadline=None)
@given(CUSTOMERS, accounts(), halos())
def test_the_mode_of_a_field_protects_what_halo_holds(
    who: Customer, people: Sequence[Person], halo: Halo
) -> None:
    """`on_create` never rewrites, `fill_blank` never overwrites, `keep` never clears; a name never goes."""
    rule = who.fields["title"]
    for change in planned(who, people, halo.side).work():
        if change.user is None:
            continue
        assert "name" not in change.fields or change.fields["name"].after
        if "title" in change.fields:
            before, after = change.fields["title"].before, change.fields["title"].after
            assert before != after
            assert rule.mode != "on_create"
            assert rule.mode == "always" or not before
            assert rule.blank == "clear" or after


@given(CUSTOMERS, st.dictionaries(st.sampled_from(["name", "title", "login", "emailaddress"]), NAMES))
def test_a_record_does_not_differ_from_itself(who: Customer, fields: dict[str, str]) -> None:
    """The difference between a record and itself is empty, whatever the modes."""
    assert diff(fields, fields, who.fields) == {}


@settings(deadline=None)
@given(CUSTOMERS, accounts(), halos())
def test_the_views_hold_the_same_lines(who: Customer, people: Sequence[Person], halo: Halo) -> None:
    """JSON reads back as the lines, the CSV has a row a field and no formula, the text no control sign."""
    changes = planned(who, people, halo.side).changes
    counts = planned(who, people, halo.side).counts()
    summary = {
        "run": "r",
        "customer": "c",
        "mode": "full",
        "counts": counts,
        "warnings": [],
        "violations": [],
    }
    assert json.loads(as_json(summary, changes))["changes"] == [change.as_json() for change in changes]
    rows = list(csv.DictReader(io.StringIO(as_csv(changes), newline="")))
    assert len(rows) == sum(max(1, len(change.fields)) for change in changes)
    cells = [cell for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@"))]
    text = as_text(summary, changes, everything=True)
    assert all(sign.isprintable() or sign == "\n" for sign in text)
