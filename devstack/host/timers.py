"""Timer triggers: NCRONTAB schedules in UTC, one run at a time, no retry."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError
from cronsim import CronSim, CronSimError

from devstack.host.settings import HostConfigError, resolve
from devstack.protos import TypedData
from devstack.worker import InvocationError

if TYPE_CHECKING:
    from devstack.host.runner import Runner
    from devstack.worker import Function

NCRONTAB_FIELDS = (5, 6)
logger = logging.getLogger("devstack.host")


class Timer:
    """One timer-triggered function.

    Raises:
        HostConfigError: Its schedule cannot be read.
    """

    def __init__(self, runner: Runner, function: Function) -> None:
        self.function = function
        self._runner = runner
        self._schedule = resolve(function.trigger["schedule"], os.environ)
        self._one_at_a_time = asyncio.Lock()
        self._stopping = asyncio.Event()
        try:
            if len(self._schedule.split()) not in NCRONTAB_FIELDS:
                raise CronSimError("it has neither five nor six fields")  # noqa: TRY301 - one sentence for both
            self._next(datetime.now(UTC))
        except CronSimError as error:
            raise HostConfigError(
                f"The schedule {self._schedule!r} of {function.name} is not NCRONTAB: {error}."
            ) from None

    async def run_forever(self) -> None:
        """Runs the function whenever it is due, until `stop`; what comes due during a run is left out."""
        if self.function.trigger.get("runOnStartup"):
            await self.run_logged()
        due = datetime.now(UTC)
        while not self._stopping.is_set():
            # From the last due time on: a sleep that ends a moment early must not meet the same time again.
            due = self._next(max(due, datetime.now(UTC)))
            try:
                await asyncio.wait_for(self._stopping.wait(), (due - datetime.now(UTC)).total_seconds())
            except TimeoutError:
                await self.run_logged()

    def stop(self) -> None:
        """Ends `run_forever` as soon as the function does not run."""
        self._stopping.set()

    async def run_logged(self) -> None:
        """Runs the function; a failure is logged, and the next run is the scheduled one."""
        try:
            await self.run()
        except InvocationError as error:
            logger.error("%s failed: %s\n%s", self.function.name, error, error.stack_trace)  # noqa: TRY400 - theirs
        except AzureError as error:
            logger.warning("an output of %s failed: %s", self.function.name, type(error).__name__)

    async def run(self) -> None:
        """Runs the function now.

        Raises:
            InvocationError: It failed.
        """
        request = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": {"Next": self._next(datetime.now(UTC)).isoformat()},
            "IsPastDue": False,
        }
        async with self._one_at_a_time:
            await self._runner.run(self.function, TypedData(json=json.dumps(request)))

    def _next(self, after: datetime) -> datetime:
        return next(CronSim(self._schedule, after))
