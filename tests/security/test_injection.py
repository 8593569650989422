"""Security: text from outside stays text: in LDAP filters and names, in templates and in spreadsheets."""

import ast
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from devstack.directory import Directory
from devstack.directory.edits import escape_rdn
from devstack.halo import SimulatedHalo
from devstack.memory import MemoryTable
from functions import audit, people
from halo_adsync.errors import BadRequest, NotFound
from halo_adsync.explaining import find_account
from halo_adsync.model import AttributeValue, Meter
from halo_adsync.plan import templates
from halo_adsync.plan.filters import Shared
from halo_adsync.plan.templates import MAX_RESULT, ExpressionError, compile_expression
from tests.contract.halo_desk import Time
from tests.contract.sync_stage import CUSTOMER, DOMAIN, PASSWORD, PEOPLE, Stage, rules
from tests.security.dragnet import Dragnet, dragnet
from tests.support.triggers import http

ROOT = Path(__file__).parents[2]
KEYS = (
    "*",
    "ad*",
    "*)(objectClass=*",
    "ada)(|(mail=*",
    "ada\x00",
    r"\2a",
    r"ada\29\28objectClass=\2a",
    "ada)(!(mail=x",
    f"CN=*,{PEOPLE}",
    f"CN=Ada,{PEOPLE})(objectClass=*",
    f"CN=Nobody+CN=Ada,{PEOPLE}",
    "#04023132",
    "<GUID=00000000-0000-0000-0000-000000000001>",
    "(objectGUID=*)",
    "\uff21\uff24\uff21",  # ADA in wide letters
    "a" * 100_000,
)
"""What somebody may type, or send, in the place of a person, and what is nobody."""
NAMES = (
    "*)(objectClass=*",
    'Quote " Comma , Plus + Slash / Back \\ Less < More > Semi ; Equals =',
    "#hash at the front",
    "OU=Boss,DC=evil",
    "'; DROP TABLE users; --",
    "{{ 7 * 7 }}",
    "<script>alert(1)</script>",
    "\u202etxt.exe",
    "../../etc/passwd",
)
"""What somebody may be called in the directory."""
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "=cmd|' /C calc'!A0", "\uff1d1+1")
STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the beginning of a formula, or drops before one."""


@pytest.fixture
def directory() -> Iterator[Directory]:
    """A directory of people and OUs with hostile names, and Ada."""
    domain = {"objectClass": ["top", "domain", "domainDNS"], "dc": "corp"}
    with Directory([(DOMAIN, domain)]) as directory:
        directory.add_user("svc-halo", DOMAIN, sAMAccountName="svc-halo", userPassword=PASSWORD)
        directory.add_ou("People")
        for number, name in enumerate(NAMES):
            directory.add_ou(name, PEOPLE)
            parent = f"OU={escape_rdn(name)},{PEOPLE}"
            directory.add_user(name, parent, sAMAccountName=f"n{number}", mail=f"n{number}@corp.example")
        directory.add_user("Ada", PEOPLE, sAMAccountName="ada", mail="ada@corp.example")
        yield directory


@pytest.fixture
def stage(directory: Directory) -> Iterator[Stage]:
    """A customer of whom nobody is in Halo yet."""
    time = Time()
    with SimulatedHalo(clock=time.seconds) as halo:
        stage = Stage(directory, halo, MemoryTable(), time)
        placement = {
            "client": {"name": "Contoso Ltd"},
            "rules": [{"mirror": PEOPLE, "site_level": 1}],
            "default_site": "Main",
        }
        rules(stage, placement=placement)
        yield stage


@pytest.fixture
def net(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dragnet]:
    """Commands and routes on the stage."""
    with dragnet(stage, monkeypatch) as net:
        yield net


@pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
def test_no_key_finds_more_than_it_names(stage: Stage, key: str) -> None:
    """A person is found by a whole value only: no pattern and no further filter gets into the search."""
    customer = stage.builder.store().customer(CUSTOMER)
    with pytest.raises((NotFound, BadRequest)):
        find_account(stage.builder.services(), customer, key, Meter())
    assert find_account(stage.builder.services(), customer, "ada", Meter()).person.dn == f"CN=Ada,{PEOPLE}"


@pytest.mark.parametrize("key", KEYS[:8], ids=range(8))
def test_no_route_finds_more_than_it_names(net: Dragnet, key: str) -> None:
    """Nor does one that would write: it is a 404, or a 400, and no run comes about."""
    for function in (people.explain_person, people.sync_person, people.ignore_person):
        assert http(function, b"{}", None, customer=CUSTOMER, key=key).status_code in {400, 404}
    assert net.stage.state.runs(10) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_is_a_name(stage: Stage, directory: Directory, name: str) -> None:
    """Its bearer comes to Halo under it, into the site of that name, and so do the members of its group."""
    group = directory.add_group(f"G {name}", DOMAIN, [f"CN=Ada,{PEOPLE}"])
    assert stage.run().counts["create"] == len(NAMES) + 1
    sites = {site["id"]: site["name"] for site in stage.halo.sites.values()}
    (user,) = [user for user in stage.halo.people if user["name"] == name]
    assert sites[user["site_id"]] == name
    rules(stage, scope={"include": [PEOPLE], "groups": [group]})
    stage.wait(1)
    links = stage.state.links()
    held = {line.dn for line in stage.state.notes(stage.run(dry_run=True))}
    assert held >= {link.dn for link in links.values()} - {f"CN=Ada,{PEOPLE}"}
    assert f"CN=Ada,{PEOPLE}" not in held


@pytest.mark.parametrize("group", [f"CN=*,{DOMAIN}", f"CN=G)(objectClass=*,{DOMAIN}"])
def test_a_hostile_group_of_the_file_has_no_members(stage: Stage, group: str) -> None:
    """A group's DN from the file is looked up as it stands; where there is none, the read is not complete."""
    rules(stage, scope={"include": [PEOPLE], "groups": [group]})
    run = stage.run()
    assert run.status.value == "failed"
    assert stage.halo.people == []


