"""The app's settings: from the environment and local.settings.json, with everything that is wrong at once."""

import json
from pathlib import Path
from typing import Any

import pytest

from halo_adsync.errors import ConfigurationError
from halo_adsync.settings import DEVELOPMENT_STORAGE, Settings, load_settings

CONNECTION = (
    "DefaultEndpointsProtocol=https;AccountName=contoso;AccountKey=c2VjcmV0LWtleQ==;"
    "EndpointSuffix=core.windows.net"
)
SIGNED = (
    "TableEndpoint=https://a.table.example/;QueueEndpoint=https://a.queue.example/;"
    "SharedAccessSignature=sv=1&sig=s3cret"
)
QUEUE, TABLE = "AzureWebJobsStorage__queueServiceUri", "AzureWebJobsStorage__tableServiceUri"
URIS = {QUEUE: "https://contoso.queue.example", TABLE: "https://contoso.table.example"}


def load(folder: Path, **environment: str) -> Settings:
    """Load the settings from an environment and a folder."""
    return load_settings(environment, folder)


def problems(folder: Path, **environment: str) -> tuple[str, ...]:
    """Return what is wrong."""
    with pytest.raises(ConfigurationError) as raised:
        load(folder, **environment)
    return raised.value.problems


def write(folder: Path, settings: Any) -> None:
    """Write a local.settings.json."""
    (folder / "local.settings.json").write_text(json.dumps(settings), "utf-8")


@pytest.mark.parametrize("given", [CONNECTION, f"{CONNECTION};", SIGNED])
def test_storage_by_connection_string(tmp_path: Path, given: str) -> None:
    """With an account's key, or with a signature and both endpoints."""
    settings = load(tmp_path, AzureWebJobsStorage=given)
    assert (settings.connection_string, settings.queue_uri, settings.table_uri) == (given, None, None)


@pytest.mark.parametrize(
    "given", ["UseDevelopmentStorage=true", "UseDevelopmentStorage=true;", " usedevelopmentstorage=TRUE "]
)
def test_storage_of_the_emulator(tmp_path: Path, given: str) -> None:
    """Python's SDKs do not know the short form."""
    assert load(tmp_path, AzureWebJobsStorage=given).connection_string == DEVELOPMENT_STORAGE


def test_storage_by_identity(tmp_path: Path) -> None:
    """Two addresses, and the identity's client id where there are several."""
    settings = load(tmp_path, **URIS, AZURE_CLIENT_ID="id", KEY_VAULT_URL="https://contoso.vault.example")
    assert settings.connection_string is None
    assert (settings.queue_uri, settings.table_uri) == (URIS[QUEUE], URIS[TABLE])
    assert (settings.client_id, settings.key_vault_url) == ("id", "https://contoso.vault.example")


def test_a_connection_string_comes_before_addresses(tmp_path: Path) -> None:
    """Exactly one way to reach storage is set, as the Functions host chooses it."""
    settings = load(tmp_path, **URIS, AzureWebJobsStorage=CONNECTION)
    assert (settings.connection_string, settings.queue_uri, settings.table_uri) == (CONNECTION, None, None)


@pytest.mark.parametrize("given", [{}, {"AzureWebJobsStorage": ""}, {QUEUE: URIS[QUEUE]}])
def test_missing_storage_is_one_sentence(tmp_path: Path, given: dict[str, str]) -> None:
    """It says both ways to set it."""
    (problem,) = problems(tmp_path, **given)
    assert problem.startswith("AzureWebJobsStorage is not set")
    assert "UseDevelopmentStorage=true" in problem
    assert TABLE in problem


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("c2VjcmV0LWtleQ", "has the form Name=value"),
        ("AccountName=contoso;c2VjcmV0LWtleQ", "has the form Name=value"),
        ("AccountName=;AccountKey=", "has the form Name=value"),
        (";;", "has the form Name=value"),
        ("c2VjcmV0LWtleQ=1", "lacks AccountName and AccountKey"),
        ("AccountName=contoso", "lacks AccountName and AccountKey"),
        ("AccountKey=c2VjcmV0LWtleQ==", "lacks AccountName and AccountKey"),
        ("TableEndpoint=https://a.example;SharedAccessSignature=sig=s3cret", "and TableEndpoint"),
        ("AccountName=contoso;AccountKey=c2VjcmV0LWtleQ", "is not whole"),
        ("AccountName=contoso;AccountKey=not base64!", "is not whole"),
    ],
)
def test_a_broken_connection_string_is_one_sentence(tmp_path: Path, given: str, said: str) -> None:
    """It says what is missing, and shows nothing of the key."""
    (problem,) = problems(tmp_path, AzureWebJobsStorage=given)
    assert problem.startswith("AzureWebJobsStorage")
    assert said in problem
    assert "c2VjcmV0" not in problem
    assert "s3cret" not in problem


