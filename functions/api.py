"""HTTP JSON: manual resync, runs, plans, health. Errors are RFC 9457 problem documents."""

from http import HTTPStatus
from typing import Literal

import azure.functions as func

from functions.http import Body, answer, problems, read_body
from halo_adsync.bootstrap import app
from halo_adsync.health import health as report_health
from halo_adsync.state.store import CustomerState

KEY = func.AuthLevel.FUNCTION
RUNS_LISTED = 50
api = func.Blueprint()  # type: ignore[no-untyped-call]  # azure-functions left its types out here


class SyncBody(Body):
    """What `POST .../sync` takes."""

    mode: Literal["delta", "full", "reconcile"] = "full"
    dry_run: bool = False


@api.route("api/customers/{customer}/sync", methods=["POST"], auth_level=KEY)
@problems
def request_sync(req: func.HttpRequest) -> func.HttpResponse:
    """Put a run on the queue: 202, with its id and the address of its status."""
    body, customer = read_body(req, SyncBody), req.route_params["customer"]
    request = app().sync().request(customer, body.mode, "HTTP", "function key", dry_run=body.dry_run)
    address = f"/api/customers/{request.customer}/runs/{request.run}"
    accepted = {"run": request.run, "customer": customer, "status": "queued", "status_url": address}
    return answer(accepted, HTTPStatus.ACCEPTED, {"Location": address, "Retry-After": "5"})


@api.route("api/customers/{customer}/runs", methods=["GET"], auth_level=KEY)
@problems
def list_runs(req: func.HttpRequest) -> func.HttpResponse:
    """List the latest runs of a customer, newest first."""
    return answer({"runs": [run.summary() for run in _state(req).runs(RUNS_LISTED)]})


@api.route("api/customers/{customer}/runs/{run}", methods=["GET"], auth_level=KEY)
@problems
def show_run(req: func.HttpRequest) -> func.HttpResponse:
    """Show how far a run is, or how it ended."""
    return answer(_state(req).run(req.route_params["run"]).summary())


@api.route("api/customers/{customer}/runs/{run}/plan", methods=["GET"], auth_level=KEY)
@problems
def show_plan(req: func.HttpRequest) -> func.HttpResponse:
    """Show a run's plan, line by line, with what became of each."""
    state = _state(req)
    run = state.run(req.route_params["run"])
    work = [
        {**line.change.as_json(), "status": line.status, "outcome": line.outcome} for line in state.lines(run)
    ]
    notes = [{**change.as_json(), "status": "noted", "outcome": ""} for change in state.notes(run)]
    return answer({**run.summary(), "changes": work + notes})


@api.route("api/health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def health(req: func.HttpRequest) -> func.HttpResponse:
    """Say whether the app can work; answers whatever is wrong with its configuration."""
    del req
    report = report_health()
    return answer(report, HTTPStatus.OK if report["status"] == "ok" else HTTPStatus.SERVICE_UNAVAILABLE)


def _state(req: func.HttpRequest) -> CustomerState:
    store = app().store()
    return store.of(store.customer(req.route_params["customer"]).key)
