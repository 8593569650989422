"""HTTP JSON: blocked runs, approved or rejected; and leavers, held or kept."""

import azure.functions as func

from functions.access import actor_of, route
from functions.http import Body, answer, person_key, read_body, run_accepted
from functions.people import PERSON, NoBody
from halo_adsync.access import Role
from halo_adsync.approving import approve, reject
from halo_adsync.bootstrap import app
from halo_adsync.keeping import held, keep, unkeep

RUN = "api/customers/{customer}/runs/{run}"
leavers = func.Blueprint()  # type: ignore[no-untyped-call]  # azure-functions left its types out here


class ApproveBody(Body):
    """What `POST .../approve` takes."""

    digest: str


@route(leavers, "POST", f"{RUN}/approve", Role.OPERATE)
def approve_run(req: func.HttpRequest) -> func.HttpResponse:
    """Approve a blocked run: its plan is put on the queue, to be applied as it is stored."""
    body, customer, run = read_body(req, ApproveBody), req.route_params["customer"], req.route_params["run"]
    request = approve(app().services(), customer, run, body.digest, actor_of(req))
    app().requests().send(request)
    return run_accepted(request.customer, request.run)


@route(leavers, "POST", f"{RUN}/reject", Role.OPERATE)
def reject_run(req: func.HttpRequest) -> func.HttpResponse:
    """Reject a blocked run: its plan is never applied."""
    read_body(req, NoBody)
    customer, run = req.route_params["customer"], req.route_params["run"]
    return answer(reject(app().services(), customer, run, actor_of(req)).summary())


@route(leavers, "GET", "api/customers/{customer}/held", Role.READ)
def list_held(req: func.HttpRequest) -> func.HttpResponse:
    """List who was held in the latest run, by which tickets, and who is kept."""
    store = app().store()
    customer = store.customer(req.route_params["customer"])
    return answer({"customer": customer.id, **held(store.of(customer.key))})


@route(leavers, "POST", f"{PERSON}/keep", Role.OPERATE)
def keep_person(req: func.HttpRequest) -> func.HttpResponse:
    """Never switch this person off, whatever the directory says."""
    read_body(req, NoBody)
    customer = app().store().customer(req.route_params["customer"])
    kept = keep(app().services(), customer, person_key(req), actor_of(req))
    return answer({"customer": customer.id, "guid": kept.guid, "kept": True})


@route(leavers, "POST", f"{PERSON}/unkeep", Role.OPERATE)
def unkeep_person(req: func.HttpRequest) -> func.HttpResponse:
    """Let the directory decide about this person again."""
    read_body(req, NoBody)
    customer = app().store().customer(req.route_params["customer"])
    guid = unkeep(app().services(), customer, person_key(req))
    return answer({"customer": customer.id, "guid": guid, "kept": False})
