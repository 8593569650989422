"""The timers: put every customer that is due on the queue, and tell who lags behind."""

import os

import azure.functions as func

from halo_adsync.bootstrap import app
from halo_adsync.events import Event, note
from halo_adsync.lagging import lags
from halo_adsync.schedule import request_due

EVERY_MINUTE = "0 * * * * *"
HOURLY = "0 50 * * * *"
schedule = func.Blueprint()  # type: ignore[no-untyped-call]  # azure-functions left its types out here


@schedule.timer_trigger(
    schedule=os.environ.get("SYNC_TIMER") or EVERY_MINUTE, arg_name="timer", run_on_startup=False
)
def enqueue_due(timer: func.TimerRequest) -> None:
    """Request a run for every customer whose schedule says so."""
    del timer  # whether the tick is late does not matter: what is due is worked out from the last runs
    for request in request_due(app().services()):
        note(Event.REQUESTED, customer=request.customer, run=request.run, mode=request.mode)


@schedule.timer_trigger(schedule=HOURLY, arg_name="timer", run_on_startup=False)
def report_lag(timer: func.TimerRequest) -> None:
    """Log for every customer how long ago it was last in step; an alert says how long is too long."""
    del timer  # what is reported is worked out from the runs
    for customer, hours in lags(app().services()):
        note(Event.LAG, customer=customer, hours=str(hours))
        app().telemetry.lags(customer, hours)
