"""Laws of mirroring, over generated OU trees: the proposal is what the plan does, and names never meet."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from halo_adsync.customer import Customer, MirrorRule, Placement
from halo_adsync.directory.port import CountedContainer
from halo_adsync.mirroring import Proposal, Wish, guess_top, propose, with_mirror
from halo_adsync.model import Container, DirectoryRead, DistinguishedName, ObjectGuid, Person, Tree
from halo_adsync.plan.make import make_plan
from halo_adsync.plan.mapping import Target
from halo_adsync.plan.names import clean_ou_name
from halo_adsync.plan.side import HaloSide
from halo_adsync.plan.survey import survey
from halo_adsync.plan.types import SITE, Kind

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BASE = "DC=x"
NAMES = ("Leeds", "01 - Leeds", "02 - leeds", "OU_Leeds", "York", "York OU", "Main", "1. Main", "A", "B_C")

type Trees = list[tuple[int, str, int]]
"""OUs, each with the number of its parent (taken modulo what is there), its name, and its people."""

trees = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(NAMES), st.integers(0, 3)), min_size=1, max_size=14
)
wishes = st.builds(
    Wish,
    top=st.just(BASE),
    site_level=st.one_of(st.none(), st.integers(3, 4)),
    client_level=st.one_of(st.none(), st.integers(1, 2)),
    clean=st.booleans(),
)
parts = st.sampled_from(
    ["01", "7", "123", "OU", "ou", "Site", "Leeds", "ß", "_", "-", "–", ".", ":", ")", " ", "  "]  # noqa: RUF001 - an en dash, on purpose
)
messy_names = st.one_of(
    st.lists(parts, min_size=1, max_size=9).map("".join), st.text(min_size=1, max_size=64)
)


def customer() -> Customer:
    """Return a customer with one directory and no rules."""
    data: dict[str, Any] = {
        "id": "corp",
        "name": "Corp",
        "policy": "full",
        "halo": {"url": "https://corp.halopsa.com", "client_id": "id", "client_secret": {"secret": "halo"}},
        "directories": [
            {"id": "ad", "servers": ["dc:636"], "bind": {"user": "u", "password": {"secret": "ad"}}}
        ],
        "placement": {"client": {"name": "Corp"}},
        "fields": {"name": "cn"},
    }
    return Customer.model_validate(data)


def read_of(ous: Trees) -> DirectoryRead:
    """Return a read of such a tree; as in a directory, no two OUs in one have the same name."""
    base = Container(ObjectGuid("0"), DistinguishedName(BASE), "x", None)
    containers, people = [base], []
    for place, name, count in ous:
        parent = containers[place % len(containers)]
        dn = DistinguishedName(f"OU={name},{parent.dn}")
        if dn.casefold() in {container.dn.casefold() for container in containers}:
            continue
        ou = Container(ObjectGuid(str(len(containers))), dn, name, parent.guid)
        containers.append(ou)
        people += [
            Person(
                guid=ObjectGuid(f"{ou.guid}/{number}"),
                dn=DistinguishedName(f"CN={number},{dn}"),
                directory="ad",
                parent=ou.guid,
                enabled=True,
                expires=None,
                attributes={"cn": f"Person {number}"},
            )
            for number in range(count)
        ]
    tree = Tree({container.guid: container for container in containers})
    return DirectoryRead("ad", "X", tree, {BASE: base.guid}, {}, tuple(people))


def proposed(ous: Trees, wish: Wish) -> tuple[Proposal, DirectoryRead]:
    """Propose a mirror of such a tree."""
    read = read_of(ous)
    return propose(customer(), [read], {}, wish, now=NOW, target=Target()), read


def people_by_dn(read: DirectoryRead, level: int) -> Counter[str]:
    """Count people by the DN of the OU at a level above them, from their DNs alone."""
    found: Counter[str] = Counter()
    for person in read.people:
        ous = str(person.dn).split(",")[1:-1]
        found["" if len(ous) < level else ",".join([*ous[-level:], BASE])] += 1
    return found


@given(trees, wishes)
@settings(deadline=None)
def test_the_proposal_is_what_the_first_plan_does(ous: Trees, wish: Wish) -> None:
    """People per site, and the sites to create, are those of a first plan with the proposed rule."""
    proposal, read = proposed(ous, wish)
    found = survey(proposal.customer, [read], NOW, Target())
    plan = make_plan(proposal.customer, found, HaloSide(), "full")
    created = Counter(change.fields[SITE].after for change in plan.changes if change.kind is Kind.CREATE)
    expected: Counter[str] = Counter()
    for site in proposal.sites:
        expected[site.site] += site.people
    assert created == expected
    new = sorted(change.name for change in plan.changes if change.kind is Kind.CREATE_SITE)
    assert new == sorted(site.site for site in proposal.sites)
    new_clients = {change.name for change in plan.changes if change.kind is Kind.CREATE_CLIENT}
    assert new_clients == {site.client for site in proposal.sites}


@given(trees, st.integers(1, 3), st.booleans())
@settings(deadline=None)
def test_everybody_stands_below_the_ou_of_their_site(ous: Trees, level: int, clean: bool) -> None:
    """Counted from the DNs alone, each OU at the site level gets its people, the default site the rest."""
    proposal, read = proposed(ous, Wish(top=BASE, site_level=level, clean=clean))
    assert Counter({site.dn: site.people for site in proposal.sites}) == people_by_dn(read, level)
    assert proposal.people == len(read.people)


@given(trees, wishes)
@settings(deadline=None)
def test_no_two_mirrored_sites_of_a_client_are_called_the_same(ous: Trees, wish: Wish) -> None:
    """Halo tells sites apart by name within a client, and clients by name; so no names may meet."""
    proposal, _ = proposed(ous, wish)
    mirrored = [site for site in proposal.sites if site.rule == f"the mirror of {BASE}"]
    names = Counter((site.client.casefold(), site.site.casefold()) for site in mirrored)
    assert not [name for name, number in names.items() if number > 1]


@given(trees)
@settings(deadline=None)
def test_chosen_branches_bring_their_own_people_only(ous: Trees) -> None:
    """With one branch, the mirrored people are those at or below it; the default site gets all others."""
    read = read_of(ous)
    branch = list(read.tree.containers.values())[1]
    wish = Wish(top=BASE, branches=(branch.dn,))
    proposal = propose(customer(), [read], {}, wish, now=NOW, target=Target())
    below = sum(f",{person.dn}".endswith(f",{branch.dn}") for person in read.people)
    assert sum(site.people for site in proposal.sites if site.dn) == below
    assert proposal.people == len(read.people)


@given(messy_names)
def test_cleaning_is_done_once_and_for_all(name: str) -> None:
    """A cleaned name is clean, is not empty, and consists of what the name held."""
    cleaned = clean_ou_name(name)
    assert clean_ou_name(cleaned) == cleaned
    assert cleaned
    assert cleaned.replace(" ", "") in "".join(name.replace("_", " ").split()) or cleaned == name


@given(trees)
def test_the_guess_holds_most_of_the_people_or_is_the_base(ous: Trees) -> None:
    """Three quarters of more than half of the people are in OUs below the guessed one, or it is the base."""
    read = read_of(ous)
    people = Counter(person.parent for person in read.people)
    containers = [CountedContainer(ou, people[guid]) for guid, ou in read.tree.containers.items()]
    top = guess_top(containers)
    inside = sum(str(p.dn).endswith(f",{top.dn}") and p.parent != top.guid for p in read.people)
    assert top.dn == BASE or 8 * inside > 3 * len(read.people)


@given(st.lists(st.sampled_from(["ou", "mirror", "attribute"]), max_size=6), st.integers(0, 6))
def test_writing_the_same_rule_twice_changes_nothing(kinds: list[str], number: int) -> None:
    """The second time, the rule replaces itself, wherever other rules stand."""
    forms: dict[str, dict[str, Any]] = {
        "ou": {"ou": "OU=A,DC=x", "site": {"name": "A"}},
        "mirror": {"mirror": "OU=M,DC=x", "site_level": 1},
        "attribute": {"attribute": "l", "create": True},
    }
    rules = [forms[kind] for kind in kinds]
    placement = Placement.model_validate({"client": {"name": "Corp"}, "rules": rules})
    before = customer().model_copy(update={"placement": placement})
    rule = MirrorRule(mirror="OU=M,DC=x" if number % 2 else "OU=N,DC=x", site_level=2)
    once, _ = with_mirror(before, rule)
    twice, replaced = with_mirror(once, rule)
    assert (twice, replaced) == (once, rule)
