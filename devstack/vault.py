"""A simulated Key Vault, opened by the simulated identity: over TLS on loopback, with the challenge.

Microsoft's own client talks to it unchanged. Sources: "Authentication, requests and responses" and "Get
Secret" of Key Vault's REST reference. A vault's name resolves to loopback while `loopback_names` is on.
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import jwt

from devstack.certificates import CertificateAuthority
from devstack.halo.messages import Answer, Request
from devstack.halo.server import HaloServer
from devstack.identity import KEY

SUFFIX = "vault.localhost"
"""In the place of vault.azure.net; names below localhost are this machine's own (RFC 6761)."""


class SimulatedVault:
    """One vault, which takes the tokens of the simulated identity.

    Attributes:
        url: its address; its name resolves within `loopback_names`.
        ca_path: the authority whose certificates clients have to trust.
        values: what it holds, by name.
        disabled: the names of secrets that are switched off.
        status: what every secret is answered with while it is not 200.
        asked: the names of the secrets that were asked for with a good token.
    """

    def __init__(self, folder: Path, name: str = "contoso") -> None:
        authority = CertificateAuthority(folder)
        self.ca_path = authority.ca_path
        self.values: dict[str, str] = {}
        self.disabled: set[str] = set()
        self.status = HTTPStatus.OK.value
        self.asked: list[str] = []
        issued = authority.issue(f"{name}.{SUFFIX}")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.certificate_path, issued.key_path)
        self._server = HaloServer(0, self._respond)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        port = self._server.server_address[1]
        self.url, self._resource = f"https://{name}.{SUFFIX}:{port}", f"https://{SUFFIX}:{port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def _respond(self, request: Request) -> Answer:
        if not self._is_signed(request.headers.get("Authorization", "")):
            where = "https://login.localhost/00000000-0000-0000-0000-000000000000"
            challenge = f'Bearer authorization="{where}", resource="{self._resource}"'
            return Answer(HTTPStatus.UNAUTHORIZED, headers={"WWW-Authenticate": challenge})
        _, kind, name, *_ = [*request.path.split("/"), "", ""]
        if request.method != "GET" or kind != "secrets" or "api-version" not in request.query:
            return _error(HTTPStatus.BAD_REQUEST, "BadParameter")
        self.asked.append(name)
        if self.status != HTTPStatus.OK:
            return _error(self.status, "Trouble", self.values.get(name, ""))
        if name in self.disabled:
            return _error(HTTPStatus.FORBIDDEN, "Forbidden", inner="SecretDisabled")
        if name not in self.values:
            return _error(HTTPStatus.NOT_FOUND, "SecretNotFound")
        identifier = f"{self.url}/secrets/{name}/{'0' * 32}"
        attributes = {"enabled": True, "recoveryLevel": "Recoverable"}
        return Answer.json({"value": self.values[name], "id": identifier, "attributes": attributes})

    def _is_signed(self, header: str) -> bool:
        try:
            jwt.decode(header.removeprefix("Bearer "), KEY, ["HS256"], audience=self._resource)
        except jwt.PyJWTError:
            return False
        return header.startswith("Bearer ")


def _error(status: int, code: str, message: str = "", inner: str = "") -> Answer:
    error: dict[str, Any] = {"code": code, "message": message}
    return Answer.json({"error": error | ({"innererror": {"code": inner}} if inner else {})}, status)


@contextmanager
def loopback_names() -> Iterator[None]:
    """Resolve every name below localhost to this machine, as few resolvers do by themselves."""
    ask = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **options: Any) -> Any:
        is_ours = isinstance(host, str) and host.endswith(".localhost")
        return ask("127.0.0.1" if is_ours else host, *rest, **options)

    socket.getaddrinfo = resolve
    try:
        yield
    finally:
        socket.getaddrinfo = ask
