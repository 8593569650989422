"""The directory's contract where something is wrong: accounts, certificates, servers that fail."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from devstack.certificates import CertificateAuthority
from devstack.directory import ber
from halo_adsync.directory.port import ReadRequest
from halo_adsync.errors import IncompleteRead
from tests.support.cutting import CuttingProxy
from tests.support.reading import failure, read, refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from devstack.directory import Directory
    from tests.contract.conftest import DirectoryStand
    from tests.support.cutting import Address

    type MakeProxy = Callable[[Address, int | None], CuttingProxy]

BIND_DONE = 0x61
SERVER = "dc01.corp.example:636"
SECOND = "dc01.corp.example:1636"
PASSWORD = "Ot-her-Secret!1"
EXPIRED = 116444736000000000


def test_start_tls(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """LDAP with StartTLS reads as LDAPS does."""
    directory_stand.person("Anna", directory_ou)
    server = "dc01.corp.example:389"
    assert len(read(directory_stand.open(servers=(server,), tls="starttls"), directory_ou).people) == 1


def test_authority_as_text(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """The authority's certificate may come as PEM text."""
    text = directory_stand.ca_path.read_text()
    assert read(directory_stand.open(ca_file=None, ca_certificate=text), directory_ou).people == ()


@pytest.mark.parametrize(("tls", "port"), [("ldaps", 636), ("starttls", 389)], ids=["ldaps", "starttls"])
def test_certificate_for_another_name(directory_stand: DirectoryStand, tls: str, port: int) -> None:
    """The certificate must be for the server's name; that it is for the address is not enough."""
    address = directory_stand.ldaps if tls == "ldaps" else directory_stand.ldap
    server = f"files.corp.example:{port}"
    sentence = refusal(directory_stand.open(at={server: address}, servers=(server,), tls=tls))
    assert server in sentence
    assert "Hostname mismatch, certificate is not valid for 'files.corp.example'" in sentence


@pytest.mark.parametrize("tls", ["ldaps", "starttls"])
def test_unknown_authority(directory_stand: DirectoryStand, tmp_path: Path, tls: str) -> None:
    """A certificate of an authority that is not trusted is refused, by a list of ours or the system's."""
    other = str(CertificateAuthority(tmp_path).ca_path)
    server = SERVER if tls == "ldaps" else "dc01.corp.example:389"
    for ca_file in (other, None):
        sentence = refusal(directory_stand.open(ca_file=ca_file, servers=(server,), tls=tls))
        assert f"{server} is not trusted" in sentence
        assert "ca_certificate" in sentence


def test_password_without_tls(directory_stand: DirectoryStand) -> None:
    """A server that takes no password in clear is answered with what to set."""
    at = {"localhost:389": directory_stand.ldap}
    sentence = refusal(directory_stand.open(at=at, servers=("localhost:389",), tls="none"))
    assert "set tls to ldaps or starttls" in sentence


def test_ldaps_on_the_wrong_port(directory_stand: DirectoryStand) -> None:
    """TLS towards a port that does not speak it fails with a hint at the ports."""
    sentence = failure(directory_stand.open(servers=("dc01.corp.example:389",), connect_timeout=2))
    assert "dc01.corp.example:389 did not complete the TLS handshake" in sentence


