"""What the host reads before it starts: `local.settings.json`, `host.json` and the access keys."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from devstack.azurite import expand_connection_string

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from pathlib import Path

OVERRIDE_PREFIX = "AzureFunctionsJobHost__"


class HostConfigError(RuntimeError):
    """A file or setting is not usable; the text says which, and what it should be."""


@dataclass(frozen=True)
class QueueSettings:
    """How queue triggers behave (`extensions.queues` of host.json); the defaults are Microsoft's.

    Attributes:
        batch_size: How many messages are fetched at once.
        new_batch_threshold: More are fetched when at most this many are being worked on.
        max_dequeue_count: Attempts before a message goes to the poison queue.
        visibility_timeout: Seconds until a failed message is tried again.
        base64: Whether the text of messages is base64 encoded.
    """

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    visibility_timeout: float = 0.0
    base64: bool = True


@dataclass(frozen=True)
class HostSettings:
    """What host.json says, as far as this host heeds it."""

    route_prefix: str
    queues: QueueSettings


@dataclass(frozen=True)
class Keys:
    """The host's access keys: the master key opens everything, the default key every function."""

    master: str
    default: str

    def __repr__(self) -> str:
        return "Keys(...)"


def load_local_settings(app_dir: Path, environment: MutableMapping[str, str]) -> None:
    """Puts the `Values` of local.settings.json where a setting is not there already, as `func` does.

    Raises:
        HostConfigError: The file is encrypted or is not of the expected form.
    """
    path = app_dir / "local.settings.json"
    if not path.exists():
        return
    content = _read_json(path)
    values = content.get("Values", {})
    if content.get("IsEncrypted"):
        raise HostConfigError(f"{path} is encrypted: run `func settings decrypt` first.")
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise HostConfigError(f'{path}: "Values" must be an object whose values are all strings.')
    for name, value in values.items():
        environment.setdefault(name, value)


def load_host_settings(app_dir: Path, environment: MutableMapping[str, str]) -> HostSettings:
    """Reads host.json; settings such as `AzureFunctionsJobHost__extensions__http__routePrefix` override it.

    Raises:
        HostConfigError: The file is missing or wrong.
    """
    path = app_dir / "host.json"
    if not path.exists():
        raise HostConfigError(f"There is no host.json in {app_dir}.")
    content = _read_json(path)
    if content.get("version") != "2.0":
        raise HostConfigError(f'{path}: "version" must be "2.0".')
    for name, value in environment.items():
        if name.startswith(OVERRIDE_PREFIX):
            _override(content, name.removeprefix(OVERRIDE_PREFIX).split("__"), value)
    extensions = content.get("extensions", {})
    queues, http = extensions.get("queues", {}), extensions.get("http", {})
    defaults = QueueSettings()
    return HostSettings(
        route_prefix=http.get("routePrefix", "api"),
        queues=QueueSettings(
            batch_size=int(queues.get("batchSize", defaults.batch_size)),
            new_batch_threshold=int(queues.get("newBatchThreshold", defaults.new_batch_threshold)),
            max_dequeue_count=int(queues.get("maxDequeueCount", defaults.max_dequeue_count)),
            visibility_timeout=seconds_of(queues.get("visibilityTimeout", "00:00:00"), "visibilityTimeout"),
            base64=queues.get("messageEncoding", "base64") == "base64",
        ),
    )


def load_keys(data_dir: Path) -> Keys:
    """Reads the access keys from `host-keys.json` in the data folder, or makes them up and stores them."""
    path = data_dir / "host-keys.json"
    if path.exists():
        return Keys(**_read_json(path))
    keys = Keys(master=secrets.token_urlsafe(32), default=secrets.token_urlsafe(32))
    data_dir.mkdir(parents=True, exist_ok=True)
    write_private(path, vars(keys))
    return keys


def write_private(path: Path, content: dict[str, Any]) -> None:
    """Writes JSON that only its owner may read; a reader sees the whole file or none."""
    partial = path.with_name(path.name + ".partial")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(content), encoding="utf-8")
    partial.replace(path)


def storage_connection(binding_connection: str, environment: MutableMapping[str, str]) -> str:
    """The storage connection string that a binding's `connection` names.

    Raises:
        HostConfigError: There is no such setting.
    """
    value = environment.get(binding_connection) or environment.get(f"AzureWebJobs{binding_connection}")
    if not value:
        raise HostConfigError(
            f"The setting {binding_connection} is missing: this host needs a storage connection string "
            "there (local.settings.json, or `UseDevelopmentStorage=true`)."
        )
    return expand_connection_string(value)


def resolve(text: str, environment: MutableMapping[str, str]) -> str:
    """Replaces every `%SETTING%` in a binding's text by that setting.

    Raises:
        HostConfigError: There is no such setting.
    """

    def setting(match: re.Match[str]) -> str:
        name = match[1]
        if name not in environment:
            raise HostConfigError(f"The setting {name}, which a function's trigger names, is missing.")
        return environment[name]

    return re.sub(r"%([^%]+)%", setting, text)


def seconds_of(text: str, name: str) -> float:
    """Reads a .NET TimeSpan (`hh:mm:ss`, with or without days and fractions) as seconds.

    Raises:
        HostConfigError: The text is not of that form.
    """
    match = re.fullmatch(r"(?:(\d+)\.)?(\d+):(\d{2}):(\d{2}(?:\.\d+)?)", text)
    if match is None:
        raise HostConfigError(f"{name} must look like 00:01:00, not {text!r}.")
    days, hours, minutes = (int(part or 0) for part in match.groups()[:3])
    return ((days * 24 + hours) * 60 + minutes) * 60 + float(match[4])


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise HostConfigError(f"{path} is not valid JSON: {error}.") from None
    if not isinstance(content, dict):
        raise HostConfigError(f"{path} must hold a JSON object.")
    return content


def _override(content: dict[str, Any], path: list[str], value: str) -> None:
    for step in path[:-1]:
        content = content.setdefault(step, {})
    content[path[-1]] = value
