"""infra/ can be read by two parsers, and our own lint finds nothing in it; each rule finds what it is for."""

import json
from pathlib import Path

import pytest
from pycep import BicepParser

from halo_adsync.access import Role
from halo_adsync.state.queue import QUEUE
from tests.infra import known, lint
from tests.infra.bicep import FILES, INFRA, ROOT, dig, literal, properties, read, syntax_errors, text, walk
from tests.support.settings import settings_read

PARAMETERS = INFRA / "main.parameters.json"
APP = read(INFRA / "modules" / "app.bicep")


def written(folder: Path, content: str, name: str = "bad.bicep") -> Path:
    """Return a file with this content."""
    (folder / name).write_text(content)
    return folder / name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_is_bicep(path: Path) -> None:
    """Two grammars of different authors take it, so an editor, checkov and the compiler should."""
    assert BicepParser().parse(text=path.read_text("utf-8"))
    assert syntax_errors(read(path)) == []


def test_what_is_no_bicep_is_found(tmp_path: Path) -> None:
    """The grammar that never raises tells where it gave up."""
    broken = read(written(tmp_path, "param a string\nresource x 'A/b@1' = {\n  name: 'a\n"))
    assert syntax_errors(broken)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_our_lint_finds_nothing(path: Path) -> None:
    """No rule has an exception."""
    assert lint.findings(read(path)) == []


GOOD = "@description('a')\nparam a string\n"
BAD: dict[lint.Rule, tuple[str, str]] = {
    lint.undefined_symbols: ("var x = 'a${b}'\n", "1: b is declared nowhere"),
    lint.unused_symbols: (GOOD, "2: a is used nowhere"),
    lint.unknown_functions: ("var x = toLowr('A')\n", "1: toLowr is no function on our list"),
    lint.secrets_in_outputs: (
        "output a string = storage.listKeys().keys[0].value\n",
        "1: output a shows keys, listKeys",
    ),
    lint.descriptions: ("param a string\n", "1: a has no description"),
    lint.api_versions: (
        "resource a 'Microsoft.Web/sites@2016-08-01' existing = {\n  name: 'a'\n}\n",
        "1: Microsoft.Web/sites@2016-08-01: the list says 2024-04-01",
    ),
    lint.roles: (
        "var roles = {\n  reader: '8e3af657-a8ff-443c-a75c-2fe8c4bcb635'\n}\n",
        "2: 8e3af657-a8ff-443c-a75c-2fe8c4bcb635 is not known as the role reader",
    ),
    lint.roles_of_nobody: (
        "param a string = ''\nresource b 'A/b@1' = {\n  properties: {\n    principalId: a\n  }\n}\n",
        "2: b is made for nobody, too",
    ),
    lint.tags: ("resource a 'A/b@1' = {\n  location: 'x'\n}\n", "1: a has no tags"),
    lint.unknown_properties: (
        "resource a 'Microsoft.Relay/namespaces@2024-01-01' = {\n  name: 'a'\n  location: 1\n skew: {}\n}\n",
        "4: Microsoft.Relay/namespaces@2024-01-01 has no property skew",
    ),
    lint.unsafe_settings: (
        "resource a 'A/b@1' = {\n  properties: {\n    allowSharedKeyAccess: true\n  }\n}\n",
        "3: allowSharedKeyAccess must not be true",
    ),
}


@pytest.mark.parametrize("rule", BAD, ids=lambda rule: getattr(rule, "__name__", ""))
def test_a_rule_finds_what_it_is_for(rule: lint.Rule, tmp_path: Path) -> None:
    """One bad file for each rule that looks at one file."""
    content, found = BAD[rule]
    assert f"bad.bicep:{found}" in lint.findings(read(written(tmp_path, content)), rule)


def test_every_rule_has_a_bad_file() -> None:
    """A rule that nothing ever broke may find nothing at all."""
    of_modules = {lint.module_parameters, lint.module_outputs}
    assert set(lint.RULES) == set(BAD) | of_modules


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ("name: 'x'", []),
        ("nam: 'x'", ["has no parameter nam", "needs the parameter name"]),
        ("", ["needs the parameter name"]),
    ],
)
def test_the_parameters_of_a_module_are_its_own(params: str, found: list[str], tmp_path: Path) -> None:
    """Misspelt and missing ones are found; one with a default may be left out."""
    written(tmp_path, "param name string\nparam more string = ''\n", "m.bicep")
    main = read(written(tmp_path, f"module m 'm.bicep' = {{\n  params: {{\n    {params}\n  }}\n}}\n"))
    assert lint.findings(main, lint.module_parameters) == [f"bad.bicep:1: m.bicep {what}" for what in found]


