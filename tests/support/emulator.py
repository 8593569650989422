"""The storage emulator as a fixture."""

import os
from collections.abc import Iterator

import pytest

from devstack.azurite import Azurite, azurite_missing


@pytest.fixture(scope="session")
def storage_emulator() -> Iterator[str]:
    """The connection string of one storage emulator for all tests; every test has a table of its own."""
    if missing := azurite_missing():
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with Azurite() as emulator:
        yield emulator.connection_string
