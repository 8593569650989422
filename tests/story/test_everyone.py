"""The story of a trust: its OU tree of three levels becomes Halo's clients and sites, on a real domain.

Chapter after chapter, through the command line: mirrored with one command, 500 users adopted who were there
already, OUs renamed and moved, people moved, nested groups, managers, agents. What Halo must hold is worked
out from what was put into the directory, without any code of the product.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from devstack.directory.edits import ENABLED_ACCOUNT, Attributes
from devstack.halo import SimulatedHalo
from devstack.samba import SambaDomain
from tests.story.conftest import story_settings
from tests.story.stage import ACCOUNT, written
from tests.story.telling import CommandLine, Summary

pytestmark = [pytest.mark.samba, pytest.mark.azurite]

CUSTOMER = "everyone"
REGIONS = {"01 - North": ("Abbey School", "Brook_School"), "02 - South": ("Abbey School", "Castle School")}
"""The OUs of the first level, each with those of the second; the third is `CLASSES`, the same everywhere."""
CLASSES = ("Staff", "Pupils")
CLEANED = {"01 - North": "North", "02 - South": "South", "Brook_School": "Brook School"}
EACH = 65
"""People in each OU of the third level: 520 in all."""
THERE_ALREADY = 500
CROWD = 2_000
"""Members of the innermost of three nested groups, the people of the trust among them."""


@dataclass
class Trust:
    """The stage: a domain, a Halo, and where everybody belongs."""

    domain: SambaDomain
    halo: SimulatedHalo
    command_line: CommandLine
    top: str
    ous: dict[tuple[str, ...], str] = field(default_factory=dict)
    """DNs by the path of names as they were first."""
    places: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Client and site by account."""
    known: dict[str, int] = field(default_factory=dict)
    """The Halo id that an account's user had before the first sync."""

    def run(self, *arguments: str, status: int = 0) -> Summary:
        """Run a command that answers with one JSON object."""
        done = self.command_line.run(*arguments)
        assert done.returncode == status, done.stderr + done.stdout
        answer: Summary = json.loads(done.stdout)
        return answer

    def sync(self, *options: str) -> Summary:
        """Sync, and return the run's summary."""
        return self.run("sync", CUSTOMER, "--json", *options)

    def check_places(self) -> None:
        """Assert that everybody stands in Halo exactly once, and where they belong."""
        held = sorted(
            (user["login"].partition("\\")[2], user["client_name"], user["site_name"])
            for user in map(self._named, self.halo.people)
        )
        assert held == sorted((account, *place) for account, place in self.places.items())
        assert self.halo.violations == []

    def _named(self, user: Mapping[str, Any]) -> dict[str, Any]:
        site = self.halo.sites[int(user["site_id"])]
        client = self.halo.clients[int(site["client_id"])]
        return {**user, "site_name": site["name"], "client_name": client["name"]}


def test_01_one_command_mirrors_the_tree(trust: Trust) -> None:
    """Clients and sites are proposed with the people that each would get, and put into the customer file."""
    command = ("mirror", CUSTOMER, "--client-level", "1", "--site-level", "2", "--clean", "--json")
    proposal = trust.run(*command)
    expected: dict[tuple[str, str], int] = {}
    for place in trust.places.values():
        expected[place] = expected.get(place, 0) + 1
    assert proposal["rule"]["mirror"] == trust.top
    assert {(s["client"], s["site"]): s["people"] for s in proposal["sites"]} == expected
    assert trust.run(*command, "--write")["written"] is True
    assert written(trust.halo) == []


def test_02_users_who_are_there_already_are_adopted(trust: Trust) -> None:
    """Of 520 people 500 are in Halo: they keep their ids and are stamped; only the others are created."""
    summary = trust.sync()
    counts = summary["counts"]
    assert summary["status"] == "ok"
    assert counts["create"] == len(trust.places) - THERE_ALREADY
    assert sum(counts[kind] for kind in ("update", "move", "unchanged")) == THERE_ALREADY
    trust.check_places()
    by_login = {user["login"].partition("\\")[2]: user for user in trust.halo.people}
    assert {account: by_login[account]["id"] for account in trust.known} == trust.known
    assert all(by_login[account]["third_party_guid"] for account in trust.places)
    assert trust.sync()["cost"]["halo_requests"] == 0


