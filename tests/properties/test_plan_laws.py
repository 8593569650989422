"""Laws of the plan, over generated customers, directories and Halo's sides."""

import csv
import io
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from halo_adsync.customer import Customer
from halo_adsync.model import (
    Container,
    DirectoryRead,
    DistinguishedName,
    HaloClientId,
    HaloSiteId,
    HaloUser,
    HaloUserId,
    Link,
    ObjectGuid,
    Person,
    Place,
    Tree,
)
from halo_adsync.plan.make import make_plan
from halo_adsync.plan.mapping import Target
from halo_adsync.plan.match import STAMP
from halo_adsync.plan.render import as_csv, as_json
from halo_adsync.plan.side import HaloSide
from halo_adsync.plan.survey import survey
from halo_adsync.plan.types import BUCKETS, SITE, STRUCTURE, WRITES, Kind, Plan

NOW = datetime(2026, 11, 23, tzinfo=UTC)
CLIENT = HaloClientId(11)
CLIENT_KEY = "client:name:contoso"
TOP = "OU=People,DC=x"
TARGET = Target(widths={"name": 20})


def guid(number: int) -> ObjectGuid:
    """Return the GUID that goes by a number."""
    return ObjectGuid(str(uuid.UUID(int=number)))


def customer(**changes: Any) -> Customer:
    """Return a customer who mirrors the OUs below `TOP`."""
    data = {
        "id": "contoso",
        "name": "Contoso",
        "halo": {"url": "https://x.test", "client_id": "c", "client_secret": {"secret": "s"}},
        "directories": [
            {"id": "corp", "servers": ["dc.x:636"], "bind": {"user": "u", "password": {"secret": "p"}}}
        ],
        "placement": {"client": {"name": "Contoso"}, "rules": [{"mirror": TOP, "site_level": 1}]},
        "scope": {"include": [TOP], "exclude": ["OU=Out,OU=People,DC=x"]},
        "fields": {
            "name": "{{ displayName or cn }}",
            "emailaddress": "mail",
            "login": "{{ netbios }}\\{{ sAMAccountName }}",
            "title": {"from": "title", "blank": "clear"},
            "notes": {"from": "description", "mode": "on_create"},
            "other1": {"from": "department", "mode": "fill_blank"},
        },
    }
    return Customer.model_validate(data | changes)


TREE = Tree(
    {
        guid(n): Container(guid(n), DistinguishedName(dn), dn.partition(",")[0][3:], parent)
        for n, dn, parent in (
            (1, "DC=x", None),
            (2, TOP, guid(1)),
            (3, f"OU=Leeds,{TOP}", guid(2)),
            (4, f"OU=York,{TOP}", guid(2)),
            (5, f"OU=Year 7,OU=York,{TOP}", guid(4)),
            (6, f"OU=Out,{TOP}", guid(2)),
            (7, "OU=Elsewhere,DC=x", guid(1)),
        )
    }
)
ANCHORS = {TOP: guid(2), f"OU=Out,{TOP}": guid(6)}

words = st.sampled_from(["", "Ada", "Bob", "Zoë, Jr.", "O'Neil", "=cmd()", "x" * 30, "🙂" * 15])
mails = st.sampled_from(["", "a@x", "b@x", "shared@x"])


@st.composite
def people(draw: st.DrawFn) -> tuple[Person, ...]:
    """Draw up to a dozen accounts, in and out of scope, with shared addresses and missing names."""
    numbers = draw(st.lists(st.integers(100, 120), unique=True, max_size=12))
    return tuple(
        Person(
            guid(number),
            DistinguishedName(f"CN={number},OU=x"),
            "corp",
            guid(draw(st.integers(2, 7))),
            draw(st.booleans()),
            draw(st.sampled_from([None, NOW - timedelta(days=1), NOW + timedelta(days=1)])),
            {
                name: value
                for name, value in {
                    "displayname": draw(words),
                    "cn": draw(words),
                    "mail": draw(mails),
                    "samaccountname": f"u{number}",
                    "title": draw(words),
                    "description": draw(words),
                    "department": draw(words),
                }.items()
                if value
            },
        )
        for number in numbers
    )


