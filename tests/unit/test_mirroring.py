"""Mirror proposals: which OU is guessed, what its levels and branches become, and where the rule goes."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from halo_adsync.customer import Customer, MirrorRule
from halo_adsync.directory.port import CountedContainer
from halo_adsync.errors import ConfigurationError
from halo_adsync.mirroring import Proposal, Wish, guess_top, propose, with_mirror
from halo_adsync.model import Container, DirectoryRead, DistinguishedName, ObjectGuid, Person, Tree
from halo_adsync.plan.mapping import Target
from halo_adsync.plan.names import clean_ou_name

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BASE = "DC=corp,DC=example"
TRUST = {"Schools/Ash/Staff": 3, "Schools/Ash/Pupils": 5, "Schools/Birch/Staff": 4, "Office": 2}


def customer(**changes: Any) -> Customer:
    """Return a customer with one directory and no rules."""
    data: dict[str, Any] = {
        "id": "corp",
        "name": "Corp",
        "halo": {"url": "https://corp.halopsa.com", "client_id": "id", "client_secret": {"secret": "halo"}},
        "directories": [
            {"id": "ad", "servers": ["dc:636"], "bind": {"user": "u", "password": {"secret": "ad"}}}
        ],
        "placement": {"client": {"name": "Corp"}},
    }
    return Customer.model_validate(data | changes)


def placed(*rules: Mapping[str, Any], **changes: Any) -> Customer:
    """Return a customer with these placement rules."""
    return customer(placement={"client": {"name": "Corp"}, "rules": rules, **changes})


def dn_of(path: str, base: str = BASE) -> str:
    """Return the DN of the OU with this path, such as `Schools/Ash`; the base for an empty path."""
    names = [name for name in path.split("/") if name]
    return ",".join([*(f"OU={name}" for name in reversed(names)), base])


def read_of(
    people: Mapping[str, int], directory: str = "ad", base: str = BASE, **attributes: str
) -> DirectoryRead:
    """Return a read of a directory that has so many people directly in each OU, and one more disabled."""
    paths = {"": None} | {
        "/".join(steps[: n + 1]): None for steps in map(_steps, people) for n in range(len(steps))
    }
    guids = {path: ObjectGuid(f"{directory}:{path}") for path in paths}
    containers = {
        guid: Container(
            guid,
            DistinguishedName(dn_of(path, base)),
            path.rpartition("/")[2] or base,
            guids[path.rpartition("/")[0]] if path else None,
        )
        for path, guid in guids.items()
    }
    accounts = [
        Person(
            guid=ObjectGuid(f"{directory}:{path}:{number}"),
            dn=DistinguishedName(f"CN={number},{dn_of(path, base)}"),
            directory=directory,
            parent=guids[path],
            enabled=number < count,
            expires=None,
            attributes={"cn": f"Person {number}", **attributes},
        )
        for path, count in people.items()
        for number in range(count + 1)
    ]
    return DirectoryRead(directory, "CORP", Tree(containers), {}, {}, tuple(accounts))


def _steps(path: str) -> list[str]:
    return [step for step in path.split("/") if step]


def proposed(people: Mapping[str, int], wish: Wish, whose: Customer | None = None) -> Proposal:
    """Propose a mirror for a directory with these people."""
    return propose(whose or customer(), [read_of(people)], {}, wish, now=NOW, target=Target())


def sites(proposal: Proposal) -> dict[tuple[str, str], int]:
    """Return the people by client and site."""
    found = {(site.client, site.site): site.people for site in proposal.sites}
    assert len(found) == len(proposal.sites), "two sites of one client have the same name"
    return found


def counted(people: Mapping[str, int]) -> list[CountedContainer]:
    """Return the containers of a directory with these people, counted."""
    return [
        CountedContainer(container, people.get(str(guid).removeprefix("ad:"), 0))
        for guid, container in read_of(people).tree.containers.items()
    ]


@pytest.mark.parametrize(
    ("people", "top"),
    [
        (TRUST, "Schools"),
        ({"Schools/Ash/Staff": 40, "Schools/Ash/Pupils": 30, "Schools/Birch/Staff": 40}, "Schools"),
        ({"Corp/Users/Leeds": 20, "Corp/Users/York": 20, "Corp/Services": 5}, "Corp/Users"),
        ({"Corp/People/Users/Leeds": 2, "Corp/People/Users/York": 2}, "Corp/People/Users"),
        ({"Leeds": 20, "York": 20, "Hull": 20}, ""),
        ({"Leeds/Sales": 20, "York": 20, "Hull": 20}, ""),
        ({"": 9, "Leeds": 0}, ""),
        ({"Leeds/Sales": 21, "York": 20}, "Leeds"),
    ],
)
def test_the_guessed_top(people: Mapping[str, int], top: str) -> None:
    """The OU whose sub-OUs hold most of the people is guessed; the base, where there is none."""
    assert guess_top(counted(people)).dn == dn_of(top)


def test_a_mirror_without_wishes() -> None:
    """Every school becomes a site of the one client, and who stands elsewhere falls to the default site."""
    proposal = proposed(TRUST, Wish())
    assert proposal.guessed
    assert proposal.rule == MirrorRule(mirror=dn_of("Schools"), site_level=1)
    assert sites(proposal) == {("Corp", "Ash"): 8, ("Corp", "Birch"): 4, ("Corp", "Main"): 2}
    assert proposal.sites[0].dn == dn_of("Schools/Ash")
    assert (proposal.people, proposal.left_out, proposal.unplaced, proposal.uncertain) == (14, 4, 0, 0)


def test_clients_and_their_sites() -> None:
    """With a client level, sites stand just below the clients, and who is above them in the default site."""
    people = {**TRUST, "Schools/Ash": 1, "Schools": 6}
    proposal = proposed(people, Wish(top=dn_of("Schools"), client_level=1))
    assert not proposal.guessed
    assert proposal.rule == MirrorRule(mirror=dn_of("Schools"), client_level=1, site_level=2)
    assert sites(proposal) == {
        ("Ash", "Pupils"): 5,
        ("Ash", "Staff"): 3,
        ("Ash", "Main"): 1,
        ("Birch", "Staff"): 4,
        ("Corp", "Main"): 8,
    }


def test_clients_of_the_same_name_are_told_apart() -> None:
    """Two OUs of one name at the client level are two clients with two names."""
    people = {"N/Ash/Staff": 1, "S/Ash/Staff": 2, "S/Birch/Staff": 4}
    proposal = proposed(people, Wish(top=BASE, client_level=2))
    assert sites(proposal) == {("N / Ash", "Staff"): 1, ("S / Ash", "Staff"): 2, ("Birch", "Staff"): 4}


@pytest.mark.parametrize("branch", ["ash", dn_of("Schools/Ash"), dn_of("Schools/Ash").lower()])
def test_a_chosen_branch(branch: str) -> None:
    """Only people in the chosen branch are mirrored; it may be named or given by its DN in any spelling."""
    proposal = proposed(TRUST, Wish(branches=(branch,)))
    assert proposal.rule.branches == (dn_of("Schools/Ash"),)
    assert sites(proposal) == {("Corp", "Ash"): 8, ("Corp", "Main"): 6}


def test_branches_may_lie_at_any_depth() -> None:
    """A branch below the site level brings its own people only, and they stand in the site above it."""
    wish = Wish(branches=("Pupils", dn_of("Schools/Birch/Staff")))
    assert sites(proposed(TRUST, wish)) == {("Corp", "Ash"): 5, ("Corp", "Birch"): 4, ("Corp", "Main"): 5}


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish(branches=("Staff", "Nowhere")), ["any of 2 OUs", "'Nowhere' is no OU below"]),
        (Wish(branches=("Office",)), ["'Office' is no OU below"]),
        (Wish(branches=("Schools",)), ["'Schools' is no OU below"]),
        (Wish(top="OU=Gone,DC=corp,DC=example"), ["--top: 'OU=Gone"]),
        (Wish(top="Schools"), ["--top: 'Schools'"]),
        (Wish(client_level=2, site_level=2), ["must be smaller"]),
    ],
)
def test_wishes_that_cannot_be_met(wish: Wish, said: list[str]) -> None:
    """Every OU that is not there or not clear is named at once."""
    with pytest.raises(ConfigurationError) as caught:
        proposed(TRUST, wish)
    assert len(caught.value.problems) == len(said)
    assert all(part in problem for part, problem in zip(said, caught.value.problems, strict=True))


def test_nobody_in_scope_leaves_nothing_to_guess_by() -> None:
    """Where nobody is in scope the top has to be named, and then nobody is placed."""
    empty = {"Schools/Ash": 0}
    with pytest.raises(ConfigurationError, match="Nobody is in scope"):
        proposed(empty, Wish())
    assert proposed(empty, Wish(top=dn_of("Schools"))).sites == ()


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("01 - Leeds", "Leeds"),
        ("2. York", "York"),
        ("10_Hull", "Hull"),
        ("05 Ripon", "Ripon"),
        ("OU_Leeds_North", "Leeds North"),
        ("Site-01 - Leeds", "Leeds"),
        ("Leeds OU", "Leeds"),
        ("site: Leeds_ou", "Leeds"),
        ("  Great   Ayton ", "Great Ayton"),
        ("Year 7", "Year 7"),
        ("Site Services", "Site Services"),
        ("10 Downing Street", "10 Downing Street"),
        ("24-7 Support", "24-7 Support"),
        ("1st Floor", "1st Floor"),
        ("2024 - Intake", "2024 - Intake"),
        ("Site-1", "Site-1"),
        ("007", "007"),
        ("___", "___"),
        ("OU", "OU"),
        ("Bayou", "Bayou"),
    ],
)
def test_cleaned_names(name: str, clean: str) -> None:
    """What only sorts or marks an OU goes; what may be part of a name stays."""
    assert clean_ou_name(name) == clean


def test_names_that_would_become_equal_stay() -> None:
    """OUs that would get the same name, or one that the file itself uses, keep their own."""
    people = {"Sites/01 - Leeds": 1, "Sites/02 - Leeds": 2, "Sites/03 - York": 3, "Sites/04 - main": 4}
    expected = {"01 - Leeds": 1, "02 - Leeds": 2, "York": 3, "04 - main": 4}
    proposal = proposed(people, Wish(clean=True))
    assert sites(proposal) == {("Corp", name): count for name, count in expected.items()}
    assert proposal.rule.names == "clean"


def test_names_are_cleaned_client_by_client() -> None:
    """Two clients may each have a site of the same cleaned name, and clients are cleaned too."""
    people = {"T/01 - Ash/OU_Staff": 1, "T/02 - Birch/OU_Staff": 2}
    proposal = proposed(people, Wish(top=dn_of("T"), client_level=1, clean=True))
    assert sites(proposal) == {("Ash", "Staff"): 1, ("Birch", "Staff"): 2}


def test_rules_in_front_keep_their_people() -> None:
    """People whom an earlier rule places are counted there, not in the mirror's site."""
    ou = {"ou": dn_of("Schools/Ash/Staff"), "site": {"id": 7}}
    whose = placed(ou, {"attribute": "l", "create": True})
    anchors = {dn_of("Schools/Ash/Staff"): ObjectGuid("ad:Schools/Ash/Staff")}
    read = replace(read_of(TRUST), anchors=anchors)
    proposal = propose(whose, [read], {}, Wish(), now=NOW, target=Target())
    assert [type(rule).__name__ for rule in proposal.customer.placement.rules] == [
        "OuRule",
        "MirrorRule",
        "AttributeRule",
    ]
    assert sites(proposal) == {
        ("Corp", "Ash"): 5,
        ("Corp", "Birch"): 4,
        ("Corp", "site 7"): 3,
        ("Corp", "Main"): 2,
    }


