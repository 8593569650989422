"""The block of a customer file that says who becomes an agent, and the rule of a mapped field."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from halo_adsync.customer_connections import Part
from halo_adsync.customer_values import Dn, Name, Source
from halo_adsync.plan.templates import MANAGER, USERS_ONLY, compile_expression


class FieldRule(Part):
    """Where a Halo field's value comes from and when it is written."""

    source: Source = Field(alias="from")
    mode: Literal["always", "on_create", "fill_blank"] = "always"
    blank: Literal["keep", "clear"] = "keep"
    too_long: Literal["cut", "refuse"] = "cut"

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"from": value} if isinstance(value, str) else value


DEFAULT_AGENT_FIELDS: Mapping[str, str] = {
    "name": "{{ displayName or cn }}",
    "firstname": "givenName",
    "surname": "sn",
    "email": "mail",
    "jobtitle": "title",
    "ad": "{{ netbios }}\\{{ sAMAccountName }}",
    "linemanager": "{{ manager_agent_id }}",
}
AGENT_FIELDS = frozenset({*DEFAULT_AGENT_FIELDS, "initials", "sms", "activedirectory_dn", "extensionnumber"})
"""The fields of Halo's agents that a file may map."""


def _agent_field(name: str) -> str:
    if name not in AGENT_FIELDS:
        raise ValueError(f"is no field of agents that can be mapped: {', '.join(sorted(AGENT_FIELDS))}")
    return name


AgentField = Annotated[str, AfterValidator(_agent_field)]


class Agents(Part):
    """Who becomes an agent; nobody unless asked for."""

    groups: tuple[Dn, ...] = ()
    ous: tuple[Dn, ...] = ()
    teams: Mapping[Dn, Name] = {}
    roles: Mapping[Dn, Name] = {}
    default_team: Name | None = None
    default_role: Name | None = None
    fields: Annotated[Mapping[AgentField, FieldRule], Field(min_length=1, validate_default=True)] = (
        DEFAULT_AGENT_FIELDS  # type: ignore[assignment]  # pydantic turns the short forms into rules
    )
    match: tuple[Literal["third_party_guid", "ad", "email"], ...] = ("third_party_guid", "ad", "email")
    create: bool = False
    on_leave: Literal["disable", "keep"] | Mapping[Literal["reassign"], Name] = "disable"

    @field_validator("fields")
    @classmethod
    def _fit_for_agents(cls, fields: Mapping[str, FieldRule]) -> Mapping[str, FieldRule]:
        if "name" not in fields:
            raise ValueError("must map name: Halo takes no agent without one")
        for name, rule in fields.items():
            if used := compile_expression(rule.source).built_in & (MANAGER | USERS_ONLY):
                raise ValueError(f"{name} may not use {min(used)}, which is for users only")
        return fields

    @property
    def asked_for(self) -> bool:
        """Whether anybody is to be an agent."""
        return bool(self.groups or self.ous)
