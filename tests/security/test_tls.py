"""Security: nothing is sent in clear, or to who did not prove a name, but to this machine itself."""

import ast
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devstack.directory import Directory
from devstack.entra import SimulatedEntra
from devstack.halo import SimulatedHalo
from halo_adsync.customer_file import parse
from halo_adsync.directory.config import DirectoryConfig
from halo_adsync.directory.ldap import LdapDirectory
from halo_adsync.directory.port import ReadRequest
from halo_adsync.entra.config import EntraConfig
from halo_adsync.entra.graph import EntraTenant
from halo_adsync.errors import ConfigurationError, DirectoryRefused, EntraUnavailable, HaloRefused
from halo_adsync.loopback import is_loopback, is_protected
from halo_adsync.model import Meter
from halo_adsync.settings import load_settings
from tests.contract.halo_desk import Desk, Time

ROOT = Path(__file__).parents[2]
FILE = """
id: contoso
name: Contoso
halo: {{ url: "{url}", auth_url: "{auth}", client_id: c, client_secret: {{ secret: s }} }}
directories:
  - {{ id: corp, servers: [{servers}], tls: {tls}, bind: {{ user: u, password: {{ secret: p }} }} }}
placement: {{ client: {{ name: Contoso }} }}
login: {{ entra: {{ tenant: t, client_id: c, certificate: {{ secret: e }}, login_url: "{login}" }} }}
"""
RIGHT = {
    "url": "https://contoso.example",
    "auth": "https://auth.contoso.example",
    "servers": '"dc01.contoso.example:636"',
    "tls": "ldaps",
    "login": "https://login.example",
}
NOT_HERE = (
    "dc01.contoso.example",
    "10.0.0.4",
    "0.0.0.0",
    "127.0.0.1.contoso.example",
    "localhost.contoso.example",
    "127.1.contoso",
    "[fe80::1]",
    "[::ffff:a00:4]",
    "xn--localhost",
)
"""Hosts that are not this machine, though some may look like it."""
HERE = ("localhost", "LOCALHOST", "127.0.0.1", "127.8.9.1", "[::1]")


@pytest.mark.parametrize("host", NOT_HERE)
@pytest.mark.parametrize("key", ["url", "auth", "login"])
def test_a_file_names_no_address_in_clear(key: str, host: str) -> None:
    """Halo's address, that of its sign-in and Entra's are https, or this machine."""
    parse(FILE.format(**RIGHT))
    with pytest.raises(ConfigurationError, match="https://"):
        parse(FILE.format(**{**RIGHT, key: f"http://{host}"}))


@pytest.mark.parametrize("host", HERE)
def test_this_machine_may_be_reached_in_clear(host: str) -> None:
    """For development: a simulated Halo, and a directory without TLS."""
    here = {"url": f"http://{host}:8080", "servers": f'"{host}:389"', "tls": "none"}
    assert parse(FILE.format(**(RIGHT | here))).directories[0].tls == "none"
    DirectoryConfig("corp", (f"{host}:389",), "u", "p", tls="none")


@pytest.mark.parametrize("host", NOT_HERE)
def test_a_directory_elsewhere_is_not_read_in_clear(host: str) -> None:
    """One such server among others is enough; refused in the file, and again where the password is put in."""
    servers = ("localhost:389", f"{host}:389")
    with pytest.raises(ConfigurationError, match=r"directories\[0\]\.tls: must be ldaps or starttls"):
        parse(FILE.format(**{**RIGHT, "servers": ", ".join(f'"{s}"' for s in servers), "tls": "none"}))
    with pytest.raises(ConfigurationError, match="in clear"):
        DirectoryConfig("corp", servers, "u", "p", tls="none")