STEERING = "Eve \x1b[2J\x1b]0;title\x07 \x9b31m \u202egpj.exe \r\nCN=Ada: deactivate"
"""A name that would clear a terminal, set its title, colour it, turn the reading and forge a line."""


def test_no_name_steers_a_terminal(net: Dragnet, directory: Directory) -> None:
    """Whoever looks at a plan, a person, OUs or a conflict sees what is written there, and nothing else."""
    parent = directory.add_ou(STEERING, PEOPLE)
    dn = directory.add_user(STEERING, parent, sAMAccountName="eve", title=STEERING, displayName=STEERING)
    site = net.stage.halo.add_site(net.stage.client, "Main")
    for name in ("Ada", "Ada too"):
        net.stage.halo.add_user(name=name, site_id=site, login="CORP\\eve")
    commands = [
        ("plan", CUSTOMER, "--all"),
        ("sync", CUSTOMER),
        ("explain", CUSTOMER, "eve"),
        ("explain", CUSTOMER, dn),
        ("explain", CUSTOMER, STEERING),
        ("tree", CUSTOMER),
        ("mirror", CUSTOMER),
        ("preview", CUSTOMER, "title", "eve"),
        ("readiness", CUSTOMER),
        ("conflict", "list", CUSTOMER),
        ("conflict", "create", CUSTOMER, "eve"),
        ("sync", CUSTOMER),
        ("keep", CUSTOMER, "eve"),
        ("held", CUSTOMER),
        ("runs", CUSTOMER),
    ]
    printed = {command: net.call(*command) for command in commands}
    assert sum("Eve" in text for text in printed.values()) >= 5
    for command, text in printed.items():
        steering = [sign for sign in text if not sign.isprintable() and sign != "\n"]
        assert (command, steering) == (command, [])
        assert not any(line.startswith("CN=Ada: deactivate") for line in text.splitlines()), command


def cells(text: str) -> Iterator[str]:
    """Yield all cells of a CSV, the head's as well."""
    for row in csv.reader(io.StringIO(text, newline="")):
        yield from row


def test_no_export_begins_a_formula(net: Dragnet, directory: Directory) -> None:
    """A plan and the record of what was done, by command and by route, whatever people are called."""
    for number, formula in enumerate(FORMULAS):
        attributes = {"displayName": formula, "title": formula, "sAMAccountName": f"f{number}"}
        directory.add_user(f"F{number}", PEOPLE, **attributes)
    plan = net.call("plan", CUSTOMER, "--format", "csv")
    net.call("sync", CUSTOMER)
    exports = [plan, net.call("audit", CUSTOMER, "--format", "csv")]
    route, asked = {"customer": CUSTOMER}, {"format": "csv"}
    request = func.HttpRequest("GET", "https://x.example/", params=asked, route_params=route, body=b"")
    exports.append(audit.show_audit(request).get_body().decode())
    for text in exports:
        assert all(formula.strip() in text for formula in FORMULAS)
        assert [cell for cell in cells(text) if cell.lstrip(" \u00a0").startswith(STARTS)] == []


