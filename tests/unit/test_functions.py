"""The triggers, called as the worker calls them, on a state in memory: what they take, do, answer and log."""

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest
from azure.functions.queue import QueueMessage

from functions import api, schedule, sync
from functions.http import problems
from halo_adsync import bootstrap
from halo_adsync.errors import ConfigurationError, StateUnavailable
from halo_adsync.model import CustomerId, RunId
from halo_adsync.plan.types import Change, FieldChange, Kind, Plan
from halo_adsync.state.lease import SECONDS as LEASE_SECONDS
from halo_adsync.state.queue import Request
from halo_adsync.state.runs import Run, Status
from halo_adsync.state.store import Store
from tests.support.triggers import (
    CONTEXT,
    CUSTOMER,
    MemoryBuilder,
    builder,
    check_problem,
    configured,
    http,
    json_of,
)

__all__ = ["builder", "configured"]

PERSON, GUID = "Anna O'Neill", "6f3f3c39-8f5c-4a2e-9d43-0d3a5f3b1c01"


def message(content: str | bytes) -> QueueMessage:
    """Return a queue's message as the worker hands it over."""
    arrived = datetime(2026, 11, 23, tzinfo=UTC)
    return QueueMessage(id="0b5c6f9e-1111", body=content, insertion_time=arrived)  # type: ignore[no-untyped-call]  # the worker's own class has no types


def request_of(run: str, **changes: Any) -> Request:
    """Return a request for the customer."""
    return Request(CUSTOMER, RunId(run), **changes)


def events(caplog: pytest.LogCaptureFixture) -> list[dict[str, str]]:
    """Return what the triggers logged; each record is one line of JSON."""
    texts = [record.getMessage() for record in caplog.records if record.name == "halo_adsync.events"]
    assert not any("\n" in text for text in texts)
    return [json.loads(text) for text in texts]


def queued(builder: MemoryBuilder) -> Run:
    """Put a run on the queue, and return it."""
    document = json_of(http(api.request_sync, customer=CUSTOMER))
    return builder.state.run(document["run"])


def test_a_manual_resync_is_queued(builder: MemoryBuilder) -> None:
    """It answers 202 with the run and its address, and the run is there before anybody works on it."""
    answer = http(api.request_sync, b'{"mode": "reconcile", "dry_run": true}', customer=CUSTOMER)
    document = json_of(answer)
    assert answer.status_code == 202
    assert answer.headers["Location"] == document["status_url"]
    ((request, delay),) = builder.queue.sent
    assert (request.run, request.mode, request.dry_run, delay) == (document["run"], "reconcile", True, 0)
    *_, customer, runs, run = document["status_url"].split("/")
    assert (customer, runs) == (CUSTOMER, "runs")
    shown = json_of(http(api.show_run, customer=customer, run=run))
    assert (shown["status"], shown["mode"], shown["actor"]) == ("queued", "reconcile", "function key")


def test_an_empty_body_means_a_full_run(builder: MemoryBuilder) -> None:
    """What is left out has its default."""
    http(api.request_sync, b" ", customer=CUSTOMER)
    ((request, _),) = builder.queue.sent
    assert (request.mode, request.dry_run) == ("full", False)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "JSON"),
        (b"[]", "The body"),
        (b"null", "The body"),
        (b'"full"', "The body"),
        (b"\xff\xfe", "The body"),
        (b'{"mode": "sideways"}', "mode: "),
        (b'{"mode": 7}', "mode: "),
        (b'{"mode": ["full"]}', "mode: "),
        (b'{"dry_run": "yes"}', "dry_run: "),
        (b'{"dry_run": 1}', "dry_run: "),
        (b'{"dryrun": true}', "dryrun: "),
        (b"[" * 5000, "The body"),
        (b" " * 66_000, "longer than 64 KiB"),
    ],
)
def test_a_wrong_body_is_refused(builder: MemoryBuilder, body: bytes, said: str) -> None:
    """It is a 400 that says what is wrong; a misspelt `dry_run` above all must not start a real run."""
    check_problem(http(api.request_sync, body, customer=CUSTOMER), 400, said)
    assert builder.queue.sent == []
    assert builder.state.runs(10) == []


def test_a_refusal_repeats_no_value(builder: MemoryBuilder) -> None:
    """Whatever was sent may be a secret in the wrong place."""
    del builder
    answer = http(api.request_sync, b'{"mode": "s3cret", "dry_run": "s3cret"}', customer=CUSTOMER)
    assert b"s3cret" not in answer.get_body()


