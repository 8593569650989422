"""The app's own settings, from the environment and, where there is one, local.settings.json."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from halo_adsync.customer_values import LOOPBACK
from halo_adsync.errors import ConfigurationError

STORAGE = "AzureWebJobsStorage"
_DEVELOPMENT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The emulator's one and only key, published by Microsoft; it opens nothing else."""
DEVELOPMENT_STORAGE = (
    f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={_DEVELOPMENT_KEY};"
    "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
    "TableEndpoint=http://127.0.0.1:10002/devstoreaccount1;"
)
"""What `UseDevelopmentStorage=true` stands for."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the app keeps its state and finds its secrets. Exactly one way to reach storage is set."""

    connection_string: str | None = field(default=None, repr=False)
    queue_uri: str | None = None
    table_uri: str | None = None
    key_vault_url: str | None = None
    client_id: str | None = None
    """The user-assigned managed identity's client id (`AZURE_CLIENT_ID`)."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """All variables: where there is no vault, secrets stand among them as `SECRET_...`."""


def load_settings(environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """Read the settings.

    Args:
        environment: the variables; the process's by default.
        folder: where a local.settings.json may stand; the working folder by default. The environment wins.

    Raises:
        ConfigurationError: with everything that is wrong or missing.
    """
    given = os.environ if environment is None else environment
    problems: list[str] = []
    values = {**_local_settings((folder or Path.cwd()) / "local.settings.json", problems), **given}
    connection_string = values.get(STORAGE) or None
    queue_uri = values.get(f"{STORAGE}__queueServiceUri") or None
    table_uri = values.get(f"{STORAGE}__tableServiceUri") or None
    if connection_string is None and not (queue_uri and table_uri):
        problems.append(
            f"{STORAGE} is not set: give a storage connection string (UseDevelopmentStorage=true for the"
            f" emulator), or {STORAGE}__queueServiceUri and {STORAGE}__tableServiceUri (and __blobServiceUri)"
            " for the app's identity."
        )
    if connection_string and "=" not in connection_string:
        problems.append(f"{STORAGE} is no connection string: it has the form Name=value;Name=value.")
    if connection_string and connection_string.strip().rstrip(";").lower() == "usedevelopmentstorage=true":
        connection_string = DEVELOPMENT_STORAGE
    vault = values.get("KEY_VAULT_URL") or None
    addresses = {
        f"{STORAGE}__queueServiceUri": queue_uri,
        f"{STORAGE}__tableServiceUri": table_uri,
        "KEY_VAULT_URL": vault,
    }
    problems += [
        f"{name} must be an https:// address." for name, url in addresses.items() if url and not _is_safe(url)
    ]
    if problems:
        raise ConfigurationError(problems)
    client_id = values.get("AZURE_CLIENT_ID") or None
    return Settings(connection_string, queue_uri, table_uri, vault, client_id, dict(values))


def _local_settings(path: Path, problems: list[str]) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text("utf-8"))["Values"]
        return {str(name): str(value) for name, value in values.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        problems.append(f'{path.name} is not readable JSON with an object "Values": mend it, or remove it.')
        return {}


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.hostname) and (parts.scheme == "https" or parts.hostname in LOOPBACK)
