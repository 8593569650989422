"""A worker in a process of its own, which is killed in the middle of its work."""

import multiprocessing
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from halo_adsync.state.queue import Request
from tests.chaos.world import HastyBuilder
from tests.contract.halo_desk import Time
from tests.contract.storage import azure_table
from tests.contract.sync_stage import Fuse

_START = multiprocessing.get_context("forkserver")
_START.set_forkserver_preload([__name__])
_SECONDS = 60


@dataclass(frozen=True)
class Job:
    """What a worker has to know; a step is a write to the table, or a request to Halo."""

    storage: str
    table: str
    environment: Mapping[str, str]
    now: datetime
    request: Request
    dies_at: int | None = None


class Kill(Fuse):
    """Kills the process before its step number `at`."""

    def step(self) -> None:
        """Count a step, or be killed."""
        if self.at is not None and self.steps >= self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.steps += 1


def work(job: Job) -> None:
    """Do one slice of a run, as the Functions host has it done."""
    with azure_table(job.storage, job.table) as table:
        builder = HastyBuilder(table, Time(job.now), dict(job.environment))
        builder.fuse = Kill(job.dies_at)
        builder.sync().run(job.request)


def start(job: Job) -> multiprocessing.process.BaseProcess:
    """Start a worker."""
    process = _START.Process(target=work, args=(job,))
    process.start()
    return process


def end(process: multiprocessing.process.BaseProcess) -> int | None:
    """Wait for a worker; return its exit status, negative where a signal killed it."""
    process.join(_SECONDS)
    return process.exitcode
