"""Counts what the decoders were given, and prints it as a table at the end."""

import pytest

from tests.support.fuzzing import SOAK, Fuzz

FUZZ = pytest.StashKey[Fuzz]()


@pytest.fixture(scope="session")
def fuzz(pytestconfig: pytest.Config) -> Fuzz:
    """Return what holds decoders to the law, and counts."""
    return pytestconfig.stash[FUZZ]


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the counting."""
    config.stash[FUZZ] = Fuzz()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Share out the million among the decoders that are left to try, and give a soak its time."""
    held = [item for item in items if "fuzz" in getattr(item, "fixturenames", ())]
    config.stash[FUZZ].decoders = max(1, len(held))
    if SOAK:
        for item in held:
            item.add_marker(pytest.mark.timeout(0))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print one line a decoder, and what they come to together."""
    tallies = config.stash[FUZZ].tallies
    if not tallies:
        return
    terminalreporter.section("inputs by decoder")
    terminalreporter.line(
        f"{'decoder':34}{'inputs':>10}{'values':>10}{'errors':>10}{'slowest':>10}{'took':>9}"
    )
    for name, tally in sorted(tallies.items()):
        terminalreporter.line(
            f"{name:34}{tally.values + tally.errors:10,}{tally.values:10,}{tally.errors:10,}"
            f"{tally.slowest:7,.0f} ms{tally.seconds:7,.0f} s"
        )
    values, errors = (
        sum(getattr(tally, what) for tally in tallies.values()) for what in ("values", "errors")
    )
    terminalreporter.line(f"{'together':34}{values + errors:10,}{values:10,}{errors:10,}")
