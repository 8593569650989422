"""The customer file: what is accepted, and the sentences about what is not."""

import json
from pathlib import Path

import pytest

from halo_adsync import yaml_text
from halo_adsync.customer import Customer
from halo_adsync.customer_file import export, parse, plain
from halo_adsync.errors import ConfigurationError

EXAMPLE = (Path(__file__).parent / "data" / "contoso.yaml").read_text("utf-8")
SMALL = """
id: contoso
name: Contoso Ltd
halo: { url: https://contoso.halopsa.com, client_id: x, client_secret: { secret: contoso-halo } }
directories:
  - id: corp
    servers: ["dc01.corp.contoso.com:636"]
    bind: { user: svc, password: { secret: contoso-ad } }
placement: { client: { name: Contoso Ltd } }
"""


def problems(text: str, *fields: str) -> tuple[str, ...]:
    """Return what is wrong with a file."""
    with pytest.raises(ConfigurationError) as caught:
        parse(text, halo_fields=fields)
    return caught.value.problems


def test_the_agreed_example_is_valid() -> None:
    """The example that customers are given is read as it stands."""
    customer = parse(EXAMPLE)
    assert customer.policy == "full"
    assert customer.fields["mobilenumber"].blank == "clear"
    assert customer.directories[0].delta == "auto"


def test_a_file_survives_export_and_storage() -> None:
    """What is written back reads as the same customer, as YAML and as JSON."""
    customer = parse(EXAMPLE)
    assert parse(export(customer)) == customer
    assert parse(json.dumps(plain(customer))) == customer


def test_defaults() -> None:
    """A short file gets the agreed defaults: nobody is switched off, nine fields, three rungs."""
    customer = parse(SMALL)
    assert customer.policy == "upsert_only"
    assert set(customer.fields) == {
        "name", "firstname", "surname", "emailaddress", "login", "title", "department", "phonenumber",
        "mobilenumber",
    }  # fmt: skip
    assert customer.match == ("third_party_guid", "login", "emailaddress")
    assert customer.halo.batch_size == 25
    assert (customer.limits.deactivate.percent, customer.limits.create) == (10, 200)
    assert customer.leavers.missing_runs == 3


def test_all_problems_are_told_at_once_with_their_places() -> None:
    """Five mistakes make five sentences, each with its line and path."""
    text = (
        SMALL.replace("name: Contoso Ltd\nhalo", "name: Contoso Ltd\ncolour: red\nhalo")
        .replace("https://contoso", "http://contoso")
        .replace("dc01.corp.contoso.com:636", "dc01")
        .replace("id: corp", "id: CORP")
        .replace("client: { name: Contoso Ltd }", "client: { name: A, id: 3 }")
    )
    told = "\n".join(problems(text))
    for place in ("colour", "halo.url", "directories[0].servers[0]", "directories[0].id", "placement.client"):
        assert place in told
    assert told.count("line ") == 5


def test_a_secret_in_the_wrong_place_is_not_repeated() -> None:
    """Somebody who writes the password itself is told what to write, and the password is not shown."""
    told = "\n".join(problems(SMALL.replace("{ secret: contoso-ad }", "hunter2-not-a-name")))
    assert "{ secret: its-name }" in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("fields: { firstname: givenName }", "must map name"),
        ("fields: { name: cn, inactive: x }", "inactive"),
        ('fields: { name: "{{ a" }', "template"),
        ("fields: { name: 'a b' }", "attribute name"),
        ("match: [login, login]", "twice"),
        ("schedule: { full: hourly }", "cron"),
        ("schedule: { timezone: Mars }", "time zone"),
        ("schedule: { quiet: [9-11] }", "mon-fri"),
        ("scope: { filter: mail=* }", "parentheses"),
        ("scope: { include: [People] }", "distinguished"),
    ],
)
def test_what_makes_no_sense_is_refused(line: str, says: str) -> None:
    """Each mistake gets a sentence that says how it should be."""
    assert says in "\n".join(problems(f"{SMALL}{line}\n"))


