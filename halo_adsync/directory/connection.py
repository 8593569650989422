"""A signed-in connection to one domain controller, on ldap3: TLS, bind, searches, and how they fail."""

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ldap3 import BASE, DEREF_NEVER, NONE, SUBTREE, Connection, Server, Tls
from ldap3.core.exceptions import LDAPException
from ldap3.core.results import (
    RESULT_BUSY,
    RESULT_INVALID_DN_SYNTAX,
    RESULT_NO_SUCH_OBJECT,
    RESULT_SUCCESS,
    RESULT_UNAVAILABLE,
)

from halo_adsync.directory.answers import Answers
from halo_adsync.directory.ber import DamagedAnswerError
from halo_adsync.directory.config import DirectoryConfig, Endpoint
from halo_adsync.directory.entry import EVERYTHING, RawEntry
from halo_adsync.directory.results import bind_reason, failure_reason
from halo_adsync.errors import DirectoryRefused, IncompleteRead
from halo_adsync.loopback import is_loopback
from halo_adsync.model import Meter

PAGE_SIZE = 1000
"""Entries in a page; also the most that Active Directory gives by default (MaxPageSize)."""

_PAGED_RESULTS = "1.2.840.113556.1.4.319"
# "Do not refer me to other partitions" (Microsoft: LDAP_SERVER_DOMAIN_SCOPE_OID).
_DOMAIN_SCOPE = ("1.2.840.113556.1.4.1339", False, None)

# "Return deleted objects" (Microsoft: LDAP_SERVER_SHOW_DELETED_OID).
_SHOW_DELETED = ("1.2.840.113556.1.4.417", True, None)

type Take = Callable[[RawEntry], None]
type Controls = Iterable[tuple[str, bool, bytes | None]]
"""Each with its OID, whether it is critical, and its value in BER."""


class ServerFailedError(Exception):
    """One server did not do its part; another may. The text is a sentence that begins with the server."""

    def __init__(self, server: str, why: str, *, refused: bool = False) -> None:
        self.server, self.refused = server, refused
        super().__init__(f"{server} {why}")