def test_03_clients_and_sites_follow_their_ous(trust: Trust) -> None:
    """What the plan created is marked with the GUID of its OU."""
    marks = {site["actguid"] for site in trust.halo.sites.values() if site["actguid"]}
    schools = {guid_of(trust, dn) for path, dn in trust.ous.items() if len(path) == 2}
    assert marks == schools


def test_04_renamed_and_moved_ous_keep_their_people_in_place(trust: Trust) -> None:
    """OUs of each level are renamed, a class and a school moved: nobody's place changes; a warning tells."""
    before = [dict(user) for user in trust.halo.people]
    trust.domain.move(trust.ous["02 - South",], f"OU=Somewhere South,{trust.top}")
    south = f"OU=Somewhere South,{trust.top}"
    trust.domain.move(f"OU=Castle School,{south}", f"OU=Chateau School,{south}")
    north = trust.ous["01 - North",]
    trust.domain.move(f"OU=Pupils,OU=Abbey School,{north}", f"OU=Children,OU=Abbey School,{north}")
    trust.domain.move(f"OU=Pupils,OU=Chateau School,{south}", f"OU=Guests,OU=Abbey School,{south}")
    trust.domain.move(f"OU=Abbey School,{south}", f"OU=Abbey School South,{north}")
    trust.halo.forget_requests()
    summary = trust.sync()
    assert summary["counts"]["unchanged"] == len(trust.places)
    assert summary["cost"]["halo_requests"] == 0
    assert [dict(user) for user in trust.halo.people] == before
    (kept,) = [warning for warning in summary["warnings"] if "keep their places" in warning]
    assert kept.startswith(f"{3 * EACH} people")


def test_05_people_who_move_get_another_site(trust: Trust) -> None:
    """Ten of a class move to the other school of their client, one to another client."""
    north, south = trust.ous["01 - North",], f"OU=Somewhere South,{trust.top}"
    staff = f"OU=Staff,OU=Brook_School,{north}"
    for number in range(11):
        account = account_of("01 - North", "Brook_School", "Staff", number)
        target, place = (
            (f"OU=Staff,OU=Abbey School,{north}", ("North", "Abbey School"))
            if number < 10
            else (f"OU=Staff,OU=Chateau School,{south}", ("South", "Castle School"))
        )
        trust.domain.move(f"CN={account},{staff}", f"CN={account},{target}")
        trust.places[account] = place
    summary = trust.sync()
    assert (summary["status"], summary["counts"]["move"]) == ("ok", 11)
    trust.check_places()


def test_06_nested_groups_of_three_levels_count_every_member(trust: Trust) -> None:
    """Members of the innermost group are in scope, 2,000 of them; who is in none of them is left out."""
    shown = trust.run("customer", "show", CUSTOMER, "--json")
    shown["scope"]["groups"] = [f"CN=Everyone,{trust.top}"]
    applied = trust.command_line.apply(shown)
    assert applied.returncode == 0, applied.stderr
    assert len(trust.domain.values(f"CN=Innermost,{trust.top}", "member")) == CROWD
    trust.domain.add_user(
        "Temp", f"OU=Staff,OU=Abbey School,{trust.ous['01 - North',]}", mail="temp@corp.example"
    )
    summary = trust.sync()
    assert (summary["counts"]["unchanged"], summary["counts"]["skipped"]) == (len(trust.places), 1)
    trust.check_places()


