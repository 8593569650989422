"""The block `login` of a customer file, and what the other blocks may make of it."""

from typing import Any

import pytest
from pydantic import ValidationError

from halo_adsync.customer import DEFAULT_FIELDS
from halo_adsync.customer_file import export, parse, plain
from tests.support.plan import customer

ENTRA: dict[str, Any] = {"entra": {"tenant": "t", "client_id": "c", "certificate": {"secret": "cert"}}}


def test_object_ids_are_mapped_where_there_is_a_tenant() -> None:
    """The default mapping and one's own get the field besides; without the block nothing is added."""
    assert customer(login=ENTRA).fields.keys() == {*DEFAULT_FIELDS, "azureoid"}
    own = customer(login=ENTRA, fields={"name": "cn"})
    assert (own.fields["azureoid"].source, own.fields["azureoid"].blank) == ("entra_id", "keep")
    assert customer().fields.keys() == DEFAULT_FIELDS.keys()


def test_a_line_of_ones_own_holds() -> None:
    """Whoever maps the field, in whatever case, is not overruled."""
    who = customer(login=ENTRA, fields={"name": "cn", "AzureOID": "extensionAttribute1"})
    assert who.fields.keys() == {"name", "AzureOID"}


def test_the_file_comes_back_as_it_was_given() -> None:
    """What is added by itself is not written into the file, and is there again when it is read."""
    who = customer(login=ENTRA)
    assert "fields" not in plain(who)
    assert parse(export(who)) == who


@pytest.mark.parametrize(
    ("blocks", "part"),
    [
        ({"fields": {"name": "cn", "other1": "{{ entra_id }}"}}, "other1 reads entra_id, which needs"),
        ({"agents": {"fields": {"name": "{{ entra_id }}"}}}, "name may not use entra_id"),
        ({"onboarding": {"ticket": {"summary": "{{ entra_id }}"}}}, "a ticket may not use entra_id"),
        (
            {"placement": {"client": {"name": "C"}, "rules": [{"attribute": "entra_id"}]}},
            "may not use entra_id: a place is found",
        ),
        (
            {"login": {"entra": {**ENTRA["entra"], "graph_url": "http://graph.example"}}},
            "must begin with https",
        ),
        ({"login": {"entra": {**ENTRA["entra"], "certificate": "hunter2"}}}, "must name a secret"),
    ],
)
def test_what_may_not_be_is_refused(blocks: dict[str, Any], part: str) -> None:
    """The object id is for fields, and needs a tenant; addresses and secrets are as elsewhere."""
    with pytest.raises(ValidationError, match=part):
        customer(**blocks)


def test_the_certificate_is_among_the_secrets() -> None:
    """`check` looks whether it is there, as for the others."""
    assert "cert" in set(customer(login=ENTRA).secrets())
    assert "cert" not in set(customer().secrets())


def test_a_stored_plan_depends_on_the_block() -> None:
    """A plan that was made with another tenant is not applied."""
    assert customer(login=ENTRA).settings_digest() != customer().settings_digest()
