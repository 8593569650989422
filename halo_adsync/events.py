"""What the app logs for machines to read: one line of JSON an event, with ids and never with personal data.

Alerts look for these names and facts (`infra/queries`), so they are a contract; a test ties the two together.
"""

import json
import logging
from enum import StrEnum

_log = logging.getLogger(__name__)


class Event(StrEnum):
    """What happened."""

    REQUESTED = "requested"
    """The schedule asked for a run: `customer`, `run`, `mode`."""
    SLICE = "slice"
    """A worker did its part of a run: `customer`, `run`, and the `status` that the run has now."""
    WAITS = "waits"
    """A run's earlier slice is at work still, or died just now: `customer`, `run`."""
    GAVE_UP = "gave up"
    """The queue gave up on a run: `customer`, `run`."""
    DROPPED = "dropped"
    """A message on the queue was no request: `message`, `problem`."""
    LAG = "lag"
    """How long ago a customer with a schedule had its last good run: `customer`, `hours`."""
    THROTTLED = "throttled"
    """Halo answered 429: its `instance`, and for how many `seconds` nobody asks it anything."""
    NOT_TOLD = "not told"
    """People could not be told how a run ended: `customer`, `run`, by which `way`, and the `problem`."""
    FORGOT = "forgot"
    """Runs whose time was over were deleted: `customer`, `runs`, `rows`."""


def note(event: Event, level: int = logging.INFO, **facts: str) -> None:
    """Log that something happened."""
    _log.log(level, "%s", json.dumps({"event": event, **facts}))
