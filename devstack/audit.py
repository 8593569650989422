"""Known vulnerabilities of what is pinned: pip-audit over the lock files, where its source knows of any.

pip-audit asks PyPI, and takes "nothing is known" and "this index has no such data" for the same. So a version
with a vulnerability that everybody knows of is asked about first: where that is not found, nothing would be.

Exit statuses: 0 nothing is known against any; 1 something is; 3 nobody could tell.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SAFE, VULNERABLE, NOT_KNOWN = 0, 1, 3
CONTROL = "jinja2==2.10"
"""CVE-2019-10906, a way out of the sandbox: known since 2019."""
OPTIONS = ("--format=json", "--progress-spinner=off", "--disable-pip", "--no-deps", "--requirement")


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of the packages of one file."""

    vulnerable: tuple[str, ...]
    """One line for each known vulnerability."""
    left_out: tuple[str, ...]
    """The packages that the source does not know."""


def read_report(text: str) -> Report | None:
    """Read what pip-audit printed; None where it is no report."""
    try:
        packages: list[dict[str, Any]] = json.loads(text)["dependencies"]
        vulnerable = tuple(
            f"{package['name']} {package['version']}: {found['id']}"
            f" ({', '.join(found.get('aliases', ())) or '-'}),"
            f" mended in {', '.join(found['fix_versions']) or 'no version'}"
            for package in packages
            for found in package.get("vulns", ())
        )
        left_out = tuple(package["name"] for package in packages if "skip_reason" in package)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return Report(vulnerable, left_out)


def ask(pip_audit: Path, requirements: Path) -> Report | None:
    """Return what is known of the packages of a file; None where no answer came."""
    command = [str(pip_audit), *OPTIONS, str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = read_report(done.stdout)
    if report is None:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        print(f"pip-audit gave no report for {requirements.name}: {said[-1]}", file=sys.stderr)
    return report


def audit(pip_audit: Path, files: Sequence[Path]) -> int:
    """Tell what is known of all packages of some files, and return the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        control = Path(folder) / "control.txt"
        control.write_text(f"{CONTROL}\n")
        known = ask(pip_audit, control)
    if known is None or not known.vulnerable:
        print(
            f"Nobody could tell: the package index does not know that {CONTROL} is vulnerable. It has no data"
            " on vulnerabilities, or cannot be reached, so nothing is said of our packages. Try on a machine"
            " that reaches pypi.org.",
            file=sys.stderr,
        )
        return NOT_KNOWN
    status = SAFE
    for file in files:
        report = ask(pip_audit, file)
        if report is None:
            status = worse(status, NOT_KNOWN)
            continue
        for line in report.vulnerable:
            print(f"{file.name}: {line}")
        for name in report.left_out:
            print(f"{file.name}: {name} is not known to the index; nothing is said of it", file=sys.stderr)
        status = worse(status, VULNERABLE if report.vulnerable else NOT_KNOWN if report.left_out else SAFE)
        print(f"{file.name}: {len(report.vulnerable)} known vulnerabilities", file=sys.stderr)
    return status


def worse(one: int, other: int) -> int:
    """Return the status that weighs more: something known to be wrong, then not to know."""
    order = (SAFE, NOT_KNOWN, VULNERABLE)
    return max(one, other, key=order.index)


if __name__ == "__main__":
    sys.exit(audit(Path(sys.argv[1]), [Path(argument) for argument in sys.argv[2:]]))
