"""Security: what is deployed is the app, and no tests, simulated services or secrets of ours."""

import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APP = {"LICENSE", "function_app.py", "functions", "halo_adsync", "host.json", "requirements.txt"}
"""What the app consists of, in the repository's own folder."""
NEVER = ("local.settings.json", "local.settings.example.json", ".env", ".data", ".venv", ".tools", ".git")
"""What may lie there beside what is tracked, with passwords in it or very large."""
WRITTEN = (
    "contoso.yaml", "contoso.yml", "contoso-ca.pem", "ca.cer", "ca.crt", "contoso.pfx", "contoso.key",
    "plan.csv", "plan.json", "audit.csv", "audit-2026.json",
)  # fmt: skip
"""What somebody who follows the documents may write there: customers' files, certificates, people's data."""


def patterns() -> list[str]:
    """Return the patterns of `.funcignore`, which are those of `.gitignore`."""
    lines = (ROOT / ".funcignore").read_text("utf-8").splitlines()
    return [line.strip().rstrip("/") for line in lines if line.strip() and not line.startswith("#")]


def is_left_out(name: str) -> bool:
    """Tell whether something in the repository's own folder is left out of what is deployed."""
    return any(fnmatch(name, pattern) for pattern in patterns())


def tracked() -> set[str]:
    """Return the names of everything that is tracked in the repository's own folder."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    return {name.partition("/")[0] for name in listed.stdout.split("\0") if name}


def test_everything_is_either_the_app_or_left_out() -> None:
    """Whoever adds a folder decides: it belongs to the app and is named above, or it stays here."""
    assert {name for name in tracked() if not is_left_out(name)} == APP


@pytest.mark.parametrize("name", NEVER)
def test_what_may_hold_secrets_stays_here(name: str) -> None:
    """Settings, passwords of simulated services and the history are left out though nothing tracks them."""
    assert is_left_out(name)


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_of_customers_is_neither_deployed_nor_committed(name: str) -> None:
    """A first try writes them here; with the app go neither other customers' data nor their certificates."""
    assert is_left_out(name)
    ignored = subprocess.run(["git", "check-ignore", "--no-index", "--quiet", name], cwd=ROOT, check=False)
    assert ignored.returncode == 0


def test_nothing_that_is_tracked_is_ignored() -> None:
    """A pattern for what customers have would hide a new version of what is ours."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert listed.stdout == ""


def test_no_pattern_takes_the_app_apart() -> None:
    """No module of the app is left out by a pattern that was meant for something else."""
    modules = [path.relative_to(ROOT) for folder in APP for path in (ROOT / folder).rglob("*.py")]
    assert modules
    assert {path for path in modules if any(map(is_left_out, path.parts))} == set()