def test_a_module_has_to_be_there_with_its_outputs(tmp_path: Path) -> None:
    """A path or an output that is misspelt would fail only when it is deployed."""
    written(tmp_path, "output name string = 'x'\n", "m.bicep")
    uses = (
        "module m 'm.bicep' = {\n  name: 'm'\n}\n"
        "module n 'n.bicep' = {\n  name: 'n'\n}\n"
        "var x = m.outputs.nam\n"
    )
    main = read(written(tmp_path, uses))
    assert lint.findings(main, lint.module_outputs, lint.module_parameters) == [
        "bad.bicep:7: m.bicep has no output nam",
        "bad.bicep:4: there is no n.bicep",
    ]


@pytest.mark.parametrize(
    ("default", "resource", "is_found"),
    [
        (" = ''", "{OBJECT}", True),
        (" = ''", "if (wanted) {OBJECT}", True),
        (" = ''", "if (empty(who)) {OBJECT}", True),
        (" = ''", "[for one in all: {OBJECT}]", True),
        (" = ''", "if (!empty(who)) {OBJECT}", False),
        (" = ''", "if (somebody) {OBJECT}", False),
        (" = ''", "[for one in some: {OBJECT}]", False),
        ("", "{OBJECT}", False),
    ],
)
def test_nobody_gets_a_role(default: str, resource: str, is_found: bool, tmp_path: Path) -> None:
    """What may be empty where the module is called wants a condition in it, by whatever way."""
    made = resource.replace("{OBJECT}", "{\n  properties: {\n    principalId: who\n  }\n}")
    written(
        tmp_path,
        "param who string\nvar all = ['a']\nvar wanted = true\nvar somebody = !empty(who)\n"
        f"var some = somebody ? ['a'] : []\nresource role 'A/b@1' = {made}\n",
        "m.bicep",
    )
    module = "module m 'm.bicep' = {\n  params: {\n    who: operator\n  }\n}\n"
    found = ["bad.bicep:2: m.bicep: role is made for nobody, too"] if is_found else []
    main = read(written(tmp_path, f"param operator string{default}\n{module}"))
    assert lint.findings(main, lint.roles_of_nobody) == found


@pytest.mark.parametrize(
    "shown",
    [
        "@secure()\nparam a string\noutput b string = a\n",
        "output b string = relay.properties.primaryConnectionString\n",
        "output b string = vault.getSecret('x')\n",
        "output password string = 'x'\n",
    ],
)
def test_a_secret_is_no_output(shown: str, tmp_path: Path) -> None:
    """Whatever way it takes."""
    assert lint.findings(read(written(tmp_path, shown)), lint.secrets_in_outputs)


def test_what_belongs_to_a_loop_is_declared(tmp_path: Path) -> None:
    """Both forms of a loop name what they go through, for their own body only."""
    loops = (
        "var all = ['a']\n"
        "resource x 'A/b@1' = [for one in all: {\n  name: one\n}]\n"
        "resource y 'A/b@1' = [for (two, i) in all: {\n  name: '${two}${i}'\n}]\n"
        "var z = one\n"
    )
    assert lint.findings(read(written(tmp_path, loops)), lint.undefined_symbols) == [
        "bad.bicep:8: one is declared nowhere"
    ]


@pytest.mark.parametrize(
    ("properties", "found"),
    [
        ("accessTier: 'Warm'", "properties.accessTier is one of Cold, Cool, Hot, Premium"),
        ("accessTier: a ? 'Hot' : 'Warm'", "properties.accessTier is one of Cold, Cool, Hot, Premium"),
        ("networkAcls: {\n bypass: 'None'\n}", "properties.networkAcls needs defaultAction"),
        ("networkAcls: {\n defaultAction: 'Deny'\n by: 1\n}", "properties.networkAcls has no property by"),
        ("azureFiles: {\n a: 1\n}", "properties has no property azureFiles"),
        ("customDomain: {\n name: 'a'\n}", "properties.customDomain is not among the shapes"),
        ("accessTier: a ? 'Hot' : b", None),
    ],
)
def test_properties_are_those_of_the_type(properties: str, found: str | None, tmp_path: Path) -> None:
    """However deep, on both sides of a condition; what a variable holds is the compiler's to know."""
    kind = "Microsoft.Storage/storageAccounts@2024-01-01"
    start = "name: 'a'\nlocation: 'x'\nkind: 'StorageV2'\nsku: {\n name: 'Standard_ZRS'\n}\n"
    path = written(tmp_path, f"resource a '{kind}' = {{\n{start}properties: {{\n{properties}\n}}\n}}\n")
    said = lint.findings(read(path), lint.unknown_properties)
    assert [f"{kind}.{found}" in line for line in said] == ([True] if found else [])


