"""What goes wrong at a customer's: a sentence that says what to do, the exit status, nothing written."""

import base64
import json
import secrets
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from devstack.certificates import CertificateAuthority
from devstack.halo import SimulatedHalo
from devstack.samba import SambaDomain
from devstack.samba.namespace import Relay
from tests.story.conftest import story_settings
from tests.story.stage import AD_SECRET, CLIENT, HALO_SECRET, customer_file, written
from tests.story.telling import CommandLine, eventually

pytestmark = [pytest.mark.samba, pytest.mark.azurite]

USAGE, FAILED, BUSY = 2, 5, 6
WRONG_SECRET = "Wr0ng-but-Secret!"

type File = dict[str, Any]


@dataclass
class Scene:
    """A customer with three people, for whom everything is right until a test changes it."""

    command_line: CommandLine
    domain: SambaDomain
    halo: SimulatedHalo
    folder: Path
    file: File

    @property
    def customer(self) -> str:
        """The customer's id."""
        return str(self.file["id"])

    @property
    def directory(self) -> File:
        """The file's one directory."""
        directory: File = self.file["directories"][0]
        return directory

    def sync(self, *options: str) -> CompletedProcess[str]:
        """Keep the customer and sync it."""
        applied = self.command_line.apply(self.file)
        assert applied.returncode == 0, applied.stderr
        return self.command_line.run("sync", self.customer, *options)

    def check_unharmed(self, done: CompletedProcess[str]) -> None:
        """Assert that nothing was written to Halo, and that no secret can be read."""
        assert written(self.halo) == []
        assert self.halo.people == []
        secrets = {
            WRONG_SECRET,
            *(v for k, v in self.command_line.settings.items() if k.startswith("SECRET_")),
        }
        assert [secret for secret in secrets if secret in done.stdout + done.stderr] == []
        assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def people_ou(domain: SambaDomain) -> str:
    """An OU with three people."""
    ou = domain.add_ou("Unlucky")
    domain.add_ou("Service Accounts", ou)
    domain.add_ou("Hull", ou)
    for number in range(3):
        domain.add_user(f"Unlucky {number}", ou, sAMAccountName=f"unlucky{number}")
    return ou


@pytest.fixture
def scene(domain: SambaDomain, storage: str, people_ou: str, tmp_path: Path) -> Iterator[Scene]:
    """A scene whose Halo is empty but for the client."""
    with SimulatedHalo() as halo:
        halo.add_client(CLIENT)
        command_line = CommandLine(tmp_path, story_settings(storage, halo))
        file = customer_file(domain, halo, f"unlucky-{secrets.token_hex(4)}", people_ou)
        yield Scene(command_line, domain, halo, tmp_path, file)


def closed_port() -> int:
    """Return a port of the loopback address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wrong_password(scene: Scene) -> None:
    """The directory's account has another password."""
    scene.command_line.settings[AD_SECRET] = WRONG_SECRET


def unreachable(scene: Scene) -> None:
    """Nobody listens where the domain controller should be."""
    scene.directory["servers"] = [f"localhost:{closed_port()}"]


def other_name(scene: Scene) -> None:
    """The domain controller is reached under a name that its certificate does not have."""
    target = (scene.domain.host, scene.domain.port)
    relay = Relay(socket.create_server(("127.0.0.1", 0)), lambda: socket.create_connection(target))
    scene.directory["servers"] = [f"localhost:{relay.port}"]


def untrusted(scene: Scene) -> None:
    """The certificate's authority is not the one that the file trusts."""
    scene.directory["ca_file"] = str(CertificateAuthority(scene.folder / "other").ca_path)


def wrong_halo_secret(scene: Scene) -> None:
    """The API application has another secret."""
    scene.command_line.settings[HALO_SECRET] = WRONG_SECRET


def wrong_tenant(scene: Scene) -> None:
    """Halo has no such tenant."""
    scene.file["halo"]["tenant"] = "nobody"


def missing_ou(scene: Scene) -> None:
    """An OU that is named has gone."""
    scene.file["scope"]["include"] += [f"OU=Gone,{scene.domain.base_dn}"]


def missing_secret(scene: Scene) -> None:
    """The password is nowhere."""
    del scene.command_line.settings[AD_SECRET]


def missing_client(scene: Scene) -> None:
    """The file names a client by an id that Halo does not have."""
    scene.file["placement"]["client"] = {"id": 4711}


