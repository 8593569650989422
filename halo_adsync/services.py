"""What the use cases need from the outside. `bootstrap.py` fills it in; tests do so with stand-ins."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from halo_adsync.customer import Customer, DirectoryBlock
from halo_adsync.customer_login import Entra as EntraBlock
from halo_adsync.directory.port import Directory
from halo_adsync.entra.port import Entra
from halo_adsync.halo.port import Halo
from halo_adsync.model import Meter
from halo_adsync.notify import Message
from halo_adsync.plan.mapping import Target
from halo_adsync.program import program
from halo_adsync.state.queue import Requests
from halo_adsync.state.store import Store
from halo_adsync.telemetry import Telemetry

type Pulse = Callable[[], None]
"""Called before anything that may take long: keeps the lease, and raises where it is lost."""


class Progress(Protocol):
    """Told how far a run is; a command line draws bars from it."""

    def __call__(self, phase: str, done: int, total: int | None) -> None:
        """Take note that `done` of `total` (None: not known) are through in this phase."""
        ...


def silent(phase: str, done: int, total: int | None) -> None:
    """Tell nobody."""
    del phase, done, total


class OpenHalo(Protocol):
    """Opens the Halo instance of a customer."""

    def __call__(self, customer: Customer, meter: Meter, pulse: Pulse, /) -> AbstractContextManager[Halo]:
        """Return a client that counts on `meter` and calls `pulse` before each request."""
        ...


class OpenDirectory(Protocol):
    """Opens one directory of a customer."""

    def __call__(self, block: DirectoryBlock, meter: Meter, /) -> AbstractContextManager[Directory]:
        """Return a client that counts on `meter`."""
        ...


class OpenEntra(Protocol):
    """Opens the Entra tenant of a customer."""

    def __call__(self, block: EntraBlock, pulse: Pulse, /) -> AbstractContextManager[Entra]:
        """Return a client that calls `pulse` before each request."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """The ports of the product."""

    store: Callable[[Meter], Store]
    """The store, counting on the given meter."""
    requests: Requests
    open_halo: OpenHalo
    open_directory: OpenDirectory
    open_entra: OpenEntra
    call_webhook: Callable[[Customer, Message], None]
    """Sends a notice to the webhook that the customer's file names."""
    now: Callable[[], datetime]
    target: Target
    program: Callable[[], str] = program
    """Which program this is: with another, a mapping may come to something else."""
    progress: Progress = silent
    telemetry: Telemetry = field(default_factory=Telemetry)
