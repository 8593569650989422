"""The documents say what infra/ does: variables, outputs, roles, events, alerts, connections."""

import json
import re

from halo_adsync.events import Event
from tests.infra import known
from tests.infra.bicep import INFRA, ROOT, dig, literal, read, text
from tests.infra.test_alerts import QUERIES, logged
from tests.infra.test_workflow import BY_AZD, PARAMETERS

DOCS = {path.name: path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md")}
ROW = re.compile(r"^\| (.+) \|$", re.MULTILINE)
OF_OPERATORS = {"keyVaultSecretsOfficer"}
"""What the app itself may not do."""


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the tables below a heading, up to the next one, without their first rows."""
    section = re.split(r"^#+ ", DOCS[page].partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    cells = [[cell.strip(" `") for cell in row.split(" | ")] for row in ROW.findall(section)]
    return [row for row in cells if not re.fullmatch(r"-+", row[0].replace("|", ""))]


def test_the_variables_are_all_described_with_their_defaults() -> None:
    """Each that `azd env set` takes, and no other."""
    given = {}
    for value in PARAMETERS.values():
        name, is_default, default = value["value"].strip("${}").partition("=")
        if is_default:
            given[name] = default
    said = {
        row[0]: row[1].split(",")[0].strip("`")
        for row in rows("deploy.md", "2. Say who adds customers, and where alerts go")
    }
    said.pop("variable")
    assert said.keys() == given.keys() == given.keys() - BY_AZD
    assert all(said[name] == default for name, default in given.items() if default)


def test_the_outputs_that_are_asked_for_are_there() -> None:
    """`azd env get-value` of anything else is an error in the middle of a newcomer's first hour."""
    asked = set(re.findall(r"azd env get-value (\w+)", "".join(DOCS.values())))
    assert asked
    assert asked <= read(INFRA / "main.bicep").of("output").keys() | {"AUTH_CLIENT_ID"}  # by sign-in.sh


def test_the_roles_of_the_app_are_all_described() -> None:
    """By Azure's own names, which are those of the Bicep in words."""
    words = {
        name: re.sub(r"(?<!^)(?=[A-Z])", " ", name).title() for name in known.ROLES.keys() - OF_OPERATORS
    }
    described = {row[0] for row in rows("security.md", "Rights of the app in Azure")} - {"role"}
    assert described == set(words.values())


def test_every_event_and_its_facts_are_described() -> None:
    """And none that is not there."""
    described = {
        row[0]: set(re.findall(r"\w+", row[1])) for row in rows("operations.md", "Alerts and the log")
    }
    for event in Event:
        assert described[event.value] == logged()[event]
    assert described.keys() - {event.value for event in Event} == {"event", "alert", *alerts()}


def alerts() -> set[str]:
    """Return the names of the alerts."""
    return {name.removesuffix(".kql") for name in QUERIES}


def test_what_is_typed_in_the_portal_is_what_the_bicep_makes() -> None:
    """The Hybrid Connection Manager reads it: one key, and exactly one colon in its value."""
    metadata = dig(
        read(INFRA / "customer.bicep").of("resource")["hybridConnection"].body, "properties", "userMetadata"
    )
    assert metadata is not None
    made = literal(metadata).replace("${checkedHost}", "dc01.corp.contoso.com").replace("${port}", "636")
    assert f"`{made}`" in DOCS["customers.md"]
    ((key, endpoint),) = [(pair["key"], pair["value"]) for pair in json.loads(made)]
    assert (key, endpoint.count(":")) == ("endpoint", 1)
    assert text(metadata).count("${") == 2


def test_every_span_and_number_is_described() -> None:
    """By the names that the source gives them, and none that is not there."""
    described = {row[0] for row in rows("operations.md", "Spans and numbers")} - {"span", "number"}
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "halo_adsync").rglob("*.py"))
    phases = set(re.findall(r"\bphase\(\"([^\"]+)\"\)", sources)) | {"run"}
    numbers = set(re.findall(r"create_\w+\(\s*f\"\{NAME\}\.([\w.]+)\"", sources))
    assert described == phases | {f"halo_adsync.{name}" for name in numbers}


def test_what_is_mailed_to_customers_links_to_nothing_beside_it() -> None:
    """The quoted part leaves the repository, and a relative link leads nowhere from a mail."""
    mailed = [line for line in DOCS["customers.md"].splitlines() if line.startswith(">")]
    links = re.findall(r"\]\(([^)]+)\)", "\n".join(mailed))
    assert links
    assert not [link for link in links if not link.startswith("https://")]
