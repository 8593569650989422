"""A dragnet: everything that the product says or keeps while something goes wrong, to look for secrets in."""

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from typer.testing import CliRunner

from devstack.memory import MemoryTable
from functions import api, audit, customers, leavers
from halo_adsync import bootstrap
from halo_adsync.cli import cli
from halo_adsync.cli_common import Mode
from tests.contract.sync_stage import CUSTOMER, Stage
from tests.support.telemetry import Followed
from tests.support.triggers import http

COMMANDS = (
    ("check",),
    ("sync", CUSTOMER, "--json"),
    ("sync", CUSTOMER, "--mode", Mode.reconcile.value),
    ("explain", CUSTOMER, "p01"),
    ("preview", CUSTOMER, "title", "p01"),
    ("readiness", CUSTOMER),
    ("tree", CUSTOMER),
    ("halo", "probe", CUSTOMER),
    ("runs", CUSTOMER, "--json"),
    ("held", CUSTOMER),
    ("customer", "show", CUSTOMER),
    ("audit", CUSTOMER, "--format", "csv"),
)
"""What a person would try while something is wrong."""


class _Kept(logging.Handler):
    """Keeps every record of every library, written out with the errors that it carries."""

    def __init__(self, said: list[str]) -> None:
        super().__init__(0)
        self._said, self._formatter = said, logging.Formatter("%(name)s: %(message)s")

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self._said += [self._formatter.format(record), repr(record.args)]


@dataclass
class Dragnet:
    """What was said so far, one text each."""

    stage: Stage
    said: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    """What was logged, by whatever library at whatever level; it is among what was said, too."""
    followed: Followed = field(default_factory=Followed)

    @property
    def text(self) -> str:
        """Everything that was said, and is kept."""
        assert isinstance(self.stage.table, MemoryTable)
        self.take_telemetry()
        rows = [repr(row) for row in self.stage.table.rows.values()]
        return "\n".join([*self.said, *self.logged, *rows, repr(self.stage.queue.sent)])

    def take_telemetry(self) -> None:
        """Take the spans and numbers of what was done as if they were logged."""
        self.logged.append(self.followed.everything())

    def call(self, *arguments: str) -> str:
        """Give a command, and return what it printed."""
        result = CliRunner().invoke(cli, arguments)
        self.said.append(result.output)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            self.failed(result.exception)
        return result.output

    def failed(self, error: BaseException) -> None:
        """Take an error with all that led to it, as a log would show it and as a debugger would."""
        self.said += traceback.format_exception(error)
        chain: BaseException | None = error
        while chain is not None:
            self.said.append(repr((chain, chain.args, vars(chain))))
            chain = chain.__cause__ or chain.__context__

    def ask(self, function: Callable[..., Any], **route: str) -> None:
        """Call a route, and take its answer."""
        answer = http(function, b"", None, customer=CUSTOMER, **route)
        self.said.append(answer.get_body().decode())

    def draw(self) -> str:
        """Do everything, by command and by route, and return all that was said."""
        for command in COMMANDS:
            self.call(*command)
        runs = [run.id for run in self.stage.state.runs(10)]
        for run in runs:
            self.call("run", CUSTOMER, run)
            for function in (api.show_run, api.show_plan):
                self.ask(function, run=run)
        for function in (api.list_runs, customers.show_customer, leavers.list_held, audit.show_audit):
            self.ask(function)
        return self.text


@contextmanager
def dragnet(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dragnet]:
    """Let commands and routes work on a stage, and take every record of every logger."""
    monkeypatch.setenv("AzureWebJobsStorage", "UseDevelopmentStorage=true")
    monkeypatch.setattr(bootstrap, "Builder", lambda _settings: stage.builder)
    bootstrap.app.cache_clear()
    net = Dragnet(stage)
    stage.builder.telemetry = net.followed.telemetry
    kept, root = _Kept(net.logged), logging.getLogger()
    level = root.level
    root.addHandler(kept)
    root.setLevel(1)
    try:
        yield net
    finally:
        root.removeHandler(kept)
        root.setLevel(level)
        bootstrap.app.cache_clear()
