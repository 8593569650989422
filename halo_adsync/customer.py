"""The customer file: what it may hold and its defaults. `customer_file.py` reads and writes the text."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    ValidationInfo,
    field_validator,
)

from halo_adsync.customer_agents import Agents, FieldRule
from halo_adsync.customer_connections import DirectoryBlock, HaloBlock, Part, RelayBlock, SecretRef
from halo_adsync.customer_login import Login, refuse_looked_up, with_object_ids
from halo_adsync.customer_onboarding import Onboarding
from halo_adsync.customer_placement import (
    AttributeRule,
    ClientRef,
    GroupRule,
    MirrorRule,
    OuRule,
    Placement,
    PlacementRule,
    RuleClient,
    SiteRef,
    rule_dns,
    rule_sources,
)
from halo_adsync.customer_terms import Audit, Leavers, Limits, Notify, Schedule
from halo_adsync.customer_values import Dn, Filter, Identifier, LookupTable, Name, Region, TableName
from halo_adsync.model import CustomerId
from halo_adsync.plan.filters import Shared, folded
from halo_adsync.plan.templates import MANAGER, MANAGER_AGENT, compile_expression

__all__ = [
    "DEFAULT_FIELDS",
    "MANAGER_FACTS",
    "OWNED_BY_THE_SYNC",
    "Agents",
    "AttributeRule",
    "ClientRef",
    "Customer",
    "DirectoryBlock",
    "FieldRule",
    "GroupRule",
    "Limits",
    "MirrorRule",
    "OuRule",
    "Placement",
    "PlacementRule",
    "RelayBlock",
    "RuleClient",
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


def _halo_field(name: str) -> str:
    if name.casefold() in OWNED_BY_THE_SYNC:
        raise ValueError("may not be mapped: the sync itself decides it")
    return name


HaloField = Annotated[str, AfterValidator(_halo_field)]

MANAGER_FACTS: Mapping[str, str] = {
    "manager_name": "name",
    "manager_email": "emailaddress",
    "manager_login": "login",
}
"""The Halo field of the manager that each of these names of a template stands for."""
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


class Customer(Part):
    """One customer: a Halo instance, its directories, and how the one follows the others."""

    id: Identifier
    name: Name
    enabled: bool = True
    policy: Literal["create_only", "upsert_only", "full"] = "upsert_only"
    halo: HaloBlock
    directories: Annotated[tuple[DirectoryBlock, ...], Field(min_length=1)]
    scope: Scope = Scope()
    lookups: Mapping[TableName, LookupTable] = {}
    phone_region: Region = ""
    placement: Placement
    login: Login = Login()
    fields: Annotated[Mapping[HaloField, FieldRule], Field(min_length=1, validate_default=True)] = (
        DEFAULT_FIELDS  # type: ignore[assignment]  # pydantic turns the short forms into rules
    )
    match: tuple[Literal["third_party_guid", "login", "emailaddress"], ...] = (
        "third_party_guid",
        "login",
        "emailaddress",
    )
    agents: Agents = Agents()
    onboarding: Onboarding = Onboarding()
    leavers: Leavers = Leavers()
    limits: Limits = Limits()
    schedule: Schedule = Schedule()
    notify: Notify | None = None
    audit: Audit = Audit()

    @field_validator("directories")
    @classmethod
    def _told_apart(cls, directories: tuple[DirectoryBlock, ...]) -> tuple[DirectoryBlock, ...]:
        if len({directory.id for directory in directories}) < len(directories):
            raise ValueError("two directories have the same id")
        if len(directories) > 1 and not all(directory.base_dn for directory in directories):
            raise ValueError("with several directories each needs its base_dn, to tell whose OUs are meant")
        return directories

    @field_validator("onboarding")
    @classmethod
    def _told_by_known_tables(cls, onboarding: Onboarding, info: ValidationInfo) -> Onboarding:
        for source in onboarding.ticket.sources() if onboarding.ticket else ():
            _check_tables(source, info, "a ticket")
            refuse_looked_up(source, "a ticket")
        return onboarding

    @field_validator("placement")
    @classmethod
    def _placed_by_known_tables(cls, placement: Placement, info: ValidationInfo) -> Placement:
        for rule in placement.rules:
            for source in rule_sources(rule):
                _check_tables(source, info, "a rule")
        return placement

    @field_validator("fields")
    @classmethod
    def _made_by_known_tables(
        cls, fields: Mapping[str, FieldRule], info: ValidationInfo
    ) -> Mapping[str, FieldRule]:
        for name, rule in fields.items():
            _check_tables(rule.source, info, name)
        return fields

    @field_validator("fields")
    @classmethod
    def _fit_for_halo(cls, fields: Mapping[str, FieldRule]) -> Mapping[str, FieldRule]:
        if "name" not in fields:
            raise ValueError("must map name: Halo takes no user without one")
        if len({name.casefold() for name in fields}) < len(fields):
            raise ValueError("two keys differ in case only, and Halo takes them for one field")
        return fields

    @field_validator("fields")
    @classmethod
    def _for_users(cls, fields: Mapping[str, FieldRule]) -> Mapping[str, FieldRule]:
        for name, rule in fields.items():
            if MANAGER_AGENT in compile_expression(rule.source).built_in:
                raise ValueError(f"{name} may not use {MANAGER_AGENT}, which is for agents.fields only")
        return fields

    @field_validator("fields")
    @classmethod
    def _managers_are_told(cls, fields: Mapping[str, FieldRule]) -> Mapping[str, FieldRule]:
        """Refuse what would chase its own tail: a manager's e-mail address that rests on the manager's."""
        for name, rule in fields.items():
            used = compile_expression(rule.source).built_in & MANAGER
            if used and name in MANAGER_FACTS.values():
                raise ValueError(f"{name} may not rest on {min(used)}, which is made from it in turn")
            lacking = [fact for fact in sorted(used) if MANAGER_FACTS.get(fact, name) not in fields]
            if lacking:
                raise ValueError(
                    f"{name} reads {lacking[0]}, which needs {MANAGER_FACTS[lacking[0]]} to be mapped as well"
                )
        return fields

    @field_validator("fields")
    @classmethod
    def _with_object_ids(
        cls, fields: Mapping[str, FieldRule], info: ValidationInfo
    ) -> Mapping[str, FieldRule]:
        return with_object_ids(fields, info.data.get("login", Login()))

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
        sources += [source for rule in self.placement.rules for source in rule_sources(rule)]
        sources += self.onboarding.ticket.sources() if self.onboarding.ticket else ()
        if self.agents.asked_for:
            sources += [rule.source for rule in self.agents.fields.values()]
        return frozenset().union(*(compile_expression(source).attributes for source in sources))

    def reads_managers(self) -> bool:
        """Tell whether a mapping reads who somebody's manager is."""
        rules = [*self.fields.values(), *(self.agents.fields.values() if self.agents.asked_for else ())]
        told = MANAGER | {MANAGER_AGENT}
        return any(compile_expression(rule.source).built_in & told for rule in rules)

    def custom_fields(self) -> frozenset[str]:
        """Return the names of the custom fields that are mapped."""
        return frozenset(name for name in self.fields if name.upper().startswith("CF"))

    def shared(self) -> Shared:
        """Return what all templates of the file share."""
        tables = {
            name: {folded(key): value for key, value in table.items()} for name, table in self.lookups.items()
        }
        return Shared(tables, self.phone_region)

    def placement_ous(self) -> tuple[str, ...]:
        """Return the DNs that placement rules name, in their order."""
        return tuple(dn for rule in self.placement.rules for dn in rule_dns(rule))

    def placement_groups(self) -> tuple[str, ...]:
        """Return the DNs of the groups that placement rules name, in their order, each once."""
        rules = self.placement.rules
        return tuple(dict.fromkeys(rule.group for rule in rules if isinstance(rule, GroupRule)))

    def secrets(self) -> Iterator[str]:
        """Yield the name of every secret that the file refers to."""
        yield self.halo.client_secret.secret
        yield from (header.secret for header in self.halo.headers.values() if isinstance(header, SecretRef))
        for directory in self.directories:
            yield directory.bind.password.secret
            if directory.ca_certificate:
                yield directory.ca_certificate.secret
            if isinstance(directory.connect, RelayBlock) and directory.connect.relay.sas:
                yield directory.connect.relay.sas.key.secret
        if self.login.entra:
            yield self.login.entra.certificate.secret
        if self.notify and self.notify.webhook:
            yield self.notify.webhook.secret

    def settings_digest(self) -> str:
        """Return a digest over what a stored plan depends on, which is not when, or whom to tell."""
        beside = {"name", "enabled", "schedule", "notify", "audit"}
        data = self.model_dump(mode="json", by_alias=True, exclude=beside)
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def _check_tables(source: str, info: ValidationInfo, user: str) -> None:
    """Refuse an expression with a lookup table that the file does not have."""
    known = info.data.get("lookups")
    unknown = () if known is None else sorted(compile_expression(source).tables - known.keys())
    if unknown:
        raise ValueError(f'{user} uses the lookup table "{unknown[0]}", which lookups does not have')
