"""Placement and scope: who stands where, by which rule, and who is not in scope at all."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from halo_adsync.customer import Customer
from halo_adsync.errors import ConfigurationError
from halo_adsync.model import (
    Container,
    DirectoryRead,
    DistinguishedName,
    HaloClient,
    HaloClientId,
    HaloSite,
    HaloSiteId,
    ObjectGuid,
    Person,
    Place,
    Tree,
)
from halo_adsync.plan.placement import Placing
from halo_adsync.plan.places import find_client, find_site, same_site
from halo_adsync.plan.scope import Scoping
from halo_adsync.plan.wanted import WantedClient, WantedSite

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TOP = "OU=Schools,DC=x"


def _container(name: str, parent: str | None) -> Container:
    guid = ObjectGuid(name)
    return Container(guid, DistinguishedName(f"OU={name},DC=x"), name.partition("@")[0], _guid(parent))


def _guid(name: str | None) -> ObjectGuid | None:
    return ObjectGuid(name) if name else None


TREE = Tree(
    {
        container.guid: container
        for container in (
            _container("Schools", None),
            _container("North", "Schools"),
            _container("South", "Schools"),
            _container("Staff@north", "North"),
            _container("Staff@south", "South"),
            _container("Pupils@south", "South"),
            _container("Year 7", "Pupils@south"),
            _container("Office", None),
        )
    }
)


def read(**changes: Any) -> DirectoryRead:
    """Return a read of the tree above, without people."""
    anchors = {TOP: ObjectGuid("Schools"), "OU=Office,DC=x": ObjectGuid("Office")}
    return DirectoryRead("corp", "CORP", TREE, anchors, changes.get("groups", {}), ())


def customer(*rules: dict[str, Any], **changes: Any) -> Customer:
    """Return a customer with these placement rules."""
    return Customer.model_validate(
        {
            "id": "contoso",
            "name": "Contoso",
            "halo": {"url": "https://x.test", "client_id": "c", "client_secret": {"secret": "s"}},
            "directories": [
                {"id": "corp", "servers": ["dc.x:636"], "bind": {"user": "u", "password": {"secret": "p"}}}
            ],
            "placement": {"client": {"name": "Contoso"}, "rules": list(rules)} | changes.pop("placement", {}),
        }
        | changes
    )


def person(parent: str, **changes: Any) -> Person:
    """Return an account in a container."""
    values = {
        "guid": ObjectGuid("ada"),
        "dn": DistinguishedName("CN=Ada"),
        "directory": "corp",
        "parent": ObjectGuid(parent),
        "enabled": True,
        "expires": None,
        "attributes": {"physicaldeliveryofficename": "Leeds"},
    }
    return Person(**{**values, **changes})


def placed(who: Customer, parent: str) -> list[tuple[str, str]]:
    """Return client and site of every option, best first."""
    options = Placing(who, read()).options(person(parent))
    return [(option.site.client.name, option.site.name) for option in options]


@pytest.mark.parametrize(
    ("parent", "site"),
    [
        ("North", "North"),
        ("Staff@north", "North"),
        ("Year 7", "South"),
        ("Schools", "Main"),
        ("Office", "Main"),
    ],
)
def test_a_mirror_places_by_the_ou_at_its_level(parent: str, site: str) -> None:
    """Everybody below an OU at the level stands in its site; others go on to the next rule."""
    assert placed(customer({"mirror": TOP, "site_level": 1}), parent) == [("Contoso", site)]


def test_namesakes_are_told_apart_by_their_parents() -> None:
    """Two OUs called Staff in one client are two sites with two names; in two clients they may share one."""
    who = customer({"mirror": TOP, "site_level": 2})
    assert placed(who, "Staff@north") == [("Contoso", "North / Staff")]
    assert placed(who, "Pupils@south") == [("Contoso", "Pupils")]
    apart = customer({"mirror": TOP, "site_level": 2, "client_level": 1})
    assert placed(apart, "Staff@north") == [("North", "Staff")]
    assert placed(apart, "Staff@south") == [("South", "Staff")]


def test_a_tree_of_clients_has_a_default_site_in_each() -> None:
    """Who stands above the sites of a client goes to that client's default site."""
    who = customer({"mirror": TOP, "site_level": 2, "client_level": 1})
    assert placed(who, "South") == [("South", "Main")]
    assert placed(who, "Schools") == [("Contoso", "Main")]


def test_the_first_rule_that_answers_wins() -> None:
    """Rules are asked in the order of the file."""
    office = {"ou": "OU=Office,DC=x", "site": {"name": "HQ"}}
    everything = {"attribute": "physicalDeliveryOfficeName", "create": True}
    assert placed(customer(office, everything), "Office") == [("Contoso", "HQ")]
    assert placed(customer(everything, office), "Office") == [("Contoso", "Leeds")]