def test_07_managers_are_resolved_in_any_order_and_circles_told(trust: Trust) -> None:
    """Everybody of a class gets the head's address, three who manage one another too; the plan names them."""
    north = trust.ous["01 - North",]
    pupils = f"OU=Children,OU=Abbey School,{north}"
    accounts = [account_of("01 - North", "Abbey School", "Pupils", number) for number in range(8)]
    *team, one, two, three = accounts
    managers = {**dict.fromkeys(team[:-1], team[-1]), one: two, two: three, three: one}
    for account, manager in managers.items():
        trust.domain.modify(f"CN={account},{pupils}", {"manager": f"CN={manager},{pupils}"})
    shown = trust.run("customer", "show", CUSTOMER, "--json")
    shown["fields"] = {
        "name": "{{ displayName or cn }}",
        "login": "{{ netbios }}\\{{ sAMAccountName }}",
        "emailaddress": "mail",
        "admanager": "manager",
        "manager_email": "{{ manager_email }}",
    }
    applied = trust.command_line.apply(shown)
    assert applied.returncode == 0, applied.stderr
    summary = trust.sync()
    assert (summary["status"], summary["counts"]["update"]) == ("ok", len(managers))
    held = {user["login"].partition("\\")[2]: user for user in trust.halo.people}
    for account in trust.places:
        chief = managers.get(account)
        assert held[account].get("manager_email") == (f"{chief}@trust.example" if chief else None)
        assert held[account].get("admanager") == (f"CN={chief},{pupils}" if chief else None)
    (circle,) = [warning for warning in summary["warnings"] if "circle" in warning]
    assert all(f"CN={account}," in circle for account in (one, two, three))
    assert trust.sync()["cost"]["halo_requests"] == 0


def test_08_agents_come_within_the_licences_there_are(trust: Trust) -> None:
    """From groups within groups: four licences for six, two wait and are told; who leaves is disabled."""
    staff = f"OU=Staff,OU=Abbey School,{trust.ous['01 - North',]}"
    accounts = [account_of("01 - North", "Abbey School", "Staff", number) for number in range(6)]
    trust.domain.add_group("Second Line", trust.top, [f"CN={account},{staff}" for account in accounts])
    trust.domain.add_group("Line", trust.top, [f"CN=Second Line,{trust.top}"])
    trust.domain.add_group("Service Desk", trust.top, [f"CN=Line,{trust.top}"])
    trust.domain.modify(f"CN={accounts[1]},{staff}", {"manager": f"CN={accounts[0]},{staff}"})
    shown = trust.run("customer", "show", CUSTOMER, "--json")
    shown["policy"] = "full"
    shown["agents"] = {
        "groups": [f"CN=Service Desk,{trust.top}"],
        "teams": {f"CN=Second Line,{trust.top}": "2nd line support"},
        "default_role": "Support",
        "create": True,
    }
    applied = trust.command_line.apply(shown)
    assert applied.returncode == 0, applied.stderr
    trust.halo.switches.license_count = 4
    first = trust.sync()
    assert (first["agents"]["create"], first["agents"]["held"]) == (4, 2)
    assert any("6 agents to create or enable, 4 licences free: 2 more needed" in w for w in first["warnings"])
    trust.halo.switches.license_count = 6
    assert trust.sync()["agents"]["create"] == 2
    agents = {agent["ad"].partition("\\")[2]: agent for agent in trust.halo.agents.values()}
    assert sorted(agents) == accounts
    assert {len(agent["teams"]) for agent in agents.values()} == {1}
    trust.sync()
    assert trust.halo.agents[agents[accounts[1]]["id"]]["linemanager"] == agents[accounts[0]]["id"]
    trust.domain.modify(f"CN={accounts[5]},{staff}", {"userAccountControl": str(514)})
    trust.sync()
    disabled = [agent["ad"] for agent in trust.halo.agents.values() if agent.get("isdisabled")]
    assert [name.partition("\\")[2] for name in disabled] == [accounts[5]]
    assert trust.halo.violations == []


