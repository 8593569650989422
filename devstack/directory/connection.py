"""One client's connection: it reads messages, dispatches operations, and answers (RFC 4511)."""

from __future__ import annotations

import contextlib
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from devstack.directory import ber, signin
from devstack.directory.dirsync import endless
from devstack.directory.protocol import (
    AUTH_METHOD_NOT_SUPPORTED,
    DIRSYNC,
    OPERATIONS_ERROR,
    PROTOCOL_ERROR,
    START_TLS,
    SUCCESS,
    SUPPORTED_CONTROLS,
    UNAVAILABLE_CRITICAL_EXTENSION,
    UNWILLING_TO_PERFORM,
    WHO_AM_I,
    OperationError,
)
from devstack.directory.search import Limits, Request, Searcher, is_resumed

if TYPE_CHECKING:
    from threading import Event

    from devstack.directory.objects import Object
    from devstack.directory.tree import Tree

_BIND, _UNBIND, _SEARCH, _EXTENDED = 0x60, 0x42, 0x63, 0x77
_BIND_DONE, _SEARCH_ENTRY, _SEARCH_DONE, _EXTENDED_DONE = 0x61, 0x64, 0x65, 0x78
_WRITES = {0x66: 0x67, 0x68: 0x69, 0x4A: 0x6B, 0x6C: 0x6D, 0x6E: 0x6F}  # modify, add, delete, rename, compare
_SIMPLE, _EXTENSION_NAME, _EXTENSION_VALUE = 0x80, 0x80, 0x8B
_BUFFER_BYTES = 1 << 16


@dataclass
class Faults:
    """What goes wrong on purpose; may be changed at any time.

    Attributes:
        die_after: the connection is closed after so many entries of a search, counted over its pages.
        hang: searches are never answered.
        garbage: a search is answered with bytes that are no LDAP message.
        refuse_bind: every sign-in is refused with this reason, for example `775` (locked).
        result: a search ends with this LDAP result code (RFC 4511, 4.1.9) after half of its entries, for
            example 4 (size limit) or 10 (referral).
        result_in_the_middle: only searches that go on with a cookie end so.
        endless: each answer of DirSync says that there is more, and gives the cookie back that it was given.
    """

    die_after: int | None = None
    hang: bool = False
    garbage: bool = False
    refuse_bind: str | None = None
    result: int | None = None
    result_in_the_middle: bool = False
    endless: bool = False


@dataclass(frozen=True)
class Service:
    """What all connections share."""

    tree: Tree
    root: Object
    faults: Faults
    limits: Limits
    tls: ssl.SSLContext
    require_tls: bool
    closing: Event


class ConnectionLostError(Exception):
    """The connection ends now, because a fault says so."""


