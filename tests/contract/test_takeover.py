"""Contract: `halo import` against the simulated Halo, from the command to the file."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, override

import pytest
from typer.testing import CliRunner, Result

from devstack.halo import SimulatedHalo
from devstack.memory import MemoryTable
from halo_adsync import cli_setup
from halo_adsync.bootstrap import HALO_FIELDS, Builder
from halo_adsync.cli import cli
from halo_adsync.customer_file import parse
from halo_adsync.errors import HaloRefused, HaloUnavailable
from halo_adsync.halo.budget import Budget
from halo_adsync.halo.client import HaloApi
from halo_adsync.model import Meter
from halo_adsync.settings import Settings
from halo_adsync.state.store import Store
from tests.contract.halo_desk import Desk, Time

USAGE, FAILED = 2, 5
AD_PASSWORD = "Pa55-in-the-record"
PEOPLE = "OU=People,DC=corp,DC=contoso,DC=com"


class MemoryBuilder(Builder):
    """Builds the real Halo adapter on state in memory."""

    def __init__(self, environment: dict[str, str]) -> None:
        super().__init__(Settings(environment=environment))
        self.table = MemoryTable()

    @override
    def store(self, meter: Meter | None = None) -> Store:
        return Store(self.table, lambda: datetime.now(UTC))


@dataclass
class Bench:
    """A simulated Halo with one connection, and a customer that knows nothing but where it is."""

    halo: SimulatedHalo
    store: Store
    secrets: dict[str, str]
    client: int
    site: int

    def run(self, *options: str) -> Result:
        """Run `halo import` for the customer."""
        return CliRunner().invoke(cli, ["halo", "import", "contoso", *options])

    def connection(self, number: int, **fields: Any) -> None:
        """Add a connection to Halo, with its password as Halo may carry it."""
        record = {
            "id": number,
            "name": f"AD {number}",
            "hostname": "dc01.corp.contoso.com",
            "domainname": "corp.contoso.com",
            "username": "svc-halo@corp.contoso.com",
            "phppassword": AD_PASSWORD,
            "new_password": AD_PASSWORD,
            "port": "",
            "use_ssl": True,
            "basedn": "DC=corp,DC=contoso,DC=com",
            "user_matching_fields": "emailaddress",
            "mappings_user": [
                {"ldap_field": "displayName", "nhd_field": "name"},
                {"ldap_field": "mail", "nhd_field": "emailaddress"},
                {"ldap_field": "pager", "nhd_field": "Pager"},
            ],
            "ldap_strings": [
                {
                    "id": 1,
                    "dn": PEOPLE,
                    "site_id": self.site,
                    "client_id": self.client,
                    "filter": "(mail=*)",
                    "isrecursive": True,
                }
            ],
        }
        self.halo.store.catalogs["ldap_connections"].append(record | fields)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A Halo with one client and one connection, and the customer's file before the takeover."""
    with SimulatedHalo() as halo:
        client = halo.add_client("Contoso")
        secrets = {"SECRET_CONTOSO_HALO": halo.client_secret}
        builder = MemoryBuilder(secrets)
        monkeypatch.setattr(cli_setup, "builder", lambda: builder)
        builder.store().put_customer(parse(_file(halo)))
        bench = Bench(halo, builder.store(), secrets, client, int(halo.clients[client]["main_site_id"]))
        bench.connection(3)
        yield bench


def _file(halo: SimulatedHalo) -> str:
    return f"""
id: contoso
name: Contoso Ltd
halo: {{ url: "{halo.url}", client_id: {halo.client_id}, client_secret: {{ secret: contoso-halo }} }}
directories:
  - id: first
    servers: ["first.example:636"]
    bind: {{ user: svc@first.example, password: {{ secret: first-ad }} }}
placement: {{ client: {{ name: Contoso }} }}
"""


def test_the_file_is_printed_and_nothing_kept(bench: Bench) -> None:
    """Standard output is the customer's file, standard error the report; neither store nor Halo changes."""
    before = bench.store.customer("contoso")
    done = bench.run()
    assert done.exit_code == 0, done.stderr
    found = parse(done.stdout, halo_fields=HALO_FIELDS)
    assert found.scope.include == (PEOPLE,)
    assert found.placement_ous() == (PEOPLE,)
    assert found.placement.client.id == bench.client
    assert set(found.fields) == {"name", "emailaddress"}
    assert "'pager' to 'Pager': this sync knows no such Halo field" in done.stderr
    assert "Not applied" in done.stderr
    assert bench.store.customer("contoso") == before
    assert {request.method for request in bench.halo.requests if "token" not in request.path} == {"GET"}


def test_no_password_is_shown(bench: Bench) -> None:
    """Passwords that Halo's record carries are neither in the file nor in the report."""
    done = bench.run("--json")
    assert AD_PASSWORD not in done.stdout + done.stderr
    assert "contoso-corp-ad" in done.stdout


