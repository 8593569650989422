"""Secrets by name: from Key Vault, or from the environment without one. Values are never shown."""

import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Protocol

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)
from azure.keyvault.secrets import SecretClient

from halo_adsync.errors import SecretMissing, Unavailable

CACHE_SECONDS = 600.0
"""A vault allows 4,000 reads in 10 seconds (Microsoft, Key Vault service limits), for all customers."""


class Secrets(Protocol):
    """Where secrets come from."""

    def get(self, name: str) -> str:
        """Return a secret's value.

        Raises:
            SecretMissing: there is none of that name; the text says where to put it.
            Unavailable: the vault did not answer.
        """
        ...

    def renewed(self, name: str, old: str) -> str | None:
        """Return a secret's value as it is now, where a sign-in with `old` was refused: it may be rotated.

        None where it has not changed, or cannot be read: then the refusal stands.
        """
        ...


def variable_of(name: str) -> str:
    """Return the environment variable that holds a secret where there is no vault."""
    return f"SECRET_{re.sub(r'[^A-Za-z0-9]', '_', name).upper()}"


class EnvironmentSecrets:
    """Secrets in environment variables (or local.settings.json): `contoso-ad` is `SECRET_CONTOSO_AD`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def get(self, name: str) -> str:
        """Return a secret's value."""
        value = self._environment.get(variable_of(name))
        if not value:
            raise SecretMissing(
                f'The secret "{name}" is missing: set the environment variable {variable_of(name)} (or its'
                " entry in local.settings.json), or set KEY_VAULT_URL to read it from Key Vault."
            )
        return value

    def renewed(self, name: str, old: str) -> str | None:
        """Return another value than `old`; a process's environment seldom has one."""
        value = self._environment.get(variable_of(name))
        return value if value and value != old else None


class VaultSecrets:
    """Secrets in Key Vault, kept in memory for ten minutes."""

    def __init__(self, client: SecretClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._clock = client, clock
        self._kept: dict[str, tuple[float, str]] = {}

    def get(self, name: str) -> str:
        """Return a secret's value."""
        kept = self._kept.get(name)
        if kept and kept[0] > self._clock():
            return kept[1]
        return self._take(name)

    def renewed(self, name: str, old: str) -> str | None:
        """Return another value than `old`, read once more unless somebody has done so already."""
        kept = self._kept.get(name)
        if kept is None or kept[1] == old:
            with suppress(SecretMissing, Unavailable):
                return value if (value := self._take(name)) != old else None
            return None
        return kept[1]

    def _take(self, name: str) -> str:
        value = self._read(name)
        if not value:
            raise SecretMissing(f'The secret "{name}" in {self._client.vault_url} is empty: give it a value.')
        self._kept[name] = (self._clock() + CACHE_SECONDS, value)
        return value

    def _read(self, name: str) -> str | None:
        vault = self._client.vault_url
        try:
            return self._client.get_secret(name).value
        except ClientAuthenticationError as error:
            raise SecretMissing(
                f'The vault {vault} does not know this app ({type(error).__name__}), so the secret "{name}"'
                " cannot be read: check AZURE_CLIENT_ID and that the app has a managed identity."
            ) from None
        except ResourceNotFoundError:
            raise SecretMissing(
                f'The secret "{name}" is missing in {vault}: add it there (az keyvault secret set), or'
                " correct its name in the customer file."
            ) from None
        except HttpResponseError as error:
            if error.status_code != HTTPStatus.FORBIDDEN:
                raise Unavailable(
                    f"The vault {vault} answered HTTP {error.status_code}: try again later."
                ) from None
            raise SecretMissing(
                f'The vault {vault} refused to give the secret "{name}" (HTTP {error.status_code}): check'
                " that it is enabled, that the app's identity has the role Key Vault Secrets User, and the"
                " vault's firewall."
            ) from None
        except AzureError as error:
            raise Unavailable(
                f"The vault {vault} could not be reached ({type(error).__name__}): check KEY_VAULT_URL and"
                " the network."
            ) from None