@pytest.mark.parametrize("function", [api.request_sync, api.list_runs, api.show_run, api.show_plan])
@pytest.mark.parametrize("name", ["nobody", "$customers", "a/b", "", "ü" * 300])
def test_an_unknown_customer_is_not_found(builder: MemoryBuilder, function: Any, name: str) -> None:
    """Every route of a customer answers 404, whatever stands in the address."""
    check_problem(http(function, customer=name, run="r"), 404, "There is no customer")
    assert builder.queue.sent == []


@pytest.mark.parametrize("function", [api.show_run, api.show_plan])
@pytest.mark.parametrize("run", ["20260101T000000Z-00000000", "nonsense", "", "a|b/c#"])
def test_an_unknown_run_is_not_found(builder: MemoryBuilder, function: Any, run: str) -> None:
    """Both routes of a run answer 404."""
    del builder
    check_problem(http(function, customer=CUSTOMER, run=run), 404, "has no run")


def test_runs_are_listed_newest_first(builder: MemoryBuilder) -> None:
    """Each with its summary."""
    ids = {queued(builder).id for _ in range(3)}
    listed = json_of(http(api.list_runs, customer=CUSTOMER))["runs"]
    assert {run["run"] for run in listed} == ids
    assert listed == [run.summary() for run in builder.state.runs(10)]


def test_a_plan_is_shown_line_by_line(builder: MemoryBuilder) -> None:
    """What is to be done stands there with what became of it, what is left alone with its reason."""
    run = queued(builder)
    create = Change(
        Kind.CREATE, GUID, f"CN={PERSON},DC=x", "new", PERSON, fields={"name": FieldChange(None, PERSON)}
    )
    skipped = Change(Kind.SKIPPED, GUID.replace("6", "7"), "CN=Ex,DC=x", "the account is disabled", "Ex")
    lease = builder.state.lease(run.id)
    plan = Plan(CUSTOMER, "full", "d", (create, skipped), 0)
    builder.state.save_plan(run, plan, (), (), {}, lease=lease)
    shown = json_of(http(api.show_plan, customer=CUSTOMER, run=run.id))
    assert [(line["kind"], line["status"], line["reason"]) for line in shown["changes"]] == [
        ("create", "pending", "new"),
        ("skipped", "noted", "the account is disabled"),
    ]
    assert shown["changes"][0]["fields"] == {"name": {"before": None, "after": PERSON}}
    assert (shown["run"], shown["counts"]["create"]) == (run.id, 1)


