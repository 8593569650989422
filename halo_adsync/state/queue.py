"""The queue of requests: who is to be synced, and why."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from azure.core.exceptions import AzureError, ResourceExistsError
from azure.storage.queue import QueueClient, TextBase64EncodePolicy

from halo_adsync.errors import ConfigurationError, StateUnavailable
from halo_adsync.model import CustomerId, RunId

QUEUE = "sync-requests"
MODES = ("delta", "full", "reconcile")


@dataclass(frozen=True, slots=True)
class Request:
    """One message: a run to begin, or to go on with."""

    customer: CustomerId
    run: RunId
    mode: str = "full"
    reason: str = "manual"
    actor: str = "unknown"
    dry_run: bool = False
    person: str = ""
    """The GUID of the one person whom the run is for; empty means everybody."""

    def to_json(self) -> str:
        """Write the message."""
        return json.dumps(asdict(self), ensure_ascii=False)


def parse_request(text: str, run: str = "") -> Request:
    """Read a message.

    Args:
        text: the message.
        run: the run's id, where the message names none; the same for every delivery of this message.

    Raises:
        ConfigurationError: it is none; the text says what it lacks.
    """
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise ConfigurationError(
            'A sync request is a JSON object such as {"customer": "contoso", "run": "..."}.'
        )
    texts: dict[str, Any] = {name: data.get(name, default) for name, default in _DEFAULTS.items()}
    texts["run"] = texts["run"] or run
    wrong = [name for name, value in texts.items() if not isinstance(value, str) or not value]
    if not wrong and texts["mode"] not in MODES:
        wrong = ["mode"]
    if not isinstance(data.get("dry_run", False), bool):
        wrong.append("dry_run")
    if wrong:
        raise ConfigurationError(f"A sync request lacks, or holds something wrong as: {', '.join(wrong)}.")
    texts["customer"], texts["run"] = CustomerId(texts["customer"]), RunId(texts["run"])
    return Request(**texts, dry_run=data.get("dry_run", False))


_DEFAULTS = {"customer": None, "run": None, "mode": "full", "reason": "manual", "actor": "unknown"}


class Requests(Protocol):
    """Where requests wait for a worker."""

    def send(self, request: Request, delay: float = 0) -> None:
        """Add a message that a worker sees after `delay` seconds.

        Raises:
            StateUnavailable: the queue did not answer.
        """
        ...


class AzureRequests:
    """The storage queue `sync-requests`, in the base64 encoding that Functions expects."""

    def __init__(self, client: QueueClient) -> None:
        self._client = client
        self._made = False

    def send(self, request: Request, delay: float = 0) -> None:
        """Add a message that a worker sees after `delay` seconds."""
        try:
            self._make()
            self._client.send_message(request.to_json(), visibility_timeout=max(0, round(delay)))
        except AzureError as error:
            raise StateUnavailable(
                f"The queue {QUEUE} could not be reached ({type(error).__name__}). Check AzureWebJobsStorage"
                " and the network, then try again."
            ) from error

    def _make(self) -> None:
        if not self._made:
            with suppress(ResourceExistsError):
                self._client.create_queue()
            self._made = True


ENCODING = TextBase64EncodePolicy()
