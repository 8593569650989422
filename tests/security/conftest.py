"""A customer all of whose secrets are canaries, before a Halo that repeats what it is told."""

import base64
from collections.abc import Iterator, Mapping

import pytest

from devstack.directory import Directory
from devstack.entra import SimulatedEntra
from devstack.halo import SimulatedHalo
from devstack.memory import MemoryTable
from halo_adsync.customer_file import plain
from tests.contract.halo_desk import Time
from tests.contract.sync_stage import CUSTOMER, Stage, company, rules
from tests.security.dragnet import Dragnet, dragnet
from tests.security.parrot import HEADER, TOKENS, Parrot

CANARIES: Mapping[str, str] = {
    "ad": 'CNRYdirectory/+=&%<é> "\\x',
    "halo": 'CNRYsecret/+=&%<é> "\\x',
    "header": "CNRYheader/+=&%<>x",
}
"""The secrets that a test chooses, each with what has to be written otherwise somewhere."""
PEM_LINE = 64
"""Characters in a line of a key, all but its last one (RFC 7468)."""
CORES = ("CNRYdirectory", "CNRYsecret", "CNRYheader", "CNRYstorage", TOKENS)
"""What is left of a secret in whatever form it is written."""


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    """The company's directory, whose account has a canary for a password."""
    with company() as running:
        running.add_user(
            "svc-canary", running.base_dn, sAMAccountName="svc-canary", userPassword=CANARIES["ad"]
        )
        yield running


@pytest.fixture
def entra(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedEntra]:
    """A tenant whose server is trusted."""
    with SimulatedEntra() as tenant:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tenant.ca_path))
        yield tenant


@pytest.fixture
def parrot(monkeypatch: pytest.MonkeyPatch) -> Iterator[Parrot]:
    """A Halo that repeats what it is told, on demand."""
    time = Time()
    with (
        SimulatedHalo(client_secret=CANARIES["halo"], clock=time.seconds) as halo,
        Parrot(halo, monkeypatch) as parrot,
    ):
        yield parrot


@pytest.fixture
def stage(directory: Directory, parrot: Parrot) -> Stage:
    """A customer of whom nobody is in Halo yet, and every secret of whose is a canary."""
    stage = Stage(directory, parrot.halo, MemoryTable(), Time())
    stage.environment |= {f"SECRET_{name.upper()}": value for name, value in CANARIES.items()}
    kept = plain(stage.builder.store().customer(CUSTOMER))
    halo = {
        **kept["halo"],
        "url": parrot.url,
        "auth_url": f"{parrot.url}/auth",
        "headers": {HEADER: {"secret": "header"}},
    }
    (block,) = kept["directories"]
    bind = {"user": "svc-canary@corp.example", "password": {"secret": "ad"}}
    rules(stage, halo=halo, directories=[{**block, "bind": bind}])
    return stage


@pytest.fixture
def net(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dragnet]:
    """Everything that is said and kept."""
    with dragnet(stage, monkeypatch) as net:
        yield net


def lines_of(pem: str) -> list[str]:
    """Return the lines of a private key, any of which would give it away; the last one may be short."""
    key = pem.partition("PRIVATE KEY-----")[2].partition("-----END")[0]
    return [line for line in key.splitlines() if len(line) == PEM_LINE]


def check_no_secret(text: str, *more: str) -> None:
    """Assert that a text holds no secret, and that it was looked for in the right place."""
    assert text.strip(), "nothing was said at all"
    coded = [base64.b64encode(value.encode()).decode().rstrip("=")[:-2] for value in CANARIES.values()]
    for secret in (*CORES, *coded, *more):
        at = text.find(secret)
        assert at < 0, f"a secret came out: …{text[max(at - 300, 0) : at + 60]}…"