def test_there_is_one_way_to_write_a_table() -> None:
    """Every export goes through the function that makes cells harmless."""
    writers = {
        path.relative_to(ROOT).as_posix()
        for folder in ("halo_adsync", "functions")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        and "csv" in {getattr(node, "module", ""), *(alias.name for alias in node.names)}
    }
    assert writers == {"halo_adsync/plan/render.py"}


ESCAPES = (
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ sn.__class__.__base__ }}",
    "{{ sn['__class__'] }}",
    "{{ sn | attr('__class__') }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ cycler.__init__.__globals__.os.environ }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ config }}{{ request }}{{ environment }}{{ secrets }}",
    "{{ '{0.__class__.__mro__}'.format(sn) }}",
    "{{ '{x.__class__}'.format_map({'x': sn}) }}",
    "{{ ('%s' | format(sn)).__class__ }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}{{ os.environ }}",
    "{% from 'os' import environ %}{{ environ }}",
    "{% extends '/etc/passwd' %}",
    "{% macro m() %}{{ caller.__class__ }}{% endmacro %}{{ m() }}",
    "{% for k in self.__dict__ %}{{ k }}{% endfor %}",
    "{{ [].append.__self__ }}",
    "{{ (sn, sn).__class__.__bases__ }}",
    "{{ memberOf.__class__.__init__.__globals__ }}",
    "{% set x = sn.__init__ %}{{ x.__globals__ }}",
    "{{ debug() }}",
    "{{ dict }}{{ range }}{{ lipsum }}",
    "{% debug %}",
)
"""Ways out of a template that are known from elsewhere."""
VALUES: dict[str, AttributeValue] = {"sn": "Lovelace", "memberof": ("a", "b")}
WORLD = (
    "<class",
    "object at 0x",
    "built-in",
    "<module",
    "<function",
    "root:",
    "PATH",
    "NEVERTOLD",
    "lookups",
)
"""What would show that a template got out."""


@pytest.mark.parametrize("source", ESCAPES)
def test_a_template_has_no_way_out(source: str) -> None:
    """What could lead out is refused, most of it when the file is read; names of nothing are empty."""
    try:
        shown = compile_expression(source)(VALUES)
    except ExpressionError:
        shown = ""
    assert shown == ""


@pytest.mark.parametrize("source", ESCAPES)
def test_the_sandbox_holds_without_the_list_of_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """With the first lock open the second one holds: nothing of Python, the process or the file shows."""
    monkeypatch.setenv("NEVERTOLD", "NEVERTOLD")
    shared = Shared({"table": {"a": "NEVERTOLD"}})
    assert not any(word in unlocked(monkeypatch, source, shared) for word in WORLD)


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'x' * 1000000000 }}",
        "{{ sn * 1000000000 }}",
        "{{ 1000000000 * sn }}",
        "{{ memberOf * 1000000000 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ '%0999999999d' % 1 }}",
        "{{ 'x' | center(1000000000) }}",
        "{{ 'x' | indent(1000000000) }}",
        "{{ range(1000000000) | list | length }}",
    ],
)
def test_nothing_grows_without_the_list_of_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """No operator, filter or function makes much of little, even with the first lock open."""
    assert len(unlocked(monkeypatch, source, Shared())) <= MAX_RESULT


def unlocked(monkeypatch: pytest.MonkeyPatch, source: str, shared: Shared) -> str:
    """Return what a template makes whose parts nobody looked at; its error, where it fails."""
    monkeypatch.setattr(templates, "_refuse_others", lambda *_: None)
    monkeypatch.setattr(templates, "_check_filters", lambda *_: None)
    compiled: Any = compile_expression.__wrapped__
    try:
        return str(compiled(source)(VALUES, shared))
    except ExpressionError as error:
        return str(error)


def test_an_unlocked_template_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tests above try what they say: loops and variables, which the first lock refuses, run."""
    source = "{% for value in memberOf %}{% set x = value ~ sn %}{{ x }}{% endfor %}"
    with pytest.raises(ExpressionError):
        compile_expression(source)
    assert unlocked(monkeypatch, source, Shared()) == "aLovelacebLovelace"


def test_what_people_are_called_runs_in_no_template(stage: Stage) -> None:
    """A value that looks like a template is a value: nothing is rendered twice."""
    stage.run()
    assert "{{ 7 * 7 }}" in {user["name"] for user in stage.halo.people}
    assert "49" not in json.dumps([user["name"] for user in stage.halo.people])
