"""HTTP JSON: one person, explained or synced; expressions, tried; and conflicts, listed and settled."""

from typing import Annotated

import azure.functions as func
from pydantic import Field

from functions.access import actor_of, route
from functions.http import Body, answer, person_key, read_body, run_accepted, run_answer
from halo_adsync.access import Role
from halo_adsync.bootstrap import HALO_FIELDS, app
from halo_adsync.deciding import Action, conflicts_of, decide, forget
from halo_adsync.explaining import explain, find_account
from halo_adsync.model import HaloUserId, Meter
from halo_adsync.previewing import preview

PERSON = "api/customers/{customer}/people/{key}"
people = func.Blueprint()  # type: ignore[no-untyped-call]  # azure-functions left its types out here


class NoBody(Body):
    """What a route takes that needs to be told nothing."""


class LinkBody(Body):
    """What `POST .../link` takes."""

    user: Annotated[int, Field(gt=0)]


class PreviewBody(Body):
    """What `POST .../preview` takes: an expression, and whom or what to try it on."""

    expression: str
    person: str | None = None
    field: str | None = None


@route(people, "POST", "api/customers/{customer}/preview", Role.OPERATE)
def preview_expression(req: func.HttpRequest) -> func.HttpResponse:
    """Try an attribute or a template on a person, and count whose value would change. Reads only."""
    body, builder = read_body(req, PreviewBody), app()
    customer = builder.store().customer(req.route_params["customer"])
    shown = preview(
        builder.services(),
        customer,
        body.expression,
        person=body.person,
        field=body.field,
        halo_fields=HALO_FIELDS,
    )
    return answer(shown.as_json())


@route(people, "POST", f"{PERSON}/explain", Role.OPERATE)
def explain_person(req: func.HttpRequest) -> func.HttpResponse:
    """Say what becomes of one person and why: a dry run for that person, here and now."""
    read_body(req, NoBody)
    said = explain(
        app().sync(), app().services(), req.route_params["customer"], person_key(req), actor_of(req)
    )
    return run_answer(said.run, said.as_json())


@route(people, "POST", f"{PERSON}/sync", Role.OPERATE)
def sync_person(req: func.HttpRequest) -> func.HttpResponse:
    """Put a run for one person on the queue: 202, with its id and the address of its status."""
    read_body(req, NoBody)
    customer = app().store().customer(req.route_params["customer"])
    guid = find_account(app().services(), customer, person_key(req), Meter()).person.guid
    request = app().sync().request(customer.id, "full", "HTTP", actor_of(req), person=guid)
    return run_accepted(request.customer, request.run)


@route(people, "GET", "api/customers/{customer}/conflicts", Role.READ)
def list_conflicts(req: func.HttpRequest) -> func.HttpResponse:
    """List who was in conflict in the latest run, and all decisions."""
    store = app().store()
    customer = store.customer(req.route_params["customer"])
    return answer({"customer": customer.id, **conflicts_of(store.of(customer.key)).as_json()})


@route(people, "POST", f"{PERSON}/link", Role.OPERATE)
def link_person(req: func.HttpRequest) -> func.HttpResponse:
    """Decide that an account is this Halo user."""
    return _decide(req, "link", HaloUserId(read_body(req, LinkBody).user))


@route(people, "POST", f"{PERSON}/ignore", Role.OPERATE)
def ignore_person(req: func.HttpRequest) -> func.HttpResponse:
    """Decide that an account is left out."""
    read_body(req, NoBody)
    return _decide(req, "ignore")


@route(people, "POST", f"{PERSON}/create", Role.OPERATE)
def create_person(req: func.HttpRequest) -> func.HttpResponse:
    """Decide that an account is none of Halo's users: a new one is created."""
    read_body(req, NoBody)
    return _decide(req, "create")


@route(people, "POST", f"{PERSON}/forget", Role.OPERATE)
def forget_person(req: func.HttpRequest) -> func.HttpResponse:
    """Take a decision back. A link that was made stays."""
    read_body(req, NoBody)
    customer = app().store().customer(req.route_params["customer"])
    guid = forget(app().services(), customer, person_key(req))
    return answer({"customer": customer.id, "guid": guid, "decision": None})


def _decide(req: func.HttpRequest, action: Action, user: HaloUserId | None = None) -> func.HttpResponse:
    customer = app().store().customer(req.route_params["customer"])
    decided = decide(app().services(), customer, person_key(req), action, actor=actor_of(req), user=user)
    return answer({"customer": customer.id, **decided.as_json()})