def test_a_storage_that_does_not_answer_is_a_503(
    builder: MemoryBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller is to try again later."""

    def unreachable() -> Store:
        raise StateUnavailable("Table Storage could not be reached.")

    monkeypatch.setattr(builder, "store", unreachable)
    check_problem(http(api.list_runs, customer=CUSTOMER), 503, "could not be reached")
    health = http(api.health)
    assert (health.status_code, json_of(health)["problems"]) == (503, ["Table Storage could not be reached."])


def test_an_error_of_the_program_is_no_answer() -> None:
    """What is not an error of the product goes on to the host, which logs it and answers 500."""

    def broken(req: func.HttpRequest) -> func.HttpResponse:
        raise KeyError(req.method)

    with pytest.raises(KeyError):
        http(problems(broken))


@pytest.mark.usefixtures("builder")
def test_health_is_ok() -> None:
    """It counts the customers and names none."""
    answer = http(api.health)
    assert answer.status_code == 200
    assert json_of(answer) == {"status": "ok", "customers": 1, "problems": []}


@pytest.mark.parametrize(
    ("storage", "local_settings", "said"),
    [
        ("", None, "AzureWebJobsStorage is not set"),
        ("nonsense", None, "AzureWebJobsStorage"),
        ("AccountName=only", None, "AzureWebJobsStorage"),
        ("", "{", "local.settings.json"),
        ("", '{"Values": []}', "local.settings.json"),
    ],
)
def test_health_answers_when_the_configuration_is_broken(
    configured: Path,
    monkeypatch: pytest.MonkeyPatch,
    storage: str,
    local_settings: str | None,
    said: str,
) -> None:
    """It is a 503 that says what to mend."""
    if local_settings is not None:
        (configured / "local.settings.json").write_text(local_settings)
    monkeypatch.setenv("AzureWebJobsStorage", storage)
    answer = http(api.health)
    document = json_of(answer)
    assert (answer.status_code, document["status"]) == (503, "unhealthy")
    assert any(said in problem for problem in document["problems"])


def test_broken_settings_are_read_again(configured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request meets them as a 500, for the caller can do nothing; once mended, they are used."""
    check_problem(http(api.list_runs, customer=CUSTOMER), 500, "AzureWebJobsStorage is not set")
    (configured / "local.settings.json").write_text(
        '{"Values": {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}}'
    )
    monkeypatch.delenv("AzureWebJobsStorage", raising=False)
    assert bootstrap.app() is bootstrap.app()


def test_the_timer_requests_what_is_due(builder: MemoryBuilder, caplog: pytest.LogCaptureFixture) -> None:
    """A customer that never ran is due once; the log says so with ids alone."""
    caplog.set_level(logging.INFO)
    for _ in range(2):
        schedule.enqueue_due(None)
    ((request, _),) = builder.queue.sent
    assert (request.customer, request.mode, request.actor) == (CUSTOMER, "full", "timer")
    assert events(caplog) == [
        {"event": "requested", "customer": CUSTOMER, "run": request.run, "mode": "full"}
    ]


def test_the_timer_tells_who_lags_behind(builder: MemoryBuilder, caplog: pytest.LogCaptureFixture) -> None:
    """One line a customer, for an alert; one that never ran has nothing to tell yet."""
    caplog.set_level(logging.INFO)
    schedule.report_lag(None)
    assert events(caplog) == []
    queued(builder)
    schedule.report_lag(None)
    assert events(caplog) == [{"event": "lag", "customer": CUSTOMER, "hours": "0"}]


def test_a_slice_is_worked_on_and_logged(builder: MemoryBuilder, caplog: pytest.LogCaptureFixture) -> None:
    """A run that cannot be done (its secrets are missing) ends as failed, and the message is done with."""
    caplog.set_level(logging.INFO)
    run = queued(builder)
    sync.run_slice(message(request_of(run.id).to_json()), CONTEXT)
    ended = builder.state.run(run.id)
    assert (ended.status, "contoso-halo" in ended.message) == (Status.FAILED, True)
    assert events(caplog) == [{"event": "slice", "customer": CUSTOMER, "run": run.id, "status": "failed"}]


def test_a_slice_that_finds_its_run_at_work_comes_back_later(builder: MemoryBuilder) -> None:
    """The message is sent again for when the lease is over, not tried until it is poison."""
    run = queued(builder)
    lease = builder.state.lease(run.id)
    sync.run_slice(message(request_of(run.id).to_json()), CONTEXT)
    assert builder.queue.sent[1:] == [(request_of(run.id), LEASE_SECONDS + 5)]
    lease.release()


def test_a_message_may_leave_the_run_out(builder: MemoryBuilder) -> None:
    """A script puts just a customer on the queue; delivered twice, it is still one run."""
    for _ in range(2):
        sync.run_slice(message('{"customer": "contoso"}'), CONTEXT)
    (run,) = builder.state.runs(10)
    assert (run.id, run.status) == ("20261123T000000Z-0b5c6f9e", Status.FAILED)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"run": "r"}', '{"customer": 7}', b"\xff\xfe"])
def test_a_message_that_is_no_request_becomes_poison_and_is_dropped(
    builder: MemoryBuilder, caplog: pytest.LogCaptureFixture, content: str | bytes
) -> None:
    """The queue's function refuses it each time; the poison queue's logs one line and is done with it."""
    with pytest.raises(ConfigurationError):
        sync.run_slice(message(content), CONTEXT)
    sync.settle_poison(message(content))
    ((event, text),) = [(e["event"], e["problem"]) for e in events(caplog)]
    assert event == "dropped"
    assert text.startswith("A sync request")
    assert builder.state.runs(10) == []


def test_a_run_that_broke_down_is_given_up(builder: MemoryBuilder, caplog: pytest.LogCaptureFixture) -> None:
    """It is marked as failed, its lease is free, and the log says which."""
    run = queued(builder)
    sync.settle_poison(message(request_of(run.id).to_json()))
    ended = builder.state.run(run.id)
    assert (ended.status, ended.message) == (Status.FAILED, sync.GAVE_UP)
    assert ended.finished
    assert events(caplog) == [{"event": "gave up", "customer": CUSTOMER, "run": run.id}]
    builder.state.lease(RunId("another")).release()


@pytest.mark.parametrize(("customer", "run"), [("contoso", "never-was"), ("nobody", "r")])
def test_poison_of_what_is_not_there_is_done_with(builder: MemoryBuilder, customer: str, run: str) -> None:
    """A run or customer that was removed meanwhile makes no trouble for ever."""
    sync.settle_poison(message(Request(CustomerId(customer), RunId(run)).to_json()))
    assert builder.state.runs(10) == []


def test_poison_leaves_a_finished_run_alone(builder: MemoryBuilder) -> None:
    """The last attempt had ended it, and only the message was left."""
    run = queued(builder)
    sync.run_slice(message(request_of(run.id).to_json()), CONTEXT)
    ended = builder.state.run(run.id)
    sync.settle_poison(message(request_of(run.id).to_json()))
    assert builder.state.run(run.id) == ended