def test_apply_keeps_the_file(bench: Bench) -> None:
    """With --apply the store holds what is printed."""
    done = bench.run("--apply")
    assert done.exit_code == 0, done.stderr
    assert bench.store.customer("contoso") == parse(done.stdout)
    assert "Applied. Next: halo-adsync plan contoso" in done.stderr


def test_out_writes_the_file(bench: Bench, tmp_path: Path) -> None:
    """With --out the file stands there and nothing on standard output."""
    out = tmp_path / "contoso.yaml"
    done = bench.run("--out", str(out))
    assert (done.exit_code, done.stdout) == (0, "")
    assert parse(out.read_text("utf-8")).scope.filter == "(mail=*)"


def test_a_file_that_cannot_be_written(bench: Bench, tmp_path: Path) -> None:
    """Where --out cannot be written, nothing is applied either."""
    before = bench.store.customer("contoso")
    done = bench.run("--apply", "--out", str(tmp_path / "no" / "contoso.yaml"))
    assert done.exit_code == USAGE
    assert "cannot be written" in done.stderr
    assert bench.store.customer("contoso") == before


def test_json_is_one_object(bench: Bench) -> None:
    """With --json standard output is one object with the file and the report, and nothing else is said."""
    done = bench.run("--json")
    data = json.loads(done.stdout)
    assert (data["customer"], data["connection"], data["applied"]) == ("contoso", 3, False)
    assert parse(data["file"]).scope.include == (PEOPLE,)
    assert any("Key Vault" in sentence for sentence in data["report"])
    assert done.stderr == ""


def test_several_connections_need_a_choice(bench: Bench) -> None:
    """Of several connections one is chosen by its id, and the other is in the report."""
    bench.connection(4, name="School", hostname="dc.school.example")
    refused = bench.run()
    assert refused.exit_code == USAGE
    assert "3 (AD 3), 4 (School)" in refused.stderr
    done = bench.run("--connection", "4")
    assert parse(done.stdout).directories[0].servers == ("dc.school.example:636",)
    assert "not taken over: 3 (AD 3)" in done.stderr


def test_no_connection(bench: Bench) -> None:
    """Where Halo has none, a sentence says so, with --json as well."""
    bench.halo.store.catalogs["ldap_connections"].clear()
    done = bench.run("--json")
    assert done.exit_code == USAGE
    assert "no LDAP connection" in json.loads(done.stdout)["message"]


def test_an_unknown_customer(bench: Bench) -> None:
    """A customer that is not there is a wrong name, and Halo is not asked."""
    done = CliRunner().invoke(cli, ["halo", "import", "nobody"])
    assert done.exit_code == USAGE
    assert bench.halo.requests == []


def test_a_wrong_secret(bench: Bench) -> None:
    """A sign-in that Halo refuses is a failure, not a usage error."""
    bench.secrets["SECRET_CONTOSO_HALO"] = "wr0ng-wr0ng"
    done = bench.run()
    assert (done.exit_code, done.stdout) == (FAILED, "")
    assert "client secret is wrong" in done.stderr
    assert "wr0ng-wr0ng" not in done.stderr


class Confused(HaloApi):
    """An API that answers every request with the same connection."""

    @override
    def get(self, path: str, query: Mapping[str, str] | None = None, *, missing_ok: bool = False) -> Any:
        return {"id": 9, "name": "elsewhere"}


def test_details_come_from_the_connection_that_was_asked_for(desk: Desk) -> None:
    """A list carries no mappings, one record does, and one that is gone is an error."""
    row = {"id": 3, "name": "corp", "ldap_strings": [{"dn": PEOPLE, "site_id": desk.site}]}
    desk.halo.store.catalogs["ldap_connections"].append(row)
    with desk.open() as instance:
        assert [(found.id, found.containers) for found in instance.ldap_connections()] == [(3, ())]
        assert [found.dn for found in instance.ldap_connection(3).containers] == [PEOPLE]
        with pytest.raises(HaloRefused):
            instance.ldap_connection(4)


def test_another_connection_is_not_believed(desk: Desk) -> None:
    """An answer that is not the connection that was asked for is an unreadable one."""
    with desk.open() as instance:
        api = instance._api
        instance._api = Confused(
            api.config, meter=Meter(), budget=Budget(None, desk.time.clock, desk.time.sleep, 0)
        )
        with pytest.raises(HaloUnavailable, match="LDAP connection 3"):
            instance.ldap_connection(3)
        api.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A simulated Halo with one client and its main site."""
    time = Time()
    with SimulatedHalo(clock=time.seconds) as halo:
        client = halo.add_client("Contoso")
        yield Desk(halo, time, client, int(halo.clients[client]["main_site_id"]))
