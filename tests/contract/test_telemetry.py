"""Telemetry of real syncs: which spans, which numbers, and what stands in them."""

from collections import Counter as Tally

import azure.functions as func
import pytest
from opentelemetry.trace import StatusCode

from functions import schedule, sync
from halo_adsync.customer_file import plain
from halo_adsync.state.runs import Run, Status
from tests.contract.sync_stage import CUSTOMER, HEADCOUNT, Died, Stage, directory, go, rules, stage
from tests.support.telemetry import Followed, tree
from tests.support.triggers import CONTEXT, SPAN, TRACE

__all__ = ["directory", "stage"]
FIRST_RUN = [
    "run",
    "  read",
    "  plan",
    "    look up in Halo",
    "  store",
    "  apply",
    "  finish",
]


@pytest.fixture
def followed(stage: Stage) -> Followed:
    """What is told of the stage's runs."""
    followed = Followed()
    stage.builder.telemetry = followed.telemetry
    return followed


def ids(run: Run) -> dict[str, object]:
    """Return what stands on everything that is told of a run."""
    return {"halo_adsync.customer": "contoso", "halo_adsync.run": run.id}


def sums(followed: Followed, run: Run) -> Tally[str]:
    """Return the numbers of one run, by the metric's name and what it is about besides; they are whole."""
    found: Tally[str] = Tally()
    for number in followed.numbers():
        assert ids(run).items() <= number.about.items()
        more = sorted((name, value) for name, value in number.about.items() if name not in ids(run))
        found[" ".join([number.name, *(f"{name}={value}" for name, value in more)])] += int(number.value)
    return +found


def test_each_phase_of_a_run_is_a_span(stage: Stage, followed: Followed) -> None:
    """With the customer and the run on each; how it ended stands on the run's."""
    run = go(stage)
    spans = followed.spans()
    assert tree(spans) == FIRST_RUN
    assert all(span.attributes == ids(run) for span in spans[1:])
    assert spans[0].attributes == ids(run) | {
        "halo_adsync.mode": "full",
        "halo_adsync.status": "ok",
        "halo_adsync.people.create": HEADCOUNT,
        "halo_adsync.people.skipped": 1,
    }
    assert {span.status.status_code for span in spans} == {StatusCode.UNSET}


def test_a_run_without_a_change_asks_halo_nothing_and_says_so(stage: Stage, followed: Followed) -> None:
    """No plan is made where nobody changed, and Halo's budget is not touched."""
    rules(stage, schedule={"delta": "*/15 * * * *"})
    go(stage)
    followed.spans(), followed.numbers()
    run = go(stage, mode="delta")
    assert tree(followed.spans()) == ["run", "  read", "  store", "  apply", "  finish"]
    told = sums(followed, run)
    assert not [name for name in told if "halo.requests" in name]
    assert told["halo_adsync.runs halo_adsync.mode=delta halo_adsync.status=ok"] == 1


def test_the_numbers_are_those_of_the_run(stage: Stage, followed: Followed) -> None:
    """In as many slices as it takes: each tells what it did itself."""
    request = stage.request()
    assert stage.sync().run(request, slice_seconds=0).status is Status.APPLYING
    run = stage.sync().run(request)
    assert tree(followed.spans()) == [*FIRST_RUN[:-1], "run", "  apply", "  finish"]
    about = "halo_adsync.mode=full halo_adsync.status=ok"
    assert sums(followed, run) == {
        f"halo_adsync.runs {about}": 1,
        f"halo_adsync.people halo_adsync.kind=create {about}": HEADCOUNT,
        f"halo_adsync.people halo_adsync.kind=skipped {about}": 1,
        "halo_adsync.directory.entries": run.cost["ldap_entries"],
        "halo_adsync.halo.requests halo_adsync.writes=True": run.cost["halo_writes"],
        "halo_adsync.halo.requests halo_adsync.writes=False": run.cost["halo_requests"]
        - run.cost["halo_writes"],
    }


def test_of_an_error_nothing_but_its_class_is_told(stage: Stage, followed: Followed) -> None:
    """Its text may name a server, an account or a person."""
    stage.environment["SECRET_AD"] = "wrong"
    run = go(stage)
    assert run.status is Status.FAILED
    spans = {span.name: span for span in followed.spans()}
    assert (spans["read"].attributes or {})["error.type"] == "DirectoryRefused"
    for name in ("run", "read"):
        assert (spans[name].status.status_code, spans[name].status.description) == (StatusCode.ERROR, None)
    assert not [event for span in spans.values() for event in span.events]
    assert "localhost" not in "".join(span.to_json(None) for span in spans.values())


def test_a_worker_that_dies_told_what_it_did(stage: Stage, followed: Followed) -> None:
    """The numbers of the slice are told, and the run has not ended."""
    request = stage.request()
    stage.kill_at(8)
    with pytest.raises(Died):
        stage.sync().run(request)
    spans = followed.spans()
    assert (spans[0].attributes or {})["error.type"] == "Died"
    told = sums(followed, stage.state.run(request.run))
    assert told["halo_adsync.directory.entries"] > HEADCOUNT
    assert not [name for name in told if name.startswith("halo_adsync.runs")]


def test_a_run_that_was_given_up_has_failed(stage: Stage, followed: Followed) -> None:
    """It is counted like others that did."""
    request = stage.request()
    run = stage.sync().fail(request, "It was given up.")
    assert run is not None
    assert sums(followed, run) == {"halo_adsync.runs halo_adsync.mode=full halo_adsync.status=failed": 1}
    (span,) = followed.spans()
    assert span.status.status_code is StatusCode.ERROR


def test_waits_for_halos_budget_are_told(stage: Stage, followed: Followed) -> None:
    """Where they came to pass, and for how long."""
    halo = plain(stage.builder.store().customer(CUSTOMER))["halo"]
    rules(stage, halo={**halo, "budget": {"requests": 4, "seconds": 60}})
    run = go(stage)
    spans = followed.spans()
    waits = [line for line in tree(spans) if "wait for Halo's budget" in line]
    assert waits
    assert all(line.startswith("    ") for line in waits), "within looking up and applying"
    assert sums(followed, run)["halo_adsync.halo.wait"] >= 60


def test_a_run_belongs_to_the_call_that_made_it(
    stage: Stage, followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So Application Insights shows it below the host's request, though the host calls that unsampled."""
    monkeypatch.setattr(sync, "app", lambda: stage.builder)
    request = stage.sync().request(CUSTOMER, "full", "test", "tester")
    sync.run_slice(func.QueueMessage(id="1", body=request.to_json().encode()), CONTEXT)
    root = followed.spans()[0]
    assert root.context
    assert root.parent
    assert (f"{root.context.trace_id:032x}", f"{root.parent.span_id:016x}") == (TRACE, SPAN)


def test_how_far_a_customer_lags_behind_is_told(
    stage: Stage, followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In hours, as it is logged."""
    rules(stage, schedule={"full": "0 2 * * *"})
    go(stage)
    followed.numbers()
    stage.wait(5 * 3600)
    monkeypatch.setattr(schedule, "app", lambda: stage.builder)
    schedule.report_lag(None)
    (number,) = followed.numbers()
    assert (number.name, number.value, number.about) == (
        "halo_adsync.lag",
        5,
        {"halo_adsync.customer": "contoso"},
    )


def test_where_nobody_set_up_anything_nothing_is_followed(stage: Stage) -> None:
    """The default is OpenTelemetry's own: spans that record nothing."""
    telemetry = stage.builder.telemetry
    with telemetry.tracer.start_as_current_span("x") as span:
        assert not span.is_recording()
    assert go(stage).status is Status.OK
