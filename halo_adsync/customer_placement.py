"""The block of a customer file that says in which client and site of Halo people stand."""

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

from halo_adsync.customer_connections import Part
from halo_adsync.customer_values import Aliases, Dn, Name, SitePattern, Source, site_pattern
from halo_adsync.plan.templates import MANAGER, USERS_ONLY, compile_expression

type Moved = Literal["keep", "follow"]
"""What becomes of the people below an OU that is moved: they keep their places, or go where it is now."""


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


def _of_the_account_itself(value: str) -> str:
    if used := compile_expression(value).built_in & (MANAGER | USERS_ONLY):
        raise ValueError(f"may not use {min(used)}: a place is found by the account's own attributes")
    return value


type OwnSource = Annotated[Source, AfterValidator(_of_the_account_itself)]
"""An attribute or a template that reads nothing but the account itself."""


class RuleClient(Part):
    """The client of a rule: by name, by id, or by the value of an attribute.

    By an attribute, the rule answers only for people who have a value, and, without `create`, where Halo has
    that client.
    """

    name: Name | None = None
    id: Annotated[int, Field(gt=0)] | None = None
    attribute: OwnSource | None = None
    aliases: Aliases = Field(default={})
    create: bool = False

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(way is not None for way in (self.name, self.id, self.attribute)) != 1:
            raise ValueError("give one of name, id and attribute")
        if self.attribute is None and self.model_fields_set & {"aliases", "create"}:
            raise ValueError("aliases and create go with attribute only")
        return self


class OuRule(Part):
    """Everybody in this OU and below stands in this site."""

    ou: Dn
    site: SiteRef
    client: RuleClient | None = None
    moved: Moved = "keep"


class MirrorRule(Part):
    """The OUs `site_level` levels below this one are sites; those at `client_level`, if any, clients.

    With `branches`, OUs below this one, only people in these and below stand there. `names: clean` takes what
    only sorts or marks OUs off their names, as `plan.names.clean_ou_name` says.
    With `rename_sites` clients and sites are called as their OUs are by now.
    """

    mirror: Dn
    site_level: Annotated[int, Field(ge=1, le=20)]
    client_level: Annotated[int, Field(ge=1, le=20)] | None = None
    client: ClientRef | None = None
    branches: tuple[Dn, ...] = ()
    names: Literal["keep", "clean"] = "keep"
    rename_sites: bool = False
    moved: Moved = "keep"

    @field_validator("client_level")
    @classmethod
    def _client_above_site(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and value >= info.data.get("site_level", value + 1):
            raise ValueError("must be smaller than site_level: clients stand above their sites")
        return value

    @field_validator("client")
    @classmethod
    def _one_kind_of_client(cls, value: ClientRef | None, info: ValidationInfo) -> ClientRef | None:
        if value is not None and info.data.get("client_level") is not None:
            raise ValueError("give either client or client_level")
        return value


class AttributeRule(Part):
    """The attribute's value is the site's name; `create` makes sites that Halo does not have.

    With `pattern` the rule answers only for values in which it is found; a group named `site` is then the
    site's name. With `site` everybody for whom the rule answers stands in that one.
    """

    attribute: OwnSource
    pattern: SitePattern | None = None
    site: SiteRef | None = None
    aliases: Aliases = Field(default={})
    create: bool = False
    client: RuleClient | None = None

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if self.site is not None and self.model_fields_set & {"aliases", "create"}:
            raise ValueError("aliases and create go with sites that values name, not with site")
        if self.site is not None and self.pattern and site_pattern(self.pattern).groupindex:
            raise ValueError("give either site or a group named site in the pattern")
        return self


class GroupRule(Part):
    """Every member of this group, nested ones included, stands in this site."""

    group: Dn
    site: SiteRef
    client: RuleClient | None = None


_KINDS = ("ou", "mirror", "group", "attribute")


def _rule_kind(rule: Any) -> str | None:
    """Return the tag of a rule's kind, which must not be a key: a message tells tags from keys by that."""
    keys = rule if isinstance(rule, Mapping) else getattr(rule, "__dict__", ())
    return next((f"{key} rule" for key in _KINDS if key in keys), None)


type PlacementRule = Annotated[
    Annotated[OuRule, Tag("ou rule")]
    | Annotated[MirrorRule, Tag("mirror rule")]
    | Annotated[AttributeRule, Tag("attribute rule")]
    | Annotated[GroupRule, Tag("group rule")],
    Discriminator(
        _rule_kind,
        custom_error_type="rule",
        custom_error_message="a rule has one of the keys ou, mirror, attribute or group",
    ),
]


class Placement(Part):
    """In which client and site a person stands: the first rule that answers."""

    client: ClientRef
    rules: tuple[PlacementRule, ...] = ()
    default_site: Name | None = "Main"


def rule_dns(rule: PlacementRule) -> tuple[str, ...]:
    """Return the DNs of the OUs that a rule names."""
    if isinstance(rule, MirrorRule):
        return (rule.mirror, *rule.branches)
    return (rule.ou,) if isinstance(rule, OuRule) else ()


def rule_sources(rule: PlacementRule) -> Iterator[str]:
    """Yield the expressions whose attributes a rule reads."""
    if isinstance(rule, AttributeRule):
        yield rule.attribute
    client = None if isinstance(rule, MirrorRule) else rule.client
    if client is not None and client.attribute is not None:
        yield client.attribute