@pytest.mark.parametrize("name", [QUEUE, TABLE, "KEY_VAULT_URL"])
@pytest.mark.parametrize(
    "address",
    [
        "http://contoso.example",
        "contoso.example",
        "https://",
        "https://[::1",
        "ftp://contoso.example",
        "https://contoso.example/?sv=1&sig=s3cret",
        "https://me:s3cret@contoso.example",
    ],
)
def test_addresses_are_encrypted_and_hold_no_secret(tmp_path: Path, name: str, address: str) -> None:
    """Whatever else is in them is not shown either."""
    assert problems(tmp_path, **{**URIS, name: address}) == (
        f"{name} must be an https:// address, without a query or password.",
    )


def test_this_machine_may_be_reached_without_encryption(tmp_path: Path) -> None:
    """The emulator has no certificate."""
    here = {QUEUE: "http://127.0.0.1:10001/dev", TABLE: "http://localhost:10002/dev"}
    assert load(tmp_path, **here).table_uri == here[TABLE]


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    """Nobody mends settings one deployment at a time."""
    (tmp_path / "local.settings.json").write_text("{", "utf-8")
    found = problems(tmp_path, KEY_VAULT_URL="http://vault.example", AzureWebJobsStorage="x")
    assert len(found) == 3


def test_local_settings_are_read_and_the_environment_wins(tmp_path: Path) -> None:
    """As `func` does; secrets of the file are found like those of the environment."""
    values = {"AzureWebJobsStorage": CONNECTION, "SECRET_A": "file", "SECRET_B": "file", "LIMIT": 3}
    write(tmp_path, {"IsEncrypted": False, "Values": values})
    settings = load(tmp_path, SECRET_A="environment")
    assert settings.connection_string == CONNECTION
    assert settings.environment["SECRET_A"] == "environment"
    assert (settings.environment["SECRET_B"], settings.environment["LIMIT"]) == ("file", "3")
    assert load(tmp_path, AzureWebJobsStorage=SIGNED).connection_string == SIGNED


def test_local_settings_may_begin_with_a_mark(tmp_path: Path) -> None:
    """Editors on Windows write a byte order mark."""
    text = json.dumps({"Values": {"AzureWebJobsStorage": CONNECTION}})
    (tmp_path / "local.settings.json").write_text(text, "utf-8-sig")
    assert load(tmp_path).connection_string == CONNECTION


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b"{}", b'{"Values": null}', b'{"Values": []}', b"\xff\xfe\x00", b"", b'"text"', b"7"],
)
def test_broken_local_settings_are_a_sentence(tmp_path: Path, content: bytes) -> None:
    """Whatever is in them, the app starts and says so."""
    (tmp_path / "local.settings.json").write_bytes(content)
    (problem,) = problems(tmp_path, AzureWebJobsStorage=CONNECTION)
    assert problem.startswith("local.settings.json is not readable JSON")


def test_encrypted_local_settings_are_a_sentence(tmp_path: Path) -> None:
    """Their values would be taken for what they are not."""
    write(tmp_path, {"IsEncrypted": True, "Values": {"AzureWebJobsStorage": "AAAA=="}})
    (problem,) = problems(tmp_path, AzureWebJobsStorage=CONNECTION)
    assert "func settings decrypt" in problem


def test_no_folder_means_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no environment the process's own."""
    write(tmp_path, {"Values": {"AzureWebJobsStorage": CONNECTION}})
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AzureWebJobsStorage", raising=False)
    monkeypatch.setenv("AZURE_CLIENT_ID", "mine")
    settings = load_settings()
    assert (settings.connection_string, settings.client_id) == (CONNECTION, "mine")


def test_settings_show_no_secret(tmp_path: Path) -> None:
    """They may end up in a log: neither key nor environment is in their text."""
    settings = load(tmp_path, AzureWebJobsStorage=CONNECTION, SECRET_CONTOSO_AD="s3cret-password")
    assert "c2VjcmV0" not in repr(settings)
    assert "s3cret" not in repr(settings)
    assert "contoso" not in repr(settings)
