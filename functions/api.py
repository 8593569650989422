"""HTTP JSON: manual resync, runs, plans, health. Errors are RFC 9457 problem documents."""

from http import HTTPStatus
from typing import Literal

import azure.functions as func

from functions.access import actor_of, route
from functions.http import Body, answer, read_body, run_accepted
from halo_adsync.access import Role
from halo_adsync.bootstrap import app
from halo_adsync.health import health as report_health
from halo_adsync.state.customer_state import CustomerState

RUNS_LISTED = 50
api = func.Blueprint()  # type: ignore[no-untyped-call]  # azure-functions left its types out here


class SyncBody(Body):
    """What `POST .../sync` takes."""

    mode: Literal["delta", "full", "reconcile"] = "full"
    dry_run: bool = False


@route(api, "POST", "api/customers/{customer}/sync", Role.OPERATE)
def request_sync(req: func.HttpRequest) -> func.HttpResponse:
    """Put a run on the queue: 202, with its id and the address of its status."""
    body, customer = read_body(req, SyncBody), req.route_params["customer"]
    request = app().sync().request(customer, body.mode, "HTTP", actor_of(req), dry_run=body.dry_run)
    return run_accepted(request.customer, request.run)


@route(api, "GET", "api/customers/{customer}/runs", Role.READ)
def list_runs(req: func.HttpRequest) -> func.HttpResponse:
    """List the latest runs of a customer, newest first."""
    return answer({"runs": [run.summary() for run in _state(req).runs(RUNS_LISTED)]})


@route(api, "GET", "api/customers/{customer}/runs/{run}", Role.READ)
def show_run(req: func.HttpRequest) -> func.HttpResponse:
    """Show how far a run is, or how it ended."""
    return answer(_state(req).run(req.route_params["run"]).summary())


@route(api, "GET", "api/customers/{customer}/runs/{run}/plan", Role.READ)
def show_plan(req: func.HttpRequest) -> func.HttpResponse:
    """Show a run's plan, line by line, with what became of each."""
    state = _state(req)
    run = state.run(req.route_params["run"])
    return answer({**run.summary(), "changes": [line.as_json() for line in state.outcomes(run)]})


@api.route("api/health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def health(req: func.HttpRequest) -> func.HttpResponse:
    """Say whether the app can work; answers whatever is wrong with its configuration."""
    del req
    report = report_health()
    return answer(report, HTTPStatus.OK if report["status"] == "ok" else HTTPStatus.SERVICE_UNAVAILABLE)


def _state(req: func.HttpRequest) -> CustomerState:
    store = app().store()
    return store.of(store.customer(req.route_params["customer"]).key)
