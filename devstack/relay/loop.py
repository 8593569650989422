"""An event loop in a thread of its own, for a stand-in that lives beside synchronous code."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any

START_SECONDS = 10.0


class LoopThread:
    """Runs coroutines for callers who are not asynchronous."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name=name)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def run[Result](self, work: Coroutine[Any, Any, Result], seconds: float = START_SECONDS) -> Result:
        """Run a coroutine to its end and return its result.

        Raises:
            TimeoutError: it did not end in time.
        """
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(seconds)

    def call(self, work: Callable[[], object]) -> None:
        """Call something in the thread, soon."""
        self.loop.call_soon_threadsafe(work)

    def stop(self) -> None:
        """Cancel what still runs, and end the thread."""
        self.run(_cancel_others())
        self.call(self.loop.stop)
        self._thread.join()
        self.loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    for task in others:
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
