"""A measurement in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECONDS = 3_600
_NOTHING: Mapping[str, str] = {}


def measured(module: str, *arguments: str, environment: Mapping[str, str] = _NOTHING) -> dict[str, Any]:
    """Run a module, and return the JSON object that it printed.

    Raises:
        RuntimeError: it failed; the text ends with what it said.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    if done.returncode:
        raise RuntimeError(f"{module} failed: {done.stderr.strip()[-800:]}")
    cost: dict[str, Any] = json.loads(done.stdout)
    return cost