@pytest.mark.parametrize(
    ("break_it", "status", "sentences"),
    [
        (wrong_password, FAILED, ["refused the account", "the password is wrong", "bind.password"]),
        (unreachable, FAILED, ["cannot be reached", "nothing was concluded"]),
        (other_name, FAILED, ["refused for the name 'localhost'", "Name the server as its certificate does"]),
        (untrusted, FAILED, ["is not trusted", "ca_certificate"]),
        (wrong_halo_secret, FAILED, ["Halo refused the sign-in", "the client secret is wrong"]),
        (wrong_tenant, FAILED, ["halo.tenant"]),
        (missing_ou, FAILED, ["'OU=Gone,DC=corp,DC=example' is not in directory 'corp'", "remove it there"]),
        (missing_secret, USAGE, ['The secret "story-ad" is missing', AD_SECRET]),
        (missing_client, USAGE, ["Halo has no client with the id 4711", "correct the id"]),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_run_that_cannot_be_done_says_what_to_do(
    scene: Scene, break_it: Callable[[Scene], None], status: int, sentences: list[str]
) -> None:
    """The run ends as failed with a sentence and its exit status; Halo is as it was."""
    break_it(scene)
    done = scene.sync("--json")
    summary = json.loads(done.stdout)
    assert done.returncode == status, done.stderr
    assert summary["status"] == "failed"
    for sentence in sentences:
        assert sentence in summary["message"]
    scene.check_unharmed(done)


def test_people_are_told_the_same(scene: Scene) -> None:
    """Without --json the sentence stands on the terminal."""
    wrong_password(scene)
    done = scene.sync()
    assert done.returncode == FAILED
    assert "the password is wrong" in done.stdout + done.stderr
    scene.check_unharmed(done)


def test_a_file_that_is_wrong_is_not_kept(scene: Scene) -> None:
    """All that is wrong is said at once, each with its place; a secret that stands there is not repeated."""
    scene.file |= {"polcy": "full"}
    scene.file["placement"]["rules"][1]["site_level"] = 0
    scene.directory["bind"]["password"] = WRONG_SECRET
    done = scene.command_line.apply(scene.file)
    assert done.returncode == USAGE
    for place in ("polcy", "placement.rules[1].site_level", "directories[0].bind.password"):
        assert place in done.stderr
    assert scene.customer not in scene.command_line.run("customer", "list").stdout
    scene.check_unharmed(done)


def test_an_unknown_customer_is_a_usage_error(scene: Scene) -> None:
    """The sentence says how to find the right name."""
    done = scene.command_line.run("sync", "nobody", "--json")
    assert done.returncode == USAGE
    assert 'There is no customer "nobody"' in json.loads(done.stdout)["message"]
    assert "customer list" in done.stderr


@pytest.mark.parametrize("setting", ["", "no connection string", "AccountName=a"])
def test_a_storage_setting_that_is_none(scene: Scene, setting: str) -> None:
    """It is a usage error that names the setting."""
    scene.command_line.settings["AzureWebJobsStorage"] = setting
    done = scene.command_line.run("sync", scene.customer, "--json")
    assert done.returncode == USAGE, done.stderr
    assert "AzureWebJobsStorage" in json.loads(done.stdout)["message"]
    scene.check_unharmed(done)


def test_a_storage_that_does_not_answer(scene: Scene) -> None:
    """It is a failure that names the setting to check, and not the key that stands in it."""
    nowhere, key = f"http://127.0.0.1:{closed_port()}/a", base64.b64encode(WRONG_SECRET.encode()).decode()
    scene.command_line.settings["AzureWebJobsStorage"] = (
        f"AccountName=a;AccountKey={key};TableEndpoint={nowhere};QueueEndpoint={nowhere};"
    )
    done = scene.command_line.run("sync", scene.customer, "--json")
    assert done.returncode == FAILED, done.stderr
    assert "Check AzureWebJobsStorage" in json.loads(done.stdout)["message"]
    assert key not in done.stdout + done.stderr
    scene.check_unharmed(done)


def test_a_second_run_beside_a_running_one_is_busy(scene: Scene) -> None:
    """It is recorded as skipped and ends with its own exit status; the first one is not disturbed."""
    assert scene.command_line.apply(scene.file).returncode == 0
    scene.halo.faults.add("delay", method="POST", path="/api/Users", seconds=4)
    with scene.command_line.start("sync", scene.customer, "--json") as first:
        eventually(lambda: scene.halo.faults.as_json()[0]["met"], "the first run's write")
        second = scene.command_line.run("sync", scene.customer, "--json")
        output, errors = first.communicate()
    assert second.returncode == BUSY
    summary = json.loads(second.stdout)
    assert summary["status"] == "skipped"
    assert json.loads(output)["run"] in summary["message"]
    assert first.returncode == 0, errors
    assert len(scene.halo.people) == 3
