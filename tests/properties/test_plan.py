"""Properties of whole plans over customers of every shape: rules, clients, field modes, ladders and scopes.

`test_plan_laws.py` holds the plan of one customer to its laws; here the customer is drawn too.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from halo_adsync.customer import Customer
from halo_adsync.halo.codec import WIDTHS, canonical_text
from halo_adsync.model import (
    DistinguishedName,
    HaloClient,
    HaloSite,
    HaloSiteId,
    HaloUser,
    HaloUserId,
    Link,
    ObjectGuid,
    Person,
    Place,
    Tree,
)
from halo_adsync.plan.diff import diff
from halo_adsync.plan.make import make_plan
from halo_adsync.plan.mapping import Target
from halo_adsync.plan.render import as_csv, as_json, as_text
from halo_adsync.plan.side import HaloSide
from halo_adsync.plan.survey import survey
from halo_adsync.plan.types import BUCKETS, STRUCTURE, Kind, Plan
from tests.support.applied import Halo, applied
from tests.support.plan import CLIENT, CLIENT_KEY, MAIN_KEY, NOW, customer, guid, ou, person, read, tree

TARGET = Target({**WIDTHS, "title": 12}, canonical_text)
PATHS = (
    "People",
    "People/Leeds",
    "People/01 - Leeds",
    "People/York/Year 7",
    "People/Out",
    "Schools/North/Park",
    "Schools/South/Park",
    "Schools/South",
    "Elsewhere",
)
OUS = tree(*PATHS)
RULES: Sequence[dict[str, Any]] = (
    {"ou": ou("People/Leeds"), "site": {"name": "Leeds"}},
    {"ou": ou("People/York"), "site": {"name": "HQ"}, "client": {"name": "Fabrikam"}},
    {"mirror": ou("People"), "site_level": 1},
    {"mirror": ou("People"), "site_level": 1, "names": "clean"},
    {"mirror": ou("Schools"), "site_level": 2},
    {"mirror": ou("Schools"), "site_level": 2, "client_level": 1},
    {"attribute": "l"},
    {"attribute": "l", "create": True},
)
MODES = st.fixed_dictionaries(
    {
        "from": st.just("title"),
        "mode": st.sampled_from(["always", "on_create", "fill_blank"]),
        "blank": st.sampled_from(["keep", "clear"]),
    }
)
CUSTOMERS = st.builds(
    customer,
    policy=st.sampled_from(["create_only", "upsert_only", "full"]),
    placement=st.fixed_dictionaries(
        {
            "client": st.just({"name": "Contoso"}),
            "rules": st.lists(st.sampled_from(RULES), max_size=4, unique_by=str),
            "default_site": st.sampled_from(["Main", "Leeds", None]),
        }
    ),
    scope=st.sampled_from([{}, {"include": [ou("People"), ou("Schools")], "exclude": [ou("People/Out")]}]),
    match=st.lists(st.sampled_from(["third_party_guid", "login", "emailaddress"]), unique=True),
    fields=st.fixed_dictionaries(
        {
            "name": st.sampled_from(["displayName", "{{ displayName or sAMAccountName }}"]),
            "login": st.just("sAMAccountName"),
            "emailaddress": st.just("mail"),
            "title": MODES,
            "isserviceaccount": st.just("employeeType"),
        }
    ),
)
NAMES = st.sampled_from(["", "Ada", "Zoë, Jr.", "=cmd()", "x" * 300, "🙂" * 130, "Ada\x1b[2J"])
MAILS = st.sampled_from(["", "a@x", "B@x", "b@x"])
TOWNS = st.sampled_from(["", "Leeds", "LEEDS", "Hull", "Main", "Park"])


@st.composite
def accounts(draw: st.DrawFn) -> tuple[Person, ...]:
    """Draw accounts in every corner of the tree, in every state."""
    numbers = draw(st.lists(st.integers(1, 9), unique=True))
    return tuple(
        replace(
            person(
                number,
                draw(st.sampled_from(PATHS)),
                displayname=draw(NAMES),
                mail=draw(MAILS),
                title=draw(NAMES),
                l=draw(TOWNS),
                employeetype=draw(st.sampled_from(["", "TRUE", "nonsense"])),
            ),
            enabled=draw(st.integers(0, 5)) > 0,
            expires=draw(st.sampled_from([None, None, NOW, NOW + timedelta(days=1)])),
        )
        for number in numbers
    )


@st.composite
def halos(draw: st.DrawFn) -> Halo:
    """Draw a Halo with some users, some of them linked, general, inactive or stamped."""
    users: dict[HaloUserId, HaloUser] = {}
    links: dict[ObjectGuid, Link] = {}
    for number in range(draw(st.integers(0, 7))):
        identity = HaloUserId(100 + number)
        fields = {
            "name": draw(NAMES) or "Bob",
            "login": f"U{draw(st.integers(1, 9))}",
            "emailaddress": draw(MAILS),
            "title": draw(NAMES)[:12],
            "isserviceaccount": draw(st.sampled_from(["", "true"])),
        }
        owner, general = guid(draw(st.integers(1, 11))), draw(st.integers(0, 5)) == 0
        stamp = draw(st.sampled_from([None, owner]))
        active, site = draw(st.booleans()), HaloSiteId(draw(st.integers(101, 102)))
        users[identity] = HaloUser(identity, CLIENT, site, active, stamp, general, False, fields)
        if draw(st.booleans()) and owner not in links and not general:
            links[owner] = Link(owner, identity, CLIENT, site, active, DistinguishedName("CN=old"), fields)
    places = [Place(CLIENT_KEY, CLIENT, None, "Contoso"), Place(MAIN_KEY, CLIENT, HaloSiteId(101), "Main")]
    sites = (HaloSite(HaloSiteId(101), CLIENT, "Main"), HaloSite(HaloSiteId(102), CLIENT, "Hull"))
    side = HaloSide(links, {place.key: place for place in places}, users, complete=draw(st.booleans()))
    return Halo((HaloClient(CLIENT, "Contoso"),), sites, side)


def planned(who: Customer, people: Sequence[Person], side: HaloSide, ous: Tree = OUS) -> Plan:
    """Make the plan."""
    return make_plan(who, survey(who, [read(who, ous, people)], NOW, TARGET), side, "full")


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
