"""Secrets that are rotated while the app holds the old ones: found by the refusal, and read once more."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from devstack.certificates import application_pem
from devstack.directory import Directory
from devstack.entra import SimulatedEntra
from devstack.halo import FaultKind, SimulatedHalo
from devstack.identity import SimulatedIdentity
from devstack.memory import MemoryTable
from devstack.vault import SimulatedVault
from halo_adsync.entra.config import EntraConfig
from halo_adsync.entra.graph import EntraTenant
from halo_adsync.errors import DirectoryRefused, EntraRefused, HaloRefused, HaloUnavailable
from halo_adsync.model import Meter
from halo_adsync.state.runs import Status
from tests.contract.conftest import PASSWORD, DirectoryStand
from tests.contract.halo_desk import Desk, Time
from tests.contract.sync_stage import Stage, directory, go
from tests.support.vault import identity, vault

__all__ = ["directory", "identity", "vault"]

OLD, NEW = "The 0ld Secret", "The n3w Secret"


class Rotated:
    """Remembers what it was asked with, and knows of a newer secret or of none."""

    def __init__(self, new: str | None) -> None:
        self.new, self.asked = new, list[str]()

    def __call__(self, old: str) -> str | None:
        """Return what has taken the old one's place."""
        self.asked.append(old)
        return self.new


# ---- one sign-in ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("new", "ends"), [(PASSWORD, True), (NEW, False), (None, False)])
def test_a_refused_password_is_asked_for_once_more(
    directory_stand: DirectoryStand, new: str | None, *, ends: bool
) -> None:
    """The new one signs in and stays; a wrong new one is not tried again, because that locks the account."""
    rotated = Rotated(new)
    with directory_stand.open(password=OLD, renewed=rotated) as opened:
        if ends:
            assert opened.containers(lambda _: None)
            opened.close()
            assert opened.containers(lambda _: None)
        else:
            with pytest.raises(DirectoryRefused, match="password is wrong"):
                opened.containers(lambda _: None)
    assert rotated.asked == [OLD]


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A simulated Halo with one client."""
    time = Time()
    with SimulatedHalo(clock=time.seconds, client_secret=NEW) as halo:
        client = halo.add_client("Contoso")
        yield Desk(halo, time, client, int(halo.clients[client]["main_site_id"]))


def test_a_refused_client_secret_is_asked_for_once_more(desk: Desk) -> None:
    """And kept: the next token is fetched with the new one at once."""
    rotated = Rotated(NEW)
    with desk.open(client_secret=OLD, renewed=rotated) as halo:
        assert [client.name for client in halo.clients()] == ["Contoso"]
        desk.halo.revoke_tokens()
        assert halo.clients()
    assert rotated.asked == [OLD]


@pytest.mark.parametrize("new", ["another wrong one", None])
def test_a_client_secret_that_stays_wrong_is_refused(desk: Desk, new: str | None) -> None:
    """With the sentence that says so, and neither secret in it."""
    with desk.open(client_secret=OLD, renewed=Rotated(new)) as halo, pytest.raises(HaloRefused) as caught:
        halo.clients()
    assert "client secret is wrong" in str(caught.value)
    assert OLD not in str(caught.value)
    assert str(new) not in str(caught.value)


def test_a_halo_in_trouble_is_no_reason_to_read_the_secret_again(desk: Desk) -> None:
    """A server's error says nothing of the secret."""
    rotated = Rotated(NEW)
    desk.halo.faults.add(FaultKind.STATUS, path="/signin/token", status=503, times=None)
    with desk.open(client_secret=OLD, renewed=rotated) as halo, pytest.raises(HaloUnavailable):
        halo.clients()
    assert rotated.asked == []


@pytest.fixture
def entra(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedEntra]:
    """A tenant whose authority is trusted."""
    with SimulatedEntra() as running:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(running.ca_path))
        yield running


@pytest.mark.parametrize("is_right", [True, False])
def test_a_refused_certificate_is_asked_for_once_more(entra: SimulatedEntra, *, is_right: bool) -> None:
    """A certificate of Key Vault renews itself; the app registration may have the new one only."""
    old = application_pem()
    rotated = Rotated(entra.pem if is_right else application_pem())
    config = EntraConfig(entra.tenant, entra.client_id, old, entra.url, entra.url, renewed=rotated)
    with EntraTenant(config, pulse=lambda: None) as tenant:
        if is_right:
            assert tenant.accounts() == {}
        else:
            with pytest.raises(EntraRefused, match="AADSTS700027"):
                tenant.accounts()
    assert rotated.asked == [old]


# ---- a whole run ---------------------------------------------------------------------------------


@pytest.fixture
def stage(directory: Directory, vault: SimulatedVault, identity: SimulatedIdentity) -> Iterator[Stage]:
    """A customer whose secrets are in a vault."""
    time = Time()
    with SimulatedHalo(clock=time.seconds) as halo:
        stage = Stage(directory, halo, MemoryTable(Meter()), time)
        vault.values.update({"ad": stage.environment["SECRET_AD"], "halo": halo.client_secret})
        builder = stage.builder
        builder.settings = replace(builder.settings, key_vault_url=vault.url, client_id=identity.client_id)
        yield stage


def rotate(stage: Stage, vault: SimulatedVault) -> None:
    """Give the directory's account and Halo's application new secrets, and put them into the vault."""
    stage.directory.modify("CN=svc-halo,CN=Users,DC=corp,DC=example", {"userPassword": NEW})
    stage.halo.rotate_secret(NEW)
    vault.values.update(ad=NEW, halo=NEW)


def test_the_next_run_has_the_new_secrets_at_once(stage: Stage, vault: SimulatedVault) -> None:
    """Nobody waits ten minutes, and nothing fails: the refusal itself says that there are new ones."""
    assert go(stage).status is Status.OK
    rotate(stage, vault)
    stage.directory.add_user("Late", "OU=People,DC=corp,DC=example", sAMAccountName="late")
    run = go(stage)
    assert (run.status, run.counts["create"], run.message) == (Status.OK, 1, "")
    assert sorted(vault.asked) == ["ad", "ad", "halo", "halo"]


def test_a_run_survives_a_rotation_in_its_middle(stage: Stage, vault: SimulatedVault) -> None:
    """Halo ends the old secret and its tokens between two batches, and the run goes on."""
    rotations: list[int] = []

    def once(phase: str, done: int, total: int | None) -> None:
        del total
        if phase == "Writing to Halo" and done and not rotations:
            rotations.append(done)
            rotate(stage, vault)

    run = stage.sync(once).run(stage.request())
    assert rotations
    assert (run.status, run.message) == (Status.OK, "")
    stage.check_everybody_is_there_once()


def test_a_refusal_without_a_rotation_stays_one(stage: Stage, vault: SimulatedVault) -> None:
    """The vault is asked once more, the account is tried no more, and the run says what is wrong."""
    vault.values["ad"] = "wrong"
    run = go(stage)
    assert run.status is Status.FAILED
    assert "password is wrong" in run.message
    assert vault.asked.count("ad") == 2