@pytest.mark.parametrize(
    ("placement", "says"),
    [
        ("{ client: {} }", "either name or id"),
        ('{ client: { id: 1 }, rules: [{ mirror: "OU=x", site_level: 1, client_level: 1 }] }', "smaller"),
        ("{ client: { id: 1 }, rules: [{ colour: red }] }", "a rule has one of the keys"),
        ('{ client: { id: 1 }, rules: [{ ou: "OU=x", site: { id: 0 } }] }', "greater than 0"),
    ],
)
def test_placement_that_makes_no_sense_is_refused(placement: str, says: str) -> None:
    """A wrong rule is told by what it lacks."""
    text = SMALL.replace("placement: { client: { name: Contoso Ltd } }", f"placement: {placement}")
    assert says in "\n".join(problems(text))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (
            "fields: { name: cn, other1: \"{{ l | lookup('sites') }}\" }",
            'table "sites"',
        ),
        ("lookups: { offices: { a: x, A: y } }", "two keys differ in case only"),
        ("lookups: { 'my offices': { a: x } }", "must begin with a letter"),
        ("phone_region: Britain", "two letters"),
        ("fields: { name: cn, other1: \"{{ l | regex_search('(') }}\" }", "a pattern cannot be used"),
        ("fields: { name: { from: cn, too_long: drop } }", "fields.name.too_long"),
    ],
)
def test_tables_regions_and_patterns_are_checked_when_the_file_is_applied(more: str, says: str) -> None:
    """Whatever a template needs of the file has to be there, and right, before it meets anybody."""
    assert says in "\n".join(problems(f"{SMALL}{more}\n"))


def test_a_rule_for_an_attribute_may_use_a_table_that_is_there() -> None:
    """Placement's templates are held to the same tables as those of fields."""
    rule = "rules: [{ attribute: \"{{ l | lookup('offices') }}\", create: true }]"
    text = SMALL.replace("client: { name: Contoso Ltd }", f"client: {{ name: Contoso Ltd }}, {rule}")
    assert 'a rule uses the lookup table "offices"' in "\n".join(problems(text))
    assert parse(f"{text}lookups: {{ offices: {{ L1: Leeds }} }}\n").shared().lookups["offices"] == {
        "l1": "Leeds"
    }


def test_unknown_halo_fields_are_refused_and_custom_ones_are_not() -> None:
    """A misspelt field is found when the file is applied; custom fields begin with CF."""
    fields = "fields: { name: cn, emailadress: mail, CFStaffNumber: employeeID }\n"
    told = problems(SMALL + fields, "name", "emailaddress")
    assert len(told) == 1
    assert "fields.emailadress" in told[0]


def test_loopback_may_be_plain() -> None:
    """http:// is for this machine alone."""
    assert parse(SMALL.replace("https://contoso.halopsa.com", "http://127.0.0.1:8080")).halo.url.startswith(
        "http:"
    )


def test_several_directories_need_their_bases() -> None:
    """With two directories it has to be told whose OUs are meant."""
    two = SMALL.replace(
        "placement",
        "  - { id: b, servers: ['dc:636'], bind: { user: u, password: { secret: p } } }\nplacement",
    )
    assert "base_dn" in "\n".join(problems(two))


def test_secrets_are_named_and_never_shown() -> None:
    """The file knows every secret by name, and the settings' digest changes with what matters only."""
    customer = parse(EXAMPLE)
    assert set(customer.secrets()) == {"contoso-halo", "contoso-ad", "contoso-ca", "contoso-webhook"}
    assert customer.model_copy(update={"name": "Other"}).settings_digest() == customer.settings_digest()
    changed = Customer.model_validate(plain(customer) | {"policy": "create_only"})
    assert changed.settings_digest() != customer.settings_digest()


def test_relative_certificates_are_meant_from_the_file(tmp_path: Path) -> None:
    """`ca_file` is found from wherever the command is run later."""
    text = SMALL.replace("    bind:", "    ca_file: ca.crt\n    bind:")
    assert parse(text, base=tmp_path).directories[0].ca_file == str(tmp_path / "ca.crt")


def test_yaml_means_what_people_mean() -> None:
    """`off`, `no` and times are text; true, numbers and null are not."""
    loaded = yaml_text.load("a: off\nb: no\nc: 09:30\nd: true\ne: 12\nf:\ng: 1.5\nh: 2026-01-01\n")
    expected = {
        "a": "off",
        "b": "no",
        "c": "09:30",
        "d": True,
        "e": 12,
        "f": None,
        "g": 1.5,
        "h": "2026-01-01",
    }
    assert loaded == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\na: 2", "stands twice"),
        ("a: &x 1\nb: *x", "aliases"),
        ("a: [", "line 1"),
        ("a: \x00", "characters"),
        ("- 1", "mapping"),
        ("[" * 3000, "nested too deeply"),
        ("x" * 300_000, "characters long"),
    ],
)
def test_text_that_is_no_customer_file(text: str, says: str) -> None:
    """Broken or hostile text is refused in a sentence, quickly."""
    assert says in "\n".join(problems(text))
