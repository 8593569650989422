"""The customer file: what it may hold and its defaults. `customer_file.py` reads and writes the text."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from halo_adsync.customer_connections import DirectoryBlock, HaloBlock, Part, RelayBlock, SecretRef
from halo_adsync.customer_values import (
    Count,
    Cron,
    Dn,
    Filter,
    Identifier,
    Name,
    Percent,
    Quiet,
    Source,
    Timezone,
)
from halo_adsync.model import CustomerId
from halo_adsync.plan.templates import compile_expression

__all__ = [
    "DEFAULT_FIELDS",
    "OWNED_BY_THE_SYNC",
    "AttributeRule",
    "ClientRef",
    "Customer",
    "DirectoryBlock",
    "FieldRule",
    "MirrorRule",
    "OuRule",
    "Placement",
    "PlacementRule",
    "RelayBlock",
    "Schedule",
    "SecretRef",
    "SiteRef",
]

OWNED_BY_THE_SYNC = frozenset({"id", "third_party_guid", "inactive", "site_id", "client_id"})
"""Halo fields that placement, identity and leavers decide; no mapping may write them, in whatever case."""


class Scope(Part):
    """Whose accounts are people to keep in step."""

    include: tuple[Dn, ...] = ()
    exclude: tuple[Dn, ...] = ()
    filter: Filter = ""
    groups: tuple[Dn, ...] = ()


class _NameOrId(Part):
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


class OuRule(Part):
    """Everybody in this OU and below stands in this site."""

    ou: Dn
    site: SiteRef
    client: ClientRef | None = None


class MirrorRule(Part):
    """The OUs `site_level` levels below this one are sites; those at `client_level`, if any, clients.

    With `branches`, OUs below this one, only people in these and below stand there. `names: clean` takes what
    only sorts or marks OUs off their names, as `plan.placement.clean_ou_name` says.
    """

    mirror: Dn
    site_level: Annotated[int, Field(ge=1, le=20)]
    client_level: Annotated[int, Field(ge=1, le=20)] | None = None
    branches: tuple[Dn, ...] = ()
    names: Literal["keep", "clean"] = "keep"

    @field_validator("client_level")
    @classmethod
    def _client_above_site(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and value >= info.data.get("site_level", value + 1):
            raise ValueError("must be smaller than site_level: clients stand above their sites")
        return value


class AttributeRule(Part):
    """The attribute's value is the site's name; `create` makes sites that Halo does not have."""

    attribute: Source
    create: bool = False


def _rule_kind(rule: Any) -> str | None:
    """Return the tag of a rule's kind, which must not be a key: a message tells tags from keys by that."""
    keys = rule if isinstance(rule, Mapping) else getattr(rule, "__dict__", ())
    return next((f"{key} rule" for key in ("ou", "mirror", "attribute") if key in keys), None)


type PlacementRule = Annotated[
    Annotated[OuRule, Tag("ou rule")]
    | Annotated[MirrorRule, Tag("mirror rule")]
    | Annotated[AttributeRule, Tag("attribute rule")],
    Discriminator(
        _rule_kind,
        custom_error_type="rule",
        custom_error_message="a rule has one of the keys ou, mirror or attribute",
    ),
]


class Placement(Part):
    """In which client and site a person stands: the first rule that answers."""

    client: ClientRef
    rules: tuple[PlacementRule, ...] = ()
    default_site: Name | None = "Main"


class FieldRule(Part):
    """Where a Halo field's value comes from and when it is written."""

    source: Source = Field(alias="from")
    mode: Literal["always", "on_create", "fill_blank"] = "always"
    blank: Literal["keep", "clear"] = "keep"

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"from": value} if isinstance(value, str) else value


def _halo_field(name: str) -> str:
    if name.casefold() in OWNED_BY_THE_SYNC:
        raise ValueError("may not be mapped: the sync itself decides it")
    return name


HaloField = Annotated[str, AfterValidator(_halo_field)]

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


class Agents(Part):
    """Who becomes an agent; nobody unless asked for."""

    groups: tuple[Dn, ...] = ()
    ous: tuple[Dn, ...] = ()
    teams: Mapping[Dn, Name] = {}
    roles: Mapping[Dn, Name] = {}
    create: bool = False
    on_leave: Literal["disable", "keep"] | Mapping[Literal["reassign"], Name] = "disable"


class Leavers(Part):
    """When somebody counts as gone, and what holds them."""

    missing_runs: Annotated[int, Field(ge=1, le=100)] = 3
    tickets: Literal["open", "any", "ignore"] = "open"
    keep: tuple[str, ...] = ()


class DeactivateLimit(Part):
    """How many deactivations one run may carry out; the first `always` are allowed in any case."""

    percent: Percent = 10
    count: Count = 100
    always: Count = 3


class Limits(Part):
    """What one run may change before a person is asked. 0 means none."""

    deactivate: DeactivateLimit = DeactivateLimit()
    site_percent: Percent = 50
    shrink_percent: Percent = 20
    create: Count = 200


class Schedule(Part):
    """When runs start by themselves; a mode left out does not."""

    delta: Cron | None = None
    full: Cron | None = None
    reconcile: Cron | None = None
    timezone: Timezone = "UTC"
    quiet: tuple[Quiet, ...] = ()


class Notify(Part):
    """Whom to tell."""

    webhook: SecretRef
    on: tuple[Literal["blocked", "failed", "partial", "ok"], ...] = ("blocked", "failed", "partial")


class Customer(Part):
    """One customer: a Halo instance, its directories, and how the one follows the others."""

    id: Identifier
    name: Name
    enabled: bool = True
    policy: Literal["create_only", "upsert_only", "full"] = "upsert_only"
    halo: HaloBlock
    directories: Annotated[tuple[DirectoryBlock, ...], Field(min_length=1)]
    scope: Scope = Scope()
    placement: Placement
    fields: Annotated[Mapping[HaloField, FieldRule], Field(min_length=1, validate_default=True)] = (
        DEFAULT_FIELDS  # type: ignore[assignment]  # pydantic turns the short forms into rules
    )
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

    @field_validator("directories")
    @classmethod
    def _told_apart(cls, directories: tuple[DirectoryBlock, ...]) -> tuple[DirectoryBlock, ...]:
        if len({directory.id for directory in directories}) < len(directories):
            raise ValueError("two directories have the same id")
        if len(directories) > 1 and not all(directory.base_dn for directory in directories):
            raise ValueError("with several directories each needs its base_dn, to tell whose OUs are meant")
        return directories

    @field_validator("fields")
    @classmethod
    def _fit_for_halo(cls, fields: Mapping[str, FieldRule]) -> Mapping[str, FieldRule]:
        if "name" not in fields:
            raise ValueError("must map name: Halo takes no user without one")
        if len({name.casefold() for name in fields}) < len(fields):
            raise ValueError("two keys differ in case only, and Halo takes them for one field")
        return fields

    @field_validator("match")
    @classmethod
    def _each_once[T](cls, match: tuple[T, ...]) -> tuple[T, ...]:
        if len(set(match)) < len(match):
            raise ValueError("names the same key twice")
        return match

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
