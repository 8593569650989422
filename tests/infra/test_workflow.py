"""What deploys: the workflow, the scripts and azd's own files agree with each other and with the Bicep."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from halo_adsync import yaml_text
from tests.infra.bicep import INFRA, ROOT, read

TEXT = (ROOT / ".github" / "workflows" / "azure.yml").read_text("utf-8")
WORKFLOW: dict[str, Any] = yaml_text.load(TEXT)
JOBS: dict[str, Any] = WORKFLOW["jobs"]
PARAMETERS = json.loads((INFRA / "main.parameters.json").read_text("utf-8"))["parameters"]
SCRIPTS = sorted(INFRA.glob("*.sh"))
BY_AZD = {"AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID", "AZURE_ENV_NAME", "AZURE_LOCATION"}


def commands(job: str) -> str:
    """Return all that a job runs."""
    return "\n".join(step.get("run", "") for step in JOBS[job]["steps"])


def test_actions_are_pinned() -> None:
    """By the commit: a tag can be moved to other code, which would run with the right to deploy."""
    used = [step["uses"] for job in JOBS.values() for step in job["steps"] if "uses" in step]
    assert used
    assert not [action for action in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)]


def test_jobs_have_no_more_rights_than_they_need() -> None:
    """Only what signs in to Azure gets a token for that, and only what publishes may write."""
    assert WORKFLOW["permissions"] == {"contents": "read"}
    rights = {name: job.get("permissions", {}) for name, job in JOBS.items()}
    assert {name for name, given in rights.items() if "id-token" in given} == {"what-if", "deploy"}
    assert {name for name, given in rights.items() if given.get("contents") == "write"} == {"button"}
    assert "secrets." not in TEXT


def test_nothing_is_deployed_that_is_not_tested_compiled_and_looked_at() -> None:
    """The order of the jobs, and what each of them runs."""
    assert set(JOBS["deploy"]["needs"]) == {"test", "compile", "what-if"}
    assert "bash .ci/run" in commands("test")
    for name in ("main", "customer"):
        assert f"az bicep lint --file infra/{name}.bicep" in commands("compile")
        assert f"az bicep build --file infra/{name}.bicep" in commands("compile")
    assert "azd provision --preview" in commands("what-if")
    assert "azd provision --no-prompt" in commands("deploy")
    assert "azd deploy" in commands("deploy")
    assert JOBS["deploy"]["environment"] == "production"


def test_each_parameter_that_azd_substitutes_can_be_given() -> None:
    """On a developer's machine by `azd env set`, in the workflow by a variable of the repository."""
    wanted = {name for value in PARAMETERS.values() for name in re.findall(r"\$\{(\w+)", value["value"])}
    assert WORKFLOW["env"].keys() == wanted | BY_AZD
    assert all(f"vars.{name}" in value for name, value in WORKFLOW["env"].items())


def test_what_azd_substitutes_has_the_default_of_the_bicep() -> None:
    """Two defaults that differ would make the button and azd deploy different things."""
    parameters = read(INFRA / "main.bicep").of("param")
    for name, given in PARAMETERS.items():
        _, is_default, default = given["value"].strip("${}").partition("=")
        declared = parameters[name].value
        if is_default and declared is not None:
            assert (declared.text or b"").decode().strip("'") == default


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_bash_that_stops_at_errors(script: Path) -> None:
    """Its syntax is right, it can be run, and a command that fails ends it."""
    subprocess.run(["bash", "-n", script], check=True)
    assert script.stat().st_mode & 0o100
    assert "set -euo pipefail" in script.read_text("utf-8")


def test_scripts_ask_azd_for_outputs_that_are_there() -> None:
    """`azd env get-value` of anything else fails."""
    outputs = read(INFRA / "main.bicep").of("output").keys() | {"AZURE_ENV_NAME"}
    asked = re.findall(r"azd env get-value (\w+)", "".join(path.read_text("utf-8") for path in SCRIPTS))
    assert asked
    assert set(asked) <= outputs


