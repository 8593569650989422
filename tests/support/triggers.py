"""The triggers on a state in memory: the fixtures and helpers of their tests."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest

from devstack.memory import MemoryRequests, MemoryTable
from functions import api, audit, customers, leavers, people, schedule, sync
from halo_adsync import bootstrap
from halo_adsync.bootstrap import Builder
from halo_adsync.customer_file import parse
from halo_adsync.model import CustomerId, Meter
from halo_adsync.settings import Settings
from halo_adsync.state.customer_state import CustomerState
from halo_adsync.state.store import Store

CUSTOMER = CustomerId("contoso")
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
"""The trace and the span of the host that calls a function."""
CONTEXT: Any = SimpleNamespace(trace_context=SimpleNamespace(trace_parent=f"00-{TRACE}-{SPAN}-00"))
"""What the worker says of a call: the host marks it as not sampled."""
FILE = """
id: contoso
name: Contoso Ltd
halo: { url: "https://contoso.halo.example", client_id: app, client_secret: { secret: contoso-halo } }
directories:
  - { id: corp, servers: ["dc01.contoso.example:636"], bind: { user: svc, password: { secret: contoso-ad } } }
placement: { client: { name: Contoso Ltd } }
schedule: { full: "0 2 * * *" }
"""


class MemoryBuilder(Builder):
    """Builds the product's services on a state in memory; secrets are missing."""

    def __init__(self) -> None:
        super().__init__(Settings())
        self.queue = MemoryRequests()
        self._table = MemoryTable()

    def store(self, meter: Meter | None = None) -> Store:
        """Return the store in memory."""
        del meter
        return Store(self._table, lambda: datetime.now(UTC))

    def requests(self) -> Any:
        """Return the queue in memory."""
        return self.queue

    @property
    def state(self) -> CustomerState:
        """The state of the one customer."""
        return self.store().of(CUSTOMER)


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> MemoryBuilder:
    """The triggers on a state in memory, with one customer who is due."""
    built = MemoryBuilder()
    built.store().put_customer(parse(FILE))
    for module in (api, audit, customers, leavers, people, schedule, sync):
        monkeypatch.setattr(module, "app", lambda: built)
    monkeypatch.setattr("halo_adsync.health.app", lambda: built)
    return built


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The real settings, read from an empty folder and an environment without storage."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AzureWebJobsStorage", raising=False)
    bootstrap.app.cache_clear()
    yield tmp_path
    bootstrap.app.cache_clear()


def http(
    function: Any, body: bytes = b"", headers: dict[str, str] | None = None, **route: str
) -> func.HttpResponse:
    """Call an HTTP function."""
    request = func.HttpRequest("POST", "https://app.example/", headers=headers, route_params=route, body=body)
    answer: func.HttpResponse = function(request)
    return answer


def json_of(answer: func.HttpResponse) -> dict[str, Any]:
    """Return a JSON answer's document."""
    assert answer.mimetype in {"application/json", "application/problem+json"}
    document: dict[str, Any] = json.loads(answer.get_body())
    return document


def check_problem(answer: func.HttpResponse, status: int, said: str) -> None:
    """Assert that an answer is a problem document (RFC 9457) with this status, whose detail says this."""
    assert answer.mimetype == "application/problem+json"
    document = json_of(answer)
    more = {"errors"} if status in {400, 415} else set()
    assert document.keys() == {"type", "title", "status", "detail"} | more
    if more:
        assert "\n".join(error["detail"] for error in document["errors"]) == document["detail"]
    assert answer.status_code == document["status"] == status
    assert said in document["detail"]


def principal(name: str = "anna@contoso.example", *roles: str, provider: str = "aad") -> str:
    """Return the header by which App Service Authentication says who signed in, with which roles."""
    claims = [{"typ": "preferred_username", "val": name}, *({"typ": "roles", "val": role} for role in roles)]
    document = {"auth_typ": provider, "claims": claims, "name_typ": "name", "role_typ": "roles"}
    return base64.b64encode(json.dumps(document).encode()).decode()
