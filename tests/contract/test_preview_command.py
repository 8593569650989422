"""The command `preview` on real parts: as text for people, and as JSON for scripts."""

import pytest
from typer.testing import CliRunner

from devstack.directory import Directory
from halo_adsync.cli import cli
from tests.contract.commands import Run, directory, halo, run

__all__ = ["directory", "halo", "run"]

pytestmark = pytest.mark.azurite


def test_an_expression_is_tried_by_the_command_line(run: Run, directory: Directory) -> None:
    """One person and one field in one call; the same numbers stand in the text and in the JSON."""
    dn = next(
        o.dn for o in directory.walk() if o.dn.endswith("OU=Leeds,DC=company,DC=example") and "CN=" in o.dn
    )
    account = directory.values(dn, "sAMAccountName")[0].decode()
    expression = "{{ sAMAccountName | upper }} {{ pager }}"
    shown = run("preview", "company", expression, account, "--field", "other1", "--json")
    assert (shown["value"], shown["person"]["dn"], shown["empty"]) == (account.upper(), dn, ["pager"])
    assert shown["effect"]["new"] == shown["effect"]["in_scope"] > 0
    text = CliRunner().invoke(cli, ["preview", "company", expression, account, "--field", "other1"]).output
    assert f"Value: {account.upper()!r}" in text
    assert "pager is empty" in text
    assert f"{shown['effect']['new']} who are not linked yet" in " ".join(text.split())
    run("preview", "company", "{{", account, status=2)
    run("preview", "company", "cn", status=2)