def test_a_name_that_lies_about_this_machine_gets_no_password(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where `localhost` leads elsewhere, nothing is connected to, let alone sent."""

    def elsewhere(_host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", elsewhere)
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a connection was made"))
    config = DirectoryConfig("corp", (f"localhost:{directory.ldap_port}",), "u", "p", tls="none")
    with LdapDirectory(config, Meter()) as opened, pytest.raises(DirectoryRefused, match="without TLS"):
        opened.read(ReadRequest(frozenset()), lambda _: None)


@pytest.mark.parametrize("field", ["login_url", "graph_url"])
def test_entra_is_not_asked_in_clear(field: str) -> None:
    """Refused again where the key is put in."""
    right = EntraConfig("t", "c", "pem", login_url="https://login.example", graph_url="https://graph.example")
    clear: Any = {field: "http://login.example"}
    with pytest.raises(ConfigurationError, match=f"{field} must begin with https"):
        replace(right, **clear)


@pytest.mark.parametrize(
    "text",
    [
        "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=eA==",
        "AccountName=a;AccountKey=eA==;TableEndpoint=http://a.example;QueueEndpoint=https://a.example",
        "AccountName=a;AccountKey=eA==;TableEndpoint=https://a.example;QueueEndpoint=http://10.0.0.4/a",
        "SharedAccessSignature=sv=x;TableEndpoint=ftp://a.example;QueueEndpoint=https://a.example",
    ],
)
def test_storage_is_not_reached_in_clear(text: str) -> None:
    """A connection string that would send people's data without TLS is refused, without showing its key."""
    with pytest.raises(ConfigurationError, match="in clear") as refused:
        load_settings({"AzureWebJobsStorage": text})
    assert "eA==" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "UseDevelopmentStorage=true",
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=eA==;EndpointSuffix=core.windows.net",
        "AccountName=a;AccountKey=eA==",
        (
            "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=eA==;TableEndpoint=http://127.0.0.1:1/a;"
            "QueueEndpoint=http://localhost:2/a;BlobEndpoint=http://[::1]:3/a"
        ),
    ],
)
def test_storage_with_tls_and_the_emulator_are_taken(text: str) -> None:
    """What Azure gives out, and what the emulator needs."""
    assert load_settings({"AzureWebJobsStorage": text}).connection_string


@pytest.mark.parametrize("name", ["AzureWebJobsStorage__tableServiceUri", "KEY_VAULT_URL"])
def test_no_setting_names_an_address_in_clear(name: str) -> None:
    """The vault and storage are https, or this machine."""
    right = {
        "AzureWebJobsStorage__tableServiceUri": "https://a.example",
        "AzureWebJobsStorage__queueServiceUri": "https://a.example",
        "KEY_VAULT_URL": "https://v.example",
    }
    load_settings(right)
    with pytest.raises(ConfigurationError, match=f"{name} must be an https:// address"):
        load_settings(right | {name: "http://v.example"})


@pytest.fixture
def untrusted() -> Iterator[SimulatedEntra]:
    """A web server on this machine whose certificate is of an authority that nobody trusts."""
    with SimulatedEntra() as server:
        yield server


@pytest.mark.parametrize("variable", [{}, {"PYTHONHTTPSVERIFY": "0"}, {"CURL_CA_BUNDLE": ""}])
def test_a_certificate_is_checked_whatever_the_environment_says(
    untrusted: SimulatedEntra, monkeypatch: pytest.MonkeyPatch, variable: dict[str, str]
) -> None:
    """This machine's own servers as well; not a request gets through, so no secret does."""
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    config = EntraConfig(untrusted.tenant, untrusted.client_id, untrusted.pem, untrusted.url, untrusted.url)
    with SimulatedHalo() as simulated:
        desk = Desk(simulated, Time(), client=1, site=1)
        with desk.open(url=untrusted.url) as halo, pytest.raises(HaloRefused, match="not trusted"):
            halo.check()
    with EntraTenant(config, pulse=lambda: None) as tenant, pytest.raises(EntraUnavailable, match="SSLError"):
        tenant.accounts()
    assert untrusted.requests == []


def test_no_line_of_the_product_switches_a_check_off() -> None:
    """Nothing that is deployed has the means: no such argument, attribute or function is there."""
    found = [
        (path.name, ast.unparse(node))
        for folder in ("halo_adsync", "functions")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if weakens(node)
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "session.verify = False",
        "requests.get(url, verify=False)",
        "context.check_hostname = False",
        "context.verify_mode = ssl.CERT_NONE",
        "ssl._create_unverified_context()",
        "TableClient(url, connection_verify=False)",
        "urllib3.disable_warnings()",
    ],
)
def test_such_a_line_would_be_found(line: str) -> None:
    """The look through the product sees what it looks for."""
    assert any(weakens(node) for node in ast.walk(ast.parse(line)))


def weakens(node: ast.AST) -> bool:
    """Tell whether a piece of code switches the check of a certificate or a name off."""
    checks = {"verify", "check_hostname", "connection_verify", "verify_ssl", "tls_verify"}
    match node:
        case ast.keyword(arg=name, value=ast.Constant(value=False)):
            return name in checks
        case ast.Assign(targets=[ast.Attribute(attr=name)], value=ast.Constant(value=False)):
            return name in checks
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name in {"CERT_NONE", "CERT_OPTIONAL", "_create_unverified_context", "disable_warnings"}
    return False


@pytest.mark.parametrize("host", [host.strip("[]") for host in HERE])
def test_this_machine_is_known(host: str) -> None:
    """By name, and by every address of its own."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "url", ["", "https://", "http://", "ftp://localhost", "file:///etc", "https://[", "//x"]
)
def test_what_is_no_web_address_protects_nothing(url: str) -> None:
    """A text without a scheme or a host is none, whatever it is."""
    assert not is_protected(url)
