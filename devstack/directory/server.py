"""The directory as a server: two loopback ports, certificates, and what a client finds at its root."""

from __future__ import annotations

import contextlib
import socket
import ssl
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from devstack.certificates import CertificateAuthority, ServerCertificate
from devstack.directory.connection import Connection, Faults, Service
from devstack.directory.ldif import read_ldif
from devstack.directory.objects import Object
from devstack.directory.search import Limits
from devstack.directory.system import root_dse
from devstack.directory.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from devstack.directory.edits import Attributes

LOOPBACK = "127.0.0.1"
_BIND_ACCOUNT = "svc-halo"
_JOIN_SECONDS = 5


class Directory(Tree):
    """A small directory that behaves as Active Directory does, and serves within its `with` block.

    Attributes:
        host: the address to connect to.
        hostname: the controller's DNS name, in its certificate beside `localhost` and the address.
        ldaps_port: LDAPS.
        ldap_port: LDAP with StartTLS.
        ca_path: the certificate to trust (PEM).
        user: UPN of the account `svc-halo`, empty if there is none.
        password: its password.
        faults: what goes wrong on purpose.
        limits: how much is in one answer.
    """

    def __init__(
        self,
        entries: Iterable[tuple[str, Attributes]],
        *,
        netbios: str | None = None,
        folder: Path | None = None,
        ldaps_port: int = 0,
        ldap_port: int = 0,
        require_tls: bool = True,
        certificate_hosts: Iterable[str] | None = None,
        valid_days: int = 30,
        controller: str = "dc01",
    ) -> None:
        """Load the entries; the ports are bound when the block begins.

        Args:
            entries: names and attributes, parents first; the first `domainDNS` object is the domain.
            netbios: the domain's NetBIOS name; left out, the domain's first label.
            folder: where the certificates go; left out, a temporary folder.
            ldaps_port: 0 for a free one.
            ldap_port: 0 for a free one.
            require_tls: whether a simple bind without TLS is refused.
            certificate_hosts: the names in the certificate, to try a wrong one.
            valid_days: the certificate's time; negative to try an expired one.
            controller: the controller's name.
        """
        super().__init__(entries, netbios)
        self.host = LOOPBACK
        self.hostname = f"{controller}.{self.dns_domain}"
        self.ldaps_port, self.ldap_port = ldaps_port, ldap_port
        self.faults = Faults()
        self.limits = Limits()
        account = next((o for o in self.walk() if o.text("samaccountname") == _BIND_ACCOUNT), Object(""))
        self.user, self.password = account.text("userprincipalname"), account.text("userpassword")
        self._folder = folder
        self._require_tls = require_tls
        self._hosts = tuple(certificate_hosts or (self.hostname, "localhost", LOOPBACK))
        self._valid_days = valid_days
        self._closing = threading.Event()
        self._open: set[Connection] = set()
        self._threads: list[threading.Thread] = []

    @classmethod
    def from_ldif(
        cls,
        path: Path,
        *,
        netbios: str | None = None,
        folder: Path | None = None,
        ldaps_port: int = 0,
        ldap_port: int = 0,
        require_tls: bool = True,
        certificate_hosts: Iterable[str] | None = None,
        valid_days: int = 30,
    ) -> Self:
        """Load an LDIF file; the other arguments are those of the class."""
        return cls(
            read_ldif(path),
            netbios=netbios,
            folder=folder,
            ldaps_port=ldaps_port,
            ldap_port=ldap_port,
            require_tls=require_tls,
            certificate_hosts=certificate_hosts,
            valid_days=valid_days,
        )

    def replica(self, controller: str = "dc02") -> Directory:
        """Make another controller of this domain, with what there is in it by now.

        It has a database and numbers of its own; what changes from now on is to be changed there as well.
        """
        return Directory(self.replicated(), netbios=self.netbios, controller=controller)

    def __enter__(self) -> Self:
        """Make the certificates and listen."""
        with contextlib.ExitStack() as stack:
            folder = self._folder or Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="directory-"))
            )
            authority = CertificateAuthority(folder)
            self.ca_path = authority.ca_path
            certificate = authority.issue(*self._hosts, valid_days=self._valid_days)
            self._service = self._make_service(certificate)
            self.ldaps_port = self._listen(stack, self.ldaps_port, tls=True)
            self.ldap_port = self._listen(stack, self.ldap_port, tls=False)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the ports and all connections."""
        self._closing.set()
        self._stack.close()
        self.drop_connections()
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)

    def drop_connections(self) -> None:
        """Cut every client off, as a restart of the controller does."""
        for connection in list(self._open):
            connection.cut()

    def _make_service(self, certificate: ServerCertificate) -> Service:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate_path, certificate.key_path)
        return Service(
            self,
            root_dse(self, self.hostname),
            self.faults,
            self.limits,
            context,
            self._require_tls,
            self._closing,
        )

    def _listen(self, stack: contextlib.ExitStack, port: int, *, tls: bool) -> int:
        listener = stack.enter_context(socket.create_server((LOOPBACK, port)))
        stack.callback(_shut_down, listener)
        self._start(self._accept, listener, tls)
        return int(listener.getsockname()[1])

    def _accept(self, listener: socket.socket, tls: bool) -> None:
        with contextlib.suppress(OSError):
            while True:
                stream, _ = listener.accept()
                stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._start(self._serve, stream, tls)

    def _serve(self, stream: socket.socket, tls: bool) -> None:
        wrapped = stream
        try:
            # Without a handshake within this time the client is none.
            stream.settimeout(_JOIN_SECONDS)
            if tls:
                wrapped = self._service.tls.wrap_socket(stream, server_side=True)
            wrapped.settimeout(None)
        except OSError:  # a client that does not trust the certificate leaves during the handshake
            stream.close()
            return
        connection = Connection(wrapped, self._service)
        self._open.add(connection)
        connection.serve()
        self._open.discard(connection)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads = [*(other for other in self._threads if other.is_alive()), thread]
        thread.start()


def _shut_down(listener: socket.socket) -> None:
    """Wake the thread that waits in accept, which closing alone does not."""
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