def test_wrong_password_is_tried_once(
    directory_stand: DirectoryStand, directory_proxy: MakeProxy, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong password goes to no second server, and stands in no message."""
    second = directory_proxy(directory_stand.ldaps, None)
    directory = directory_stand.open(
        at={SECOND: second.address}, servers=(SERVER, SECOND), password="wr0ng-Password"
    )
    sentence = refusal(directory)
    assert f"{SERVER} refused the account 'svc-halo@corp.example': the password is wrong" in sentence
    assert second.connections == 0
    assert "wr0ng-Password" not in sentence + caplog.text + repr(directory_stand.config)


def test_account_that_does_not_exist(directory_stand: DirectoryStand) -> None:
    """An unknown account is refused with a sentence about the account."""
    assert "nobody@corp.example" in refusal(directory_stand.open(user="nobody@corp.example"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"userAccountControl": 514}, "it is disabled; enable it"),
        ({"accountExpires": EXPIRED}, "the account has expired"),
        ({"pwdLastSet": 0}, "must be changed"),
    ],
    ids=["disabled", "expired", "must change"],
)
def test_account_that_may_not_sign_in(
    directory_stand: DirectoryStand, changes: dict[str, int], expected: str
) -> None:
    """The right password of an account that is off: the sentence says what is wrong with it."""
    name = f"svc{next(directory_stand.numbers)}"
    dn = directory_stand.edits.add_user(
        name, directory_stand.users, sAMAccountName=name, userPassword=PASSWORD
    )
    directory_stand.edits.modify(dn, changes)
    assert expected in refusal(directory_stand.open(user=f"{name}@corp.example", password=PASSWORD))


def test_names_of_an_account(directory_stand: DirectoryStand, directory_ou: str) -> None:
    """An account signs in by UPN, domain and name, or DN, also with a password outside ASCII."""
    name = f"svc{next(directory_stand.numbers)}"
    # NFKC, which RFC 4013 applies and Active Directory does not, would change the ligature.
    password = "Pässwörd-ﬁ-1"
    dn = directory_stand.edits.add_user(
        name, directory_stand.users, sAMAccountName=name, userPassword=password
    )
    for user in (f"{name}@corp.example", f"CORP\\{name}", dn):
        assert read(directory_stand.open(user=user, password=password), directory_ou).people == ()


def test_unreachable_servers_are_all_named(
    directory_stand: DirectoryStand, directory_closed_port: Address
) -> None:
    """When no server answers, each is named with its reason."""
    servers = ("dc01.corp.example:636", "no-such-host.invalid:636")
    at = {"dc01.corp.example:636": directory_closed_port}
    sentence = failure(directory_stand.open(at=at, servers=servers))
    assert "dc01.corp.example:636 cannot be reached: [Errno 111] Connection refused" in sentence
    assert "no-such-host.invalid:636 cannot be reached: the name" in sentence


@pytest.mark.parametrize("trouble", ["closed", "other name"])
def test_the_next_server_takes_over(
    directory_stand: DirectoryStand,
    directory_ou: str,
    directory_closed_port: Address,
    caplog: pytest.LogCaptureFixture,
    trouble: str,
) -> None:
    """A first server that cannot be reached or trusted is passed over, with a warning in the log."""
    directory_stand.person("Anna", directory_ou)
    first = "dc00.corp.example:636"
    at = {first: directory_closed_port if trouble == "closed" else directory_stand.ldaps}
    assert len(read(directory_stand.open(at=at, servers=(first, SERVER)), directory_ou).people) == 1
    assert first in caplog.text


def test_server_dies_in_the_middle(
    directory_stand: DirectoryStand, directory_ou: str, directory_proxy: MakeProxy
) -> None:
    """A pass that breaks off starts again on the next server; without a next one it is an error."""
    directory_stand.crowd(directory_ou, 1050)
    dying = directory_proxy(directory_stand.ldaps, 150_000)
    at = {SECOND: dying.address}
    told: list[int] = []
    with directory_stand.open(at=at, servers=(SECOND, SERVER)) as directory:
        result = directory.read(ReadRequest(frozenset({"mail"}), include=(directory_ou,)), told.append)
    assert dying.connections == 1
    assert len({person.guid for person in result.people}) == len(result.people) == 1050
    assert directory_stand.meter.ldap_searches == 8
    sentence = failure(directory_stand.open(at=at, servers=(SECOND,)), directory_ou)
    assert f"{SECOND} ended the connection" in sentence


def test_connection_that_was_cut_while_idle(directory_demo: tuple[DirectoryStand, Directory]) -> None:
    """A connection that the server has dropped meanwhile is opened anew, with one server only too."""
    stand, server = directory_demo
    with stand.open() as directory:
        request = ReadRequest(frozenset(), include=(stand.users,))
        first = directory.read(request, lambda _: None)
        server.drop_connections()
        assert directory.read(request, lambda _: None) == first


def test_server_that_falls_silent(directory_demo: tuple[DirectoryStand, Directory]) -> None:
    """A server that never answers is given up after the time-out."""
    stand, server = directory_demo
    server.faults.hang = True
    started = datetime.now(UTC)
    sentence = failure(stand.open(receive_timeout=1))
    assert f"{SERVER} was silent for 1 seconds" in sentence
    assert (datetime.now(UTC) - started).total_seconds() < 5


def test_server_that_never_speaks(directory_demo: tuple[DirectoryStand, Directory]) -> None:
    """A port that accepts and says nothing is given up during the TLS handshake."""
    stand, _ = directory_demo
    with socket.create_server(("127.0.0.1", 0)) as mute:
        host, port = mute.getsockname()
        sentence = failure(stand.open(at={SERVER: (host, port)}, connect_timeout=1))
    assert "did not complete the TLS handshake" in sentence


def test_garbage(directory_demo: tuple[DirectoryStand, Directory]) -> None:
    """Bytes that are no LDAP are an incomplete read like any other."""
    stand, server = directory_demo
    server.faults.garbage = True
    assert SERVER in failure(stand.open())


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_every_answer_is_needed(directory_demo: tuple[DirectoryStand, Directory], limit: int) -> None:
    """Wherever the server dies, there is no read."""
    stand, server = directory_demo
    server.faults.die_after = limit
    assert "ended the connection" in failure(stand.open())


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("525", "no such account"),
        ("52e", "password is wrong"),
        ("530", "logon hours"),
        ("531", "workstations"),
        ("532", "password has expired"),
        ("533", "disabled"),
        ("701", "account has expired"),
        ("773", "must be changed"),
        ("775", "locked out"),
        ("99", "Windows error 99"),
    ],
)
def test_reasons_of_a_refused_sign_in(
    directory_demo: tuple[DirectoryStand, Directory], code: str, expected: str
) -> None:
    """Every reason that Active Directory gives becomes a sentence."""
    stand, server = directory_demo
    server.faults.refuse_bind = code
    assert expected in refusal(stand.open())


def test_long_lists_are_read_in_ranges(directory_demo: tuple[DirectoryStand, Directory]) -> None:
    """A group of more than 1,500 members, and an attribute of as many values, arrive whole."""
    stand, server = directory_demo
    ou = server.add_ou("People")
    stand.crowd(ou, 3100)
    numbers = [f"{number:05}" for number in range(1600)]
    server.modify(f"CN=Person 7,{ou}", {"otherTelephone": numbers})
    nested = server.add_group("Nested", ou, [f"CN=Person {number},{ou}" for number in range(1600)])
    group = server.add_group("All", ou, [nested, *(f"CN=Person {n},{ou}" for n in range(1600, 3100))])
    with stand.open() as directory:
        request = ReadRequest(frozenset({"otherTelephone"}), include=(ou,), groups=(group,))
        result = directory.read(request, lambda _: None)
    assert result.groups[group] == {person.guid for person in result.people}
    assert len(result.people) == 3100
    (telephones,) = [person.attributes for person in result.people if person.attributes]
    assert telephones == {"othertelephone": tuple(numbers)}


def test_person_in_a_container_that_cannot_be_seen(
    directory_demo: tuple[DirectoryStand, Directory],
) -> None:
    """Who stands in no known container makes the read incomplete: scope and placement would be a guess."""
    stand, server = directory_demo
    server.add("L=Odd,DC=corp,DC=example", {"objectClass": ["top", "locality"], "l": "Odd"})
    stand.person("Anna", "L=Odd,DC=corp,DC=example")
    assert "'L=Odd,DC=corp,DC=example'" in failure(stand.open())
    with stand.open() as directory, pytest.raises(IncompleteRead, match="L=Odd"):
        directory.containers(lambda _: None)


def test_expired_certificate(directory_expired: DirectoryStand) -> None:
    """A certificate that has expired is refused."""
    stand = directory_expired
    assert "certificate has expired" in refusal(stand.open())


class SlippingProxy(CuttingProxy):
    """Answers the sign-in behind the first answer of the server, as somebody on the way can before TLS."""

    def _answers(self, far: socket.socket, near: socket.socket, limit: int | None) -> None:
        first = far.recv(4096)
        ((_, contents),) = ber.elements(first)
        number = ber.number(ber.elements(contents)[0][1])
        success = ber.integer(0, ber.ENUMERATED) + ber.octets("") + ber.octets("")
        forged = ber.element(ber.SEQUENCE, ber.integer(number + 1), ber.element(BIND_DONE, success))
        near.sendall(first + forged)
        super()._answers(far, near, limit)


def test_nothing_from_before_tls_is_an_answer(directory_stand: DirectoryStand) -> None:
    """A sign-in that is answered in clear, before there is TLS, ends the connection before it is begun."""
    server = "dc01.corp.example:389"
    proxy = SlippingProxy(directory_stand.ldap)
    try:
        directory = directory_stand.open(at={server: proxy.address}, servers=(server,), tls="starttls")
        assert f"{server} cannot be reached" in failure(directory)
    finally:
        proxy.close()
