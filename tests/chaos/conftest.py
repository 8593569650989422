"""The days that every fault strikes on, and the table of what came of it."""

from collections.abc import Iterator

import pytest

from tests.chaos.matrix import Matrix
from tests.chaos.world import Company, three_days
from tests.support.emulator import storage_emulator

__all__ = ["storage_emulator"]  # a fixture

_MATRIX = pytest.StashKey[Matrix]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin with an empty table."""
    config.stash[_MATRIX] = Matrix()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell the results."""
    matrix = config.stash[_MATRIX]
    if matrix.parts:
        terminalreporter.section("faults and phases: how the runs ended; all was put right afterwards")
    for line in matrix.tables():
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def matrix(pytestconfig: pytest.Config) -> Matrix:
    """Where results are told."""
    return pytestconfig.stash[_MATRIX]


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """The company's three days."""
    with three_days(tmp_path_factory.mktemp("days")) as days:
        yield days
