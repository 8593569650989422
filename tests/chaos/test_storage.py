"""Table Storage fails under Microsoft's SDK, at any request of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from urllib.parse import urlsplit

import pytest

from devstack.azurite import connection_string
from tests.chaos.matrix import Matrix, some
from tests.chaos.storage_proxy import DROPS, MISMATCH, REFUSES, StorageProxy, Trouble, storage_proxy
from tests.chaos.world import CHANGES, FIRST, QUIET, Company
from tests.contract.storage import AnyTable, azure_table

pytestmark = pytest.mark.azurite
type Strike = tuple[str, str, str]
DAYS = (FIRST, CHANGES, QUIET)
ATTEMPTS = 4
"""How often the SDK tries, with the retries that it is given here."""
FAULTS = {
    "refuses": REFUSES,
    "does it and hangs up": DROPS,
    "throttles with 429": "429",
    "throttles with 503": "503",
    "answers 500": "500",
    "answers 412": MISMATCH,
}
HOW_OFTEN = {"once": 1, "till the SDK gives up": ATTEMPTS, "for good": float("inf")}
STRIKES = [(day, fault, how_often) for day in DAYS for fault in FAULTS for how_often in HOW_OFTEN]


@pytest.fixture(scope="module")
def proxy(storage_emulator: str) -> Iterator[StorageProxy]:
    """The server in between."""
    endpoints = dict(part.split("=", 1) for part in storage_emulator.rstrip(";").split(";"))
    port = urlsplit(endpoints["TableEndpoint"]).port
    assert port
    with storage_proxy(port) as server:
        yield server


@contextmanager
def new_table(proxy: StorageProxy) -> Iterator[AnyTable]:
    """Open a table that nobody has used yet, behind the server; nobody waits between two attempts."""
    proxy.calm()
    port = proxy.server_address[1]
    text = connection_string(blob=port, queue=port, table=port)
    with azure_table(text, retry_total=ATTEMPTS - 1, retry_backoff_factor=0) as table:
        yield table


@pytest.fixture(scope="module")
def requests(company: Company, proxy: StorageProxy) -> dict[str, int]:
    """Return how many requests the run of each day makes."""
    found: dict[str, int] = {}
    for day in DAYS:
        with new_table(proxy) as table:
            world = company.begin(day, table)
            request = world.stage.request()
            proxy.calm()
            world.calm = partial(_note, found, day, proxy)
            assert world.attempt(request) == "ok"
    return found


def _note(found: dict[str, int], day: str, proxy: StorageProxy) -> None:
    found[day] = proxy.trouble.met


@pytest.mark.parametrize("strike", STRIKES, ids=", ".join)
def test_storage_fails(
    company: Company, matrix: Matrix, proxy: StorageProxy, requests: dict[str, int], strike: Strike
) -> None:
    """What was begun is gone on with; no answer that was lost leads to a second user."""
    day, fault, how_often = strike
    with matrix.case("Table Storage", f"{fault}, {how_often}", day) as outcomes:
        for place in some(range(requests[day]), 3):
            with new_table(proxy) as table:
                world = company.begin(day, table)
                world.contended = FAULTS[fault] == MISMATCH
                request = world.stage.request()
                world.calm = proxy.calm
                proxy.trouble = Trouble(FAULTS[fault], place, HOW_OFTEN[how_often])
                outcomes[world.attempt(request)] += 1
                world.recover(request)
