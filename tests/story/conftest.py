"""The story's components: one Samba domain and one storage emulator for all, one simulated Halo a telling."""

import os
from collections.abc import Iterator

import pytest

from devstack.azurite import Azurite, azurite_missing
from devstack.halo import SimulatedHalo
from devstack.samba import SambaDomain, samba_missing
from tests.story.stage import ACCOUNT, AD_SECRET, HALO_SECRET, PASSWORD, Stage, customer_file, set_stage
from tests.story.telling import ByCommandLine, ByFunctions, CommandLine


@pytest.fixture(scope="session")
def domain() -> Iterator[SambaDomain]:
    """The domain, with the account that reads it."""
    _require(samba_missing())
    with SambaDomain() as running:
        users = f"CN=Users,{running.base_dn}"
        account = ACCOUNT.partition("@")[0]
        running.add_user(account, users, sAMAccountName=account, userPassword=PASSWORD)
        yield running


@pytest.fixture(scope="session")
def storage() -> Iterator[str]:
    """The connection string of a storage emulator that all customers share."""
    _require(azurite_missing())
    with Azurite() as running:
        yield running.connection_string


@pytest.fixture(scope="session")
def functions_stage(
    domain: SambaDomain, storage: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """The stage of the telling through the functions."""
    folder = tmp_path_factory.mktemp("functions")
    with SimulatedHalo() as halo:
        settings = story_settings(storage, halo)
        telling = ByFunctions(folder, settings)
        try:
            stage = set_stage(domain, halo, telling, "f")
            customer = customer_file(domain, halo, telling.customer, stage.people_ou)
            applied = CommandLine(folder, settings).apply({**customer, "schedule": {"full": "0 2 * * *"}})
            assert applied.returncode == 0, applied.stderr
            yield stage
        finally:
            telling.close()


@pytest.fixture(scope="session")
def command_line_stage(
    domain: SambaDomain, storage: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """The stage of the telling through the command line."""
    folder = tmp_path_factory.mktemp("command-line")
    with SimulatedHalo() as halo:
        command_line = CommandLine(folder, story_settings(storage, halo))
        telling = ByCommandLine(command_line)
        try:
            stage = set_stage(domain, halo, telling, "c")
            applied = command_line.apply(customer_file(domain, halo, telling.customer, stage.people_ou))
            assert applied.returncode == 0, applied.stderr
            yield stage
        finally:
            telling.close()


@pytest.fixture(params=["functions", "command_line"])
def stage(request: pytest.FixtureRequest) -> Stage:
    """Either stage: every chapter is told on both before the next begins."""
    found: Stage = request.getfixturevalue(f"{request.param}_stage")
    return found


def story_settings(storage: str, halo: SimulatedHalo) -> dict[str, str]:
    """Return the settings of the app, secrets included."""
    return {"AzureWebJobsStorage": storage, AD_SECRET: PASSWORD, HALO_SECRET: halo.client_secret}


def _require(missing: str | None) -> None:
    if missing and os.environ.get("CI"):
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
