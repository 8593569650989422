"""The customer file: hostile and careless input, and where its sentences say that the trouble is."""

import time
from pathlib import Path
from typing import Any

import pytest

from halo_adsync.customer import Customer
from halo_adsync.customer_file import export, parse
from halo_adsync.errors import ConfigurationError

EXAMPLE = (Path(__file__).parent / "data" / "contoso.yaml").read_text("utf-8")
FILE = """\
id: contoso
name: Contoso
halo:
  url: https://contoso.halopsa.com
  client_id: abc
  client_secret: { secret: contoso-halo }
directories:
  - id: corp
    servers: ["dc01.corp.contoso.com:636"]
    bind:
      user: svc
      password: { secret: contoso-ad }
placement:
  client: { name: Contoso }
"""


def problems(text: str) -> tuple[str, ...]:
    """Return what is wrong with a file."""
    with pytest.raises(ConfigurationError) as caught:
        parse(text)
    return caught.value.problems


def changed(old: str, new: str) -> str:
    """Return the file with one piece replaced."""
    assert FILE.count(old) == 1
    return FILE.replace(old, new)


def test_every_kind_of_problem_is_told_at_once_in_the_order_of_the_file() -> None:
    """Wrong values, unknown keys and rules between keys come together, none hidden behind another."""
    text = (
        FILE.replace("https://", "ftp://")
        .replace("  client_id: abc\n", "")
        .replace("    servers:", "    speed: 9\n    servers:")
        .replace("  client: { name: Contoso }", "  client: { name: Contoso }\n  rules: [hello]")
    ) + "match: [login, login]\nfields: { title: title, Inactive: x, firstname: '{{' }\npolicy: some\n"
    told = problems(text)
    places = [sentence.split(", ", 1)[1].split(":")[0] for sentence in told]
    assert places == [
        "halo.client_id",
        "halo.url",
        "directories[0].speed",
        "placement.rules[0]",
        "match",
        "fields.Inactive",
        "fields.firstname",
        "policy",
    ]
    assert [int(sentence.split()[1].rstrip(",")) for sentence in told] == [3, 4, 8, 15, 16, 17, 17, 18]


@pytest.mark.parametrize(
    ("rules", "place"),
    [
        ("[hello]", "rules[0]"),
        ("[5]", "rules[0]"),
        ("[null]", "rules[0]"),
        ("[{}]", "rules[0]"),
        ("[{ ou: OU=a, site: {} }]", "rules[0].site"),
        ("[{ ou: OU=a }]", "rules[0].site"),
        ("[{ ou: OU=a, site: { id: 0 } }]", "rules[0].site.id"),
        ("[{ attribute: l }, { mirror: OU=a, site_level: 1, client_level: 1 }]", "rules[1].client_level"),
        ("[{ ou: OU=a, site: { name: b }, mirror: OU=c }]", "rules[0].mirror"),
    ],
)
def test_a_wrong_rule_is_named_where_it_is_wrong(rules: str, place: str) -> None:
    """The place is the key that has to be corrected, though the kinds of rules go by keys too."""
    (told,) = problems(FILE + f"  rules: {rules}\n")
    assert told.startswith(f"line 15, placement.{place}: ")


@pytest.mark.parametrize(
    "text",
    [
        changed("{ secret: contoso-ad }", "hunter2"),
        changed("{ secret: contoso-ad }", "{ hunter2 }"),
        changed("{ secret: contoso-ad }", "{ secret: a, hunter2: b }"),
        changed("{ secret: contoso-ad }", "{ secret: 'hunter2!' }"),
        changed("{ secret: contoso-ad }", "[hunter2]"),
        changed("{ secret: contoso-ad }", "!hunter2"),
        changed("{ secret: contoso-ad }", "*hunter2"),
        changed("{ secret: contoso-ad }", "{ value: hunter2 }"),
        changed("https://contoso", "https://me:hunter2@contoso"),
        changed("https://contoso", "https://:hunter2@contoso"),
        changed("https://contoso", "https://me:hunter2@[contoso"),
        changed("https://contoso", "https://me:hunter2@c\u2100ntoso"),
        changed("halopsa.com", "halopsa.com/?token=hunter2"),
        changed("dc01.corp.contoso.com:636", "svc:hunter2@dc01:636"),
        FILE + "fields: { name: 'hunter2 is my password' }\n",
        FILE + "notify: { webhook: 'https://hooks.example/hunter2' }\n",
        FILE + "schedule: { full: hunter2, timezone: hunter2, quiet: [hunter2] }\n",
        FILE + "scope: { include: [hunter2], filter: hunter2 }\n",
        FILE + "policy: hunter2\nlimits: { create: hunter2 }\n",
    ],
)
def test_a_secret_in_the_wrong_place_is_never_repeated(text: str) -> None:
    """Whatever was written where a name, a number or an address belongs, no message shows it."""
    told = "\n".join(problems(text))
    assert "hunter2" not in told
    assert "line " in told


@pytest.mark.parametrize(
    "value",
    [
        "1b0c3c1e-6c1f-4d0a-9b53-0d6f3f6a2d11-7e2c9a40-55d1-4f2e-8f11-2b9a7c3d4e5f",
        "1B0C3C1E6C1F4D0A9B530D6F3F6A2D11",
        "x8Q2v7T1m4Z9k3R6p5",
        "halo-x8Q2v7T1m4Z9k3R6p5",
    ],
)
def test_a_secret_that_could_be_a_name_is_refused(value: str) -> None:
    """Halo's hold GUIDs, others letters and digits at random; all of them could be names in a vault."""
    (told,) = problems(changed("{ secret: contoso-ad }", f"{{ secret: {value} }}"))
    assert value not in told
    assert "looks like a secret" in told


