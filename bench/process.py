"""A measurement in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECONDS = 3 * 3_600
_NOTHING: Mapping[str, str] = {}

type Cost = dict[str, float]


def measured(module: str, *arguments: str, environment: Mapping[str, str] = _NOTHING) -> Cost:
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
    cost: Cost = json.loads(done.stdout)
    return cost


def peak_mib() -> float:
    """Return the most memory that this process has had, in MiB.

    Not of `getrusage`, which counts what the process had before it became another program: its parent's.
    """
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
