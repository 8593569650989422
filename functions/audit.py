"""HTTP: what was done to whom, as JSON or CSV; and the timer that forgets it when its time is over."""

from datetime import datetime
from typing import Annotated, Literal

import azure.functions as func
from pydantic import Field

from functions.access import route
from functions.http import Query, answer, answer_csv, read_query
from halo_adsync.access import Role
from halo_adsync.auditing import MOST, as_csv
from halo_adsync.auditing import audit as read_audit
from halo_adsync.bootstrap import app
from halo_adsync.events import Event, note
from halo_adsync.forgetting import forget_old

DAILY = "0 30 3 * * *"
audit = func.Blueprint()  # type: ignore[no-untyped-call]  # azure-functions left its types out here


class AuditQuery(Query):
    """What `GET .../audit` may be asked for."""

    since: datetime | None = None
    until: datetime | None = None
    person: str = ""
    format: Literal["json", "csv"] = "json"
    limit: Annotated[int, Field(ge=1, le=MOST)] = 1_000


@route(audit, "GET", "api/customers/{customer}/audit", Role.READ)
def show_audit(req: func.HttpRequest) -> func.HttpResponse:
    """Show what was done, when, at whose request, and what Halo answered; newest run first."""
    asked, store = read_query(req, AuditQuery), app().store()
    customer = store.customer(req.route_params["customer"])
    found = read_audit(
        store.of(customer.key), since=asked.since, until=asked.until, person=asked.person, limit=asked.limit
    )
    if asked.format == "csv":
        return answer_csv(as_csv(found.entries), f"audit-{customer.id}.csv")
    entries = list(found.entries)
    return answer({"customer": customer.id, "entries": entries, "truncated": found.truncated})


@audit.timer_trigger(schedule=DAILY, arg_name="timer", run_on_startup=False)
def forget_old_runs(timer: func.TimerRequest) -> None:
    """Delete runs whose time is over, with their plans and outcomes."""
    del timer  # what is over is worked out from the runs
    for customer, runs, rows in forget_old(app().services()):
        note(Event.FORGOT, customer=customer, runs=str(runs), rows=str(rows))