def guid_of(trust: Trust, dn: str) -> str:
    """Return an object's GUID as Halo holds it."""
    raw = trust.domain.values(dn, "objectGUID")[0]
    parts = raw[3::-1], raw[5:3:-1], raw[7:5:-1], raw[8:10], raw[10:]
    return "-".join(part.hex() for part in parts)


def account_of(region: str, school: str, room: str, number: int) -> str:
    """Return the account name of a person, who is also called so."""
    return f"e{region[1]}{school[0].lower()}{room[0].lower()}{number:03}"


def attributes_of(account: str) -> Attributes:
    """Return what the directory holds of a person."""
    return {
        "objectClass": ["top", "person", "organizationalPerson", "user"],
        "sAMAccountName": account,
        "displayName": f"Person {account}",
        "mail": f"{account}@trust.example",
        "userAccountControl": ENABLED_ACCOUNT,
    }


@pytest.fixture(scope="module")
def trust(domain: SambaDomain, storage: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trust]:
    """The trust in the directory, most of its people in Halo, and its customer file without any rule."""
    with SimulatedHalo() as halo:
        command_line = CommandLine(tmp_path_factory.mktemp("everyone"), story_settings(storage, halo))
        stage = Trust(domain, halo, command_line, domain.add_ou("Trust"))
        _fill_directory(stage)
        _fill_halo(stage)
        applied = command_line.apply(_customer_file(stage))
        assert applied.returncode == 0, applied.stderr
        yield stage


def _fill_directory(trust: Trust) -> None:
    people: list[tuple[str, Attributes]] = []
    for region, schools in REGIONS.items():
        trust.ous[region,] = trust.domain.add_ou(region, trust.top)
        for school in schools:
            trust.ous[region, school] = trust.domain.add_ou(school, trust.ous[region,])
            for room in CLASSES:
                ou = trust.domain.add_ou(room, trust.ous[region, school])
                for number in range(EACH):
                    account = account_of(region, school, room, number)
                    people.append((f"CN={account},{ou}", attributes_of(account)))
                    trust.places[account] = (CLEANED[region], CLEANED.get(school, school))
    crowd = trust.domain.add_ou("Crowd")
    others = [f"crowd{number}" for number in range(CROWD - len(people))]
    people += [(f"CN={account},{crowd}", attributes_of(account)) for account in others]
    trust.domain.seed(people)
    inner = ("Innermost", [dn for dn, _ in people])
    for name, members in (
        inner,
        ("Middle", [f"CN=Innermost,{trust.top}"]),
        ("Everyone", [f"CN=Middle,{trust.top}"]),
    ):
        trust.domain.add_group(name, trust.top, members)


def _fill_halo(trust: Trust) -> None:
    """Let most people be in Halo, all at the main site of their client; every second without the login."""
    clients = {
        name: trust.halo.add_client(name) for name in sorted({place[0] for place in trust.places.values()})
    }
    for number, (account, place) in enumerate(sorted(trust.places.items())):
        if number >= THERE_ALREADY:
            return
        known = {"login": f"CORP\\{account}"} if number % 2 else {"emailaddress": f"{account}@TRUST.example"}
        main = int(trust.halo.clients[clients[place[0]]]["main_site_id"])
        trust.known[account] = trust.halo.add_user(name=f"Old {account}", site_id=main, **known)


def _customer_file(trust: Trust) -> dict[str, Any]:
    domain, halo = trust.domain, trust.halo
    return {
        "id": CUSTOMER,
        "name": "The trust",
        "halo": {"url": halo.url, "client_id": halo.client_id, "client_secret": {"secret": "story-halo"}},
        "directories": [
            {
                "id": "corp",
                "servers": [f"{domain.host}:{domain.port}"],
                "ca_file": str(domain.ca_path),
                "bind": {"user": ACCOUNT, "password": {"secret": "story-ad"}},
            }
        ],
        "scope": {"include": [trust.top]},
        "placement": {"client": {"name": "The trust"}},
    }
