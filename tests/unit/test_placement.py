"""Placement by attribute, by explicit rule and against what Halo has: the cases between the rules."""

import pytest

from halo_adsync.model import HaloClient, HaloClientId, HaloSite, HaloSiteId, Place
from halo_adsync.plan.placement import Placing
from halo_adsync.plan.places import find_client, find_site
from halo_adsync.plan.types import Kind
from halo_adsync.plan.wanted import WantedClient, WantedSite
from tests.support.plan import (
    CLIENT,
    CLIENT_KEY,
    customer,
    line_of,
    ou,
    ou_guid,
    person,
    placed,
    plan,
    read,
    side,
    tree,
)

CONTOSO = Place(CLIENT_KEY, CLIENT, None, "Contoso")


def test_an_attribute_may_be_a_template_with_the_built_in_names() -> None:
    """What a field's template may use, a placement's may use too."""
    who = placed({"attribute": "{{ netbios }} {{ l }}", "create": True})
    made = plan(who, side(), [person(1, l="Leeds")])
    assert [change.name for change in made.changes if change.kind is Kind.CREATE_SITE] == ["CORP Leeds"]


@pytest.mark.parametrize("value", ["x" * 300, "🙂" * 200, "x" * 254 + " y"])
def test_a_sites_name_is_cut_as_halo_stores_it(value: str) -> None:
    """At most 255 UTF-16 units, no half character and no blank at the end: found again under that name."""
    who = placed({"attribute": "l", "create": True})
    (site,) = [c for c in plan(who, side(), [person(1, l=value)]).changes if c.kind is Kind.CREATE_SITE]
    assert len(site.name.encode("utf-16-le")) <= 2 * 255
    assert site.name == site.name.strip()
    assert value.startswith(site.name)


def test_values_that_differ_in_case_only_are_one_site() -> None:
    """Halo compares names without regard to case, so nobody gets a second Leeds."""
    who = placed({"attribute": "l", "create": True})
    made = plan(who, side(), [person(1, l="Leeds"), person(2, l="LEEDS")])
    assert [change.name for change in made.changes if change.kind is Kind.CREATE_SITE] == ["Leeds"]
    assert line_of(made, 1).place == line_of(made, 2).place


def test_an_attribute_without_create_places_only_where_the_site_exists() -> None:
    """Leeds is there, Hull is not: its people fall to the default site, and nothing is created."""
    leeds = Place(f"site:name:leeds@{CLIENT_KEY}", CLIENT, HaloSiteId(105), "Leeds")
    people = [person(1, l="Leeds"), person(2, l="Hull"), person(3)]
    made = plan(placed({"attribute": "l"}), side(leeds), people)
    assert [change.kind for change in made.changes] == [Kind.CREATE] * 3
    sites = [line_of(made, number).fields["site"].after for number in (1, 2, 3)]
    assert sites == ["Leeds", "Main", "Main"]


def test_a_site_that_the_same_plan_creates_counts_as_there() -> None:
    """Otherwise the second run would move people whom the first has just placed elsewhere."""
    who = placed({"attribute": "l"}, {"ou": ou("People/Leeds"), "site": {"name": "Leeds"}})
    people = [person(1, l="LEEDS"), person(2, "People/Leeds"), person(3, l="Hull")]
    made = plan(who, side(), people, tree("People/Leeds"))
    assert [change.name for change in made.changes if change.kind is Kind.CREATE_SITE] == ["Leeds"]
    assert line_of(made, 1).place == line_of(made, 2).place
    assert line_of(made, 3).fields["site"].after == "Main"


@pytest.mark.parametrize(
    ("site", "key"), [({"name": "Leeds"}, f"site:name:leeds@{CLIENT_KEY}"), ({"id": 7}, "site:id:7")]
)
def test_an_explicit_rule_names_a_site_by_name_or_id(site: dict[str, object], key: str) -> None:
    """Everybody in the OU and below stands there; everybody else does not."""
    who = placed({"ou": ou("People/Leeds"), "site": site})
    placing = Placing(who, read(who, tree("People/Leeds/Shop"), []))
    assert [option.site.key for option in placing.options(person(1, "People/Leeds/Shop"))] == [key]
    assert [option.site.name for option in placing.options(person(2, "People"))] == ["Main"]


def test_a_rule_may_name_another_client() -> None:
    """The same site name in two clients is two sites."""
    rules = [
        {"ou": ou("A"), "site": {"name": "HQ"}, "client": {"name": "Fabrikam"}},
        {"ou": ou("B"), "site": {"name": "HQ"}, "client": {"id": 12}},
        {"ou": ou("C"), "site": {"name": "HQ"}},
    ]
    who = placed(*rules)
    placing = Placing(who, read(who, tree("A", "B", "C"), []))
    keys = {option.site.key for path in "ABC" for option in placing.options(person(1, path))}
    assert keys == {
        "site:name:hq@client:name:fabrikam",
        "site:name:hq@client:id:12",
        f"site:name:hq@{CLIENT_KEY}",
    }


def test_nobody_without_a_place_is_lost() -> None:
    """Without a rule that answers and without a default site a person is skipped with the way out."""
    made = plan(placed(default_site=None), side(), [person(1)])
    assert line_of(made, 1).kind is Kind.SKIPPED
    assert "default_site" in line_of(made, 1).reason


def test_the_first_of_two_directories_that_hold_a_person_places_it() -> None:
    """Overlapping directories give one line a person, by the order of the file."""
    who = customer()
    made = plan(who, side(), [person(1), person(1, title="again")])
    assert made.counts()["create"] == 1
    assert "title" not in line_of(made, 1).fields


def site(number: int, name: str, guid: str | None = None, *, active: bool = True) -> HaloSite:
    """Return a site in Halo that mirrors the OU with this path."""
    return HaloSite(HaloSiteId(number), CLIENT, name, active, None if guid is None else ou_guid(guid))


def test_a_named_site_is_found_though_it_mirrors_an_ou() -> None:
    """A second Main beside the one that the mirror made would split its people in two."""
    wanted = WantedSite("key", WantedClient(CLIENT_KEY), "Main")
    mirrored = site(5, "MAIN ", "Main")
    assert find_site(wanted, CONTOSO, [mirrored]) == Place("key", CLIENT, HaloSiteId(5), "MAIN ")
    found = find_site(wanted, CONTOSO, [mirrored, site(6, "Main")])
    assert found is not None
    assert found.site == 6, "a site that mirrors nothing is meant first"


def test_a_mirrored_client_is_never_that_of_a_namesake() -> None:
    """Two OUs called Park in two branches are two clients, also where Halo has one of them already."""
    clients = [HaloClient(HaloClientId(1), "Park", guid=ou_guid("North/Park"))]
    assert find_client(WantedClient("key", "Park", guid=ou_guid("South/Park")), clients) is None
    by_name = find_client(WantedClient("key", "Park"), clients)
    assert by_name is not None
    assert by_name.client == 1
