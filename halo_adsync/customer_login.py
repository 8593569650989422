"""The block of a customer file that says how people are signed in to Halo."""

from collections.abc import Mapping

from halo_adsync.customer_agents import FieldRule
from halo_adsync.customer_connections import Part, SecretRef
from halo_adsync.customer_values import Name, Url
from halo_adsync.plan.templates import ENTRA_ID, LOOKED_UP, USERS_ONLY, compile_expression

PRINCIPAL_NAME = "userprincipalname"
"""The attribute with the name that people sign in to Entra with, in lower case."""
OBJECT_ID_FIELD = "azureoid"
"""Halo's field for the object id by which Entra's single sign-on finds its user."""


class Entra(Part):
    """The Entra tenant that the directory is synchronised to, and the application that reads its users."""

    tenant: Name
    client_id: Name
    certificate: SecretRef
    login_url: Url = "https://login.microsoftonline.com"
    graph_url: Url = "https://graph.microsoft.com"


class Login(Part):
    """How people are signed in, as far as the directory alone does not tell."""

    entra: Entra | None = None


def refuse_looked_up(source: str, user: str) -> None:
    """Refuse an expression that reads what is looked up for the fields of users only.

    Raises:
        ValueError: it does.
    """
    if used := compile_expression(source).built_in & USERS_ONLY:
        raise ValueError(f"{user} may not use {min(used)}, which is for fields only")


def with_object_ids(fields: Mapping[str, FieldRule], login: Login) -> Mapping[str, FieldRule]:
    """Return a mapping that fills Halo's field for object ids, where there is an Entra tenant.

    Raises:
        ValueError: a field reads from Entra, and there is none.
    """
    if login.entra is None:
        for name, rule in fields.items():
            if used := compile_expression(rule.source).built_in & LOOKED_UP:
                raise ValueError(f"{name} reads {min(used)}, which needs the block login.entra")
        return fields
    if any(name.casefold() == OBJECT_ID_FIELD for name in fields):
        return fields
    return {**fields, OBJECT_ID_FIELD: FieldRule.model_validate({"from": ENTRA_ID})}
