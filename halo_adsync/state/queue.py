"""The queue of requests: who is to be synced, and why."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.storage.queue import QueueClient, TextBase64EncodePolicy

from halo_adsync.customer_values import IDENTIFIER
from halo_adsync.errors import ConfigurationError, StateUnavailable
from halo_adsync.model import CustomerId, RunId
from halo_adsync.state.runs import RUN_ID, Run, Status

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
        return json.dumps(asdict(self))


def request_for(run: Run) -> Request:
    """Return the message that makes a worker go on with a run."""
    return Request(run.customer, run.id, run.mode, run.reason, run.actor, run.dry_run, run.person)


def queued(request: Request, now: datetime) -> Run:
    """Return the run that is asked for, before anybody works on it."""
    return Run(
        id=request.run,
        customer=request.customer,
        mode=request.mode,
        reason=request.reason,
        actor=request.actor,
        dry_run=request.dry_run,
        status=Status.QUEUED,
        requested=now.astimezone(UTC).isoformat(),
        person=request.person,
    )


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
    wrong = [
        name
        for name, value in texts.items()
        if not isinstance(value, str) or not _FORMS.get(name, _ANYTHING).fullmatch(value)
    ]
    if not isinstance(data.get("dry_run", False), bool):
        wrong.append("dry_run")
    if wrong:
        raise ConfigurationError(f"A sync request lacks, or holds something wrong as: {', '.join(wrong)}.")
    texts["customer"], texts["run"] = CustomerId(texts["customer"]), RunId(texts["run"])
    return Request(**texts, dry_run=data.get("dry_run", False))


_DEFAULTS = {
    "customer": None,
    "run": None,
    "mode": "full",
    "reason": "manual",
    "actor": "unknown",
    "person": "",
}
_ANYTHING = re.compile(r"(?s).+")
_FORMS = {
    "customer": re.compile(IDENTIFIER),
    "run": RUN_ID,
    "mode": re.compile("|".join(MODES)),
    "person": re.compile(r"[0-9a-f-]*"),
}


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

    def __init__(self, client: QueueClient, sign_in: Callable[[], object] | None = None) -> None:
        """Reach the queue with a client.

        Args:
            client: of the queue.
            sign_in: signs in to storage, where that is not done by a key. It is done first, because the
                client's retry policy (`StorageRetryPolicy`) takes a refused sign-in for a fault of the
                network, and would try three times more over a minute and a half.
        """
        self._client, self._sign_in = client, sign_in

    def send(self, request: Request, delay: float = 0) -> None:
        """Add a message that a worker sees after `delay` seconds."""
        hidden = max(0, round(delay))
        try:
            if self._sign_in is not None:
                self._sign_in()
            try:
                self._client.send_message(request.to_json(), visibility_timeout=hidden)
            except ResourceNotFoundError:
                with suppress(ResourceExistsError):
                    self._client.create_queue()
                self._client.send_message(request.to_json(), visibility_timeout=hidden)
        except ClientAuthenticationError as error:
            raise StateUnavailable(
                f"The queue {QUEUE} does not know this app ({_answer(error)}). Check AZURE_CLIENT_ID and that"
                " the app has an identity, or the key in AzureWebJobsStorage; on a machine of your own"
                " sign in (az login). Then try again."
            ) from error
        except HttpResponseError as error:
            raise StateUnavailable(
                f"The queue {QUEUE} could not be written to ({_answer(error)}). Check that the app's identity"
                " has the role Storage Queue Data Contributor, and AzureWebJobsStorage; then try again."
            ) from error
        except AzureError as error:
            raise StateUnavailable(
                f"The queue {QUEUE} could not be reached ({type(error).__name__}). Check AzureWebJobsStorage"
                " and the network, then try again."
            ) from error


def _answer(error: HttpResponseError) -> str:
    return f"HTTP {error.status_code}" if error.status_code else type(error).__name__


ENCODING = TextBase64EncodePolicy()
