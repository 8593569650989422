"""The customer file: what it may hold and its defaults. `customer_file.py` reads and writes the text."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from halo_adsync.customer_values import (
    Count,
    Cron,
    Dn,
    Filter,
    Identifier,
    Name,
    Percent,
    Quiet,
    SecretName,
    Server,
    Source,
    Timezone,
    Url,
)
from halo_adsync.model import CustomerId
from halo_adsync.plan.templates import compile_expression

OWNED_BY_THE_SYNC = frozenset({"id", "third_party_guid", "inactive", "site_id", "client_id"})
"""Halo fields that placement, identity and leavers decide; no mapping may write them."""


class _Part(BaseModel):
    """A block of the file: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SecretRef(_Part):
    """A secret, by its name in Key Vault (or `SECRET_...` in the environment). Never its value."""

    secret: SecretName


class Budget(_Part):
    """How many requests Halo may be sent in how many seconds, by everybody who shares the instance."""

    requests: Annotated[int, Field(ge=1)] = 250
    seconds: Annotated[int, Field(ge=1, le=3600)] = 300


class HaloBlock(_Part):
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


class Bind(_Part):
    """The account that reads the directory."""

    user: Name
    password: SecretRef


class Relay(_Part):
    """A hybrid connection of an Azure Relay namespace."""

    namespace: Name
    connection: Name


class RelayBlock(_Part):
    """Reach the directory through a hybrid connection."""

    relay: Relay


class DirectoryBlock(_Part):
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

    @model_validator(mode="after")
    def _one_certificate(self) -> Self:
        if self.ca_certificate and self.ca_file:
            raise ValueError("give either ca_certificate or ca_file, not both")
        return self


class Scope(_Part):
    """Whose accounts are people to keep in step."""

    include: tuple[Dn, ...] = ()
    exclude: tuple[Dn, ...] = ()
    filter: Filter = ""
    groups: tuple[Dn, ...] = ()


class _NameOrId(_Part):
    name: Name | None = None
    id: Annotated[int, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.name is None) == (self.id is None):
            raise ValueError("give either name or id")
        return self


class ClientRef(_NameOrId):
    """A client in Halo, by name (created when missing) or by id."""


class SiteRef(_NameOrId):
    """A site in Halo, by name (created when missing) or by id."""


class OuRule(_Part):
    """Everybody in this OU and below stands in this site."""

    ou: Dn
    site: SiteRef
    client: ClientRef | None = None


class MirrorRule(_Part):
    """The OUs `site_level` levels below this one are sites; those at `client_level`, if any, clients.

    With `branches`, OUs below this one, only people in these and below stand there. `names: clean` takes what
    only sorts or marks OUs off their names, as `plan.placement.clean_ou_name` says.
    """

    mirror: Dn
    site_level: Annotated[int, Field(ge=1, le=20)]
    client_level: Annotated[int, Field(ge=1, le=20)] | None = None
    branches: tuple[Dn, ...] = ()
    names: Literal["keep", "clean"] = "keep"

    @model_validator(mode="after")
    def _client_above_site(self) -> Self:
        if self.client_level is not None and self.client_level >= self.site_level:
            raise ValueError("client_level must be smaller than site_level: clients stand above their sites")
        return self


class AttributeRule(_Part):
    """The attribute's value is the site's name; `create` makes sites that Halo does not have."""

    attribute: Source
    create: bool = False


def _rule_kind(rule: Any) -> str | None:
    keys = rule.keys() if isinstance(rule, Mapping) else vars(rule).keys()
    return next((key for key in ("ou", "mirror", "attribute") if key in keys), None)


type PlacementRule = Annotated[
    Annotated[OuRule, Tag("ou")]
    | Annotated[MirrorRule, Tag("mirror")]
    | Annotated[AttributeRule, Tag("attribute")],
    Discriminator(
        _rule_kind,
        custom_error_type="rule",
        custom_error_message="a rule has one of the keys ou, mirror or attribute",
    ),
]


class Placement(_Part):
    """In which client and site a person stands: the first rule that answers."""

    client: ClientRef
    rules: tuple[PlacementRule, ...] = ()
    default_site: Name | None = "Main"


class FieldRule(_Part):
    """Where a Halo field's value comes from and when it is written."""

    source: Source = Field(alias="from")
    mode: Literal["always", "on_create", "fill_blank"] = "always"
    blank: Literal["keep", "clear"] = "keep"

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"from": value} if isinstance(value, str) else value


DEFAULT_FIELDS: Mapping[str, str | dict[str, str]] = {
    "name": "{{ displayName or cn }}",
    "firstname": "givenName",
    "surname": "sn",
    "emailaddress": "mail",
    "login": "{{ netbios }}\\{{ sAMAccountName }}",
    "title": "title",
    "department": "department",
    "phonenumber": "telephoneNumber",
    "mobilenumber": {"from": "mobile", "mode": "always", "blank": "clear"},
}


