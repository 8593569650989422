"""A simulated Key Vault and the identity that opens it, as fixtures."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.identity import SimulatedIdentity
from devstack.vault import SimulatedVault, loopback_names


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedVault]:
    """An empty vault, whose authority is trusted."""
    with SimulatedVault(tmp_path) as running, loopback_names():
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(running.ca_path))
        yield running


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedIdentity]:
    """The app's identity, as Azure offers it."""
    with SimulatedIdentity() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running
