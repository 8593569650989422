"""In a soak the laws are tried on many more examples, and take the time that this takes."""

import pytest
from hypothesis import settings

from tests.support.fuzzing import SOAK

EXAMPLES = 2_000
"""Of each law that does not say how many it takes."""

if SOAK:
    settings.register_profile("soak", max_examples=EXAMPLES)
    settings.load_profile("soak")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lift the limit of time in a soak."""
    for item in items if SOAK else ():
        if item.path.is_relative_to(__file__.rpartition("/")[0]):
            item.add_marker(pytest.mark.timeout(0))
