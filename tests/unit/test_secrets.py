"""Secrets: from the environment, and from Key Vault through Azure's own client before a vault of ours."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import pytest
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import CredentialUnavailableError, DefaultAzureCredential, ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient

from halo_adsync.errors import SecretMissing, Unavailable
from halo_adsync.identity import credential
from halo_adsync.secrets import CACHE_SECONDS, EnvironmentSecrets, VaultSecrets, variable_of

VAULT = "https://contoso.vault.azure.net"
VALUE = "s3cret-value"


class Vault(ThreadingHTTPServer):
    """A key vault on loopback: it asks for a token, and gives what it holds."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.values: dict[str, str] = {"contoso-ad": VALUE, "empty": ""}
        self.status = 200
        self.asked: list[str] = []
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Vault

    def do_GET(self) -> None:
        name = self.path.split("/")[2]
        if not self.headers.get("Authorization"):
            challenge = 'Bearer authorization="https://login.example/t", resource="https://vault.azure.net"'
            self._answer(401, {}, {"WWW-Authenticate": challenge})
            return
        self.server.asked.append(name)
        if self.server.status != 200:
            self._answer(self.server.status, {"error": {"code": "Trouble", "message": VALUE}})
        elif name in self.server.values:
            self._answer(200, {"value": self.server.values[name], "id": f"{VAULT}/secrets/{name}/1"})
        else:
            self._answer(404, {"error": {"code": "SecretNotFound", "message": "not found"}})

    def _answer(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


class Diverted(RequestsTransport):  # type: ignore[misc]  # azure-core hides its class from type checkers
    """Sends what is meant for the vault to the one on loopback; the client sees the vault's own address."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    def send(self, request: Any, **options: Any) -> Any:
        """Send a request somewhere else."""
        meant = request.url
        request.url = meant.replace(VAULT, f"http://127.0.0.1:{self._port}")
        try:
            return super().send(request, **options)
        finally:
            request.url = meant


class Identity:
    """Signs in without asking anybody, or cannot."""

    def __init__(self) -> None:
        self.there = True

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        """Return a token."""
        if not self.there:
            raise CredentialUnavailableError(message="no managed identity endpoint found")
        return AccessToken("token", 4_000_000_000)


@pytest.fixture
def vault() -> Iterator[Vault]:
    """A vault with one secret."""
    with Vault() as running:
        yield running


class Reading:
    """Secrets of a vault, with the clock and the identity that they are read by."""

    def __init__(self, port: int) -> None:
        self.seconds = 0.0
        self.identity = Identity()
        transport = Diverted(port)
        self.client = SecretClient(VAULT, self.identity, transport=transport, retry_total=0)
        self.secrets = VaultSecrets(self.client, lambda: self.seconds)


@pytest.fixture
def reading(vault: Vault) -> Iterator[Reading]:
    """Secrets that come from the vault."""
    reading = Reading(vault.server_port)
    with reading.client:
        yield reading


def test_a_secret_is_read_once_in_ten_minutes(vault: Vault, reading: Reading) -> None:
    """Hundreds of customers share the vault's limits; after that time a changed value is found."""
    assert [reading.secrets.get("contoso-ad") for _ in range(3)] == [VALUE] * 3
    vault.values["contoso-ad"] = "rotated"
    reading.seconds = CACHE_SECONDS - 1
    assert reading.secrets.get("contoso-ad") == VALUE
    assert vault.asked == ["contoso-ad"]
    reading.seconds = CACHE_SECONDS
    assert reading.secrets.get("contoso-ad") == "rotated"
    assert vault.asked == ["contoso-ad"] * 2


def test_a_missing_secret_says_where_to_put_it(vault: Vault, reading: Reading) -> None:
    """It is asked for again each time, so that it is found as soon as it is there."""
    for _ in range(2):
        with pytest.raises(SecretMissing, match=f'"nowhere" is missing in {VAULT}'):
            reading.secrets.get("nowhere")
    vault.values["nowhere"] = "there now"
    assert reading.secrets.get("nowhere") == "there now"


def test_an_empty_secret_is_missing(reading: Reading) -> None:
    """An empty password would be an anonymous bind."""
    with pytest.raises(SecretMissing, match=r'"empty" in .* is empty'):
        reading.secrets.get("empty")


def test_a_refusing_vault_says_which_role_is_missing(vault: Vault, reading: Reading) -> None:
    """Also where the secret is switched off, which the vault answers in the same way."""
    vault.status = 403
    with pytest.raises(SecretMissing, match="Key Vault Secrets User") as raised:
        reading.secrets.get("contoso-ad")
    assert "enabled" in str(raised.value)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_vault_in_trouble_is_tried_again_later(vault: Vault, reading: Reading, status: int) -> None:
    """That is no matter of configuration; nothing of its answer is shown."""
    vault.status = status
    with pytest.raises(Unavailable, match=f"HTTP {status}") as raised:
        reading.secrets.get("contoso-ad")
    assert VALUE not in str(raised.value)
    vault.status = 200
    assert reading.secrets.get("contoso-ad") == VALUE


def test_an_unreachable_vault_says_what_to_check() -> None:
    """Its address may be wrong, or the network closed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    reading = Reading(port)
    with reading.client, pytest.raises(Unavailable, match="could not be reached") as raised:
        reading.secrets.get("contoso-ad")
    assert "KEY_VAULT_URL" in str(raised.value)


def test_an_app_without_an_identity_is_told_so(vault: Vault, reading: Reading) -> None:
    """No secret can be read: that is a matter of configuration, and trying again later does not help."""
    reading.identity.there = False
    with pytest.raises(SecretMissing, match="managed identity"):
        reading.secrets.get("contoso-ad")
    assert vault.asked == []


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