def test_azd_is_one_that_knows_the_project() -> None:
    """Older ones pack what `.funcignore` names, or build elsewhere; azd itself refuses them."""
    wanted = yaml_text.load((ROOT / "azure.yaml").read_text("utf-8"))["requiredVersions"]["azd"]
    assert re.fullmatch(r">= \d+\.\d+\.\d+", wanted)
    assert f"(`azd`, {wanted[3:]} or later)" in (ROOT / "docs" / "deploy.md").read_text("utf-8")


def test_a_person_gets_a_token_by_azure_cli(tmp_path: Path) -> None:
    """The script exposes one scope and then, in another request, lets Azure CLI ask for it; az is played."""
    calls = tmp_path / "calls"
    (tmp_path / "azd").write_text("#!/bin/sh\necho value-of-$3\n")
    (tmp_path / "az").write_text(
        f"#!/bin/sh\nprintf '%s\\n' \"$@\" --end >>{calls}\n"
        '[ "$1 $2 $3" = "ad app list" ] && echo 11111111-2222-3333-4444-555555555555\nexit 0\n'
    )
    for tool in ("az", "azd"):
        (tmp_path / tool).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    subprocess.run([INFRA / "sign-in.sh"], check=True, env=environment, capture_output=True)
    patches = [call for call in calls.read_text().split("--end\n") if call.startswith("rest\n")]
    assert all("applications(appId='11111111-2222-3333-4444-555555555555')" in call for call in patches)
    exposed, allowed = (json.loads(call.partition("--body\n")[2])["api"] for call in patches)
    scope = json.loads((INFRA / "app-scope.json").read_text("utf-8"))
    assert exposed == {"requestedAccessTokenVersion": 2, "oauth2PermissionScopes": [scope]}
    azure_cli = {"appId": "04b07795-8ddb-461a-bbee-02f9e1bf7b46", "delegatedPermissionIds": [scope["id"]]}
    assert allowed == {**exposed, "preAuthorizedApplications": [azure_cli]}
    roles = json.loads((INFRA / "app-roles.json").read_text("utf-8"))
    assert scope["id"] not in {role["id"] for role in roles}


def test_the_branch_for_the_portal_is_made_of_what_was_compiled(tmp_path: Path) -> None:
    """The script pushes both files and the page with a button for each, without history; az is played."""
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com"]
    clone, origin, tools = tmp_path / "clone", tmp_path / "origin.git", tmp_path / "bin"
    subprocess.run(["git", "init", "--quiet", "--bare", origin], check=True)
    subprocess.run(["git", "clone", "--quiet", origin, clone], check=True, capture_output=True)
    (clone / "infra").mkdir()
    (clone / "infra" / "publish-arm.sh").write_bytes((INFRA / "publish-arm.sh").read_bytes())
    subprocess.run([*git, "add", "."], cwd=clone, check=True)
    subprocess.run([*git, "commit", "--quiet", "-m", "x"], cwd=clone, check=True)
    tools.mkdir()
    (tools / "az").write_text('#!/bin/sh\n[ "$1 $2" = "bicep build" ] && echo "$4" >"$6"\n')
    (tools / "az").chmod(0o755)
    environment = {"PATH": f"{tools}:/usr/bin:/bin", "REPOSITORY": "acme/halo-adsync", "HOME": str(tmp_path)}
    for _ in range(2):
        subprocess.run(["bash", "infra/publish-arm.sh"], cwd=clone, check=True, env=environment)

    def shown(what: str) -> str:
        done = subprocess.run(["git", *what.split()], cwd=origin, check=True, capture_output=True, text=True)
        return done.stdout

    assert shown("ls-tree --name-only arm").split() == ["README.md", "customer.json", "main.json"]
    assert shown("show arm:main.json") == "infra/main.bicep\n"
    assert "raw.githubusercontent.com%2Facme%2Fhalo-adsync%2Farm%2Fmain.json" in shown("show arm:README.md")
    assert len(shown("rev-list arm").split()) == 1