def test_a_budget_never_moves() -> None:
    """Azure refuses another start of a budget that is there, and a new one that starts before this month."""
    parameters = properties(dig(read(INFRA / "main.bicep").of("module")["budget"].body, "params"))
    start = read(INFRA / "main.bicep").of("param")["budgetStart"].value
    assert start is not None
    assert "utcNow('yyyy-MM')" in text(start)
    assert text(parameters["startDate"]) == "budgetStart"
    assert "${budgetStart}" in text(parameters["name"])


# ---- what Bicep says twice, and the product knows -----------------------------------------------------


def test_the_app_gets_the_settings_that_it_reads() -> None:
    """Whatever is set is read by the product or explained, and whatever is read is set or explained."""
    read_by_us = settings_read() - known.NOT_SET.keys()
    assert lint.app_settings(APP) == read_by_us | known.PLATFORM_SETTINGS.keys()
    assert not known.NOT_SET.keys() & lint.app_settings(APP)


def test_the_threads_are_enough_for_the_queue() -> None:
    """What `host.json` hands out at once has to find a thread."""
    queues = json.loads((ROOT / "host.json").read_text("utf-8"))["extensions"]["queues"]
    threads = dig(APP.of("resource")["settings"].body, "properties", "PYTHON_THREADPOOL_THREAD_COUNT")
    assert threads is not None
    assert int(literal(threads)) >= queues["batchSize"] + queues["newBatchThreshold"]


def test_queue_and_table_are_those_of_the_product() -> None:
    """The app may create them itself, but finds them there."""
    names = {literal(node) for node in walk(read(INFRA / "modules" / "storage.bicep").root, "string")}
    assert {QUEUE, f"{QUEUE}-poison", "HaloAdSync"} <= names


def test_the_python_is_ours() -> None:
    """Azure runs what the tests run."""
    version = dig(APP.of("resource")["app"].body, "properties", "functionAppConfig", "runtime", "version")
    assert version is not None
    assert literal(version) == (ROOT / ".python-version").read_text().strip()


def test_the_app_roles_are_those_that_are_checked() -> None:
    """Each role of the code can be assigned, to people and to programs; ids are never used twice."""
    roles = json.loads((INFRA / "app-roles.json").read_text("utf-8"))
    assert [role["value"] for role in roles] == [role.value for role in Role]
    assert len({role["id"] for role in roles}) == len(roles)
    assert all(role["allowedMemberTypes"] == ["User", "Application"] and role["isEnabled"] for role in roles)


def test_the_parameters_that_azd_gives_are_there() -> None:
    """A misspelt one would be refused; one without a default has to be given."""
    given = json.loads(PARAMETERS.read_text("utf-8"))["parameters"].keys()
    parameters = read(INFRA / "main.bicep").of("param")
    assert given <= parameters.keys()
    assert {name for name, parameter in parameters.items() if parameter.value is None} <= given


def test_azd_finds_the_app_by_its_tag() -> None:
    """`azd deploy` looks for the service of azure.yaml among the tags."""
    services = (ROOT / "azure.yaml").read_text("utf-8")
    tagged = dig(read(INFRA / "main.bicep").of("module")["app"].body, "params", "tags")
    assert tagged is not None
    assert "'azd-service-name': 'sync'" in text(tagged)
    assert "\n  sync:\n" in services


def test_every_role_is_assigned() -> None:
    """What is on the list and not used would be a right that nobody needs."""
    assert {literal(node) for node in walk(read(INFRA / "modules" / "roles.bicep").root, "string")} >= set(
        known.ROLES.values()
    )


def test_a_customer_gets_a_right_to_listen_only() -> None:
    """With Send somebody could talk to a domain controller, with Manage to all of them."""
    rule = read(INFRA / "customer.bicep").of("resource")["listen"]
    rights = dig(rule.body, "properties", "rights")
    assert rights is not None
    assert text(rights).split() == ["[", "'Listen'", "]"]
