"""The block of a customer file that says in which client and site of Halo people stand."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator

from halo_adsync.customer_connections import Part
from halo_adsync.customer_values import Dn, Name, Source
from halo_adsync.plan.templates import MANAGER, compile_expression


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

    @field_validator("attribute")
    @classmethod
    def _of_the_account_itself(cls, value: str) -> str:
        if used := compile_expression(value).built_in & MANAGER:
            raise ValueError(f"may not use {min(used)}: a place is found before anybody's manager is")
        return value


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


def rule_dns(rule: PlacementRule) -> tuple[str, ...]:
    """Return the DNs of the OUs that a rule names."""
    if isinstance(rule, MirrorRule):
        return (rule.mirror, *rule.branches)
    return (rule.ou,) if isinstance(rule, OuRule) else ()
