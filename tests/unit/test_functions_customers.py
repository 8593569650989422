"""The customers over HTTP: listed, shown, and kept; or refused with all that is wrong told at once."""

import json

import pytest

from functions import customers
from functions.http import MAX_FILE
from halo_adsync.customer_file import parse
from tests.support.triggers import CUSTOMER, FILE, MemoryBuilder, builder, check_problem, http, json_of

__all__ = ["builder"]


def test_customers_are_listed(builder: MemoryBuilder) -> None:
    """In short, by id; one whose kept file is not valid any more stands there with its problem."""
    builder.store().put_customer(
        parse(FILE.replace("contoso", "adatum")).model_copy(update={"policy": "all"})
    )
    adatum, contoso = json_of(http(customers.list_customers))["customers"]
    assert (adatum["id"], contoso["id"]) == ("adatum", "contoso")
    assert "policy: " in adatum["problem"]
    assert contoso == {"id": "contoso", "name": "Contoso Ltd", "enabled": True, "policy": "upsert_only"}


def test_what_is_shown_can_be_put_back(builder: MemoryBuilder) -> None:
    """The file as JSON is a customer file, and holds no value of a secret."""
    shown = json_of(http(customers.show_customer, customer=CUSTOMER))
    assert parse(json.dumps(shown)) == builder.store().customer(CUSTOMER)
    assert shown["halo"]["client_secret"] == {"secret": "contoso-halo"}
    again = http(customers.put_customer, json.dumps(shown).encode(), customer=CUSTOMER)
    assert (again.status_code, json_of(again)) == (200, {"customer": "contoso", "changed": False})


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_a_new_customer_is_created(builder: MemoryBuilder, form: str) -> None:
    """201, from YAML or JSON; the next time nothing changes."""
    text = FILE.replace("contoso", "fabrikam").replace("Contoso", "Fabrikam 🦊")
    body = text if form == "yaml" else json.dumps(json_of_yaml(text))
    answer = http(customers.put_customer, body.encode(), customer="fabrikam")
    assert (answer.status_code, json_of(answer)) == (201, {"customer": "fabrikam", "changed": True})
    assert builder.store().customer("fabrikam").name == "Fabrikam 🦊 Ltd"


def json_of_yaml(text: str) -> dict[str, object]:
    """Return a customer file's plain data."""
    return parse(text).model_dump(mode="json", by_alias=True, exclude_unset=True)


def test_a_changed_customer_is_kept(builder: MemoryBuilder) -> None:
    """200, and the next run works with it."""
    body = FILE.replace("Contoso Ltd", "Contoso plc").encode()
    answer = http(customers.put_customer, body, customer=CUSTOMER)
    assert (answer.status_code, json_of(answer)["changed"]) == (200, True)
    assert builder.store().customer(CUSTOMER).name == "Contoso plc"


def test_everything_that_is_wrong_is_told_at_once(builder: MemoryBuilder) -> None:
    """Each problem with its line and place, as `customer apply` tells it, and nothing is kept."""
    before = builder.store().customer(CUSTOMER)
    body = (
        FILE + "polciy: full\nfields: { name: cn, shoesize: extensionAttribute1 }\nlimits: { create: -1 }\n"
    ).encode()
    answer = http(customers.put_customer, body, customer=CUSTOMER)
    for said in ("polciy: unknown key", "shoesize: Halo's users have no such field", "limits.create: "):
        check_problem(answer, 400, said)
    told = [error["detail"] for error in json_of(answer)["errors"]]
    assert len(told) == 3
    assert all(sentence.startswith("line ") for sentence in told)
    assert builder.store().customer(CUSTOMER) == before


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "a customer file is a mapping"),
        (b"\xff\xfe", "no text in UTF-8"),
        (b"id: [", "not valid YAML"),
        (FILE.replace("contoso", "fabrikam").encode(), 'the address says "contoso"'),
        (FILE.replace("servers", "ca_file: ca.pem, servers").encode(), "name it in ca_certificate"),
        (b"#" * (MAX_FILE + 1), "longer than 1024 KiB"),
    ],
)
def test_what_is_no_file_of_this_customer_is_refused(builder: MemoryBuilder, body: bytes, said: str) -> None:
    """It is a 400, and what was kept stays."""
    before = builder.store().customer(CUSTOMER)
    check_problem(http(customers.put_customer, body, customer=CUSTOMER), 400, said)
    assert builder.store().customer(CUSTOMER) == before


def test_a_secret_in_the_wrong_place_is_not_repeated(builder: MemoryBuilder) -> None:
    """What was sent where a name belongs may be the secret itself."""
    del builder
    body = FILE.replace("{ secret: contoso-halo }", "{ secret: 's3cret value!' }").encode()
    answer = http(customers.put_customer, body, customer=CUSTOMER)
    check_problem(answer, 400, "never the secret itself")
    assert b"s3cret" not in answer.get_body()


@pytest.mark.parametrize("name", ["nobody", "$customers", "a/b", ""])
def test_an_unknown_customer_is_not_found(builder: MemoryBuilder, name: str) -> None:
    """Shown, it is a 404; put under a name that no customer can have, a 400."""
    del builder
    check_problem(http(customers.show_customer, customer=name), 404, "There is no customer")
    check_problem(
        http(customers.put_customer, FILE.encode(), customer=name), 400, 'file is that of "contoso"'
    )
