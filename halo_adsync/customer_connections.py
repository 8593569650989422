"""The blocks of a customer file that say how to reach Halo and the directories."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from halo_adsync.customer_values import (
    RELAY_CLOUDS,
    Dn,
    HybridConnectionName,
    Identifier,
    Name,
    Namespace,
    SecretName,
    Server,
    Url,
)
from halo_adsync.loopback import is_loopback


class Part(BaseModel):
    """A block of the file: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SecretRef(Part):
    """A secret, by its name in Key Vault (or `SECRET_...` in the environment). Never its value."""

    secret: SecretName

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        """Refuse anything else here, before a message could repeat a stray key that is the secret itself."""
        if isinstance(value, cls) or (isinstance(value, Mapping) and set(value) == {"secret"}):
            return value
        raise ValueError(
            "must name a secret, as { secret: its-name }; a secret's value never stands in this file"
        )


class Budget(Part):
    """How many requests Halo may be sent in how many seconds, by everybody who shares the instance."""

    requests: Annotated[int, Field(ge=1)] = 250
    seconds: Annotated[int, Field(ge=1, le=3600)] = 300


class HaloBlock(Part):
    """The Halo instance and how to sign in to it."""

    url: Url
    tenant: Name | None = None
    auth_url: Url | None = None
    client_id: Name
    client_secret: SecretRef
    scope: Name = "all"
    headers: Mapping[Name, SecretRef | str] = {}
    budget: Budget | Literal["off"] = Budget()
    batch_size: Annotated[int, Field(ge=1, le=100)] = 25


class Bind(Part):
    """The account that reads the directory."""

    user: Name
    password: SecretRef


class RelayKey(Part):
    """A shared access rule that may send, where the app's identity is not to be used."""

    rule: HybridConnectionName
    key: SecretRef


class Relay(Part):
    """The hybrid connections of an Azure Relay namespace that lead to a directory's servers."""

    namespace: Namespace
    connection: HybridConnectionName | tuple[HybridConnectionName, ...]
    sas: RelayKey | None = None

    @property
    def host(self) -> str:
        """The namespace's host, with the port where it is not 443."""
        is_whole = "." in self.namespace or ":" in self.namespace
        return self.namespace if is_whole else f"{self.namespace}{RELAY_CLOUDS[0]}"

    @property
    def connections(self) -> tuple[str, ...]:
        """The hybrid connections, in the order of the servers."""
        return (self.connection,) if isinstance(self.connection, str) else self.connection


class RelayBlock(Part):
    """Reach the directory through a hybrid connection."""

    relay: Relay


class DirectoryBlock(Part):
    """One Active Directory domain."""

    id: Identifier
    servers: Annotated[tuple[Server, ...], Field(min_length=1)]
    tls: Literal["ldaps", "starttls", "none"] = "ldaps"
    ca_certificate: SecretRef | None = None
    ca_file: str | None = None
    bind: Bind
    base_dn: Dn | None = None
    connect: Literal["direct"] | RelayBlock = "direct"
    delta: Literal["auto", "dirsync", "usn", "off"] = "auto"

    @field_validator("tls")
    @classmethod
    def _protected(cls, value: str, info: ValidationInfo) -> str:
        servers: tuple[str, ...] = info.data.get("servers", ())
        if value == "none" and not all(
            is_loopback(server.rpartition(":")[0].strip("[]")) for server in servers
        ):
            raise ValueError(
                "must be ldaps or starttls: none would send the password in clear, and is for servers on this"
                " machine only"
            )
        return value

    @field_validator("connect")
    @classmethod
    def _one_connection_a_server(
        cls, value: Literal["direct"] | RelayBlock, info: ValidationInfo
    ) -> Literal["direct"] | RelayBlock:
        servers: tuple[str, ...] = info.data.get("servers", ())
        if value == "direct" or not servers:
            return value
        if len(value.relay.connections) != len(servers) or len(set(servers)) < len(servers):
            raise ValueError(
                "a hybrid connection leads to one host and port: give connection as many names as there are"
                " servers, in the same order, and name no server twice"
            )
        if info.data.get("tls") == "none":
            raise ValueError("with a relay, tls must be ldaps or starttls: it ends at the domain controller")
        return value

    @field_validator("ca_file")
    @classmethod
    def _one_certificate(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and info.data.get("ca_certificate"):
            raise ValueError("give either ca_certificate or ca_file, not both")
        return value
