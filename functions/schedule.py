"""The timer: put every customer that is due on the queue."""

import logging

import azure.functions as func

from halo_adsync.bootstrap import app
from halo_adsync.schedule import request_due

schedule = func.Blueprint()


@schedule.timer_trigger(schedule="%SYNC_TIMER%", arg_name="timer", run_on_startup=False)
def enqueue_due(timer: func.TimerRequest) -> None:
    """Request a run for every customer whose schedule says so."""
    del timer  # whether the tick is late does not matter: what is due is worked out from the last runs
    for request in request_due(app().services()):
        logging.info('{"event": "requested", "customer": "%s", "run": "%s"}', request.customer, request.run)