@dataclass(frozen=True)
class World:
    """What a plan is made from."""

    people: tuple[Person, ...]
    side: HaloSide


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw a directory and a Halo that have met before, partly."""
    drawn = draw(people())
    users: dict[HaloUserId, HaloUser] = {}
    links: dict[ObjectGuid, Link] = {}
    places = {CLIENT_KEY: Place(CLIENT_KEY, CLIENT, None, "Contoso")}
    if draw(st.booleans()):
        key = f"site:ou:{guid(3)}"
        places[key] = Place(key, CLIENT, HaloSiteId(101), "Leeds", guid(3))
    for number in range(draw(st.integers(0, 8))):
        user = HaloUserId(1000 + number)
        stamp = draw(st.sampled_from([None, *[person.guid for person in drawn], guid(999)]))
        fields = {
            "name": draw(words),
            "emailaddress": draw(mails),
            "login": f"CORP\\u{draw(st.integers(100, 120))}",
            "title": draw(words),
            "notes": draw(words),
            "other1": draw(words),
        }
        general = draw(st.integers(0, 5)) == 0
        active, site = draw(st.booleans()), HaloSiteId(draw(st.integers(100, 102)))
        owner = draw(st.sampled_from([*[person.guid for person in drawn], guid(998), guid(997)]))
        linked = draw(st.booleans()) and not general and owner not in links
        users[user] = HaloUser(user, CLIENT, site, active, owner if linked else stamp, general, False, fields)
        if linked:
            links[owner] = Link(owner, user, CLIENT, site, active, DistinguishedName("CN=old"), fields)
    return World(drawn, HaloSide(links, places, users))


def plan_of(world: World, who: Customer | None = None) -> Plan:
    """Make the plan."""
    who = who or customer()
    read = DirectoryRead("corp", "CORP", TREE, ANCHORS, {}, world.people)
    return make_plan(who, survey(who, [read], NOW, TARGET), world.side, "full")


def applied(world: World, plan: Plan) -> World:
    """Do to links and places what applying does, on a Halo that accepts everything."""
    places, links = dict(world.side.places), dict(world.side.links)
    users = dict(world.side.users)
    next_id = 5000
    for change in plan.work():
        next_id += 1
        if change.kind in STRUCTURE:
            site = HaloSiteId(next_id) if change.kind is Kind.CREATE_SITE else None
            places[change.place] = Place(change.place, CLIENT, site, change.name)
            continue
        written = {n: f.after for n, f in change.fields.items() if n not in {SITE, STAMP}}
        place = places.get(change.place)
        owner = ObjectGuid(change.guid)
        if change.base is None:
            assert place is not None
            assert place.site is not None
            user, site, known = HaloUserId(next_id), place.site, written
        else:
            user, known = change.base.user, {**change.base.fields, **written}
            site = place.site if place is not None and place.site is not None else change.base.site
        links[owner] = Link(owner, user, CLIENT, site, True, DistinguishedName(change.dn), known)
        users[user] = HaloUser(user, CLIENT, site, True, owner, False, False, known)
    return World(world.people, HaloSide(links, places, users))


@given(worlds())
def test_everybody_ends_in_exactly_one_bucket(world: World) -> None:
    """The buckets add up to everybody who was read or is linked, and nobody has two lines."""
    plan = plan_of(world)
    population = {person.guid for person in world.people} | world.side.links.keys()
    counts = plan.counts()
    assert sum(counts[bucket.value] for bucket in BUCKETS) == len(population)
    named = [change.guid for change in plan.changes if change.kind not in STRUCTURE]
    assert len(named) == len(set(named))
    assert all(change.reason for change in plan.changes)


@given(worlds(), st.randoms())
def test_the_order_of_what_was_read_makes_no_difference(world: World, random: Any) -> None:
    """The same world in another order gives the same lines and the same digest."""
    shuffled = list(world.people)
    random.shuffle(shuffled)
    users = list(world.side.users.items())
    random.shuffle(users)
    other = World(tuple(shuffled), replace(world.side, users=dict(users)))
    assert plan_of(other).changes == plan_of(world).changes
    assert plan_of(other).digest() == plan_of(world).digest()


@given(worlds())
def test_applying_a_plan_leaves_nothing_to_do(world: World) -> None:
    """Once a plan is applied, the next one has no work."""
    after = applied(world, plan_of(world))
    assert plan_of(after).work() == ()


@given(worlds())
def test_the_protected_are_never_written(world: World) -> None:
    """General users are never a target, and nobody's linked user is taken by another."""
    plan = plan_of(world)
    owners = {link.user: owner for owner, link in world.side.links.items()}
    for change in plan.work():
        if change.user is not None:
            assert not world.side.users[change.user].general
            assert owners.get(change.user, change.guid) == change.guid


