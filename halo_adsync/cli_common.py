"""What all commands share: options, and how errors become sentences and exit statuses."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from halo_adsync import terminal
from halo_adsync.bootstrap import app as builder
from halo_adsync.errors import ConfigurationError, HaloAdSyncError
from halo_adsync.model import CustomerId
from halo_adsync.state.customer_state import CustomerState


class Mode(StrEnum):
    """What a run compares with what."""

    delta = "delta"
    full = "full"
    reconcile = "reconcile"


Id = Annotated[str, typer.Argument(help="The customer's id.", metavar="ID")]
RunArgument = Annotated[str, typer.Argument(help="The run, as `runs` lists it.", metavar="RUN")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
ModeOption = Annotated[
    Mode,
    typer.Option(
        help="delta: what changed; full: everybody against the links; reconcile: everybody against Halo."
    ),
]


@contextmanager
def told(customer: str = "", mode: Mode = Mode.full, *, as_json: bool = False) -> Iterator[None]:
    """Turn the product's errors into sentences and exit statuses; with `as_json`, into one object as well."""
    try:
        with _warnings_told():
            yield
    except HaloAdSyncError as error:
        terminal.say_error(error)
        if as_json:
            terminal.print_json(terminal.failure_json(customer, mode.value, error))
        raise typer.Exit(terminal.error_status(error)) from None


@contextmanager
def _warnings_told() -> Iterator[None]:
    """Tell at the end what was logged on the way, such as a server that another one had to stand in for.

    Where the command fails, its error says the same and more.
    """
    kept = _Kept()
    logger = logging.getLogger("halo_adsync")
    logger.addHandler(kept)
    try:
        yield
    except typer.Exit as end:
        if end.exit_code != terminal.FAILED:
            kept.tell()
        raise
    else:
        kept.tell()
    finally:
        logger.removeHandler(kept)


class _Kept(logging.Handler):
    """Keeps warnings for later."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self._messages.append(record.getMessage())

    def tell(self) -> None:
        """Tell them."""
        for message in self._messages:
            terminal.say(message, "yellow")


def state_of(customer: str) -> CustomerState:
    """Return what is kept of a customer that has to exist."""
    store = builder().store()
    return store.of(CustomerId(store.customer(customer).id))


def write_file(path: Path, text: str) -> None:
    """Write a file for a person.

    Raises:
        ConfigurationError: it cannot be written.
    """
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be written ({error.strerror}); name a file in a folder that exists."
        ) from None
