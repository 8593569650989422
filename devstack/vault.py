"""A simulated Key Vault, and the managed identity that opens it: over TLS on loopback, with the challenge.

Microsoft's own client and credential classes talk to them unchanged. Sources: "Authentication, requests and
responses" and "Get Secret" of Key Vault's REST reference; "REST endpoint reference" of managed identities in
App Service. A vault's name resolves to loopback while `loopback_names` is on.
"""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import jwt

from devstack.certificates import CertificateAuthority
from devstack.halo.messages import Answer, Request
from devstack.halo.server import HaloServer

SUFFIX = "vault.localhost"
"""In the place of vault.azure.net; names below localhost are this machine's own (RFC 6761)."""
_KEY = "the simulated identity signs its tokens with this key"
_LIFE_SECONDS = 3600


class SimulatedIdentity:
    """The endpoint where an app in Azure gets its tokens.

    Attributes:
        client_id: of the one user-assigned identity that the app has.
        header: the secret of the endpoint, which keeps others on the machine away from it.
        asked: the resources that tokens were given for, in order.
    """

    def __init__(self, client_id: str = "11111111-2222-3333-4444-555555555555") -> None:
        self.client_id, self.header = client_id, "endpoint-secret"
        self.asked: list[str] = []
        self._server = HaloServer(0, self._respond)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def environment(self) -> dict[str, str]:
        """What Azure puts into the environment of an app with an identity."""
        url = f"http://127.0.0.1:{self._server.server_address[1]}/msi/token"
        return {"IDENTITY_ENDPOINT": url, "IDENTITY_HEADER": self.header}

    def _respond(self, request: Request) -> Answer:
        if request.headers.get("X-IDENTITY-HEADER") != self.header:
            return Answer.json({"error": "unauthorized"}, HTTPStatus.UNAUTHORIZED)
        if request.query.get("client_id") != self.client_id:
            return Answer.json({"statusCode": 400, "message": "No such identity."}, HTTPStatus.BAD_REQUEST)
        resource, now = request.query["resource"], int(time.time())
        self.asked.append(resource)
        claims = {
            "aud": resource,
            "iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000000/",
            "iat": now - 60,
            "nbf": now - 60,
            "exp": now + _LIFE_SECONDS,
        }
        token = jwt.encode(claims, _KEY, "HS256")
        said = {"access_token": token, "expires_on": str(claims["exp"]), "resource": resource}
        return Answer.json({**said, "token_type": "Bearer", "client_id": self.client_id})


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
            jwt.decode(header.removeprefix("Bearer "), _KEY, ["HS256"], audience=self._resource)
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
