"""Secrets: from the environment, and from a simulated Key Vault through Azure's own client and identity."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient

from devstack.identity import SimulatedIdentity
from devstack.vault import SimulatedVault
from halo_adsync.bootstrap import Builder
from halo_adsync.errors import SecretMissing, Unavailable
from halo_adsync.identity import credential
from halo_adsync.secrets import CACHE_SECONDS, EnvironmentSecrets, VaultSecrets, variable_of
from halo_adsync.settings import load_settings
from tests.support.vault import identity, vault

__all__ = ["identity", "vault"]

VALUE = "s3cret-value"


class Reading:
    """Secrets of a vault, with the clock that they are read by."""

    def __init__(self, url: str, client_id: str) -> None:
        self.seconds = 0.0
        self.client = SecretClient(url, credential(client_id), retry_total=0)
        self.secrets = VaultSecrets(self.client, lambda: self.seconds)


@pytest.fixture
def reading(vault: SimulatedVault, identity: SimulatedIdentity) -> Iterator[Reading]:
    """Secrets that come from the vault, which holds two."""
    vault.values.update({"contoso-ad": VALUE, "empty": ""})
    reading = Reading(vault.url, identity.client_id)
    with reading.client:
        yield reading


def test_a_secret_is_read_once_in_ten_minutes(vault: SimulatedVault, reading: Reading) -> None:
    """Hundreds of customers share the vault's limits; after that time a changed value is found."""
    assert [reading.secrets.get("contoso-ad") for _ in range(3)] == [VALUE] * 3
    vault.values["contoso-ad"] = "rotated"
    reading.seconds = CACHE_SECONDS - 1
    assert reading.secrets.get("contoso-ad") == VALUE
    assert vault.asked == ["contoso-ad"]
    reading.seconds = CACHE_SECONDS
    assert reading.secrets.get("contoso-ad") == "rotated"
    assert vault.asked == ["contoso-ad"] * 2


def test_a_missing_secret_says_where_to_put_it(vault: SimulatedVault, reading: Reading) -> None:
    """It is asked for again each time, so that it is found as soon as it is there."""
    for _ in range(2):
        with pytest.raises(SecretMissing, match=f'"nowhere" is missing in {vault.url}'):
            reading.secrets.get("nowhere")
    vault.values["nowhere"] = "there now"
    assert reading.secrets.get("nowhere") == "there now"


def test_an_empty_secret_is_missing(reading: Reading) -> None:
    """An empty password would be an anonymous bind."""
    with pytest.raises(SecretMissing, match=r'"empty" in .* is empty'):
        reading.secrets.get("empty")


def test_a_refusing_vault_says_which_role_is_missing(vault: SimulatedVault, reading: Reading) -> None:
    """Also where the secret is switched off, which the vault answers in the same way."""
    vault.disabled.add("contoso-ad")
    with pytest.raises(SecretMissing, match="Key Vault Secrets User") as raised:
        reading.secrets.get("contoso-ad")
    assert "enabled" in str(raised.value)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_vault_in_trouble_is_tried_again_later(
    vault: SimulatedVault, reading: Reading, status: int
) -> None:
    """That is no matter of configuration; nothing of its answer is shown."""
    vault.status = status
    with pytest.raises(Unavailable, match=f"HTTP {status}") as raised:
        reading.secrets.get("contoso-ad")
    assert VALUE not in str(raised.value)
    vault.status = 200
    assert reading.secrets.get("contoso-ad") == VALUE


@pytest.mark.usefixtures("identity")
def test_an_unreachable_vault_says_what_to_check() -> None:
    """Its address may be wrong, or the network closed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    reading = Reading(f"https://127.0.0.1:{port}", "")
    with reading.client, pytest.raises(Unavailable, match="could not be reached") as raised:
        reading.secrets.get("contoso-ad")
    assert "KEY_VAULT_URL" in str(raised.value)


@pytest.mark.usefixtures("identity")
def test_an_app_without_an_identity_is_told_so(vault: SimulatedVault) -> None:
    """No secret can be read: that is a matter of configuration, and trying again later does not help."""
    reading = Reading(vault.url, "99999999-0000-0000-0000-000000000000")
    with reading.client, pytest.raises(SecretMissing, match="managed identity"):
        reading.secrets.get("contoso-ad")
    assert vault.asked == []


def test_the_settings_lead_to_the_vault(vault: SimulatedVault, identity: SimulatedIdentity) -> None:
    """As in Azure: nothing but addresses and the identity's id is set, and there is no key anywhere."""
    vault.values["contoso-ad"] = VALUE
    account = {f"AzureWebJobsStorage__{kind}ServiceUri": "https://x.example" for kind in ("queue", "table")}
    settings = {**account, "KEY_VAULT_URL": vault.url, "AZURE_CLIENT_ID": identity.client_id}
    secrets = Builder(load_settings(settings, Path("/nowhere"))).secrets()
    assert [secrets.get("contoso-ad") for _ in range(2)] == [VALUE] * 2
    assert vault.asked == ["contoso-ad"]
    assert identity.asked == [vault.url.replace("contoso.", "")], "one token, for the vault's own resource"


