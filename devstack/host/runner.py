"""Runs one function and sends what it puts into queue outputs."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from azure.core.exceptions import ResourceExistsError
from azure.storage.queue import QueueClient

from devstack.host.settings import HostConfigError, resolve, storage_connection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from devstack.protos import TypedData
    from devstack.worker import Binding, Function, Worker

logger = logging.getLogger("devstack.host")


def open_queue(binding: Binding) -> QueueClient:
    """The queue that a trigger's or an output's binding names; it may not exist yet.

    Raises:
        HostConfigError: A setting that the binding needs is missing.
    """
    connection = storage_connection(binding["connection"], os.environ)
    return QueueClient.from_connection_string(connection, resolve(binding["queueName"], os.environ))


def create_queue(queue: QueueClient) -> None:
    """Creates the queue unless it is there."""
    with suppress(ResourceExistsError):
        queue.create_queue()


class Runner:
    """Calls functions through the worker and delivers their queue outputs.

    Args:
        worker: The worker with the app loaded.
        base64_messages: Whether messages are sent base64 encoded.

    Raises:
        HostConfigError: A function has an output that this host does not know.
    """

    def __init__(self, worker: Worker, *, base64_messages: bool) -> None:
        self._worker = worker
        self._base64 = base64_messages
        self._queues: dict[tuple[str, str], QueueClient] = {}
        for function in worker.functions.values():
            for output in function.outputs:
                if output["type"] == "queue":
                    self._queues[function.name, output["name"]] = open_queue(output)
                elif output["type"] != "http":
                    raise HostConfigError(
                        f"{function.name} has an output of type {output['type']}; "
                        "this host knows http and queue."
                    )

    async def run(
        self, function: Function, data: TypedData, metadata: Mapping[str, TypedData] | None = None
    ) -> TypedData | None:
        """Calls a function to its end; returns the value it returned.

        Raises:
            InvocationError: The function failed.
        """
        started = time.monotonic()
        outcome = await self._worker.invoke(function, data, metadata)
        values = dict(outcome.outputs)
        if outcome.returned is not None:
            values["$return"] = outcome.returned
        for name, value in values.items():
            if queue := self._queues.get((function.name, name)):
                await asyncio.to_thread(self._send, queue, value)
        logger.info("%s ran in %.3f s", function.name, time.monotonic() - started)
        return outcome.returned

    def _send(self, queue: QueueClient, value: TypedData) -> None:
        create_queue(queue)
        for text in _texts(value):
            queue.send_message(base64.b64encode(text.encode()).decode() if self._base64 else text)


def _texts(value: TypedData) -> list[str]:
    """The messages in an output's value; a list is one message an element."""
    kind = value.WhichOneof("data")
    if kind == "bytes":
        return [value.bytes.decode()]
    if kind != "json":
        return [str(getattr(value, kind))] if kind else []
    content = json.loads(value.json)
    if not isinstance(content, list):
        return [value.json]
    return [element if isinstance(element, str) else json.dumps(element) for element in content]