class Connection:
    """Serves one client until it leaves."""

    def __init__(self, stream: socket.socket, service: Service) -> None:
        self._stream = stream
        self._service = service
        self._account: Object | None = None
        self._searcher = Searcher(service.tree, service.root, service.limits)
        self._entries_sent = 0

    def serve(self) -> None:
        """Answer messages until the client leaves, breaks the protocol, or a fault strikes."""
        # A ValueError is a message that cannot be decoded.
        with contextlib.suppress(OSError, ValueError, ConnectionLostError):
            while (message := ber.read_message(self._receive)) is not None:
                (_, raw_id), (operation, contents), *controls = ber.elements(message)
                if operation == _UNBIND:
                    break
                self._dispatch(ber.number(raw_id), operation, contents, controls)
        # The stream may be the TLS layer that StartTLS put over the socket the server knows.
        self._stream.close()

    def cut(self) -> None:
        """End the connection from another thread, as a restart of the controller does."""
        with contextlib.suppress(OSError):
            self._stream.shutdown(socket.SHUT_RDWR)

    def _dispatch(
        self, message_id: int, operation: int, contents: bytes, controls: list[ber.Element]
    ) -> None:
        handlers = {
            _BIND: (self._bind, _BIND_DONE),
            _SEARCH: (self._search, _SEARCH_DONE),
            _EXTENDED: (self._extended, _EXTENDED_DONE),
        }
        try:
            if operation in handlers:
                handler, done = handlers[operation]
                handler(message_id, contents, _decode_controls(controls))
            elif done := _WRITES.get(operation, 0):
                text = "This directory can only be read over LDAP."
                self._finish(message_id, done, UNWILLING_TO_PERFORM, text)
        except OperationError as error:
            self._finish(message_id, done, error.code, error.message, error.matched_dn)

    def _bind(self, message_id: int, contents: bytes, _controls: dict[str, bytes]) -> None:
        _, (_, raw_name), (method, password) = ber.elements(contents)
        self._account = None
        if method != _SIMPLE:
            raise OperationError(AUTH_METHOD_NOT_SUPPORTED, "Only simple binds are served here.")
        # A name without a password is an anonymous bind (RFC 4513, 5.1.2), and so it succeeds.
        if raw_name and password:
            if self._service.require_tls and not self._is_secure:
                raise signin.tls_required()
            if self._service.faults.refuse_bind:
                raise signin.refused(self._service.faults.refuse_bind)
            self._account = signin.sign_in(self._service.tree, raw_name.decode(), password)
        self._finish(message_id, _BIND_DONE, SUCCESS)

    def _extended(self, message_id: int, contents: bytes, _controls: dict[str, bytes]) -> None:
        name = dict(ber.elements(contents)).get(_EXTENSION_NAME, b"").decode()
        if name == START_TLS and not self._is_secure:
            self._finish(message_id, _EXTENDED_DONE, SUCCESS, extra=ber.octets(name, 0x8A))
            self._stream = self._service.tls.wrap_socket(self._stream, server_side=True)
        elif name == START_TLS:
            raise OperationError(OPERATIONS_ERROR, "TLS is active already.")
        elif name == WHO_AM_I:
            who = signin.authorization_id(self._service.tree, self._account) if self._account else ""
            self._finish(message_id, _EXTENDED_DONE, SUCCESS, extra=ber.octets(who, _EXTENSION_VALUE))
        else:
            raise OperationError(PROTOCOL_ERROR, f"The extended operation {name} is not known here.")

    def _search(self, message_id: int, contents: bytes, controls: dict[str, bytes]) -> None:
        self._strike()
        request = Request.decode(contents)
        reads_root = not request.base and request.scope == 0
        if self._account is None and not reads_root:
            raise OperationError(
                OPERATIONS_ERROR,
                "000004DC: LdapErr: DSID-0C090A5C, comment: In order to perform this operation a successful "
                "bind must be completed on the connection., data 0, v4563",
            )
        self._service.root.put("highestCommittedUSN", self._service.tree.usn)
        try:
            answers, code, answer_controls = self._searcher.search(request, controls)
        except ValueError as error:  # a filter that is malformed, or has a value of the wrong kind
            raise OperationError(PROTOCOL_ERROR, f"The search cannot be decoded: {error}.") from error
        faults = self._service.faults
        if faults.result is not None and (is_resumed(controls) or not faults.result_in_the_middle):
            self._send_all(message_id, answers[: len(answers) // 2])
            raise OperationError(faults.result, "This search ends here on purpose.")
        if faults.endless and DIRSYNC in controls:
            answer_controls = endless(controls[DIRSYNC])
        self._send_all(message_id, answers)
        message = "" if code == SUCCESS else "Size limit exceeded"
        self._finish(message_id, _SEARCH_DONE, code, message, controls=answer_controls)

    def _send_all(self, message_id: int, answers: list[bytes]) -> None:
        buffer = bytearray()
        for answer in answers:
            limit = self._service.faults.die_after
            if limit is not None and self._entries_sent >= limit:
                self._stream.sendall(buffer)
                raise ConnectionLostError
            buffer += ber.element(ber.SEQUENCE, ber.integer(message_id), answer)
            self._entries_sent += answer[0] == _SEARCH_ENTRY
            if len(buffer) > _BUFFER_BYTES:
                self._stream.sendall(buffer)
                buffer.clear()
        self._stream.sendall(buffer)

    def _strike(self) -> None:
        if self._service.faults.hang:
            self._service.closing.wait()
            raise ConnectionLostError
        if self._service.faults.garbage:
            self._stream.sendall(b"\x30\x10\x02\x01\xff\x64" + b"\xde\xad\xbe\xef" * 16)
            raise ConnectionLostError

    def _finish(
        self,
        message_id: int,
        operation: int,
        code: int,
        message: str = "",
        matched_dn: str = "",
        *,
        extra: bytes = b"",
        controls: bytes = b"",
    ) -> None:
        result = ber.integer(code, ber.ENUMERATED) + ber.octets(matched_dn) + ber.octets(message) + extra
        answer = ber.element(operation, result)
        self._stream.sendall(ber.element(ber.SEQUENCE, ber.integer(message_id), answer, controls))

    def _receive(self, count: int) -> bytes:
        pieces = bytearray()
        while len(pieces) < count and (piece := self._stream.recv(count - len(pieces))):
            pieces += piece
        return bytes(pieces)

    @property
    def _is_secure(self) -> bool:
        return isinstance(self._stream, ssl.SSLSocket)


def _decode_controls(encoded: list[ber.Element]) -> dict[str, bytes]:
    """Return the values of the controls by their identifiers.

    Raises:
        OperationError: a critical control is not supported.
    """
    decoded = {}
    for _tag, control in ber.elements(encoded[0][1]) if encoded else []:
        (_tag, raw_name), *rest = ber.elements(control)
        fields = dict(rest)
        name = raw_name.decode()
        if name in SUPPORTED_CONTROLS:
            decoded[name] = fields.get(ber.OCTETS, b"")
        elif fields.get(ber.BOOLEAN, b"\x00") != b"\x00":
            raise OperationError(
                UNAVAILABLE_CRITICAL_EXTENSION,
                "00002040: SvcErr: DSID-031401E7, problem 5010 (UNAVAIL_EXTENSION), data 0",
            )
    return decoded
