"""Placement by value, pattern and group, into one client or several: through the plan."""

import json
from typing import Any

import pytest

from halo_adsync.asking import read_request
from halo_adsync.customer_file import parse
from halo_adsync.errors import ConfigurationError
from halo_adsync.model import HaloClientId, HaloSiteId, Place
from halo_adsync.plan.make import make_plan
from halo_adsync.plan.survey import survey
from halo_adsync.plan.types import SITE, Kind, Plan
from tests.support.plan import (
    CLIENT_KEY,
    NOW,
    TARGET,
    customer,
    guid,
    line_of,
    ou,
    person,
    placed,
    plan,
    read,
    side,
    tree,
)

GROUP = "CN=Peripatetic,OU=Groups,DC=corp,DC=example"


def sites(made: Plan) -> dict[int, str]:
    """Return the site of everybody who is created, by number."""
    return {
        int(change.guid.rpartition("-")[2], 16): change.fields[SITE].after
        for change in made.changes
        if change.kind is Kind.CREATE
    }


def clients(made: Plan) -> set[str]:
    """Return the clients that the plan creates."""
    return {change.name for change in made.changes if change.kind is Kind.CREATE_CLIENT}


def test_values_stand_for_the_names_in_a_table() -> None:
    """Aliases are compared without case and blanks; a value that has none stands for itself."""
    aliases = {"LDS": "Leeds", "Leeds office": "Leeds"}
    who = placed({"attribute": "l", "create": True, "aliases": aliases})
    people = [
        person(n, l=value) for n, value in enumerate(("lds", "LEEDS  Office", "leedsoffice", "Hull", ""), 1)
    ]
    assert sites(plan(who, side(), people)) == {1: "Leeds", 2: "Leeds", 3: "Leeds", 4: "Hull", 5: "Main"}


def test_a_pattern_answers_where_it_is_found() -> None:
    """In any case, for a named site; who does not match goes on to the next rule, and the line says so."""
    who = placed({"attribute": "sAMAccountName", "pattern": "^LDS-", "site": {"name": "Leeds"}})
    made = plan(who, side(), [person(1, samaccountname="lds-ada"), person(2, samaccountname="ada-lds-")])
    assert sites(made) == {1: "Leeds", 2: "Main"}
    assert "placed by the pattern ^LDS- in sAMAccountName" in line_of(made, 1).reason


def test_a_group_of_the_pattern_names_the_site() -> None:
    """Its text is looked up in the table, and without `create` counts only where Halo has that site."""
    rule: dict[str, Any] = {
        "attribute": "department",
        "pattern": "^(?P<site>[A-Z]{3})-",
        "aliases": {"YRK": "York"},
    }
    people = [person(1, department="YRK-Sales"), person(2, department="Hul-Shop"), person(3, department="x")]
    made = plan(placed({**rule, "create": True}), side(), people)
    assert sites(made) == {1: "York", 2: "Hul", 3: "Main"}
    york = Place(f"site:name:york@{CLIENT_KEY}", HaloClientId(11), HaloSiteId(7), "York")
    assert sites(plan(placed(rule), side(york), people)) == {1: "York", 2: "Main", 3: "Main"}


def test_members_of_a_group_stand_in_its_site() -> None:
    """Membership decides, not the OU; the directory is asked for the group, and scope does not mind it."""
    who = placed(
        {"group": GROUP, "site": {"name": "Everywhere"}}, {"ou": ou("People"), "site": {"name": "HQ"}}
    )
    groups = {GROUP: frozenset({guid(1)})}
    made = plan(who, side(), [person(1), person(2)], groups=groups)
    assert sites(made) == {1: "Everywhere", 2: "HQ"}
    assert f"placed by the group {GROUP}" in line_of(made, 1).reason
    assert read_request(who, who.directories[0], {}).groups == (GROUP,)


def test_groups_in_scope_and_groups_that_place_are_apart() -> None:
    """A group of a placement rule lets nobody into scope, and one in scope places nobody."""
    who = customer(
        scope={"groups": ["CN=All,DC=x"]},
        placement={"client": {"name": "Contoso"}, "rules": [{"group": GROUP, "site": {"name": "HQ"}}]},
    )
    groups = {"CN=All,DC=x": frozenset({guid(1), guid(2)}), GROUP: frozenset({guid(2), guid(3)})}
    made = plan(who, side(), [person(1), person(2), person(3)], groups=groups)
    assert sites(made) == {1: "Main", 2: "HQ"}
    assert line_of(made, 3).kind is Kind.SKIPPED


def test_one_directory_into_several_clients_by_a_value() -> None:
    """The client is named by an attribute, with a table; who has no value stands in the usual client."""
    client = {"attribute": "company", "create": True, "aliases": {"FAB": "Fabrikam"}}
    who = placed({"attribute": "l", "create": True, "client": client})
    people = [
        person(1, l="Leeds", company="fab"),
        person(2, l="Leeds", company="Tailspin"),
        person(3, l="Leeds"),
    ]
    made = plan(who, side(), people)
    assert clients(made) == {"Fabrikam", "Tailspin"}
    assert sites(made) == {1: "Leeds", 2: "Leeds", 3: "Main"}
    assert line_of(made, 1).place == "site:name:leeds@client:name:fabrikam"


