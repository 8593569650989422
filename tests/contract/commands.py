"""The command line on a storage emulator, a simulated Halo and the sample company's directory: fixtures."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from devstack import company
from devstack.azurite import Azurite, azurite_missing
from devstack.directory import Directory
from devstack.halo import SimulatedHalo
from halo_adsync import bootstrap
from halo_adsync.cli import cli

type Run = Callable[..., dict[str, Any]]
FILE = """
id: company
name: Company
halo: {{ url: "{halo.url}", client_id: "{halo.client_id}", client_secret: {{ secret: halo }} }}
directories:
  - id: corp
    servers: ["localhost:{directory.ldaps_port}"]
    ca_file: {directory.ca_path}
    bind: {{ user: "{directory.user}", password: {{ secret: ad }} }}
scope: {{ include: ["OU=Leeds,DC=company,DC=example"] }}
placement: {{ client: {{ name: Company }} }}
"""


@pytest.fixture
def halo() -> Iterator[SimulatedHalo]:
    """A Halo in which two users have the login of one account."""
    with SimulatedHalo() as halo:
        yield halo


@pytest.fixture
def directory() -> Iterator[Directory]:
    """The sample company's directory."""
    with Directory.from_ldif(company.PATH) as directory:
        yield directory


@pytest.fixture
def run(
    halo: SimulatedHalo, directory: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    """The command line, on a storage emulator of its own; returns the JSON object that it printed."""
    if missing := azurite_missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    with Azurite() as storage:
        monkeypatch.setenv("AzureWebJobsStorage", storage.connection_string)
        monkeypatch.setenv("SECRET_HALO", halo.client_secret)
        monkeypatch.setenv("SECRET_AD", directory.password)
        monkeypatch.chdir(tmp_path)
        bootstrap.app.cache_clear()

        def call(*arguments: str, status: int = 0) -> dict[str, Any]:
            result = CliRunner().invoke(cli, arguments)
            assert result.exit_code == status, result.output
            return json.loads(result.stdout) if {"--json", "json"} & set(arguments) else {}

        file = tmp_path / "company.yaml"
        file.write_text(FILE.format(halo=halo, directory=directory), "utf-8")
        call("customer", "apply", str(file))
        yield call
        bootstrap.app.cache_clear()
