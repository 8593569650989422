"""The command `readiness` on real parts: as text for people, and as JSON for scripts."""

import pytest
from typer.testing import CliRunner

from devstack.directory import Directory
from devstack.halo import SimulatedHalo
from halo_adsync.cli import cli
from tests.contract.commands import Run, directory, halo, run

__all__ = ["directory", "halo", "run"]

pytestmark = pytest.mark.azurite


def test_readiness_reads_the_directory_and_nothing_else(
    run: Run, directory: Directory, halo: SimulatedHalo
) -> None:
    """The company's domain cannot be owned; one with another suffix is ready, a disabled one is told."""
    first, second = [
        found.dn
        for found in list(directory.walk())
        if found.dn.endswith("OU=Leeds,DC=company,DC=example")
        and directory.values(found.dn, "userAccountControl") == [b"512"]
    ][:2]
    directory.modify(first, {"userPrincipalName": "ada@company.com"})
    directory.disable(second)
    found = run("readiness", "company", "--json")
    told = {one["dn"]: [reason["reason"] for reason in one["reasons"]] for one in found["not_ready"]}
    assert first not in told
    assert told[second] == ["disabled"]
    assert found["counts"]["upn_not_routable"] == found["people"] - 1 - found["counts"]["disabled"] > 0
    assert found["ready"] == 1
    assert halo.requests == []
    text = CliRunner().invoke(cli, ["readiness", "company", "--all"]).output
    assert f"1 of {found['people']} people in scope can be signed in automatically" in text
    assert text.count("    upn_not_routable: ") == found["counts"]["upn_not_routable"]
    assert f"  {second}\n    disabled: the account is disabled" in text
