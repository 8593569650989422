"""Child processes of the development stack: started, waited for with a deadline, stopped by their id."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

POLL_SECONDS = 0.02
LOG_TAIL_CHARACTERS = 4000


class StartError(RuntimeError):
    """A child process ended or stayed silent before it was ready; the text carries the end of its log."""


class Child:
    """One running program whose output goes to a log file.

    Args:
        command: Program and arguments.
        log_path: Where standard output and standard error go; what stood there is overwritten.
        env: The whole environment of the child; left out, it is ours.
        cwd: Its working directory; left out, it is ours.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log_path: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.log_path = log_path
        with log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(os.environ if env is None else env),
                cwd=cwd,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the child has not ended yet."""
        return self._process.poll() is None

    def log(self) -> str:
        """Everything that the child has written so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def wait_for[Answer](self, ready: Callable[[], Answer | None], *, what: str, seconds: float) -> Answer:
        """Polls until `ready` answers with something true.

        Args:
            ready: Asked again and again; what it answers is handed back.
            what: Names the child in an error.
            seconds: How long to wait.

        Raises:
            StartError: The child ended, or the time is over; the child is stopped then.
        """
        deadline = time.monotonic() + seconds
        while not (answer := ready()):
            if not self.running or time.monotonic() > deadline:
                fate = f"is not ready after {seconds:g} seconds" if self.running else "ended at once"
                self.stop()
                raise StartError(f"{what} {fate}. The end of its log:\n{self.log()[-LOG_TAIL_CHARACTERS:]}")
            time.sleep(POLL_SECONDS)
        return answer

    def stop(self, grace_seconds: float = 10) -> int:
        """Asks the child to end, kills it when it does not; returns its exit status."""
        if self.running:
            self._process.terminate()
            try:
                return self._process.wait(grace_seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait()

    def kill(self) -> None:
        """Ends the child on the spot, as a crash would."""
        self._process.kill()
        self._process.wait()
