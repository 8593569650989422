"""The queue: run one slice of one customer's sync, and settle what the queue gave up on."""

import logging
from datetime import UTC, datetime

import azure.functions as func

from halo_adsync.bootstrap import app
from halo_adsync.errors import Busy, ConfigurationError
from halo_adsync.events import Event, note
from halo_adsync.state.lease import SECONDS as LEASE_SECONDS
from halo_adsync.state.queue import QUEUE, Request, parse_request
from halo_adsync.sync import SLICE_SECONDS
from halo_adsync.telemetry import continued

STORAGE = "AzureWebJobsStorage"
GAVE_UP = "The run broke down several times and was given up; the app's log says why."
sync = func.Blueprint()  # type: ignore[no-untyped-call]  # azure-functions left its types out here


@sync.queue_trigger(arg_name="message", queue_name=QUEUE, connection=STORAGE)
def run_slice(message: func.QueueMessage, context: func.Context) -> None:
    """Work on a run for one slice. An error makes the queue try again, and in the end give up."""
    request = _request(message)
    try:
        with continued(context.trace_context.trace_parent):
            run = app().sync().run(request, slice_seconds=SLICE_SECONDS)
    except Busy:
        # An earlier slice of this run is at work, or died just now: come back when its lease is over.
        app().requests().send(request, LEASE_SECONDS + 5)
        note(Event.WAITS, customer=request.customer, run=request.run)
    else:
        note(Event.SLICE, customer=run.customer, run=run.id, status=run.status.value)


@sync.queue_trigger(arg_name="message", queue_name=f"{QUEUE}-poison", connection=STORAGE)
def settle_poison(message: func.QueueMessage) -> None:
    """Mark a run that could not be worked on as failed; a message that is no request is dropped."""
    try:
        request = _request(message)
    except ConfigurationError as error:
        note(Event.DROPPED, logging.ERROR, message=message.id or "", problem=str(error))
        return
    app().sync().fail(request, GAVE_UP)
    note(Event.GAVE_UP, logging.ERROR, customer=request.customer, run=request.run)


def _request(message: func.QueueMessage) -> Request:
    """Read a message. One that names no run gets one that is the same at every delivery."""
    begun = message.insertion_time or datetime.now(UTC)
    run = f"{begun.astimezone(UTC):%Y%m%dT%H%M%SZ}-{(message.id or '')[:8]}"
    return parse_request(message.get_body().decode(errors="replace"), run)