def test_what_depends_on_halo_is_said() -> None:
    """An attribute that creates no site leaves it open where its people stand."""
    whose = placed({"attribute": "l"}, default_site=None)
    read = read_of(TRUST, l="Leeds")
    proposal = propose(whose, [read], {}, Wish(), now=NOW, target=Target())
    assert (proposal.people, proposal.uncertain, proposal.unplaced) == (12, 2, 2)


def test_people_without_a_name_are_not_counted() -> None:
    """Who has no name is skipped by the plan, and so does not count here."""
    proposal = proposed(TRUST, Wish(), customer(fields={"name": "displayName"}))
    assert (proposal.people, proposal.unplaced, proposal.sites) == (0, 14, ())


def test_two_directories() -> None:
    """With two directories the larger is mirrored, everybody is counted, and the top may name the other."""
    blocks = [
        {
            "id": name,
            "servers": ["dc:636"],
            "bind": {"user": "u", "password": {"secret": "ad"}},
            "base_dn": base,
        }
        for name, base in (("ad", BASE), ("other", "DC=other"))
    ]
    whose, reads = (
        customer(directories=blocks),
        [read_of({"A/B": 2}), read_of({"C/D": 3}, "other", "DC=other")],
    )
    larger = propose(whose, reads, {}, Wish(), now=NOW, target=Target())
    assert (larger.rule.mirror, sites(larger)) == ("OU=C,DC=other", {("Corp", "D"): 3, ("Corp", "Main"): 2})
    other = propose(whose, reads, {}, Wish(top=dn_of("A")), now=NOW, target=Target())
    assert sites(other) == {("Corp", "B"): 2, ("Corp", "Main"): 3}