# ---- rotation ------------------------------------------------------------------------------------


def test_a_rotated_secret_is_read_again_when_the_old_one_is_refused(
    vault: SimulatedVault, reading: Reading
) -> None:
    """Once, and then everybody has it: whoever is refused next finds it without asking the vault."""
    assert reading.secrets.get("contoso-ad") == VALUE
    vault.values["contoso-ad"] = "rotated"
    assert reading.secrets.renewed("contoso-ad", VALUE) == "rotated"
    assert reading.secrets.renewed("contoso-ad", VALUE) == "rotated"
    assert reading.secrets.get("contoso-ad") == "rotated"
    assert vault.asked == ["contoso-ad"] * 2


def test_a_secret_that_was_not_rotated_is_not_tried_again(vault: SimulatedVault, reading: Reading) -> None:
    """Repeated attempts with a wrong password lock an account."""
    assert reading.secrets.get("contoso-ad") == VALUE
    assert reading.secrets.renewed("contoso-ad", VALUE) is None
    assert reading.secrets.renewed("never-read", VALUE) is None
    assert vault.asked == ["contoso-ad", "contoso-ad", "never-read"]


@pytest.mark.parametrize("status", [403, 503])
def test_a_vault_that_cannot_tell_leaves_the_refusal(
    vault: SimulatedVault, reading: Reading, status: int
) -> None:
    """What was refused is then told, and not that the vault is in trouble."""
    reading.secrets.get("contoso-ad")
    vault.status = status
    assert reading.secrets.renewed("contoso-ad", VALUE) is None


def test_the_environment_may_have_another_value() -> None:
    """A long-lived process whose environment is changed is a rarity, but treated alike."""
    environment = {"SECRET_A": "old"}
    secrets = EnvironmentSecrets(environment)
    assert secrets.renewed("a", "old") is None
    environment["SECRET_A"] = "new"
    assert secrets.renewed("a", "old") == "new"
    assert EnvironmentSecrets({}).renewed("a", "old") is None


# ---- the environment -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("contoso-ad", "SECRET_CONTOSO_AD"),
        ("Contoso-AD-2", "SECRET_CONTOSO_AD_2"),
        ("a.b", "SECRET_A_B"),
        ("x", "SECRET_X"),
    ],
)
def test_a_secret_of_the_environment_has_a_variable(name: str, variable: str) -> None:
    """Its name in capitals, with what a variable's name cannot hold as underscores."""
    assert variable_of(name) == variable
    assert EnvironmentSecrets({variable: VALUE}).get(name) == VALUE


@pytest.mark.parametrize("environment", [{}, {"SECRET_CONTOSO_AD": ""}, {"contoso-ad": VALUE}])
def test_a_missing_variable_is_named(environment: dict[str, str]) -> None:
    """With the ways to set it."""
    with pytest.raises(SecretMissing, match="SECRET_CONTOSO_AD") as raised:
        EnvironmentSecrets(environment).get("contoso-ad")
    assert "KEY_VAULT_URL" in str(raised.value)


def test_a_changed_variable_is_found_at_once() -> None:
    """Nothing is kept of the environment."""
    environment = {"SECRET_A": "old"}
    secrets = EnvironmentSecrets(environment)
    assert secrets.get("a") == "old"
    environment["SECRET_A"] = "new"
    assert secrets.get("a") == "new"


def test_the_identity_is_the_managed_one_where_azure_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a developer's machine it is whoever signed in there."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:1/token")
    monkeypatch.setenv("IDENTITY_HEADER", "header")
    assert isinstance(credential("id"), ManagedIdentityCredential)
    monkeypatch.delenv("IDENTITY_ENDPOINT")
    assert isinstance(credential(None), DefaultAzureCredential)
