"""The audit of dependencies: what is said, and the exit status, whatever pip-audit and its source answer."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from devstack.audit import CONTROL, NOT_KNOWN, SAFE, VULNERABLE, audit, read_report, worse

SOUND = {"name": "sound", "version": "1.0", "vulns": []}
HOLE = {
    "name": "hole",
    "version": "2.0",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2.1"], "description": "x"}],
}
STRANGE = {"name": "strange", "skip_reason": "Dependency not found on PyPI and could not be audited"}
ADVISED = {"name": "jinja2", "version": "2.10", "vulns": HOLE["vulns"]}
SCRIPT = """\
#!{python}
import json, pathlib, sys
answers = json.loads(pathlib.Path(__file__).with_suffix(".json").read_text())
answer = answers.get(pathlib.Path(sys.argv[-1]).read_text().strip())
if answer is None:
    sys.exit("ERROR: could not be reached")
print(json.dumps({{"dependencies": answer, "fixes": []}}))
"""

type Audit = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path) -> Audit:
    """Audit files of one package each, with a pip-audit that has these answers; the control's first."""

    def call(control: list[object] | None, *packages: list[object] | None) -> int:
        script, answers = tmp_path / "pip-audit", {CONTROL: control}
        script.write_text(SCRIPT.format(python=sys.executable))
        script.chmod(0o755)
        files = []
        for number, package in enumerate(packages):
            answers[f"p{number}==1"] = package
            files.append(tmp_path / f"requirements-{number}.txt")
            files[-1].write_text(f"p{number}==1\n")
        script.with_suffix(".json").write_text(json.dumps(answers))
        return audit(script, files)

    return call


def test_nothing_known_is_safe(run: Audit) -> None:
    """Where the source knows the control, no word against the packages means something."""
    assert run([ADVISED], [SOUND], [SOUND, SOUND]) == SAFE


def test_what_is_known_is_told(run: Audit, capsys: pytest.CaptureFixture[str]) -> None:
    """Which file, which package, which number, and what mends it."""
    assert run([ADVISED], [SOUND], [SOUND, HOLE]) == VULNERABLE
    assert capsys.readouterr().out == "requirements-1.txt: hole 2.0: PYSEC-1 (CVE-1), mended in 2.1\n"


@pytest.mark.parametrize(
    "control", [None, [], [STRANGE], [{"name": "jinja2", "version": "2.10", "vulns": []}]]
)
def test_a_source_that_knows_nothing_is_not_believed(
    run: Audit, control: list[object] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """An index without data on vulnerabilities, or none that answers, is no good news."""
    assert run(control, [SOUND]) == NOT_KNOWN
    assert "Nobody could tell" in capsys.readouterr().err


@pytest.mark.parametrize("packages", [[[STRANGE]], [None], [[SOUND], None], [None, [SOUND]]])
def test_what_was_not_looked_at_is_not_safe(run: Audit, packages: list[list[object] | None]) -> None:
    """A package that the index does not know, or a file that no report came for."""
    assert run([ADVISED], *packages) == NOT_KNOWN
    assert run([ADVISED], *packages, [HOLE]) == VULNERABLE
    assert run([ADVISED], [HOLE], *packages) == VULNERABLE


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"dependencies": 7}', '{"dependencies": [7]}', "ERROR"])
def test_what_is_no_report_is_none(text: str) -> None:
    """Whatever else pip-audit prints is no list of packages."""
    assert read_report(text) is None


def test_something_wrong_weighs_more_than_not_to_know() -> None:
    """And both more than nothing."""
    assert [worse(SAFE, NOT_KNOWN), worse(NOT_KNOWN, VULNERABLE), worse(VULNERABLE, SAFE)] == [3, 1, 1]