def test_a_client_that_halo_has_not_is_made_only_where_asked() -> None:
    """Without `create` the rule answers only for clients that are there, also where it creates sites."""
    who = placed({"attribute": "l", "create": True, "client": {"attribute": "company"}})
    people = [person(1, l="Leeds", company="Fabrikam"), person(2, l="Leeds", company="Nowhere")]
    known = Place("client:name:fabrikam", HaloClientId(12), None, "Fabrikam")
    made = plan(who, side(known), people)
    assert clients(made) == set()
    assert sites(made) == {1: "Leeds", 2: "Main"}


def test_several_directories_into_one_client() -> None:
    """Mirrors of two directories with OUs of the same names make sites with different ones."""
    blocks = [
        {
            "id": name,
            "servers": ["dc:636"],
            "bind": {"user": "u", "password": {"secret": "p"}},
            "base_dn": base,
        }
        for name, base in (("corp", "OU=A,DC=corp,DC=example"), ("other", "OU=B,DC=corp,DC=example"))
    ]
    rules = [{"mirror": ou("A"), "site_level": 1}, {"mirror": ou("B"), "site_level": 1}]
    who = customer(directories=blocks, placement={"client": {"name": "Contoso"}, "rules": rules})
    left = read(who, tree("A/Leeds", "A/York"), [person(1, "A/Leeds"), person(2, "A/York")])
    right = read(who, tree("B/leeds", "B/Hull"), [person(3, "B/leeds"), person(4, "B/Hull")])
    made = make_plan(who, survey(who, [left, right], NOW, TARGET), side(), "full")
    assert sites(made) == {1: "Leeds", 2: "York", 3: "B / leeds", 4: "Hull"}
    assert clients(made) == set()


def test_several_ous_into_clients_of_their_own() -> None:
    """Each mirror may lead into a client of its own, where its names need not differ from the other's."""
    rules = [
        {"mirror": ou("A"), "site_level": 1, "client": {"name": "Fabrikam"}},
        {"mirror": ou("B"), "site_level": 1, "client": {"name": "Tailspin"}},
    ]
    ous = tree("A/Leeds", "B/Leeds")
    made = plan(placed(*rules), side(), [person(1, "A/Leeds"), person(2, "B/Leeds")], ous)
    assert (clients(made), sites(made)) == ({"Fabrikam", "Tailspin"}, {1: "Leeds", 2: "Leeds"})


def test_an_earlier_mirror_keeps_its_names() -> None:
    """A rule that is put behind changes neither an earlier one's names nor whom it answers for."""
    first, second = {"mirror": ou("A"), "site_level": 1}, {"mirror": ou("B"), "site_level": 1}
    ous = tree("A/Leeds", "B/Leeds", "B/Leeds/Leeds")
    people = [person(1, "A/Leeds"), person(2, "B/Leeds")]
    assert sites(plan(placed(first), side(), people, ous)) == {1: "Leeds", 2: "Main"}
    assert sites(plan(placed(first, second), side(), people, ous)) == {1: "Leeds", 2: "B / Leeds"}


def test_namesakes_in_tops_of_the_same_name() -> None:
    """Where the path does not tell two sites apart, the domain does, and in the end the OU's GUID."""
    rules = [{"mirror": ou(f"{top}/Sites"), "site_level": 1} for top in "ABC"]
    ous = tree(*(f"{top}/Sites/Leeds" for top in "ABC"))
    people = [person(n, f"{top}/Sites/Leeds") for n, top in enumerate("ABC", 1)]
    found = sites(plan(placed(*rules), side(), people, ous))
    assert found[1] == "Leeds"
    assert found[2] == "Sites / Leeds"
    assert found[3] == "CORP / Sites / Leeds"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"attribute": "l", "pattern": "("}, "a pattern cannot be used"),
        ({"attribute": "l", "pattern": "x" * 501}, "at most 500"),
        ({"attribute": "l", "pattern": "(?P<town>x)"}, "the one that may be there is (?P<site>...)"),
        ({"attribute": "l", "pattern": "(?P<site>x)", "site": {"name": "A"}}, "give either site or a group"),
        ({"attribute": "l", "site": {"name": "A"}, "create": True}, "aliases and create go with sites that"),
        (
            {"attribute": "l", "aliases": {"a b": "A", "AB": "B"}},
            "two aliases differ in case and blanks only",
        ),
        (
            {"group": GROUP, "site": {"name": "A"}, "client": {"name": "X", "create": True}},
            "with attribute only",
        ),
        (
            {"group": GROUP, "site": {"name": "A"}, "client": {"name": "X", "id": 3}},
            "give one of name, id and",
        ),
        (
            {"mirror": "OU=A,DC=x", "site_level": 2, "client_level": 1, "client": {"id": 1}},
            "give either client or",
        ),
        ({"mirror": "OU=A,DC=x", "site_level": 2, "moved": "away"}, "'keep' or 'follow'"),
        ({"site": {"name": "A"}}, "a rule has one of the keys ou, mirror, attribute or group"),
    ],
)
def test_rules_that_make_no_sense_are_refused(rule: dict[str, Any], said: str) -> None:
    """The file is refused with a sentence that names the place, before any directory is read."""
    text = customer().model_dump_json(by_alias=True, exclude_unset=True)
    data = json.loads(text)
    data["placement"]["rules"] = [rule]
    with pytest.raises(ConfigurationError, match=r"placement\.rules") as caught:
        parse(json.dumps(data))
    assert said in str(caught.value)
