"""HTTP JSON: the customers and their files."""

from http import HTTPStatus

import azure.functions as func

from functions.access import route
from functions.http import answer, read_text
from halo_adsync.access import Role
from halo_adsync.bootstrap import HALO_FIELDS, app
from halo_adsync.customer_file import plain
from halo_adsync.customers import listed, put

customers = func.Blueprint()  # type: ignore[no-untyped-call]  # azure-functions left its types out here


@route(customers, "GET", "api/customers", Role.READ)
def list_customers(req: func.HttpRequest) -> func.HttpResponse:
    """List the customers."""
    del req
    return answer({"customers": list(listed(app().store()))})


@route(customers, "GET", "api/customers/{customer}", Role.READ)
def show_customer(req: func.HttpRequest) -> func.HttpResponse:
    """Show a customer's file, without what stands at its default."""
    return answer(plain(app().store().customer(req.route_params["customer"])))


@route(customers, "PUT", "api/customers/{customer}", Role.ADMIN)
def put_customer(req: func.HttpRequest) -> func.HttpResponse:
    """Keep a customer's file, YAML or JSON: 201 where the customer is new."""
    key = req.route_params["customer"]
    is_new, changed = put(app().store(), key, read_text(req), HALO_FIELDS)
    status = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return answer({"customer": key, "changed": changed}, status)