class Agents(_Part):
    """Who becomes an agent; nobody unless asked for."""

    groups: tuple[Dn, ...] = ()
    ous: tuple[Dn, ...] = ()
    teams: Mapping[Dn, Name] = {}
    roles: Mapping[Dn, Name] = {}
    create: bool = False
    on_leave: Literal["disable", "keep"] | Mapping[Literal["reassign"], Name] = "disable"


class Leavers(_Part):
    """When somebody counts as gone, and what holds them."""

    missing_runs: Annotated[int, Field(ge=1, le=100)] = 3
    tickets: Literal["open", "any", "ignore"] = "open"
    keep: tuple[str, ...] = ()


class DeactivateLimit(_Part):
    """How many deactivations one run may carry out; the first `always` are allowed in any case."""

    percent: Percent = 10
    count: Count = 100
    always: Count = 3


class Limits(_Part):
    """What one run may change before a person is asked. 0 means none."""

    deactivate: DeactivateLimit = DeactivateLimit()
    site_percent: Percent = 50
    shrink_percent: Percent = 20
    create: Count = 200


class Schedule(_Part):
    """When runs start by themselves; a mode left out does not."""

    delta: Cron | None = None
    full: Cron | None = None
    reconcile: Cron | None = None
    timezone: Timezone = "UTC"
    quiet: tuple[Quiet, ...] = ()


class Notify(_Part):
    """Whom to tell."""

    webhook: SecretRef
    on: tuple[Literal["blocked", "failed", "partial", "ok"], ...] = ("blocked", "failed", "partial")


class Customer(_Part):
    """One customer: a Halo instance, its directories, and how the one follows the others."""

    id: Identifier
    name: Name
    enabled: bool = True
    policy: Literal["create_only", "upsert_only", "full"] = "upsert_only"
    halo: HaloBlock
    directories: Annotated[tuple[DirectoryBlock, ...], Field(min_length=1)]
    scope: Scope = Scope()
    placement: Placement
    fields: Annotated[Mapping[str, FieldRule], Field(min_length=1, validate_default=True)] = DEFAULT_FIELDS  # type: ignore[assignment]  # pydantic turns the short forms into rules
    match: tuple[Literal["third_party_guid", "login", "emailaddress"], ...] = (
        "third_party_guid",
        "login",
        "emailaddress",
    )
    agents: Agents = Agents()
    leavers: Leavers = Leavers()
    limits: Limits = Limits()
    schedule: Schedule = Schedule()
    notify: Notify | None = None

    @model_validator(mode="after")
    def _make_sense(self) -> Self:
        ids = [directory.id for directory in self.directories]
        if len(ids) != len(set(ids)):
            raise ValueError("two directories have the same id")
        if len(ids) > 1 and not all(directory.base_dn for directory in self.directories):
            raise ValueError("with several directories each needs its base_dn, to tell whose OUs are meant")
        if len(self.match) != len(set(self.match)):
            raise ValueError("match names the same key twice")
        owned = sorted(OWNED_BY_THE_SYNC.intersection(self.fields))
        if owned:
            raise ValueError(f"fields may not map {', '.join(owned)}: the sync itself decides these")
        if "name" not in self.fields:
            raise ValueError("fields must map name: Halo takes no user without one")
        return self

    @property
    def key(self) -> CustomerId:
        """The id, as the type that the rest of the product uses."""
        return CustomerId(self.id)

    def attributes(self) -> frozenset[str]:
        """Return the lower-case names of all directory attributes that the file uses."""
        sources = [rule.source for rule in self.fields.values()]
        sources += [rule.attribute for rule in self.placement.rules if isinstance(rule, AttributeRule)]
        return frozenset().union(*(compile_expression(source).attributes for source in sources))

    def placement_ous(self) -> tuple[str, ...]:
        """Return the DNs that placement rules name, in their order."""
        return tuple(dn for rule in self.placement.rules for dn in _rule_dns(rule))

    def secrets(self) -> Iterator[str]:
        """Yield the name of every secret that the file refers to."""
        yield self.halo.client_secret.secret
        yield from (header.secret for header in self.halo.headers.values() if isinstance(header, SecretRef))
        for directory in self.directories:
            yield directory.bind.password.secret
            if directory.ca_certificate:
                yield directory.ca_certificate.secret
        if self.notify:
            yield self.notify.webhook.secret

    def settings_digest(self) -> str:
        """Return a digest over what a stored plan depends on: all but name, schedule and notifications."""
        data = self.model_dump(mode="json", by_alias=True, exclude={"name", "enabled", "schedule", "notify"})
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def _rule_dns(rule: PlacementRule) -> tuple[str, ...]:
    if isinstance(rule, MirrorRule):
        return (rule.mirror, *rule.branches)
    return (rule.ou,) if isinstance(rule, OuRule) else ()
