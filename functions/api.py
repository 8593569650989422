"""HTTP JSON: manual resync, runs, plans, health. Errors are RFC 9457 problem documents."""

from typing import Any

import azure.functions as func

from functions.http import Body, answer, problems
from halo_adsync.bootstrap import app
from halo_adsync.health import health as report_health
from halo_adsync.state.queue import MODES

api = func.Blueprint()


@api.route("api/customers/{customer}/sync", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
@problems
def request_sync(req: func.HttpRequest) -> func.HttpResponse:
    """Put a run on the queue: 202, with its id and the address of its status."""
    body = Body(req)
    mode, dry_run = body.choice("mode", MODES, "full"), body.flag("dry_run")
    request = app().sync().request(req.route_params["customer"], mode, "HTTP", "function key", dry_run=dry_run)
    address = f"/api/customers/{request.customer}/runs/{request.run}"
    accepted = {"run": request.run, "customer": request.customer, "status": "queued", "status_url": address}
    return answer(accepted, 202, {"Location": address, "Retry-After": "5"})


@api.route("api/customers/{customer}/runs", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
@problems
def list_runs(req: func.HttpRequest) -> func.HttpResponse:
    """List the latest runs of a customer, newest first."""
    store = app().store()
    found = store.of(store.customer(req.route_params["customer"]).key).runs(50)
    return answer({"runs": [run.summary() for run in found]})


@api.route("api/customers/{customer}/runs/{run}", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
@problems
def show_run(req: func.HttpRequest) -> func.HttpResponse:
    """Show how far a run is, or how it ended."""
    store = app().store()
    state = store.of(store.customer(req.route_params["customer"]).key)
    return answer(state.run(req.route_params["run"]).summary())


@api.route("api/customers/{customer}/runs/{run}/plan", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
@problems
def show_plan(req: func.HttpRequest) -> func.HttpResponse:
    """Show a run's plan, line by line, with what became of each."""
    store = app().store()
    state = store.of(store.customer(req.route_params["customer"]).key)
    run = state.run(req.route_params["run"])
    changes: list[dict[str, Any]] = [
        {**line.change.as_json(), "status": line.status, "outcome": line.outcome} for line in state.lines(run)
    ]
    changes += [{**change.as_json(), "status": "noted", "outcome": ""} for change in state.notes(run)]
    return answer({**run.summary(), "changes": changes})


@api.route("api/health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def health(req: func.HttpRequest) -> func.HttpResponse:
    """Say whether the app can work; answers whatever is wrong with its configuration."""
    del req
    report = report_health()
    return answer(report, 200 if report["status"] == "ok" else 503)
