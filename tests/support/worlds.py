"""Customers of every shape, directories in every state, and a Halo that knows some of them: for laws."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

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
from halo_adsync.plan.make import make_plan
from halo_adsync.plan.mapping import Target
from halo_adsync.plan.side import HaloSide
from halo_adsync.plan.survey import survey
from halo_adsync.plan.types import Plan
from tests.support.applied import Halo
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