@given(worlds())
def test_adoption_is_one_to_one(world: World) -> None:
    """No user is adopted twice, and none that is stamped with another account."""
    adopted = [change for change in plan_of(world).changes if change.adopts]
    assert len({change.user for change in adopted}) == len(adopted)
    for change in adopted:
        assert change.user is not None
        assert world.side.users[change.user].guid in {None, change.guid}


@given(worlds())
def test_everybody_who_is_created_or_moved_has_a_place(world: World) -> None:
    """A line that places somebody names a site that exists, or that the same plan creates before."""
    plan = plan_of(world)
    known = set(world.side.places)
    for change in plan.changes:
        if change.kind in STRUCTURE:
            known.add(change.place)
        elif change.place:
            assert change.place in known
        else:
            assert change.kind is not Kind.CREATE


@given(worlds())
def test_field_rules_are_kept(world: World) -> None:
    """on_create never rewrites, fill_blank never overwrites, and only blank: clear clears."""
    for change in plan_of(world).work():
        if change.kind in STRUCTURE or change.kind is Kind.CREATE:
            continue
        assert "notes" not in change.fields
        if "other1" in change.fields:
            assert change.fields["other1"].before == ""
        cleared = [name for name, field in change.fields.items() if field.after == ""]
        assert set(cleared) <= {"title"}


@given(worlds())
def test_policies_are_nested(world: World) -> None:
    """What create_only does upsert_only does too, and full does all of that."""
    done: dict[str, set[str]] = {}
    for policy in ("create_only", "upsert_only", "full"):
        plan = plan_of(world, customer(policy=policy))
        done[policy] = {change.guid for change in plan.changes if change.kind in WRITES}
        if policy == "create_only":
            assert all(change.kind is Kind.CREATE for change in plan.changes if change.kind in WRITES)
    assert done["create_only"] <= done["upsert_only"] <= done["full"]


@given(worlds())
def test_json_and_csv_say_the_same(world: World) -> None:
    """JSON holds every line; no cell of the CSV begins as a formula does."""
    plan = plan_of(world)
    summary: Mapping[str, Any] = {"run": "r", "counts": plan.counts()}
    parsed = json.loads(as_json(summary, plan.changes))
    assert [line["guid"] for line in parsed["changes"]] == [change.guid for change in plan.changes]
    rows = list(csv.reader(io.StringIO(as_csv(plan.changes))))[1:]
    assert len(rows) == sum(max(1, len(change.fields)) for change in plan.changes)
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


@settings(max_examples=30)
@given(worlds())
def test_names_that_are_cut_do_not_change_again(world: World) -> None:
    """A name longer than Halo stores is cut once; the next plan does not see a difference."""
    plan = plan_of(world)
    for change in plan.work():
        if "name" in change.fields:
            assert len(change.fields["name"].after.encode("utf-16-le")) <= 2 * TARGET.widths["name"]
