"""`halo-adsync mirror` on the demo's directories: what it proposes is what the first sync then does."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from string import Template
from typing import Any, Self

import pytest

from devstack.azurite import Azurite, azurite_missing
from devstack.directory import Directory
from devstack.halo import SimulatedHalo
from halo_adsync import yaml_text

ROOT = Path(__file__).resolve().parents[2]
DEVSTACK = ROOT / "devstack"
SCHOOLS = "OU=Schools,DC=trust,DC=example"

pytestmark = pytest.mark.azurite


class Stand:
    """The demo's two customers without mirror rules, a Halo that holds nobody, and the command line."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running = ExitStack()

    def __enter__(self) -> Self:
        data = DEVSTACK / "data"
        storage = self._running.enter_context(Azurite())
        self.halo = self._running.enter_context(SimulatedHalo())
        self.trust = self._running.enter_context(Directory.from_ldif(data / "school-trust.ldif"))
        self.company = self._running.enter_context(Directory.from_ldif(data / "company.ldif"))
        self._settings = {
            "AzureWebJobsStorage": storage.connection_string,
            "SECRET_DEMO_HALO": self.halo.client_secret,
            "SECRET_TRUST_AD": self.trust.password,
            "SECRET_COMPANY_AD": self.company.password,
        }
        for name in ("school-trust", "company"):
            self.apply(self.sample(name))
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def sample(self, name: str) -> dict[str, Any]:
        """Return a customer of the demo, without its mirror rules."""
        text = Template((DEVSTACK / "customers" / f"{name}.yaml").read_text("utf-8")).substitute(
            halo_url=self.halo.url,
            halo_client_id=self.halo.client_id,
            trust_server=f"localhost:{self.trust.ldaps_port}",
            trust_ca=self.trust.ca_path,
            company_server=f"localhost:{self.company.ldap_port}",
            company_ca=self.company.ca_path,
        )
        found: dict[str, Any] = yaml_text.load(text)
        rules = found["placement"].pop("rules")
        found["placement"]["rules"] = [rule for rule in rules if "mirror" not in rule]
        return found

    def run(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Run `halo-adsync` as a person would."""
        done = subprocess.run(
            [sys.executable, "-m", "halo_adsync", *arguments],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **self._settings},
            cwd=self._folder,
            text=True,
            encoding="utf-8",
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def json(self, *arguments: str) -> dict[str, Any]:
        """Run a command for the one object that it prints."""
        found: dict[str, Any] = json.loads(self.run(*arguments, "--json").stdout)
        return found

    def apply(self, customer: dict[str, Any]) -> None:
        """Keep a customer."""
        path = self._folder / "customer.json"
        path.write_text(json.dumps(customer), "utf-8")
        self.run("customer", "apply", str(path))

    def held(self, client: str) -> dict[tuple[str, str], int]:
        """Return how many people Halo holds in each site that has any, by client and site."""
        names = {ident: str(record["name"]) for ident, record in self.halo.clients.items()}
        found: Counter[tuple[str, str]] = Counter()
        for user in self.halo.people:
            site = self.halo.sites[int(user["site_id"])]
            found[names[int(site["client_id"])], str(site["name"])] += 1
        return {place: number for place, number in found.items() if client in {"", place[0]}}


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    """The customers as they are before anything was mirrored."""
    if missing := azurite_missing():
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with Stand(tmp_path) as running:
        yield running


def places(proposal: dict[str, Any]) -> dict[tuple[str, str], int]:
    """Return the people of a proposal by client and site."""
    return {(site["client"], site["site"]): site["people"] for site in proposal["sites"]}


def test_the_school_trust_is_mirrored_by_one_command(stand: Stand) -> None:
    """Without any editing, six schools become sites, the office falls to Main, and the sync does so."""
    proposal = stand.json("mirror", "school-trust", "--write")
    assert proposal["rule"] == {"mirror": SCHOOLS, "site_level": 1}
    assert (proposal["guessed"], proposal["written"], proposal["people"]) == (True, True, 400)
    assert stand.json("sync", "school-trust")["status"] == "ok"
    assert stand.held("Northern Lights Trust") == places(proposal)
    assert sorted(places(proposal).values()) == [22, 63, 63, 63, 63, 63, 63]
    stamped = {site["actguid"] for site in stand.halo.sites.values() if site.get("actguid")}
    assert len(stamped) == 6


def test_clients_and_branches_of_the_school_trust(stand: Stand) -> None:
    """Two schools become clients with sites of their own; the plan then places everybody as proposed."""
    options = ("--client-level", "1", "--branch", "Ashford High", "--branch", "St Mary's, Lower Hill")
    proposal = stand.json("mirror", "school-trust", *options, "--write")
    assert len({site["client"] for site in proposal["sites"]}) == 3
    stand.json("sync", "school-trust")
    assert stand.held("") == places(proposal)


def test_a_flat_company(stand: Stand) -> None:
    """Where OUs stand just below the domain, it is mirrored, behind the sites that are named by hand."""
    proposal = stand.json("mirror", "company", "--write")
    assert proposal["rule"]["mirror"] == "DC=company,DC=example"
    assert places(proposal) == {("Company Ltd", city): 20 for city in ("Leeds", "Berlin", "Lyon")}
    stand.json("sync", "company")
    assert stand.held("Company Ltd") == places(proposal)


def test_looking_writes_nothing(stand: Stand) -> None:
    """Without --write the file stays as it is; people see the sites, the total and the next step."""
    before = stand.run("customer", "show", "school-trust").stdout
    shown = stand.run("mirror", "school-trust")
    assert stand.run("customer", "show", "school-trust").stdout == before
    assert "Birch Lane Primary" in shown.stdout
    assert "400" in shown.stdout
    assert "--write" in shown.stderr
    assert stand.halo.requests == []


def test_writing_changes_the_rule_alone(stand: Stand) -> None:
    """The rule is put into the file as kept, replaced where its OU was mirrored already, and nothing else."""
    first = stand.run("mirror", "school-trust", "--write", "--clean")
    assert "was added" in first.stdout
    assert "Next: halo-adsync plan school-trust" in first.stderr
    again = stand.run("mirror", "school-trust", "--write", "--clean")
    assert "nothing was changed" in again.stdout
    respelled = SCHOOLS.lower().replace(",", ", ")
    replaced = stand.json("mirror", "school-trust", "--write", "--top", respelled, "--site-level", "2")
    assert replaced["replaces"] == {"mirror": SCHOOLS, "site_level": 1, "names": "clean"}
    expected = stand.sample("school-trust")
    kept = stand.json("customer", "show", "school-trust")
    assert kept["placement"].pop("rules") == [{"mirror": respelled, "site_level": 2}]
    expected["placement"].pop("rules")
    assert kept == expected


def test_wishes_that_cannot_be_met(stand: Stand) -> None:
    """What cannot be is a sentence and exit status 2, also with --write, and the file stays as it is."""
    before = stand.run("customer", "show", "school-trust").stdout
    for options, said in (
        (("--branch", "Pupils"), "may be any of 6 OUs"),
        (("--top", "OU=Gone,DC=trust,DC=example"), "is no container that the account can see"),
        (("--client-level", "2", "--site-level", "1"), "must be smaller"),
    ):
        refused = stand.run("mirror", "school-trust", "--write", *options, status=2)
        assert said in refused.stderr
    assert stand.run("customer", "show", "school-trust").stdout == before
