"""Properties: a customer file survives being written and read, and no text breaks the reader."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halo_adsync.customer import Customer
from halo_adsync.customer_file import export, parse, plain
from halo_adsync.errors import ConfigurationError
from halo_adsync.yaml_text import dump, load

RELAY = {
    "relay": {
        "namespace": "relay.servicebus.usgovcloudapi.net",
        "connection": ["corp-dc01"],
        "sas": {"rule": "send", "key": {"secret": "corp-relay"}},
    }
}
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Zl", "Zp"]), min_size=1, max_size=20)
LOOK_ALIKES = st.sampled_from(
    [
        "08",
        "1e3",
        "1.5e3",
        "0x1f",
        "off",
        "no",
        "~",
        "null",
        "true",
        "09:00",
        "-",
        "=",
        "<<",
        "!x",
        "*x",
        "'",
        " x",
    ]
)
NAMES = (WORDS | LOOK_ALIKES).filter(str.strip)
DNS = st.sampled_from(["OU=People,DC=x", "OU=a\\, b,DC=x", 'OU="q",DC=x', "OU=Zoë,DC=x", "CN=x+OU=y,DC=x"])
SOURCES = st.sampled_from(
    ["cn", "mail", "{{ displayName or cn }}", "{{ a ~ ': ' ~ b }}", "{% if a %}b{% endif %}"]
)
SECRETS = st.fixed_dictionaries({"secret": st.from_regex(r"[A-Za-z0-9-]{1,15}", fullmatch=True)})
IDS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
PLACES = st.fixed_dictionaries({"name": NAMES}) | st.fixed_dictionaries({"id": st.integers(1, 10**9)})


def some(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Return short lists of something."""
    return st.lists(strategy, max_size=3)


RULES = (
    st.fixed_dictionaries({"ou": DNS, "site": PLACES}, optional={"client": PLACES})
    | st.fixed_dictionaries({"attribute": SOURCES}, optional={"create": st.booleans()})
    | st.fixed_dictionaries(
        {"mirror": DNS, "site_level": st.integers(2, 20)}, optional={"client_level": st.just(1)}
    )
)
FIELDS = st.dictionaries(
    st.sampled_from(["title", "notes", "CFRoom", "other1"]),
    SOURCES
    | st.fixed_dictionaries(
        {"from": SOURCES},
        optional={
            "mode": st.sampled_from(["always", "on_create", "fill_blank"]),
            "blank": st.sampled_from(["keep", "clear"]),
            "too_long": st.sampled_from(["cut", "refuse"]),
        },
    ),
).map(lambda fields: {"name": "cn", **fields})
DIRECTORIES = st.fixed_dictionaries(
    {
        "id": IDS,
        "servers": st.just(["localhost:389"]) | st.just(["dc01.corp.example:636"]),
        "bind": st.fixed_dictionaries({"user": NAMES, "password": SECRETS}),
    },
    optional={
        "tls": st.sampled_from(["ldaps", "starttls", "none"]),
        "ca_certificate": SECRETS,
        "base_dn": DNS,
        "delta": st.sampled_from(["auto", "dirsync", "usn", "off"]),
        "connect": st.just("direct")
        | st.just(RELAY)
        | st.just({"relay": {"namespace": "n", "connection": "c"}}),
    },
).filter(
    lambda block: (
        block.get("tls") != "none"
        or (block["servers"] == ["localhost:389"] and block.get("connect", "direct") == "direct")
    )
)
HALO = st.fixed_dictionaries(
    {"url": st.just("https://x.halopsa.com"), "client_id": NAMES, "client_secret": SECRETS},
    optional={
        "tenant": NAMES,
        "headers": st.dictionaries(NAMES, SECRETS | NAMES, max_size=2),
        "budget": st.just("off") | st.fixed_dictionaries({}, optional={"requests": st.integers(1, 999)}),
        "batch_size": st.integers(1, 100),
    },
)
CUSTOMERS = st.fixed_dictionaries(
    {
        "id": IDS,
        "name": NAMES,
        "halo": HALO,
        "directories": DIRECTORIES.map(lambda block: [block]),
        "placement": st.fixed_dictionaries(
            {"client": PLACES}, optional={"rules": some(RULES), "default_site": NAMES | st.none()}
        ),
    },
    optional={
        "enabled": st.booleans(),
        "lookups": st.dictionaries(
            st.sampled_from(["offices", "rooms"]), st.dictionaries(IDS, NAMES, max_size=2)
        ),
        "phone_region": st.sampled_from(["GB", "DE"]),
        "policy": st.sampled_from(["create_only", "upsert_only", "full"]),
        "scope": st.fixed_dictionaries(
            {}, optional={"include": some(DNS), "filter": st.sampled_from(["", "(mail=*)"])}
        ),
        "fields": FIELDS,
        "match": st.lists(st.sampled_from(["third_party_guid", "login", "emailaddress"]), unique=True),
        "agents": st.fixed_dictionaries(
            {},
            optional={
                "teams": st.dictionaries(DNS, NAMES, max_size=2),
                "on_leave": st.sampled_from(["disable", "keep", {"reassign": "Ada"}]),
            },
        ),
        "limits": st.fixed_dictionaries(
            {}, optional={"site_percent": st.floats(0, 100), "create": st.integers(0, 9)}
        ),
        "schedule": st.fixed_dictionaries(
            {}, optional={"full": st.just("0 2 * * *"), "quiet": some(st.just("mon-fri 09:00-11:00"))}
        ),
        "notify": st.fixed_dictionaries(
            {"webhook": SECRETS},
            optional={
                "ticket": st.just({"user": 7}),
                "on": some(st.sampled_from(["blocked", "failed", "ok"])),
            },
        ),
    },
)


@settings(deadline=None, max_examples=25)
@given(CUSTOMERS)
def test_a_customer_survives_export_and_storage(data: dict[str, Any]) -> None:
    """Read, written and read again, as YAML or as JSON, it is the same customer with the same digest."""
    customer = Customer.model_validate(data)
    for text in (
        dump(data),
        export(customer),
        json.dumps(plain(customer)),
        json.dumps(data, ensure_ascii=False),
    ):
        again = parse(text)
        assert again == customer
        assert again.settings_digest() == customer.settings_digest()


@settings(deadline=None, max_examples=25)
@given(CUSTOMERS)
def test_an_export_holds_what_was_given_and_no_more(data: dict[str, Any]) -> None:
    """Defaults that nobody wrote are not written out, and exporting twice gives the same text."""
    customer = Customer.model_validate(data)
    assert load(export(customer)).keys() == data.keys()
    assert export(parse(export(customer))) == export(customer)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(VALUES)
def test_plain_data_survives_being_written(data: Any) -> None:
    """What `dump` writes, `load` reads as the same data; and JSON is read as JSON."""
    assert load(dump(data)) == data
    assert load(json.dumps(data)) == data


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=200) | st.text("ab:-?[]{}!&*#|>'\"%@` \n\t0.~,", max_size=80))
def test_any_text_is_refused_in_sentences(text: str) -> None:
    """Whatever somebody uploads, none of which is a whole customer, is answered with one-line sentences."""
    for hostile in (text, f"id: a\nfields:\n  name: {text}\n", f"id: a\nhalo: {{ url: {text} }}\n"):
        with pytest.raises(ConfigurationError) as caught:
            parse(hostile)
        assert caught.value.problems
        assert all(problem and "\n" not in problem for problem in caught.value.problems)