@pytest.mark.parametrize(
    "name",
    ["contoso-halo", "msp2-contoso-halo-secret-2026", "CONTOSOPRODUCTION2026HALO", "c1-a2-d3-e4-f5-g6"],
)
def test_a_name_with_digits_is_a_name(name: str) -> None:
    """Years and numbers in words are no secret."""
    assert name in parse(changed("{ secret: contoso-ad }", f"{{ secret: {name} }}")).secrets()


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("https://contoso.halopsa.com", '"https://contoso.halopsa.com:port"', "halo.url"),
        ("https://contoso.halopsa.com", '"https://"', "halo.url"),
        ("https://contoso.halopsa.com", "http://localhost.example.com", "halo.url"),
        ("dc01.corp.contoso.com:636", "dc01:636\\n", "directories[0].servers[0]"),
        ("dc01.corp.contoso.com:636", "dc01:0", "directories[0].servers[0]"),
        ("dc01.corp.contoso.com:636", "dc01:65536", "directories[0].servers[0]"),
        ("client: { name: Contoso }", 'client: { name: "  " }', "placement.client.name"),
        ("user: svc", "user: 08", "directories[0].bind.user"),
        ("name: Contoso\nhalo", 'name: Contoso\nscope: { include: ["OU=a,b"] }\nhalo', "scope.include[0]"),
        (
            "name: Contoso\nhalo",
            'name: C\nschedule: { quiet: ["22:00-06:00\\n"] }\nhalo',
            "schedule.quiet[0]",
        ),
        ("name: Contoso\nhalo", 'name: C\nschedule: { full: "* * * * * *" }\nhalo', "schedule.full"),
        ("name: Contoso\nhalo", 'name: C\nscope: { filter: "(a=b)(c=d)" }\nhalo', "scope.filter"),
        ("name: Contoso\nhalo", 'name: C\nscope: { filter: "((mail=*)" }\nhalo', "scope.filter"),
        ("name: Contoso\nhalo", 'name: C\nfields: { name: "cn\\n" }\nhalo', "fields.name"),
        ("name: Contoso\nhalo", "name: C\nfields: { name: cn, NAME: cn }\nhalo", "fields"),
        ("name: Contoso\nhalo", "name: C\nfields: { name: cn, Site_ID: l }\nhalo", "fields.Site_ID"),
        ("name: Contoso\nhalo", "name: C\nfields: { name: 5 }\nhalo", "fields.name"),
        (
            "    bind:",
            "    ca_file: a.pem\n    ca_certificate: { secret: ca }\n    bind:",
            "directories[0].ca_file",
        ),
    ],
)
def test_what_only_looks_right_is_refused(old: str, new: str, place: str) -> None:
    """Near misses are found while the file is read, not in the middle of the night's run."""
    (told,) = problems(changed(old, new))
    assert f", {place}: " in told


@pytest.mark.parametrize("text", ["", "null", "just text", "- a\n- b", "5", "? [a]\n: b", "1: a", "? \n: b"])
def test_what_is_no_customer_file_at_all_is_a_sentence(text: str) -> None:
    """Any other document is refused as such."""
    assert problems(text)


def test_a_file_full_of_mistakes_is_answered_in_seconds() -> None:
    """Ten thousand unknown keys take no quadratic time: the HTTP API reads files too."""
    begun = time.monotonic()
    told = problems(FILE + "".join(f"k{number}: 1\n" for number in range(10_000)))
    assert len(told) == 10_000
    assert time.monotonic() - begun < 20


def test_a_text_that_looks_like_a_number_survives_an_export() -> None:
    """An export puts in quotes what would be read as a number else."""
    customer = parse(changed("client_id: abc", 'client_id: "08e5"'))
    assert parse(export(customer)).halo.client_id == "08e5"


def test_no_value_of_a_secret_can_be_in_a_repr() -> None:
    """A customer's repr holds names of secrets only; there is no place for a value."""
    shown = repr(parse(EXAMPLE))
    assert "SecretRef(secret='contoso-ad')" in shown
    assert "password=SecretRef" in shown


DIGESTED: dict[str, Any] = {
    "policy": "create_only",
    "scope": {"filter": "(mail=*)"},
    "placement": {"client": {"name": "Other"}},
    "fields": {"name": "cn"},
    "match": ["login"],
    "limits": {"create": 1},
    "leavers": {"missing_runs": 1},
}
NOT_DIGESTED: dict[str, Any] = {
    "name": "Other",
    "enabled": False,
    "schedule": {"full": "0 2 * * *"},
    "notify": {"webhook": {"secret": "hook"}},
}


@pytest.mark.parametrize("key", [*DIGESTED, *NOT_DIGESTED])
def test_the_settings_digest_follows_what_a_plan_depends_on(key: str) -> None:
    """A stored plan is void when its rules change, and stays good when only names or times do."""
    customer = parse(FILE)
    value = (DIGESTED | NOT_DIGESTED)[key]
    other = Customer.model_validate(customer.model_dump(by_alias=True, exclude_unset=True) | {key: value})
    assert (other.settings_digest() != customer.settings_digest()) == (key in DIGESTED)
