"""The documents say what the code does: every key, command, option and setting, and no link leads nowhere."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeAliasType, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic_core import to_jsonable_python
from typer.main import get_command

import function_app  # noqa: F401 - registers every route
from functions.access import ROUTES, Route
from halo_adsync import yaml_text
from halo_adsync.bootstrap import HALO_FIELDS
from halo_adsync.cli import cli
from halo_adsync.customer import DEFAULT_FIELDS, OWNED_BY_THE_SYNC, Customer, SecretRef
from halo_adsync.customer_file import parse
from halo_adsync.plan import templates
from tests.support.settings import settings_read

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CUSTOMER_FILE = ROOT / "docs" / "customer-file.md"
OPERATIONS = ROOT / "docs" / "operations.md"
SECURITY = ROOT / "docs" / "security.md"
DASH, REQUIRED, BELOW = "—", "required", "see below"

MINIMAL = """
id: contoso
name: Contoso Ltd
halo: { url: https://contoso.halopsa.com, client_id: a, client_secret: { secret: b } }
directories: [{ id: corp, servers: ["dc01:636"], bind: { user: u, password: { secret: p } } }]
placement: { client: { name: Contoso Ltd } }
"""


# ---- the documents -------------------------------------------------------------------------------


@cache
def read(page: Path) -> str:
    """Return a page's text."""
    return page.read_text("utf-8")


def prose(page: Path) -> str:
    """Return a page's text without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", read(page), flags=re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """Return a page's blocks of code in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", read(page), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return what a page's headings can be linked to by, formed as GitHub forms it."""
    titles = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


def sections(page: Path) -> dict[str, str]:
    """Return the text below each heading of the third level, by the heading without its code marks."""
    parts = re.split(r"^#{2,3} (.+)$", read(page), flags=re.MULTILINE)
    return {title.replace("`", ""): text for title, text in zip(parts[1::2], parts[2::2], strict=True)}


def test_every_link_leads_somewhere() -> None:
    """Each relative link of each page names a file that is there, and each anchor a heading of its page."""
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            there = (page.parent / path).resolve() if path else page
            if not there.exists() or (anchor and anchor not in anchors(there)):
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert not broken


def test_the_decisions_are_all_listed() -> None:
    """The list of decisions names every page beside it."""
    folder = ROOT / "docs" / "adr"
    listed = set(re.findall(r"\]\((\d{4}-[^)]+\.md)\)", read(folder / "README.md")))
    assert listed == {page.name for page in folder.glob("[0-9]*.md")}


# ---- the customer file ---------------------------------------------------------------------------


def kinds_in(annotation: Any, path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the blocks that a key may hold, each with its path: `[]` in a list, `.NAME` in a mapping."""
    if isinstance(annotation, TypeAliasType):
        yield from kinds_in(annotation.__value__, path)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation is not SecretRef:
            yield path, annotation
    elif get_origin(annotation) is Annotated:
        yield from kinds_in(get_args(annotation)[0], path)
    elif get_origin(annotation) is tuple:
        yield from kinds_in(get_args(annotation)[0], f"{path}[]")
    elif get_origin(annotation) is Mapping:
        yield from kinds_in(get_args(annotation)[1], f"{path}.NAME")
    else:
        for part in get_args(annotation):
            yield from kinds_in(part, path)


def keys_of(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every key of a block and of the blocks in it, with what pydantic knows of it."""
    for name, field in model.model_fields.items():
        key = f"{path}.{field.alias or name}".lstrip(".")
        yield key, field
        for inside, block in kinds_in(field.annotation, key):
            yield from keys_of(block, inside)


KEYS = {**dict(keys_of(Customer)), "secret": SecretRef.model_fields["secret"]}
TABLE = re.compile(r"^\| key \| default \|.*\n\|[-|]+\n((?:\|.*\n)+)", re.MULTILINE)
DEFAULTS: dict[str, str] = dict(
    re.findall(r"^\| `([^`]+)` \| (.+?) \|", "".join(TABLE.findall(read(CUSTOMER_FILE))), re.MULTILINE)
)
"""The default that the tables of the customer file's page state, by key."""


def test_every_key_of_the_customer_file_is_documented() -> None:
    """Each key that the models know has a row, or a section if it is a block; and no other key has."""
    blocks_with_a_section = set(re.findall(r"^## `(\w+)`", read(CUSTOMER_FILE), re.MULTILINE))
    assert DEFAULTS.keys() | blocks_with_a_section == KEYS.keys()


@pytest.mark.parametrize("key", sorted(KEYS.keys() & DEFAULTS.keys()))
def test_the_documented_default_is_the_real_one(key: str) -> None:
    """A key's row states the default that the model has."""
    field, said = KEYS[key], DEFAULTS[key].strip("`")
    default = None if field.is_required() else to_jsonable_python(field.default)
    if field.is_required():
        assert said == REQUIRED
    elif default in (None, [], {}, ""):
        assert said == DASH
    elif isinstance(default, dict):
        assert said == BELOW
    else:
        assert yaml_text.load(said) == default


def test_the_documented_default_mapping_is_the_real_one() -> None:
    """The block below "The default mapping" is what stands in for a file without `fields`."""
    block = blocks_after("The default mapping:")
    assert yaml_text.load(block) == {"fields": dict(DEFAULT_FIELDS)}


def blocks_after(sentence: str) -> str:
    """Return the first block of YAML after a sentence of the customer file's page."""
    found = re.search(
        r"```yaml\n(.*?)^```$", read(CUSTOMER_FILE).partition(sentence)[2], re.MULTILINE | re.DOTALL
    )
    assert found is not None
    return found[1]


def test_every_field_of_halo_is_documented() -> None:
    """The page names each Halo field that can be mapped, and each that cannot."""
    text = read(CUSTOMER_FILE).replace("`other1` to `other5`", "`other1` `other2` `other3` `other4` `other5`")
    assert not [name for name in HALO_FIELDS | OWNED_BY_THE_SYNC if f"`{name}`" not in text]


def test_everything_that_templates_offer_is_documented() -> None:
    """The page lists exactly the filters there are, and the reserved names."""
    row = re.search(r"^\| filters \| (.+) \|$", read(CUSTOMER_FILE), flags=re.MULTILINE)
    assert row is not None
    assert set(re.findall(r"`(\w+)`", row[1])) == set(templates._ENVIRONMENT.filters)
    assert all(f"`{name}`" in read(CUSTOMER_FILE) for name in templates.BUILT_IN)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_of_a_customer_file_is_valid(page: Path) -> None:
    """Each block of YAML is a customer file, or becomes one in the place of blocks of a small file."""
    for block in blocks(page, "yaml"):
        shown = yaml_text.load(block)
        whole = shown if "id" in shown else {**yaml_text.load(MINIMAL), **shown}
        assert parse(json.dumps(whole), halo_fields=HALO_FIELDS).id


# ---- commands, settings --------------------------------------------------------------------------


def commands(group: Any, path: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield every command of the command line by its whole name, with its options."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            options = [
                option for parameter in command.params for option in parameter.opts if option[0] == "-"
            ]
            yield path + name, options


COMMANDS = dict(commands(get_command(cli)))


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_and_option_is_documented(command: str) -> None:
    """Operations has a section for each command, which mentions each of its options."""
    texts = [
        text for title, text in sections(OPERATIONS).items() if re.match(rf"{command}(?= [A-Z\[]|$)", title)
    ]
    assert len(texts) == 1
    assert not [option for option in COMMANDS[command] if f"`{option}" not in texts[0]]


def test_no_page_names_a_command_that_is_not_there() -> None:
    """Where a page says `halo-adsync something`, there is such a command."""
    groups = {command.split()[0] for command in COMMANDS if " " in command}
    unknown = []
    for page in PAGES:
        for first, second in re.findall(r"(?<!-C )halo-adsync ([a-z]+)(?: ([a-z]+))?", read(page)):
            named = f"{first} {second}" if first in groups else first
            if named not in COMMANDS:
                unknown.append(f"{page.name}: {named}")
    assert not unknown


def test_every_setting_is_documented() -> None:
    """Operations describes each setting that the code reads, and each that the sample file holds."""
    sample = json.loads((ROOT / "local.settings.example.json").read_text("utf-8"))["Values"]
    text = sections(OPERATIONS)["Settings"]
    wanted = settings_read() | {name for name in sample if not name.startswith("SECRET_")} | {"SECRET_..."}
    assert {"AzureWebJobsStorage__tableServiceUri", "KEY_VAULT_URL", "SYNC_TIMER"} <= wanted
    assert not [name for name in wanted if f"`{name}`" not in text]


def documented_routes() -> dict[str, Route]:
    """Return the app's routes as the documents write them."""
    words = {"{customer}": "ID", "{run}": "RUN", "{key}": "PERSON"}
    return {
        f"`{route.method} /{re.sub(r'{.+?}', lambda part: words[part[0]], route.path)}": route
        for route in ROUTES
    }


def test_every_route_is_documented() -> None:
    """Operations has a row for each HTTP route of the app, with its method."""
    text = sections(OPERATIONS)["HTTP"]
    assert ROUTES
    assert not [route for route in documented_routes() if f"{route}` |" not in text]


def test_the_documented_roles_are_those_that_are_checked() -> None:
    """Security has a table of all routes, each with the role that the code asks for."""
    table = dict(re.findall(r"^\| (`[A-Z]+ /api/[^`]+)` \| `(Sync\.\w+)` \|", read(SECURITY), re.MULTILINE))
    assert table == {shown: route.role.value for shown, route in documented_routes().items()}
