"""The block `connect.relay` of a customer file."""

import json
from typing import Any

import pytest

from halo_adsync.customer import Customer
from halo_adsync.customer_connections import RelayBlock
from halo_adsync.customer_file import parse
from halo_adsync.errors import ConfigurationError

SERVERS = ["dc01.corp.contoso.com:636", "dc02.corp.contoso.com:636"]


def customer(relay: Any, **changes: Any) -> Customer:
    """Read a file that is right but for what is given."""
    directory = {
        "id": "corp",
        "servers": SERVERS[:1],
        "bind": {"user": "svc", "password": {"secret": "contoso-ad"}},
        "connect": {"relay": relay},
        **changes,
    }
    halo = {
        "url": "https://contoso.halopsa.com",
        "client_id": "x",
        "client_secret": {"secret": "contoso-halo"},
    }
    whole = {"id": "contoso", "name": "Contoso", "halo": halo, "directories": [directory]}
    return parse(json.dumps({**whole, "placement": {"client": {"name": "Contoso"}}}))


def problem(relay: Any, **changes: Any) -> str:
    """Return the one thing that is wrong with a file."""
    with pytest.raises(ConfigurationError) as caught:
        customer(relay, **changes)
    (sentence,) = caught.value.problems
    return sentence


def relay_of(file: Customer) -> Any:
    """Return the relay of a file's only directory."""
    block = file.directories[0].connect
    assert isinstance(block, RelayBlock)
    return block.relay


def test_one_connection() -> None:
    """A name alone is the connection of the only server, in Azure's own cloud; no secret is needed."""
    file = customer({"namespace": "msp-relay", "connection": "contoso-dc01"})
    assert relay_of(file).connections == ("contoso-dc01",)
    assert relay_of(file).host == "msp-relay.servicebus.windows.net"
    assert set(file.secrets()) == {"contoso-ad", "contoso-halo"}


def test_a_connection_for_each_server() -> None:
    """Names stand in the order of the servers, and a key counts among the secrets."""
    key = {"rule": "send", "key": {"secret": "contoso-relay"}}
    relay = {"namespace": "msp-relay", "connection": ["contoso-dc01", "contoso-dc02"], "sas": key}
    file = customer(relay, servers=SERVERS)
    assert relay_of(file).connections == ("contoso-dc01", "contoso-dc02")
    assert set(file.secrets()) == {"contoso-ad", "contoso-halo", "contoso-relay"}


@pytest.mark.parametrize(
    ("connection", "servers"),
    [("one", SERVERS), (["one", "two"], SERVERS[:1]), (["one", "two"], SERVERS[:1] * 2), ([], SERVERS[:1])],
)
def test_connections_that_do_not_match_the_servers(connection: Any, servers: list[str]) -> None:
    """A connection leads to one host and port, so there are as many as servers."""
    sentence = problem({"namespace": "msp-relay", "connection": connection}, servers=servers)
    assert "directories[0].connect: a hybrid connection leads to one host and port" in sentence


@pytest.mark.parametrize(
    "namespace",
    [
        "msp-relay.servicebus.usgovcloudapi.net",
        "127.0.0.1:8443",
        "localhost:8443",
        "msp-relay.servicebus.windows.net",
    ],
)
def test_whole_hosts(namespace: str) -> None:
    """A sovereign cloud is named in full, and this machine may stand in."""
    assert relay_of(customer({"namespace": namespace, "connection": "c"})).host == namespace


@pytest.mark.parametrize(
    "namespace",
    [
        "evil.example.com",
        "msp_relay",
        "msp-relay.servicebus.windows.net.example.com",
        "a.b.servicebus.windows.net",
        "evil.example.com/.servicebus.windows.net",
        "10.0.0.1:443",
        "msp-relay:443",
        "",
    ],
)
def test_hosts_that_would_be_sent_the_token(namespace: str) -> None:
    """No other host is accepted: the app's token would go there."""
    sentence = problem({"namespace": namespace, "connection": "c"})
    assert "relay.namespace: must be the name of a Relay namespace" in sentence


def test_names_that_the_manager_does_not_take() -> None:
    """Connections and rules have letters, digits and dashes."""
    assert "must be made of letters, digits" in problem({"namespace": "msp", "connection": "dc01/../dc02"})
    sas = {"rule": "a rule", "key": {"secret": "k"}}
    assert "relay.sas.rule: must be made of" in problem({"namespace": "msp", "connection": "c", "sas": sas})


def test_a_key_in_the_file() -> None:
    """A key's value is refused and not repeated."""
    sas = {"rule": "send", "key": "abc/def+Zm9v="}
    sentence = problem({"namespace": "msp", "connection": "c", "sas": sas})
    assert "must name a secret" in sentence
    assert "Zm9v" not in sentence


def test_without_tls() -> None:
    """TLS ends at the domain controller, also where its name is this machine's."""
    assert "tls must be ldaps or starttls" in problem(
        {"namespace": "msp", "connection": "c"}, servers=["localhost:389"], tls="none"
    )
