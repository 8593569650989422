"""The record of what was done, over HTTP, and the timer that forgets it."""

import csv
import io
import json
import logging
from dataclasses import replace
from datetime import timedelta

import azure.functions as func
import pytest

from functions import audit
from halo_adsync.model import HaloClientId, HaloSiteId, HaloUserId, Link, ObjectGuid
from halo_adsync.plan.types import Change, FieldChange, Kind, Plan
from halo_adsync.state.lines import Settled
from halo_adsync.state.runs import Run, Status, new_run_id
from tests.support.triggers import CUSTOMER, MemoryBuilder, builder, check_problem, json_of

__all__ = ["builder"]
GUID = ObjectGuid("66666666-0000-0000-0000-000000000001")
DN = "CN=Zoë,DC=corp,DC=example"


def ask(**query: str) -> func.HttpResponse:
    """Ask for the record."""
    request = func.HttpRequest(
        "GET", "https://app.example/", params=query, route_params={"customer": CUSTOMER}, body=b""
    )
    answer: func.HttpResponse = audit.show_audit(request)
    return answer


def done(builder: MemoryBuilder, days_ago: float) -> Run:
    """Keep a run that created somebody so long ago."""
    store, state = builder.store(), builder.state
    asked = store.now() - timedelta(days=days_ago)
    run = Run(new_run_id(asked), CUSTOMER, "full", "test", "tester", False, Status.OK, asked.isoformat())
    state.add_run(run)
    fields = {"name": FieldChange(None, "=Zoë")}
    plan = Plan(CUSTOMER, "full", "d", (Change(Kind.CREATE, GUID, DN, "new", "=Zoë", fields=fields),), 0)
    lease = state.lease(run.id)
    run = state.save_plan(run, plan, (), (), {}, lease=lease)
    (line,) = state.lines(run)
    link = Link(GUID, HaloUserId(4711), HaloClientId(1), HaloSiteId(2), True, DN, {})  # type: ignore[arg-type]
    run = state.settle(run, [Settled(replace(line, status="done"), link=link)], lease)
    lease.release()
    return run


def test_it_is_shown_as_json(builder: MemoryBuilder) -> None:
    """Each deed with its run, its person and its answer; the function key in the address is the host's."""
    run = done(builder, 1)
    document = json_of(ask(code="key"))
    (entry,) = document["entries"]
    assert (document["customer"], document["truncated"]) == (CUSTOMER, False)
    assert (entry["run"], entry["halo_id"], entry["answer"]) == (run.id, 4711, "accepted")
    assert (entry["before"], entry["after"]) == ({}, {"name": "=Zoë"})


def test_it_is_saved_as_csv(builder: MemoryBuilder) -> None:
    """A file to save, harmless in a spreadsheet."""
    done(builder, 1)
    answer = ask(format="csv", person="4711")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit-contoso.csv"'
    (row,) = csv.DictReader(io.StringIO(answer.get_body().decode()))
    assert row["name"] == "'=Zoë"


def test_it_is_bounded_by_what_is_asked_for(builder: MemoryBuilder) -> None:
    """By time, with or without a zone, by person and by number."""
    old, new = done(builder, 10), done(builder, 1)
    day = f"{builder.store().now() - timedelta(days=5):%Y-%m-%d}"
    runs = {
        "since": [entry["run"] for entry in json_of(ask(since=day))["entries"]],
        "until": [entry["run"] for entry in json_of(ask(until=f"{day}T00:00:00+01:00"))["entries"]],
        "nobody": [entry["run"] for entry in json_of(ask(person="nobody"))["entries"]],
    }
    assert runs == {"since": [new.id], "until": [old.id], "nobody": []}
    some = json_of(ask(limit="1"))
    assert ([entry["run"] for entry in some["entries"]], some["truncated"]) == ([new.id], True)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("since", "yesterday", "since: "),
        ("limit", "0", "limit: "),
        ("limit", "10001", "limit: "),
        ("format", "xml", "format: "),
        ("persn", "x", "persn: Extra inputs"),
    ],
)
def test_a_wrong_question_is_refused(builder: MemoryBuilder, name: str, text: str, said: str) -> None:
    """With what is wrong, and where."""
    del builder
    check_problem(ask(**{name: text}), 400, said)


def test_the_timer_forgets_what_is_over(builder: MemoryBuilder, caplog: pytest.LogCaptureFixture) -> None:
    """The log says how much, with ids alone."""
    caplog.set_level(logging.INFO)
    old, new = done(builder, 400), done(builder, 1)
    audit.forget_old_runs(None)
    assert builder.state.find_run(old.id) is None
    assert builder.state.find_run(new.id) is not None
    (event,) = [json.loads(r.getMessage()) for r in caplog.records if r.name == "halo_adsync.events"]
    assert event == {"event": "forgot", "customer": CUSTOMER, "runs": "1", "rows": "2"}
