"""The local Functions host as a child process, for tests and for the demo."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Self

from devstack.host.settings import Keys, load_keys
from devstack.processes import Child

if TYPE_CHECKING:
    from collections.abc import Mapping

START_SECONDS = 60
REPOSITORY = Path(__file__).resolve().parents[2]


class FunctionsHost:
    """Runs a function app on a free port; used as a context manager, it ends with the block.

    Args:
        app_dir: The folder of `function_app.py` and `host.json`.
        env: Settings on top of this process's environment; they win over local.settings.json, and those named
            `AzureFunctionsJobHost__extensions__queues__visibilityTimeout` and the like over host.json.
        data_dir: The folder of the access keys and the log; left out, one that goes with the block.
        port: 0 takes a free one.
        timers: Whether timers run by the clock; `run` starts them either way.
        lease_seconds: How long a message stays hidden after a crash.

    Attributes:
        url: The address without a slash at its end.
        log_path: The log of the process.
    """

    def __init__(
        self,
        app_dir: Path,
        *,
        env: Mapping[str, str] | None = None,
        data_dir: Path | None = None,
        port: int = 0,
        timers: bool = True,
        lease_seconds: int = 600,
    ) -> None:
        self._app_dir = app_dir
        self._env = {**os.environ, **(env or {})}
        self._scratch = tempfile.TemporaryDirectory(prefix="functions-host-")
        self._data_dir = data_dir or Path(self._scratch.name)
        self._ready_file = Path(self._scratch.name) / "ready.json"
        self._port = port
        self._timers = timers
        self._lease_seconds = lease_seconds
        self._keys: Keys | None = None
        self._child: Child | None = None
        self.url = ""
        self.log_path = self._data_dir / "host.log"

    def __enter__(self) -> Self:
        self._data_dir.mkdir(parents=True, exist_ok=True)
        self._keys = load_keys(self._data_dir)
        child = Child(self._command(), log_path=self.log_path, env=self._env, cwd=REPOSITORY)
        self._child = child
        try:
            child.wait_for(self._ready_file.exists, what="The local Functions host", seconds=START_SECONDS)
        except BaseException:
            self.__exit__()
            raise
        self.url = json.loads(self._ready_file.read_text())["url"]
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.stop(grace_seconds=30)
        self._scratch.cleanup()

    @property
    def key(self) -> str:
        """The key that opens every function."""
        return self._started(self._keys).default

    @property
    def master_key(self) -> str:
        """The key that opens the admin routes, too."""
        return self._started(self._keys).master

    @property
    def pid(self) -> int:
        """The process id of the host."""
        return self._started(self._child).pid

    def log(self) -> str:
        """Everything that the host and the app have logged."""
        return self._started(self._child).log()

    def stop(self) -> int:
        """Ends the host politely, letting functions finish; returns its exit status."""
        return self._started(self._child).stop(grace_seconds=30)

    def kill(self) -> None:
        """Ends the host on the spot, as a crash would."""
        self._started(self._child).kill()

    def run(self, name: str, text: str = "", *, seconds: float = 120) -> None:
        """Runs a timer's or queue's function now and waits for its end.

        Args:
            name: The function's name.
            text: What a queue's function gets as its message.
            seconds: How long to wait.

        Raises:
            RuntimeError: There is no such function, or it failed; the text says how.
        """
        request = urllib.request.Request(
            f"{self.url}/admin/functions/{name}",
            data=json.dumps({"input": text}).encode(),
            headers={"x-functions-key": self.master_key, "content-type": "application/json"},
            method="POST",
        )
        try:
            with urllib.request.urlopen(request, timeout=seconds):
                pass
        except urllib.error.HTTPError as error:
            with error:
                reason = error.read().decode(errors="replace")
            raise RuntimeError(f"running {name} was answered {error.code} {reason}".rstrip()) from None

    def _command(self) -> list[str | Path]:
        command: list[str | Path] = [sys.executable, "-m", "devstack.host", "--app", self._app_dir.resolve()]
        command += ["--data", self._data_dir.resolve(), "--port", str(self._port)]
        command += ["--ready-file", self._ready_file, "--lease-seconds", str(self._lease_seconds)]
        return command if self._timers else [*command, "--no-timers"]

    @staticmethod
    def _started[Thing](thing: Thing | None) -> Thing:
        if thing is None:
            raise RuntimeError("The local Functions host has not been started: use it in a with block.")
        return thing
