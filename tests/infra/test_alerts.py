"""Alerts look for what the app logs: names, facts and values of the queries are those of the code."""

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest

from halo_adsync.events import Event, note
from halo_adsync.state.runs import Status
from tests.infra.bicep import INFRA, ROOT, dig, literal, properties, read, text, walk

QUERIES = {path.name: path.read_text("utf-8") for path in sorted((INFRA / "queries").glob("*.kql"))}
ALERTS = read(INFRA / "modules" / "alerts.bicep")


@cache
def logged() -> dict[Event, set[str]]:
    """Return the facts that the code always logs with each event, read off its source."""
    found: dict[Event, set[str]] = {}
    for path in [*(ROOT / "functions").glob("*.py"), *(ROOT / "halo_adsync").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(ast.Name("note"), [ast.Attribute(attr=name), *_], given):
                    facts = {keyword.arg for keyword in given if keyword.arg}
                    found[Event[name]] = found.get(Event[name], facts) & facts
    return found


def names_after(query: str, what: str) -> set[str]:
    """Return the texts that something is compared with, alone or in a list."""
    found = re.findall(rf"{re.escape(what)} (?:==|in) (\([^)]*\)|'[^']*')", query)
    return {name for part in found for name in re.findall(r"'([^']*)'", part)}


def test_every_event_is_logged_somewhere() -> None:
    """An event that nobody logs would leave an alert silent for ever."""
    assert logged().keys() == set(Event)


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_asks_for_what_is_logged(name: str) -> None:
    """Events, the facts read of them, the states of runs and the names of functions are there."""
    query = QUERIES[name]
    events = {Event(event) for event in names_after(query, "tostring(line.event)")}
    facts = set(re.findall(r"\bline\.(\w+)", query)) - {"event"}
    assert not [fact for fact in facts if not any(fact in logged()[event] for event in events)]
    assert names_after(query, "tostring(line.status)") <= {status.value for status in Status}
    functions = names_after(query, "Name")
    assert functions <= {
        node.name
        for path in (ROOT / "functions").glob("*.py")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.decorator_list
    }
    assert events or functions


def test_a_line_looks_as_the_queries_expect(caplog: pytest.LogCaptureFixture) -> None:
    """They take a line for an event by how it begins."""
    caplog.set_level("INFO")
    note(Event.SLICE, customer="contoso", run="r", status="ok")
    (record,) = caplog.records
    traces = [query for query in QUERIES.values() if "AppTraces" in query]
    assert traces
    for query in traces:
        (start,) = re.findall(r"Message startswith '([^']+)'", query)
        assert record.getMessage().startswith(start)


def test_every_query_has_an_alert_that_can_read_it() -> None:
    """Each is used once, and each dimension that an alert splits by is a column of the answer."""
    variables = ALERTS.of("var")
    dimensions = {
        name: literal(named)
        for name in ("perCustomer", "perInstance")
        for part in walk(variables[name].value, "object")
        if (named := dig(part, "name")) is not None
    }
    used = []
    for rule in (node for node in walk(variables["rules"].value, "object") if dig(node, "query") is not None):
        given = properties(rule)
        (path,) = re.findall(r"loadTextContent\('\.\./queries/([\w.-]+)'\)", text(given["query"]))
        used.append(path)
        assert literal(given["name"]) == Path(path).stem
        column = dimensions.get(text(given["dimensions"]))
        assert column is None or re.search(rf"project .*\b{column} = ", QUERIES[path])
        assert ("NOT_SYNCED_HOURS" in QUERIES[path]) == ("replace(" in text(given["query"]))
    assert sorted(used) == sorted(QUERIES)


def test_nothing_that_alerts_need_is_sampled_away() -> None:
    """Sampling drops lines where there are many, and a lost line is a lost alert."""
    host = json.loads((ROOT / "host.json").read_text("utf-8"))
    sampling = host["logging"]["applicationInsights"]["samplingSettings"]
    assert {"Request", "Trace"} <= set(sampling["excludedTypes"].split(";"))
    assert host["logging"]["logLevel"]["default"] == "Information"