def test_a_renamed_top_is_known_by_its_guid() -> None:
    """A DN that a run resolved before is followed by its GUID, as the plan follows it."""
    old = "OU=Former,DC=corp,DC=example"
    whose = placed({"mirror": old, "site_level": 2})
    read = read_of(TRUST)
    guid = ObjectGuid("ad:Schools")
    known = {f"ad|{old}": guid}
    proposal = propose(whose, [read], known, Wish(top=old), now=NOW, target=Target())
    assert sites(proposal) == {("Corp", "Ash"): 8, ("Corp", "Birch"): 4, ("Corp", "Main"): 2}


RULES: list[dict[str, Any]] = [
    {"ou": "OU=A,DC=x", "site": {"name": "A"}},
    {"attribute": "l", "create": True},
    {"mirror": "OU=M,DC=x", "site_level": 1},
]
NEW = MirrorRule(mirror="OU=New,DC=x", site_level=1)


@pytest.mark.parametrize(
    ("rules", "place"),
    [([], 0), (RULES, 1), (RULES[:1], 1), (RULES[2:], 0), ([*RULES[:1], *RULES[2:], RULES[1]], 1)],
)
def test_where_a_new_rule_goes(rules: list[dict[str, Any]], place: int) -> None:
    """A new mirror stands behind explicit OUs and in front of mirrors and attributes; the others stay."""
    before = placed(*rules)
    after, replaced = with_mirror(before, NEW)
    assert replaced is None
    assert after.placement.rules[place] == NEW
    assert [rule for rule in after.placement.rules if rule != NEW] == list(before.placement.rules)
    assert after.model_copy(update={"placement": before.placement}) == before


@pytest.mark.parametrize("names", [(), ("OU=M,DC=x",)])
def test_a_rule_for_the_same_top_is_replaced(names: tuple[str, ...]) -> None:
    """The rule for the same OU goes, however its DN is spelled or whatever the OU is called by now."""
    spelled = "ou=m , dc=X" if not names else "OU=Renamed,DC=x"
    rule = MirrorRule(mirror=spelled, site_level=3)
    after, replaced = with_mirror(placed(*RULES), rule, names)
    assert replaced == MirrorRule(mirror="OU=M,DC=x", site_level=1)
    assert after.placement.rules == (*placed(*RULES).placement.rules[:2], rule)
