"""The timer: put every customer that is due on the queue."""

import os

import azure.functions as func

from functions.log import note
from halo_adsync.bootstrap import app
from halo_adsync.schedule import request_due

EVERY_MINUTE = "0 * * * * *"
schedule = func.Blueprint()  # type: ignore[no-untyped-call]  # azure-functions left its types out here


@schedule.timer_trigger(
    schedule=os.environ.get("SYNC_TIMER") or EVERY_MINUTE, arg_name="timer", run_on_startup=False
)
def enqueue_due(timer: func.TimerRequest) -> None:
    """Request a run for every customer whose schedule says so."""
    del timer  # whether the tick is late does not matter: what is due is worked out from the last runs
    for request in request_due(app().services()):
        note("requested", customer=request.customer, run=request.run, mode=request.mode)
