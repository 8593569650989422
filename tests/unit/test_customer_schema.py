"""The JSON Schema that editors check customer files with."""

import json
from pathlib import Path

from halo_adsync.customer import Customer
from halo_adsync.customer_file import json_schema

PUBLISHED = Path(__file__).parents[2] / "docs" / "customer.schema.json"


def test_the_published_schema_is_that_of_the_code() -> None:
    """`docs/customer.schema.json` is what `halo-adsync customer schema` prints."""
    assert json.loads(PUBLISHED.read_text("utf-8")) == json_schema()


def test_the_schema_knows_every_key_and_refuses_others() -> None:
    """Every key of the file stands in the schema, and an unknown one is refused as the product refuses it."""
    schema = json_schema()
    assert set(schema["properties"]) == set(Customer.model_fields)
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == {"id", "name", "halo", "directories", "placement"}


def test_the_schema_takes_the_short_form_of_a_field() -> None:
    """A field may be a plain text in the file, so the schema must let it be one."""
    field = json_schema()["$defs"]["FieldRule"]
    assert {"type": "string"} in field["anyOf"]
