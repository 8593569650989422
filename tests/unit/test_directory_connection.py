"""A directory's configuration, and answers that no healthy server gives, from one that plays a script."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Self

import pytest

from devstack.certificates import CertificateAuthority
from devstack.directory import ber
from halo_adsync.directory.config import DirectoryConfig
from halo_adsync.directory.ldap import LdapDirectory
from halo_adsync.directory.port import ReadRequest
from halo_adsync.errors import ConfigurationError, DirectoryRefused, IncompleteRead
from halo_adsync.model import Meter

if TYPE_CHECKING:
    from pathlib import Path

BIND_DONE, SEARCH_ENTRY, SEARCH_DONE, SEARCH_REFERENCE, EXTENDED = 0x61, 0x64, 0x65, 0x73, 0x78
SUCCESS, CONTROLS = 0, 0xA0
PAGED = "1.2.840.113556.1.4.319"
DOMAIN_SCOPE = b"1.2.840.113556.1.4.1339"
DOMAIN = "DC=corp,DC=example"


def result(code: int, text: str = "") -> bytes:
    """Encode the contents of an LDAP result."""
    return ber.integer(code, ber.ENUMERATED) + ber.octets("") + ber.octets(text)


def entry(dn: str, **attributes: bytes | str) -> bytes:
    """Encode a search result entry with one value for each attribute."""
    encoded = [
        ber.element(ber.SEQUENCE, ber.octets(name), ber.element(ber.SET, ber.octets(value)))
        for name, value in attributes.items()
    ]
    return ber.element(SEARCH_ENTRY, ber.octets(dn), ber.element(ber.SEQUENCE, *encoded))


def done(code: int = SUCCESS) -> bytes:
    """Encode the end of a search."""
    return ber.element(SEARCH_DONE, result(code))


def last_page(cookie: str = "") -> bytes:
    """Encode the control that ends a page, by default the last one."""
    value = ber.element(ber.SEQUENCE, ber.integer(0), ber.octets(cookie))
    return ber.element(CONTROLS, ber.element(ber.SEQUENCE, ber.octets(PAGED), ber.octets(value)))


type Answer = list[tuple[bytes, bytes]]
"""The messages with which one request is answered: operation and controls each."""

SIGNED_IN: Answer = [(ber.element(BIND_DONE, result(SUCCESS)), b"")]
ROOT: Answer = [
    (entry("", defaultNamingContext=DOMAIN, configurationNamingContext=f"CN=Configuration,{DOMAIN}"), b""),
    (done(), b""),
]
NETBIOS: Answer = [(entry("CN=CORP", nETBIOSName="CORP"), b""), (done(), last_page())]
TREE: Answer = [(entry(DOMAIN, objectGUID=bytes(16)), b""), (done(), last_page())]
ANNA = entry(f"CN=Anna,{DOMAIN}", objectGUID=b"\1" * 16, userAccountControl="512")
PEOPLE: Answer = [(ANNA, b""), (done(), last_page())]


class ScriptedServer:
    """Answers one connection's requests with the answers of a script, in order, and then hangs up."""

    def __init__(self, *script: Answer) -> None:
        self.requests: list[bytes] = []
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    @property
    def server(self) -> str:
        """The server as a customer file names it."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            stream, _ = self._listener.accept()
            with stream, stream.makefile("rb") as incoming:
                for answer in self._script:
                    message = ber.read_message(incoming.read)
                    if message is None:
                        return
                    self.requests.append(message)
                    identifier = ber.number(ber.elements(message)[0][1])
                    for operation, controls in answer:
                        self._send(stream, identifier, operation, controls)

    def _send(self, stream: socket.socket, identifier: int, operation: bytes, controls: bytes) -> None:
        number = 0 if operation[0] == EXTENDED else identifier
        stream.sendall(ber.element(ber.SEQUENCE, ber.integer(number), operation, controls))


def config(*servers: str, **changes: object) -> DirectoryConfig:
    """Make a configuration without TLS, for loopback."""
    settings: dict[str, object] = {
        "id": "corp",
        "user": "u@corp.example",
        "password": "S3cret!",
        "tls": "none",
    }
    return DirectoryConfig(**{**settings, "servers": servers, **changes})  # type: ignore[arg-type]  # any of its fields


def outcome(*script: Answer) -> str | list[str]:
    """Read everybody from a scripted server: the DNs, or the sentence with which it failed."""
    with ScriptedServer(*script) as server, LdapDirectory(config(server.server), Meter()) as directory:
        try:
            people = directory.read(ReadRequest(frozenset()), lambda _: None).people
        except (IncompleteRead, DirectoryRefused) as error:
            return f"{type(error).__name__}: {error}"
    return [person.dn for person in people]


def test_the_script_itself_is_right() -> None:
    """With every answer as it should be there is a read; the following fail for their own reasons."""
    assert outcome(SIGNED_IN, ROOT, NETBIOS, TREE, PEOPLE) == [f"CN=Anna,{DOMAIN}"]


def test_referral_entries_are_passed_over() -> None:
    """References to other partitions are no part of the answer."""
    reference = (
        ber.element(SEARCH_REFERENCE, ber.octets(f"ldap://corp.example/CN=Configuration,{DOMAIN}")),
        b"",
    )
    assert outcome(SIGNED_IN, ROOT, NETBIOS, TREE, [reference, *PEOPLE]) == [f"CN=Anna,{DOMAIN}"]


def test_servers_are_asked_for_no_referrals() -> None:
    """Every search carries the control that keeps the answer within the domain."""
    with (
        ScriptedServer(SIGNED_IN, ROOT, NETBIOS, TREE, PEOPLE) as server,
        LdapDirectory(config(server.server), Meter()) as directory,
    ):
        directory.read(ReadRequest(frozenset()), lambda _: None)
    _bind, *searches = server.requests
    assert [DOMAIN_SCOPE in request for request in searches] == [True] * 4


def test_second_page_is_asked_for() -> None:
    """A page with a cookie is followed by the next, and a person who is in both counts once."""
    first: Answer = [(ANNA, b""), (done(), last_page("more"))]
    assert outcome(SIGNED_IN, ROOT, NETBIOS, TREE, first, PEOPLE) == [f"CN=Anna,{DOMAIN}"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (1, "ended an operation with result 1"),
        (3, "time limit"),
        (4, "size limit"),
        (10, "refers to another server"),
        (11, "administrative limit"),
        (51, "is busy"),
        (52, "is not available now"),
        (53, "ended an operation with result 53"),
    ],
)
@pytest.mark.parametrize("page", [1, 2])
def test_results_other_than_success(code: int, expected: str, page: int) -> None:
    """Whatever ends a page but success makes the read incomplete, though people did come with it."""
    bad: Answer = [(ANNA, b""), (done(code), last_page())]
    pages: list[Answer] = [bad] if page == 1 else [[(ANNA, b""), (done(), last_page("more"))], bad]
    sentence = outcome(SIGNED_IN, ROOT, NETBIOS, TREE, *pages)
    assert isinstance(sentence, str)
    assert sentence.startswith("IncompleteRead: Directory 'corp'")
    assert expected in sentence


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ([[(done(52), b"")]], "is not available now"),
        ([[(done(), b"")]], "does not say which domain it holds"),
        ([[(entry("", defaultNamingContext=DOMAIN), b""), (done(), b"")]], "does not say which domain"),
        ([ROOT, [(done(), last_page())]], "NetBIOS name"),
        ([ROOT, NETBIOS, [(done(), last_page())]], "no container that the account can see"),
        ([ROOT, NETBIOS, TREE, [(ANNA, b""), (done(), b"")]], "did not say whether its answer is complete"),
        ([ROOT, NETBIOS, TREE, [(entry(f"CN=A,{DOMAIN}"), b""), (done(), last_page())]], "objectGUID"),
        ([ROOT, NETBIOS, TREE, [(entry("nonsense"), b""), (done(), last_page())]], "cannot be read"),
        ([ROOT, NETBIOS, [(entry(b"\xff".decode("latin-1")), b""), (done(), last_page())]], "cannot be read"),
        ([ROOT, NETBIOS, TREE, [(ber.element(SEARCH_ENTRY, b"\x04"), b"")]], "no LDAP answer"),
        ([ROOT, NETBIOS, TREE, [(ber.element(0x7E, b""), b"")]], "127.0.0.1"),
    ],
)
def test_answers_that_lack_something(script: list[Answer], expected: str) -> None:
    """Each answer that is not what was asked for has its sentence."""
    sentence = outcome(SIGNED_IN, *script)
    assert isinstance(sentence, str)
    assert sentence.startswith("IncompleteRead: ")
    assert expected in sentence


def test_notice_of_disconnection() -> None:
    """A server that announces its end (RFC 4511, 4.4.1) is a server that ended the connection."""
    notice = ber.element(EXTENDED, result(52) + ber.octets("1.3.6.1.4.1.1466.20036", 0x8A))
    assert "ended the connection" in outcome(SIGNED_IN, ROOT, NETBIOS, TREE, [(ANNA, b""), (notice, b"")])


@pytest.mark.parametrize(
    ("code", "kind"),
    [(51, "IncompleteRead"), (52, "IncompleteRead"), (8, "DirectoryRefused"), (48, "DirectoryRefused")],
)
def test_sign_in_that_fails(code: int, kind: str) -> None:
    """A busy server is another try's business, a refusal is a person's."""
    assert outcome([(ber.element(BIND_DONE, result(code)), b"")])[: len(kind)] == kind


def test_busy_server_hands_over_to_the_next() -> None:
    """All of the pass runs again on the second server."""
    busy: Answer = [(ANNA, b""), (done(51), last_page())]
    with (
        ScriptedServer(SIGNED_IN, ROOT, NETBIOS, TREE, busy) as first,
        ScriptedServer(SIGNED_IN, ROOT, NETBIOS, TREE, PEOPLE) as second,
        LdapDirectory(config(first.server, second.server), Meter()) as directory,
    ):
        assert len(directory.read(ReadRequest(frozenset()), lambda _: None).people) == 1


def test_all_that_is_wrong_with_a_configuration() -> None:
    """Every problem is named at once, and the password is in none of them."""
    with pytest.raises(ConfigurationError) as caught:
        config("dc01", "dc02:70000", "[::1]:636", "dc 3:636", user="", base_dn="corp.example")
    problems = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 5
    assert all(part in problems for part in ("'dc01'", "'dc02:70000'", "'dc 3:636'", "account", "base_dn"))
    assert "S3cret!" not in problems


def test_password_is_not_shown() -> None:
    """A configuration can be logged."""
    assert "S3cret!" not in repr(config("localhost:389"))


def test_servers_and_where_to_connect() -> None:
    """A server's name is what its certificate proves, wherever the connection goes."""
    both = config("dc01:636", "[fe80::1]:389", tls="ldaps")
    plain, literal = both.endpoints({"dc01:636": ("127.0.0.1", 7)})
    assert (plain.server, plain.name, plain.host, plain.port) == ("dc01:636", "dc01", "127.0.0.1", 7)
    assert (literal.name, literal.host, literal.port) == ("fe80::1", "fe80::1", 389)


@pytest.mark.parametrize(
    "changes",
    [
        {"ca_file": "/no/such/file.pem"},
        {"ca_certificate": ""},
        {"ca_certificate": "-----BEGIN CERTIFICATE-----"},
    ],
)
def test_certificates_that_cannot_be_read(changes: dict[str, str]) -> None:
    """A missing file, or text without a certificate, is an error and no silent trust in others."""
    with pytest.raises(ConfigurationError, match="ca_"):
        LdapDirectory(config("dc01:636", tls="ldaps", **changes), Meter())


def test_tls_checks_chain_and_name(tmp_path: Path) -> None:
    """Chain and name are checked; that a company's authority lacks an extension is no reason to refuse it."""
    ca_file = str(CertificateAuthority(tmp_path).ca_path)
    context = config("dc01:636", tls="ldaps", ca_file=ca_file).tls_context()
    assert context is not None
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert len(context.get_ca_certs()) == 1
