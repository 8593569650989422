"""Application Insights: what reaches its address, from a process that ends right after."""

import json
import logging
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, override

import pytest

from devstack.certificates import CertificateAuthority
from halo_adsync import bootstrap
from halo_adsync.bootstrap import Builder
from halo_adsync.errors import ConfigurationError
from halo_adsync.insights import OWN_CALLS, connect
from halo_adsync.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]
KEY = "6f3f3c39-8f5c-4a2e-9d43-0d3a5f3b1c01"
PROCESS = """
import sys, time
from azure.core.credentials import AccessToken
from halo_adsync import bootstrap
from halo_adsync.bootstrap import Builder
from halo_adsync.model import Meter
from halo_adsync.settings import load_settings
from halo_adsync.telemetry import continued, ended, phase

class Identity:
    def get_token(self, *scopes, **_):
        return AccessToken("t0ken for " + scopes[0], int(time.time()) + 3600)

builder = Builder(load_settings())
builder._credential = Identity()
with continued("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"):
    with builder.telemetry.slice("contoso", "run-1", Meter(halo_requests=3, halo_writes=1)):
        with phase("apply"):
            ended("full", "ok", {"create": 2, "move": 0})
"""


class Insights(ThreadingHTTPServer):
    """Takes telemetry as Application Insights does."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.asked: list[tuple[str, str]] = []
        """The paths, and how the caller signed in."""
        self.items: list[dict[str, Any]] = []
        """What was sent."""

    @property
    def connection_string(self) -> str:
        """How it is reached."""
        return f"InstrumentationKey={KEY};IngestionEndpoint=https://localhost:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: Insights

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        items = json.loads(body)
        self.server.asked.append((self.path, self.headers.get("Authorization", "")))
        self.server.items += items
        answer = json.dumps({"itemsReceived": len(items), "itemsAccepted": len(items), "errors": []}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    @override
    def log_message(self, *_args: Any) -> None:
        """Stay quiet."""


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    """Who vouches for it."""
    return CertificateAuthority(tmp_path)


@pytest.fixture
def insights(authority: CertificateAuthority) -> Iterator[Insights]:
    """Application Insights, on this machine."""
    issued = authority.issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate_path, issued.key_path)
    with Insights(context) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def told(insights: Insights, authority: CertificateAuthority, **settings: str) -> dict[str, Any]:
    """Let a process tell of a run, and return what reached Application Insights, by name."""
    done = subprocess.run(
        [sys.executable, "-c", PROCESS],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={
            "PATH": os.environ["PATH"],
            "AzureWebJobsStorage": "UseDevelopmentStorage=true",
            "APPLICATIONINSIGHTS_CONNECTION_STRING": insights.connection_string,
            "REQUESTS_CA_BUNDLE": str(authority.ca_path),
            **settings,
        },
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert {path for path, _ in insights.asked} == {"/v2.1/track"}
    found = {}
    for item in insights.items:
        data = item["data"]["baseData"]
        found[data["name"] if "name" in data else data["metrics"][0]["name"]] = item
    return found


def test_spans_and_numbers_arrive_when_the_process_ends(
    insights: Insights, authority: CertificateAuthority
) -> None:
    """Below what called it, under the name of the app, with customer and run, signed in by identity."""
    identity = {"APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "ClientId=x;Authorization=AAD"}
    found = told(insights, authority, WEBSITE_SITE_NAME="func-halo", **identity)
    assert found.keys() == {
        "run",
        "apply",
        "halo_adsync.runs",
        "halo_adsync.people",
        "halo_adsync.directory.entries",
        "halo_adsync.halo.requests",
    }
    for item in found.values():
        about = item["data"]["baseData"]["properties"]
        assert (about["halo_adsync.customer"], about["halo_adsync.run"]) == ("contoso", "run-1")
        assert item["tags"]["ai.cloud.role"] == "func-halo"
    assert found["run"]["tags"]["ai.operation.id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert found["run"]["tags"]["ai.operation.parentId"] == "00f067aa0ba902b7"
    assert {how for _, how in insights.asked} == {"Bearer t0ken for https://monitor.azure.com//.default"}


def test_where_no_sign_in_is_asked_for_none_is_sent(
    insights: Insights, authority: CertificateAuthority
) -> None:
    """The key in the connection string is enough for a resource that takes it."""
    told(insights, authority)
    assert {how for _, how in insights.asked} == {""}


def test_nothing_is_sent_about_the_exporter_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor fetched: whatever it would do besides is switched off before it is made."""
    for name in OWN_CALLS:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError):
        connect("nothing", None, "")
    assert {os.environ.pop(name) for name in OWN_CALLS} == {"true"}


def test_a_wrong_connection_string_stops_no_sync(caplog: pytest.LogCaptureFixture) -> None:
    """The log says what is wrong, without the string, in which a key may stand."""
    builder = Builder(Settings(insights="InstrumentationKey=hunter2"))
    assert not builder.telemetry.tracer.start_span("x").is_recording()
    assert "APPLICATIONINSIGHTS_CONNECTION_STRING is no connection string" in caplog.text
    assert "hunter2" not in caplog.text


def test_nobody_who_sends_nothing_loads_what_sends() -> None:
    """The libraries take a quarter of a second, and an app without Application Insights none of it."""
    loaded = "[name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'azure.monitor'))]"
    code = f"import sys, function_app, halo_adsync.cli; print({loaded})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("", False), ("Authorization=AAD", True), ("ClientId=x;Authorization=AAD", True), ("ClientId=x", False)],
)
def test_the_settings_say_where_to_and_how(text: str, *, wanted: bool) -> None:
    """As the Functions host reads them."""
    settings = load_settings(
        {
            "AzureWebJobsStorage": "UseDevelopmentStorage=true",
            "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": text,
        },
        Path("/nowhere"),
    )
    assert (settings.insights, settings.insights_by_identity) == (None, wanted)


def test_azures_libraries_do_not_log_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker sends everything from INFO on to Application Insights, and that would be most of it."""
    monkeypatch.setenv("AzureWebJobsStorage", "UseDevelopmentStorage=true")
    bootstrap.app.cache_clear()
    logging.getLogger("azure").setLevel(logging.NOTSET)
    bootstrap.app()
    bootstrap.app.cache_clear()
    for name in ("azure.core.pipeline.policies.http_logging_policy", "azure.identity", "azure.monitor"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
        assert logging.getLogger(name).isEnabledFor(logging.WARNING)