class Session:
    """A signed-in connection to one domain controller.

    Raises:
        ServerFailedError: the server cannot be reached, or is not who it should be (`refused`).
        DirectoryRefused: the server did not accept the account. No other server may be asked: that locks it.
    """

    def __init__(
        self, endpoint: Endpoint, config: DirectoryConfig, context: ssl.SSLContext | None, meter: Meter
    ) -> None:
        self.server = endpoint.server
        self._config = config
        self._meter = meter
        self._connection = self._connect(endpoint, context)
        self._answers = Answers(self._connection, PAGE_SIZE)
        try:
            self._bind()
        except BaseException:
            self.close()
            raise

    def pages(
        self, base: str, search_filter: str, attributes: Iterable[str], *, deleted: bool = False
    ) -> Iterator[list[RawEntry]]:
        """Search a subtree and yield its entries page by page. All entries of bulk reads come in here.

        The last page has been checked to be the last: who gets to the end has everything. With `deleted`,
        deleted objects that the account may see are searched as well.

        Raises:
            ServerFailedError: a page did not come, was damaged, or ended with anything but success.
            IncompleteRead: there is no object `base`.
        """
        self._meter.ldap_searches += 1
        cookie: bytes | None = None
        while cookie != b"":
            page, result = self._search(
                base,
                search_filter,
                attributes,
                search_scope=SUBTREE,
                paged_size=PAGE_SIZE,
                paged_criticality=True,
                paged_cookie=cookie,
                controls=[_DOMAIN_SCOPE, _SHOW_DELETED] if deleted else [_DOMAIN_SCOPE],
            )
            if result["result"] in {RESULT_NO_SUCH_OBJECT, RESULT_INVALID_DN_SYNTAX}:
                raise IncompleteRead(
                    f"'{base}' is not in directory '{self._config.id}', says {self.server}: correct it in "
                    "the customer file, or let the account read it."
                )
            self._check(result)
            control = result.get("controls", {}).get(_PAGED_RESULTS)
            if control is None:
                raise ServerFailedError(self.server, "did not say whether its answer is complete.")
            cookie = control["value"]["cookie"]
            yield page

    def stream(
        self, base: str, search_filter: str, attributes: Iterable[str], take: Take, controls: Controls
    ) -> dict[str, Any]:
        """Search a subtree in one answer of any length, and give each entry to `take` as it comes.

        Returns:
            The result as it was, with its code, message and controls: it is the caller's to judge.

        Raises:
            ServerFailedError: the answer did not come, or was damaged.
        """

        def counted(entry: RawEntry) -> None:
            self._meter.ldap_entries += 1
            take(entry)

        self._meter.ldap_searches += 1
        self._answers.sink = counted
        try:
            _, result = self._search(
                base, search_filter, attributes, search_scope=SUBTREE, controls=list(controls)
            )
        finally:
            self._answers.sink = None
        return result

    def find(self, dn: str, attributes: Iterable[str], *, deleted: bool = False) -> RawEntry | None:
        """Read one object; None if it is not there. With `deleted` it may be one of deleted objects.

        Raises:
            ServerFailedError: no answer, or one that ended with anything but success.
        """
        self._meter.ldap_searches += 1
        controls = [_DOMAIN_SCOPE, _SHOW_DELETED] if deleted else [_DOMAIN_SCOPE]
        entries, result = self._search(dn, EVERYTHING, attributes, search_scope=BASE, controls=controls)
        if result["result"] in {RESULT_NO_SUCH_OBJECT, RESULT_INVALID_DN_SYNTAX}:
            return None
        self._check(result)
        return entries[0] if entries else None

    def close(self) -> None:
        """Sign off and close the socket, whatever state it is in."""
        with contextlib.suppress(LDAPException, OSError):
            self._connection.unbind()
        _close_socket(self._connection)

    def _search(
        self, base: str, search_filter: str, attributes: Iterable[str], **options: Any
    ) -> tuple[list[RawEntry], dict[str, Any]]:
        with self._translated():
            self._connection.search(
                base,
                search_filter,
                dereference_aliases=DEREF_NEVER,
                attributes=list(attributes),
                auto_escape=False,
                **options,
            )
            entries = self._answers.take()
            result: dict[str, Any] = self._connection.result
        self._meter.ldap_entries += len(entries)
        return entries, result

    def _check(self, result: dict[str, Any]) -> None:
        if result["result"] != RESULT_SUCCESS:
            raise ServerFailedError(self.server, f"{failure_reason(result)}.")

    def _connect(self, endpoint: Endpoint, context: ssl.SSLContext | None) -> Any:
        """Connect to the first of the name's addresses that answers."""
        try:
            found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            why = f"cannot be reached: the name '{endpoint.host}' does not resolve."
            raise ServerFailedError(self.server, why) from None
        failure = ServerFailedError(self.server, "has no address.")
        for address in dict.fromkeys(str(item[4][0]) for item in found):
            try:
                return self._open(address, endpoint, context)
            except ServerFailedError as error:
                failure = error
        raise failure

    def _open(self, address: str, endpoint: Endpoint, context: ssl.SSLContext | None) -> Any:
        config = self._config
        if context is None and not is_loopback(address):  # whatever its name said
            why = "is not this machine; nothing is sent elsewhere without TLS: set tls to ldaps or starttls."
            raise ServerFailedError(self.server, why, refused=True)
        tls = _NameCheckingTls(context, endpoint.name, config.connect_timeout) if context else None
        server = Server(
            address,
            endpoint.port,
            use_ssl=config.tls == "ldaps",
            tls=tls,
            get_info=NONE,
            connect_timeout=config.connect_timeout,
        )
        connection: Any = Connection(
            server,
            config.user,
            # As bytes, or ldap3 would normalise it (RFC 4013), which Active Directory does not.
            config.password.encode(),  # type: ignore[arg-type]  # the stubs know text only
            receive_timeout=config.receive_timeout,
            auto_referrals=False,
            auto_range=False,
            check_names=False,
            return_empty_attributes=False,
        )
        try:
            connection.open(read_server_info=False)
            if config.tls == "starttls":
                connection.start_tls(read_server_info=False)
        except Exception as error:
            _close_socket(connection)
            raise self._opening_failed(error, endpoint, tls.failure if tls else None) from error
        return connection

    def _opening_failed(
        self, error: Exception, endpoint: Endpoint, tls_failure: OSError | None
    ) -> ServerFailedError:
        if isinstance(tls_failure, ssl.SSLCertVerificationError):
            why = (
                f"is not trusted: its certificate was refused for the name '{endpoint.name}' "
                f"({tls_failure.verify_message}). Name the server as its certificate does, or put the "
                "certificate of its authority into ca_certificate."
            )
            return ServerFailedError(self.server, why, refused=True)
        if tls_failure is not None:
            why = (
                f"did not complete the TLS handshake ({tls_failure.strerror or tls_failure}): check that the "
                "port speaks TLS (636 ldaps, 389 starttls) and that the server has a certificate."
            )
            return ServerFailedError(self.server, why)
        reason = str(error).removeprefix("socket connection error while opening: ")
        return ServerFailedError(self.server, f"cannot be reached: {reason}.")

    def _bind(self) -> None:
        with self._translated():
            self._connection.bind(read_server_info=False)
            result: dict[str, Any] = self._connection.result
        code = result["result"]
        if code in {RESULT_BUSY, RESULT_UNAVAILABLE}:
            self._check(result)
        if code != RESULT_SUCCESS:
            raise DirectoryRefused(
                f"{self.server} refused the account '{self._config.user}': {bind_reason(result)}."
            )

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn whatever ldap3 raises while it talks into one error, and drop the connection."""
        try:
            yield
        except (LDAPException, OSError) as error:
            raise self._broken(_silence_or_end(error, self._config.receive_timeout)) from error
        except DamagedAnswerError as error:
            raise self._broken(f"sent something that is no LDAP answer: {error}") from error
        # A damaged answer makes ldap3 raise whatever its decoder stumbles over: KeyError, IndexError...
        except Exception as error:
            raise self._broken(f"sent something that is no LDAP answer ({type(error).__name__})") from error

    def _broken(self, why: str) -> ServerFailedError:
        _close_socket(self._connection)
        return ServerFailedError(self.server, f"{why}.")


class _NameCheckingTls(Tls):
    """ldap3's TLS with the check left to OpenSSL: ldap3's own would also accept the address as the name."""

    def __init__(self, context: ssl.SSLContext, name: str, timeout: int) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self.failure: OSError | None = None
        self._context = context
        self._name = name
        self._timeout = timeout

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:  # noqa: ARG002 - ldap3's signature
        """Put TLS over a connection's socket, proving that the server has the name."""
        silence = connection.socket.gettimeout()
        connection.socket.settimeout(self._timeout)
        try:
            connection.socket = self._context.wrap_socket(connection.socket, server_hostname=self._name)
        except OSError as error:
            self.failure = error
            raise
        connection.socket.settimeout(silence)


def _silence_or_end(error: Exception, seconds: int) -> str:
    if isinstance(error, TimeoutError):
        return f"was silent for {seconds} seconds in the middle of an answer"
    return f"ended the connection ({type(error).__name__})"


def _close_socket(connection: Any) -> None:
    if connection.socket is not None:
        with contextlib.suppress(OSError):
            connection.socket.close()