def test_an_attribute_without_create_is_an_offer_only() -> None:
    """It counts where Halo has that site; the next rule stands by."""
    who = customer({"attribute": "physicalDeliveryOfficeName"})
    assert placed(who, "Office") == [("Contoso", "Leeds"), ("Contoso", "Main")]


def test_without_a_default_site_nobody_is_placed_by_chance() -> None:
    """No rule and no default is no answer."""
    assert placed(customer(placement={"default_site": None}), "Office") == []


def test_scope_says_why() -> None:
    """Each reason for not being in scope is its own sentence; who is in scope has none."""
    who = customer(scope={"include": [TOP], "exclude": ["OU=Office,DC=x"], "groups": ["CN=All,DC=x"]})
    scoping = Scoping(who, read(groups={"CN=All,DC=x": frozenset({ObjectGuid("ada")})}), NOW)
    assert scoping.why_not(person("North")) is None
    assert scoping.why_not(person("Office")) == "in an OU that is left out of scope"
    assert scoping.why_not(person("North", guid=ObjectGuid("bob"))) == "in none of the groups in scope"
    assert scoping.why_not(person("North", enabled=False)) == "the account is disabled"
    assert "expired" in str(scoping.why_not(person("North", expires=NOW)))
    assert scoping.why_not(person("North", expires=NOW + timedelta(seconds=1))) is None


SITES = [
    HaloSite(HaloSiteId(1), HaloClientId(11), "Leeds"),
    HaloSite(HaloSiteId(2), HaloClientId(11), "Old name", guid=ObjectGuid("North")),
    HaloSite(HaloSiteId(3), HaloClientId(11), "York", active=False),
    HaloSite(HaloSiteId(4), HaloClientId(11), "Twin"),
    HaloSite(HaloSiteId(5), HaloClientId(11), "Twin"),
]
CLIENT = Place("client", HaloClientId(11), None, "Contoso")


def site(name: str, guid: str | None = None, number: int | None = None) -> WantedSite:
    """Return a site that is wanted."""
    return WantedSite(
        "key", WantedClient("client"), name, None if number is None else HaloSiteId(number), _guid(guid)
    )


def test_sites_are_found_by_id_then_guid_then_name() -> None:
    """A GUID finds a site whatever its name is; a name finds one in any case, inactive if need be."""
    found = {
        "by guid": find_site(site("North", "North"), CLIENT, SITES),
        "by name": find_site(site("LEEDS "), CLIENT, SITES),
        "inactive": find_site(site("York"), CLIENT, SITES),
        "by id": find_site(site("", number=4), CLIENT, SITES),
    }
    assert {how: place.site for how, place in found.items() if place} == {
        "by guid": 2,
        "by name": 1,
        "inactive": 3,
        "by id": 4,
    }
    assert find_site(site("Hull"), CLIENT, SITES) is None
    assert find_site(site("Old name", "South"), CLIENT, SITES) is None, "it mirrors another OU"


@pytest.mark.parametrize("wanted", [site("Twin"), site("", number=99)])
def test_a_site_that_cannot_be_told_is_an_error(wanted: WantedSite) -> None:
    """Two of one name, or an id that is not there, is never a guess."""
    with pytest.raises(ConfigurationError):
        find_site(wanted, CLIENT, SITES)


def test_clients_are_found_as_sites_are() -> None:
    """By id, by the OU that they mirror, by name with the active one first; never by guess."""
    clients = [
        HaloClient(HaloClientId(1), "Contoso", active=False),
        HaloClient(HaloClientId(2), "contoso"),
        HaloClient(HaloClientId(3), "Fabrikam"),
        HaloClient(HaloClientId(4), "Fabrikam"),
        HaloClient(HaloClientId(5), "Renamed", guid=ObjectGuid("North")),
    ]

    def found(**wanted: Any) -> int | None:
        place = find_client(WantedClient("key", **wanted), clients)
        return place.client if place else None

    assert found(name="Contoso") == 2
    assert found(id=HaloClientId(1)) == 1
    assert found(name="North", guid=ObjectGuid("North")) == 5
    assert found(name="Nobody") is None
    for wrong in ({"name": "Fabrikam"}, {"id": HaloClientId(9)}):
        with pytest.raises(ConfigurationError):
            found(**wrong)


def test_a_site_that_was_known_keeps_its_people_when_it_is_renamed() -> None:
    """Its id finds it, and its new name is taken over; a site that is gone is not found."""
    known = Place("key", HaloClientId(11), HaloSiteId(2), "North")
    again = same_site(known, SITES)
    assert again is not None
    assert (again.site, again.name) == (2, "Old name")
    assert same_site(Place("key", HaloClientId(11), HaloSiteId(77), "Gone"), SITES) is None
