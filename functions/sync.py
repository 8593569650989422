"""The queue: run one slice of one customer's sync, and settle what the queue gave up on."""

import logging

import azure.functions as func

from halo_adsync.bootstrap import app
from halo_adsync.errors import Busy
from halo_adsync.state.lease import SECONDS as LEASE_SECONDS
from halo_adsync.state.queue import QUEUE, parse_request
from halo_adsync.sync import SLICE_SECONDS

sync = func.Blueprint()


@sync.queue_trigger(arg_name="message", queue_name=QUEUE, connection="AzureWebJobsStorage")
def run_slice(message: func.QueueMessage) -> None:
    """Work on a run for one slice."""
    request = parse_request(message.get_body().decode())
    try:
        run = app().sync().run(request, slice_seconds=SLICE_SECONDS)
    except Busy:  # an earlier slice of this very run is at work, or died just now: come back when its lease is over
        app().requests().send(request, LEASE_SECONDS + 5)
        return
    logging.info('{"event": "slice", "customer": "%s", "run": "%s", "status": "%s"}', run.customer, run.id, run.status)


@sync.queue_trigger(arg_name="message", queue_name=f"{QUEUE}-poison", connection="AzureWebJobsStorage")
def settle_poison(message: func.QueueMessage) -> None:
    """Mark a run that could not be worked on as failed."""
    request = parse_request(message.get_body().decode())
    app().sync().fail(request, "The run broke down several times and was given up; the app's log says why.")
    logging.error('{"event": "gave up", "customer": "%s", "run": "%s"}', request.customer, request.run)
