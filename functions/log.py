"""What the triggers log: one line of JSON an event, with ids and never with personal data."""

import json
import logging

_log = logging.getLogger(__name__)


def note(event: str, level: int = logging.INFO, **facts: str) -> None:
    """Log that something happened."""
    _log.log(level, "%s", json.dumps({"event": event, **facts}))
