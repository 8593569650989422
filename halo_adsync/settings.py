"""The app's own settings, from the environment and, where there is one, local.settings.json."""

import base64
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from halo_adsync.errors import ConfigurationError
from halo_adsync.loopback import is_protected

STORAGE = "AzureWebJobsStorage"
_QUEUE_URI = f"{STORAGE}__queueServiceUri"
_TABLE_URI = f"{STORAGE}__tableServiceUri"
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
    insights: str | None = field(default=None, repr=False)
    """The connection string of Application Insights; None: spans and numbers go nowhere."""
    insights_by_identity: bool = False
    """Whether Application Insights wants a sign-in, and no key."""
    site: str = ""
    """What Azure calls the app."""
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
    addresses = {
        name: values[name]
        for name in (_QUEUE_URI, _TABLE_URI, "KEY_VAULT_URL")
        if values.get(name) and (name == "KEY_VAULT_URL" or not connection_string)
    }
    if connection_string:
        if connection_string.strip().rstrip(";").lower() == "usedevelopmentstorage=true":
            connection_string = DEVELOPMENT_STORAGE
        problems += _connection_problems(connection_string)
    elif not addresses.keys() >= {_QUEUE_URI, _TABLE_URI}:
        problems.append(
            f"{STORAGE} is not set: give a storage connection string (UseDevelopmentStorage=true for the"
            f" emulator), or {_QUEUE_URI} and {_TABLE_URI} (and __blobServiceUri) for the app's identity."
        )
    problems += [
        f"{name} must be an https:// address, without a query or password."
        for name, url in addresses.items()
        if not _is_safe(url)
    ]
    if values.get("API_SIGN_IN", "").strip().lower() not in {"", "keys", "entra"}:
        problems.append("API_SIGN_IN must be keys or entra; until it is, the HTTP routes want function keys.")
    if problems:
        raise ConfigurationError(problems)
    return Settings(
        connection_string=connection_string,
        queue_uri=addresses.get(_QUEUE_URI),
        table_uri=addresses.get(_TABLE_URI),
        key_vault_url=addresses.get("KEY_VAULT_URL"),
        client_id=values.get("AZURE_CLIENT_ID") or None,
        insights=values.get("APPLICATIONINSIGHTS_CONNECTION_STRING") or None,
        insights_by_identity="authorization=aad"
        in values.get("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "").lower(),
        site=values.get("WEBSITE_SITE_NAME", ""),
        environment=dict(values),
    )


def _local_settings(path: Path, problems: list[str]) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        settings = json.loads(path.read_text("utf-8-sig"))
        values = {str(name): str(value) for name, value in settings["Values"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        problems.append(f'{path.name} is not readable JSON with an object "Values": mend it, or remove it.')
        return {}
    if settings.get("IsEncrypted"):
        problems.append(f"{path.name} is encrypted: run `func settings decrypt`, or remove it.")
        return {}
    return values


def _connection_problems(text: str) -> Iterator[str]:
    """Say what a connection string lacks, without showing anything of it: a key stands in it."""
    pairs = [part.partition("=") for part in text.strip().strip(";").split(";")]
    parts = {name.strip().lower(): value for name, _, value in pairs if value}
    if len(parts) < len(pairs):
        yield f"{STORAGE} is no connection string: it has the form Name=value;Name=value."
    elif "sharedaccesssignature" not in parts and not (parts.keys() >= {"accountname", "accountkey"}):
        yield f"{STORAGE} lacks AccountName and AccountKey (or SharedAccessSignature): copy it anew."
    elif "accountname" not in parts and not (parts.keys() >= {"queueendpoint", "tableendpoint"}):
        yield f"{STORAGE} lacks AccountName, or QueueEndpoint and TableEndpoint: copy it anew."
    elif _is_in_clear(parts):
        yield f"{STORAGE} would send everybody's data in clear: its endpoints must begin with https://."
    elif "accountkey" in parts and not _is_base64(parts["accountkey"]):
        yield f"{STORAGE}: its AccountKey is not whole (it is no base64): copy it anew."


def _is_in_clear(parts: Mapping[str, str]) -> bool:
    """Tell whether storage would be reached without TLS elsewhere than on this machine."""
    named = {name: value for name, value in parts.items() if name.endswith("endpoint")}
    built = parts.get("defaultendpointsprotocol", "https").strip().lower() != "https"
    unnamed = built and not named.keys() >= {"queueendpoint", "tableendpoint"}
    return unnamed or not all(map(is_protected, named.values()))


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True


def _is_safe(url: str) -> bool:
    return is_protected(url) and not (urlsplit(url).query or urlsplit(url).username)
