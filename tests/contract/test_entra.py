"""Entra: the real msal and our client on a simulated tenant, over HTTPS."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from devstack.certificates import application_pem
from devstack.entra import SimulatedEntra
from halo_adsync.entra.config import EntraConfig
from halo_adsync.entra.graph import EntraTenant
from halo_adsync.errors import ConfigurationError, EntraRefused, EntraUnavailable
from halo_adsync.model import EntraAccount, ObjectGuid

GUIDS = [str(uuid.UUID(int=number << 64 | 0x8000_0000_0000_0000 | number)) for number in range(1, 8)]


@pytest.fixture
def entra(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedEntra]:
    """A tenant whose server is trusted, with pages of three users."""
    with SimulatedEntra(page_size=3) as tenant:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tenant.ca_path))
        yield tenant


@pytest.fixture
def waits() -> list[float]:
    """What was waited, in seconds."""
    return []


@pytest.fixture
def connect(entra: SimulatedEntra, waits: list[float]) -> Callable[..., EntraTenant]:
    """Make a client, with other settings than the right ones where given."""

    def make(**other: Any) -> EntraTenant:
        right = EntraConfig(entra.tenant, entra.client_id, entra.pem, entra.url, entra.url)
        return EntraTenant(replace(right, **other), pulse=lambda: None, sleep=waits.append)

    return make


type Connect = Callable[..., EntraTenant]


def test_all_pages_are_read_and_matched_by_the_immutable_id(entra: SimulatedEntra, connect: Connect) -> None:
    """Accounts come by the objectGUID in the directory's own byte order; cloud-only ones are left out."""
    ids = {guid: entra.add_user(guid) for guid in GUIDS}
    entra.add_user(None)
    entra.add_user(None, onPremisesImmutableId="chosen by hand")
    entra.add_user(GUIDS[0].replace("0", "f"), accountEnabled=False, userPrincipalName="x@t.onmicrosoft.com")
    with connect() as tenant:
        found = tenant.accounts()
    assert {guid: found[ObjectGuid(guid)].id for guid in GUIDS} == ids
    (other,) = [account for guid, account in found.items() if guid not in ids]
    assert (other.enabled, other.principal) == (False, "x@t.onmicrosoft.com")
    assert found[ObjectGuid(GUIDS[1])] == EntraAccount(
        ids[GUIDS[1]], enabled=True, principal=f"{ids[GUIDS[1]]}@contoso.com"
    )
    pages = [request.elements for request in entra.requests if request.path == "/v1.0/users"]
    assert pages == [3, 3, 3, 1]
    assert "onmicrosoft" not in repr(other)


def test_what_passes_is_waited_out(entra: SimulatedEntra, connect: Connect, waits: list[float]) -> None:
    """Throttling waits as long as Graph asks, and a server's error a while; then everything is there."""
    for guid in GUIDS:
        entra.add_user(guid)
    entra.faults.statuses, entra.faults.retry_after = [429, 200, 503], "7"
    with connect() as tenant:
        assert len(tenant.accounts()) == len(GUIDS)
    assert waits == [7, 7]


@pytest.mark.parametrize(
    ("statuses", "part"),
    [([503] * 4, "answered 503"), ([200, 429, 429, 429, 429], "answered 429"), ([200, 0, 0], "be reached")],
)
def test_half_a_list_is_an_error(
    entra: SimulatedEntra, connect: Connect, statuses: list[int], part: str
) -> None:
    """A page that does not come leaves nothing that could be taken for everybody."""
    for guid in GUIDS:
        entra.add_user(guid)
    entra.faults.statuses = statuses
    with connect() as tenant, pytest.raises(EntraUnavailable, match=part):
        tenant.accounts()


def test_the_token_goes_to_no_other_host(entra: SimulatedEntra, connect: Connect) -> None:
    """A next page on another host is not fetched."""
    for guid in GUIDS:
        entra.add_user(guid)
    entra.faults.next_host = "https://elsewhere.example"
    with connect() as tenant, pytest.raises(EntraUnavailable, match="another host"):
        tenant.accounts()


def test_without_consent_the_permission_is_named(entra: SimulatedEntra, connect: Connect) -> None:
    """Graph's refusal says which permission the application lacks."""
    entra.consented = False
    with connect() as tenant, pytest.raises(EntraRefused, match=r"403.*User\.Read\.All"):
        tenant.accounts()


@pytest.mark.parametrize(
    ("other", "part"),
    [
        ({"client_id": "somebody-else"}, "AADSTS700016.*login.entra.client_id"),
        ({"pem": application_pem()}, "AADSTS700027.*this certificate"),
        ({"tenant": "nowhere.example"}, "no tenant 'nowhere.example'"),
    ],
)
def test_a_refused_sign_in_says_what_is_wrong(connect: Connect, other: dict[str, str], part: str) -> None:
    """Each mistake in the file has its own sentence, without Entra's trace ids."""
    with connect(**other) as tenant, pytest.raises(EntraRefused, match=part) as refused:
        tenant.accounts()
    assert "Trace" not in str(refused.value)


def test_a_sign_in_that_is_out_of_order_is_no_refusal(entra: SimulatedEntra, connect: Connect) -> None:
    """What Entra says of itself is to be tried again later."""
    entra.faults.sign_in = {"error": "temporarily_unavailable", "error_description": "AADSTS90033: later"}
    with connect() as tenant, pytest.raises(EntraUnavailable, match="later"):
        tenant.accounts()


BEGIN_KEY, END_KEY = "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----"


@pytest.mark.parametrize("broken", ["nothing", "certificate only", "key only", "bad key", "bad certificate"])
def test_a_secret_that_is_no_certificate_is_named_and_not_repeated(
    entra: SimulatedEntra, connect: Connect, broken: str
) -> None:
    """Whatever part of it is wrong, the sentence says what the secret has to hold."""
    key, _, rest = entra.pem.partition(END_KEY)
    pem = {
        "nothing": "hunter2",
        "certificate only": rest,
        "key only": f"{key}{END_KEY}",
        "bad key": f"{BEGIN_KEY}\naHVudGVyMg==\n{END_KEY}\n{rest}",
        "bad certificate": f"{key}{END_KEY}\n{CERTIFICATE.format('aHVudGVyMg==')}",
    }[broken]
    with (
        connect(pem=pem) as tenant,
        pytest.raises(ConfigurationError, match=r"login\.entra\.certificate") as bad,
    ):
        tenant.accounts()
    assert "aHVudGVy" not in str(bad.value)
    assert "hunter2" not in repr(EntraConfig("t", "c", "hunter2", "https://x", "https://x"))


def test_nobody_there_is_unavailable_and_an_untrusted_server_too(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither leads to an empty list, and no sentence repeats an address with anything in it."""
    nowhere = "https://127.0.0.1:9"
    with connect(login_url=nowhere) as tenant, pytest.raises(EntraUnavailable, match="sign-in"):
        tenant.accounts()
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with connect() as tenant, pytest.raises(EntraUnavailable, match="sign-in"):
        tenant.accounts()
