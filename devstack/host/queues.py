"""Queue triggers as the WebJobs SDK runs them: batches, leases, retries, and a poison queue at the end."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
import math
from contextlib import suppress
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.queue import QueueClient

from devstack.host.runner import create_queue, open_queue
from devstack.protos import TypedData
from devstack.worker import InvocationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from azure.storage.queue import QueueMessage

    from devstack.host.runner import Runner
    from devstack.host.settings import QueueSettings
    from devstack.worker import Function

POLL_SECONDS = 0.1
POISON_SUFFIX = "-poison"
logger = logging.getLogger("devstack.host")


class QueueListener:
    """Feeds one function from its queue.

    Args:
        runner: Calls the function.
        function: A function with a queue trigger.
        settings: From host.json.
        lease_seconds: How long a message is hidden while it is worked on. The lease is renewed until the
            function ends; after a crash the message comes back when it is over. Azure uses ten minutes.

    Raises:
        HostConfigError: A setting that the trigger names is missing.
    """

    def __init__(
        self, runner: Runner, function: Function, settings: QueueSettings, *, lease_seconds: int
    ) -> None:
        self.function = function
        self._runner = runner
        self._settings = settings
        self._lease_seconds = lease_seconds
        self._queue = open_queue(function.trigger)
        self._stopping = asyncio.Event()
        self._in_flight: set[asyncio.Task[None]] = set()

    async def run_forever(self) -> None:
        """Fetches and works on messages until `stop`, and ends when those in work are done with."""
        while not self._stopping.is_set():
            fetched: list[QueueMessage] = []
            if len(self._in_flight) <= self._settings.new_batch_threshold:
                fetched = await asyncio.to_thread(self._fetch)
            for message in fetched:
                task = asyncio.create_task(self._work_on(message))
                self._in_flight.add(task)
                task.add_done_callback(self._in_flight.discard)
            if not fetched:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), POLL_SECONDS)
        await asyncio.gather(*self._in_flight)

    def stop(self) -> None:
        """Ends `run_forever`: no more messages are fetched."""
        self._stopping.set()

    async def run_once(self, text: str) -> None:
        """Calls the function with a text, past the queue.

        Raises:
            InvocationError: It failed.
        """
        await self._runner.run(self.function, TypedData(string=text), {"DequeueCount": TypedData(json="1")})

    def _fetch(self) -> list[QueueMessage]:
        """Fetches a batch; a queue that does not exist yet is an empty one."""
        limit = self._settings.batch_size
        try:
            pages = self._queue.receive_messages(
                messages_per_page=limit, max_messages=limit, visibility_timeout=self._lease_seconds
            )
            return list(pages)
        except ResourceNotFoundError:
            return []
        except AzureError as error:
            logger.warning("the queue of %s cannot be read: %s", self.function.name, type(error).__name__)
            return []

    async def _work_on(self, message: QueueMessage) -> None:
        """Sees one message through: done, hidden until its next attempt, or poison."""
        text = self._decode(message)
        if text is None or self._attempts_left(message) < 0:
            await self._settle(self._to_poison, message)
            return
        renewal = asyncio.create_task(self._renew(message))
        try:
            await self._runner.run(self.function, TypedData(string=text), _metadata(message))
        except InvocationError as error:
            logger.error("%s failed: %s\n%s", self.function.name, error, error.stack_trace)  # noqa: TRY400 - theirs
            settle = self._give_back
        except AzureError as error:
            logger.warning("an output of %s failed: %s", self.function.name, type(error).__name__)
            settle = self._give_back
        else:
            settle = self._queue.delete_message
        finally:
            renewal.cancel()
            with suppress(asyncio.CancelledError):
                await renewal
        await self._settle(settle, message)

    async def _settle(self, how: Callable[[QueueMessage], None], message: QueueMessage) -> None:
        try:
            await asyncio.to_thread(how, message)
        except AzureError as error:
            # Someone else has the message, or the storage is gone: it will be delivered again.
            logger.warning(
                "a message of %s could not be settled: %s", self.function.name, type(error).__name__
            )

    async def _renew(self, message: QueueMessage) -> None:
        while True:
            await asyncio.sleep(self._lease_seconds / 2)
            with suppress(AzureError):
                # Not cut short by a cancellation: the new receipt is needed to delete the message.
                await asyncio.shield(asyncio.to_thread(self._hide, message, self._lease_seconds))

    def _hide(self, message: QueueMessage, seconds: float) -> None:
        renewed = self._queue.update_message(message, visibility_timeout=round(seconds))
        message.pop_receipt = renewed.pop_receipt

    def _give_back(self, message: QueueMessage) -> None:
        if self._attempts_left(message) <= 0:
            self._to_poison(message)
        else:
            self._hide(message, self._settings.visibility_timeout)

    def _to_poison(self, message: QueueMessage) -> None:
        with QueueClient(
            self._queue.url.removesuffix(f"/{self._queue.queue_name}"),
            f"{self._queue.queue_name}{POISON_SUFFIX}",
            credential=self._queue.credential,
        ) as poison:
            create_queue(poison)
            poison.send_message(message.content)
        self._queue.delete_message(message)
        logger.warning("a message of %s went to the poison queue", self.function.name)

    def _attempts_left(self, message: QueueMessage) -> float:
        """Further attempts after this one; a poison queue has no poison queue, so its messages stay."""
        if str(self._queue.queue_name).endswith(POISON_SUFFIX):
            return math.inf
        return self._settings.max_dequeue_count - (message.dequeue_count or 0)

    def _decode(self, message: QueueMessage) -> str | None:
        if not self._settings.base64:
            return str(message.content)
        try:
            return base64.b64decode(message.content, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None


def _metadata(message: QueueMessage) -> dict[str, TypedData]:
    return {
        "Id": TypedData(string=message.id),
        "DequeueCount": TypedData(json=json.dumps(message.dequeue_count)),
        "PopReceipt": TypedData(string=message.pop_receipt),
        "InsertionTime": _time(message.inserted_on),
        "ExpirationTime": _time(message.expires_on),
        "NextVisibleTime": _time(message.next_visible_on),
    }


def _time(moment: datetime | None) -> TypedData:
    return TypedData(json=json.dumps(moment and moment.isoformat()))
