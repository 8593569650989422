"""checkov finds nothing in infra/ but what is explained here, and reads every file."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.infra.bicep import FILES, INFRA, ROOT

PYTHON = ROOT / ".tools" / "checkov" / "bin" / "python"
MISSING = "checkov is not installed: `./dev test` installs it."
OF_SITES = "the check is meant for Microsoft.Web/sites and mistakes this, the site's configuration, for it"
OPEN = """
resource open 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: 'open'
  location: 'x'
  properties: {
    supportsHttpsTrafficOnly: false
  }
}
"""
CONFIGURATION = ("13", "63", "65", "66", "80", "88", "222")

type Report = dict[str, Any]

EXCEPTIONS: Mapping[tuple[str, str], str] = {
    ("CKV_AZURE_17", "Microsoft.Web/sites.app"): "callers show a key or a token",
    (
        "CKV_AZURE_222",
        "Microsoft.Web/sites.app",
    ): "called from outside; every route asks who",
    (
        "CKV_AZURE_212",
        "Microsoft.Web/sites.app",
    ): "it scales from none; a run goes on elsewhere",
    (
        "CKV_AZURE_213",
        "Microsoft.Web/sites.app",
    ): "the plan has none; alerts watch the timer",
    (
        "CKV_AZURE_78",
        "Microsoft.Web/sites.app",
    ): "Flex Consumption has no FTP, and wants the property left out",
    ("CKV_AZURE_225", "Microsoft.Web/serverfarms.plan"): "a lost zone delays a run, no more",
    ("CKV_AZURE_35", "Microsoft.Storage/storageAccounts.account"): "a condition: denied with privateNetwork",
    ("CKV_AZURE_206", "Microsoft.Storage/storageAccounts.account"): "a parameter: all its values replicate",
    ("CKV_AZURE_109", "Microsoft.KeyVault/vaults.vault"): "a condition: denied with privateNetwork",
    **{
        (f"CKV_AZURE_{number}", f"Microsoft.Web/sites/config.{name}"): OF_SITES
        for number in CONFIGURATION
        for name in ("settings", "authentication")
    },
}
"""What is found and stays, by check and resource, and why."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Checkov's report on infra/, and beside it on an open storage account and a file that is none."""
    if not PYTHON.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
    folder = tmp_path_factory.mktemp("checkov")
    shutil.copytree(INFRA, folder / "infra")
    (folder / "open.bicep").write_text(OPEN)
    (folder / "broken.bicep").write_text("resource a = {\n")
    command: list[str | Path] = [PYTHON, "-m", "checkov.main", "--framework", "bicep", "--directory", folder]
    done = subprocess.run(
        [*command, "--skip-download", "--output", "json", "--compact"],
        capture_output=True,
        text=True,
        env={**os.environ, "LOG_LEVEL": "ERROR"},
        check=False,
    )
    found: Report = json.loads(done.stdout)
    return found


def failed(report: Report, file: str) -> set[tuple[str, str]]:
    """Return what was found in files whose path begins so, by check and resource."""
    return {
        (check["check_id"], check["resource"])
        for check in report["results"]["failed_checks"]
        if check["file_path"].startswith(file)
    }


def test_checkov_finds_nothing_that_is_not_explained(report: Report) -> None:
    """And nothing is explained that it does not find any more."""
    assert report["summary"]["resource_count"] > len(FILES)
    assert failed(report, "/infra/") == EXCEPTIONS.keys()


def test_checkov_reads_every_file(report: Report) -> None:
    """It ends well where it cannot read a file, and has then found nothing in it."""
    unread = [Path(path).name for path in report["results"]["parsing_errors"]]
    assert unread == ["broken.bicep"]


def test_checkov_would_find_it(report: Report) -> None:
    """A storage account that speaks without encryption is found."""
    assert ("CKV_AZURE_3", "Microsoft.Storage/storageAccounts.open") in failed(report, "/open.bicep")
