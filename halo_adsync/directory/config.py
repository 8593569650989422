"""How a directory is reached: its servers, the encryption and the account."""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from halo_adsync.directory.dn import parse_dn
from halo_adsync.errors import ConfigurationError
from halo_adsync.loopback import is_loopback
from halo_adsync.model import Renewed, unchanged

_SERVER = re.compile(r"(?:\[(?P<literal>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:\s]+)):(?P<port>[0-9]{1,5})")
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One domain controller: the name that its certificate must prove, and where to connect to."""

    server: str
    """`host:port` as the customer file writes it; also what errors call it."""
    name: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class DirectoryConfig:
    """One directory of a customer file, with its secrets put in.

    Raises:
        ConfigurationError: a server is not `host:port`, or something that is needed is empty.
    """

    id: str
    servers: tuple[str, ...]
    """`host:port` in the order in which they are tried; the host is the name in the certificate."""
    user: str
    """The account: a UPN, `DOMAIN\\name` or a DN."""
    password: str = field(repr=False)
    renewed: Renewed = field(default=unchanged, repr=False, compare=False)
    """Tells whether the password was rotated, when it is refused."""
    tls: Literal["ldaps", "starttls", "none"] = "ldaps"
    ca_certificate: str | None = field(default=None, repr=False)
    """Certificates to trust, PEM; without this and `ca_file` the system's."""
    ca_file: str | None = None
    base_dn: str | None = None
    """Where the directory begins for this customer; left out, the domain."""
    connect_timeout: int = 10
    """Seconds for the connection, and as many for the TLS handshake."""
    receive_timeout: int = 60
    """Seconds that a server may be silent in the middle of an answer."""

    def __post_init__(self) -> None:
        where = f"Directory '{self.id}'"
        problems = [
            f"{where}: the server '{server}' is not host:port, for example dc01.corp.contoso.com:636."
            for server in self.servers
            if not _valid(server)
        ]
        if not self.servers:
            problems.append(f"{where}: name at least one server.")
        if not self.user or not self.password:
            # A bind without a password succeeds, as nobody (RFC 4513, 5.1.2).
            problems.append(f"{where}: the account or its password is empty; put both into bind.")
        elsewhere = [server for server in self.servers if _valid(server) and not is_loopback(_name(server))]
        if self.tls == "none" and elsewhere:
            problems.append(
                f"{where}: tls: none would send the password and everybody's data to {elsewhere[0]} in clear;"
                " it is for this machine only. Set tls to ldaps or starttls."
            )
        try:
            parse_dn(self.base_dn or "")
        except ValueError as error:
            problems.append(f"{where}: base_dn is wrong. {error}")
        if problems:
            raise ConfigurationError(problems)

    def endpoints(self, resolve: Mapping[str, tuple[str, int]]) -> tuple[Endpoint, ...]:
        """Return the servers in order.

        Args:
            resolve: the address and port to connect to instead, by `host:port`.
        """
        return tuple(self._endpoint(server, resolve) for server in self.servers)

    def _endpoint(self, server: str, resolve: Mapping[str, tuple[str, int]]) -> Endpoint:
        name = _name(server)
        host, number = resolve.get(server, (name, int(server.rpartition(":")[2])))
        return Endpoint(server, name, host, number)

    def tls_context(self) -> ssl.SSLContext | None:
        """Return the settings under which a server's certificate and name are checked; None without TLS.

        Raises:
            ConfigurationError: the certificates to trust cannot be read.
        """
        if self.tls == "none":
            return None
        if self.ca_file is not None and not Path(self.ca_file).is_file():
            raise ConfigurationError(f"Directory '{self.id}': there is no file '{self.ca_file}' (ca_file).")
        # With an empty text Python would trust the system's authorities; a blank line it refuses.
        text = None if self.ca_certificate is None else f"{self.ca_certificate}\n"
        try:
            context = ssl.create_default_context(cafile=self.ca_file, cadata=text)
        except (ssl.SSLError, OSError, ValueError):
            raise ConfigurationError(
                f"Directory '{self.id}': ca_certificate or ca_file holds no certificate that can be read; "
                "put the authority's certificate there in PEM form (-----BEGIN CERTIFICATE-----)."
            ) from None
        # Company authorities often lack extensions that RFC 5280 wants; chain, dates and name are checked.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context


def _name(server: str) -> str:
    return server.rpartition(":")[0].strip("[]")


def _valid(server: str) -> bool:
    match = _SERVER.fullmatch(server)
    return match is not None and 0 < int(match["port"]) <= _LAST_PORT
