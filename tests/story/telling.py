"""The two ways in which the story is told: through the functions, and through the command line."""

import json
import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import requests

from devstack.host import FunctionsHost

ROOT = Path(__file__).resolve().parents[2]
RUN_SECONDS = 60
LEASE_SECONDS = 90
"""A dead run's lease frees itself within this time."""
FAILED, BUSY = 5, 6

type Summary = dict[str, Any]


def eventually[Answer](question: Callable[[], Answer | None], what: str, seconds: float = 30) -> Answer:
    """Ask again and again until the answer is something true, and return it."""
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} seconds"
        time.sleep(0.05)
    return answer


class CommandLine:
    """Runs `halo-adsync` as a person would, with settings from the environment alone."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self._folder = folder
        self.settings = dict(settings)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "halo_adsync", *arguments],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **self.settings},
            cwd=self._folder,
            text=True,
            encoding="utf-8",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, whatever its exit status."""
        with self.start(*arguments) as process:
            output, errors = process.communicate(timeout=RUN_SECONDS)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def apply(self, customer: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        """Keep a customer; its file is JSON, which is YAML too."""
        path = self._folder / f"{customer['id']}.yaml"
        path.write_text(json.dumps(customer), "utf-8")
        return self.run("customer", "apply", str(path))


class Telling(ABC):
    """Asks for runs of one customer, and tells how they ended."""

    customer = ""

    @abstractmethod
    def sync(self, *, dry_run: bool = False) -> Summary:
        """Run to the end, and return the run's summary."""

    @abstractmethod
    def first_sync(self) -> Summary:
        """Run to the end what the first run is started by: the timer, where there is one."""

    @abstractmethod
    def failing_sync(self) -> Summary:
        """Run to an end that is a failure without a change, and return the run's summary."""

    @abstractmethod
    def begin(self) -> None:
        """Start a run, and do not wait for it."""

    @abstractmethod
    def kill(self) -> None:
        """End the worker on the spot, as a crash would."""

    @abstractmethod
    def recover(self) -> Summary:
        """Return the summary of the run that does what the dead worker left undone."""

    @abstractmethod
    def close(self) -> None:
        """End what still runs."""


class ByCommandLine(Telling):
    """Every run is a process of its own."""

    customer = "told-by-command-line"

    def __init__(self, command_line: CommandLine) -> None:
        self._command_line = command_line
        self._process: subprocess.Popen[str] | None = None

    def sync(self, *, dry_run: bool = False) -> Summary:
        """Run to the end."""
        done = self._run("--dry-run") if dry_run else self._run()
        assert done.returncode == 0, done.stderr
        return self._summary(done)

    def failing_sync(self) -> Summary:
        """Run to the end, which must have the exit status of failures."""
        done = self._run()
        assert done.returncode == FAILED, done.stderr
        return self._summary(done)

    def first_sync(self) -> Summary:
        """Run to the end, as a scheduler's task would."""
        return self.sync()

    def begin(self) -> None:
        """Start a process."""
        self._process = self._command_line.start("sync", self.customer, "--json")

    def kill(self) -> None:
        """Kill it."""
        assert self._process is not None
        self._process.kill()
        self._process.communicate()

    def recover(self) -> Summary:
        """Try again until the dead run's lease is over; before that, every try says that it is busy."""
        done = eventually(self._run_unless_busy, "the end of the dead run's lease", LEASE_SECONDS)
        assert done.returncode == 0, done.stderr
        return self._summary(done)

    def close(self) -> None:
        """End a process that a failed test left behind."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def _run(self, *options: str) -> subprocess.CompletedProcess[str]:
        return self._command_line.run("sync", self.customer, "--json", *options)

    def _run_unless_busy(self) -> subprocess.CompletedProcess[str] | None:
        done = self._run()
        return None if done.returncode == BUSY else done

    def _summary(self, done: subprocess.CompletedProcess[str]) -> Summary:
        summary: Summary = json.loads(done.stdout)
        return summary


class ByFunctions(Telling):
    """Runs are asked for by HTTP or by the timer, and worked on from the queue."""

    customer = "told-by-functions"

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self._app = deployed(folder / "app")
        self._folder = folder
        self._settings = settings
        self._address = ""
        self._log_of_the_dead = ""
        self.host = self._started()

    def sync(self, *, dry_run: bool = False) -> Summary:
        """Ask by HTTP, and poll the status address until the run has ended."""
        self._ask(dry_run=dry_run)
        return self._end()

    def failing_sync(self) -> Summary:
        """Ask by HTTP; the summary says whether it failed."""
        return self.sync()

    def first_sync(self) -> Summary:
        """Let the timer fire, and wait for the run that it asked for."""
        self.host.run("enqueue_due")
        self._address = f"/api/customers/{self.customer}/runs/{self.runs()[0]['run']}"
        return self._end()

    def log(self) -> str:
        """Return everything that was logged, by a host that was killed too."""
        return self._log_of_the_dead + self.host.log()

    def runs(self) -> list[Summary]:
        """Return the latest runs, newest first."""
        runs: list[Summary] = self.get(f"/api/customers/{self.customer}/runs")["runs"]
        return runs

    def begin(self) -> None:
        """Ask by HTTP."""
        self._ask(dry_run=False)

    def kill(self) -> None:
        """Kill the host, and with it the worker."""
        self.host.kill()
        self._log_of_the_dead = self.host.log()
        self.host.__exit__()

    def recover(self) -> Summary:
        """Start another host, which finds the message; it may go on when the dead slice's lease is over."""
        self.host = self._started()
        return self._end(LEASE_SECONDS + RUN_SECONDS)

    def close(self) -> None:
        """End the host."""
        self.host.__exit__()

    def get(self, path: str) -> Summary:
        """Get a JSON document."""
        answer = requests.get(self.host.url + path, headers=self._headers, timeout=RUN_SECONDS)
        assert answer.status_code == requests.codes.ok, answer.text
        document: Summary = answer.json()
        return document

    @property
    def _headers(self) -> dict[str, str]:
        return {"x-functions-key": self.host.key}

    def _ask(self, *, dry_run: bool) -> None:
        answer = requests.post(
            f"{self.host.url}/api/customers/{self.customer}/sync",
            json={"mode": "full", "dry_run": dry_run},
            headers=self._headers,
            timeout=RUN_SECONDS,
        )
        assert answer.status_code == requests.codes.accepted, answer.text
        self._address = answer.json()["status_url"]

    def _end(self, seconds: float = RUN_SECONDS) -> Summary:
        try:
            return eventually(self._ended, "the end of the run", seconds)
        finally:
            print(self.host.log())  # pytest shows it where a test fails

    def _ended(self) -> Summary | None:
        run = self.get(self._address)
        return None if run["status"] in {"queued", "running", "applying"} else run

    def _started(self) -> FunctionsHost:
        # A message in work comes back two seconds after a crash; in Azure it takes ten minutes.
        host = FunctionsHost(self._app, env=self._settings, timers=False, lease_seconds=2)
        return host.__enter__()


def deployed(folder: Path) -> Path:
    """Make a folder with what is deployed, and no local.settings.json of whoever runs the tests."""
    folder.mkdir()
    for name in ("function_app.py", "host.json", "functions"):
        (folder / name).symlink_to(ROOT / name)
    return folder
