"""Storage and vault by the app's managed identity alone: as in Azure, with no key in any setting."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.core.pipeline.transport import RequestsTransport

from devstack.azurite import ACCOUNT, Azurite, azurite_missing
from devstack.certificates import CertificateAuthority
from devstack.identity import SimulatedIdentity
from halo_adsync.bootstrap import Builder
from halo_adsync.customer_file import parse
from halo_adsync.errors import StateUnavailable
from halo_adsync.model import RunId
from halo_adsync.settings import load_settings
from halo_adsync.state.queue import Request
from tests.support.triggers import CUSTOMER, FILE
from tests.support.vault import identity

__all__ = ["identity"]

pytestmark = pytest.mark.azurite
UNKNOWN = (
    r"Check AZURE_CLIENT_ID and that the app has an identity, .* sign in \(az login\)\. Then try again\."
)
STORAGE = "https://storage.azure.com"
"""The resource of storage tokens (Microsoft, "Authorize access to data in Azure Storage")."""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The settings of an app whose storage wants a token over TLS."""
    if missing := azurite_missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    authority = CertificateAuthority(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca_path))
    with Azurite(certificate=authority.issue("127.0.0.1")) as storage:
        yield {
            f"AzureWebJobsStorage__{kind}ServiceUri": f"https://127.0.0.1:{storage.ports[kind]}/{ACCOUNT}"
            for kind in ("queue", "table")
        }


def test_state_and_queue_need_no_key(settings: dict[str, str], identity: SimulatedIdentity) -> None:
    """A customer is kept and a run is queued; one token serves both services."""
    builder = Builder(load_settings({**settings, "AZURE_CLIENT_ID": identity.client_id}, Path("/nowhere")))
    assert builder.settings.connection_string is None
    store = builder.store()
    store.put_customer(parse(FILE))
    assert store.customer_ids() == [CUSTOMER]
    builder.sync().request(CUSTOMER, "full", "test", "tester")
    assert len(store.of(CUSTOMER).runs(10)) == 1
    assert identity.asked == [STORAGE]


def test_without_the_right_identity_there_is_a_sentence(
    settings: dict[str, str], identity: SimulatedIdentity
) -> None:
    """An id that is not assigned to the app is a matter of its settings; the error names the storage."""
    builder = Builder(load_settings({**settings, "AZURE_CLIENT_ID": "9" * 8}, Path("/nowhere")))
    with pytest.raises(StateUnavailable, match=UNKNOWN):
        builder.store().customer_ids()
    assert identity.asked == []


def test_the_queue_does_not_wait_for_an_identity_that_is_none(
    settings: dict[str, str], identity: SimulatedIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The storage library would try a sign-in that was refused three times more, with a minute in between."""
    assert identity.client_id != "9" * 8
    waits: list[float] = []
    monkeypatch.setattr(RequestsTransport, "sleep", lambda _, seconds: waits.append(seconds))
    builder = Builder(load_settings({**settings, "AZURE_CLIENT_ID": "9" * 8}, Path("/nowhere")))
    with pytest.raises(StateUnavailable, match=UNKNOWN):
        builder.requests().send(Request(CUSTOMER, RunId("20260101T000000Z-00000000")))
    assert waits == []
