"""The tenant: the application that may sign in, the users, and what is answered.

Sources: OAuth 2.0 client credentials with a certificate, and OpenID configuration, in the documentation of
Microsoft's identity platform; list users, paging, throttling and errors, in that of Microsoft Graph v1.0.
"""

import base64
import re
import ssl
import tempfile
import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from devstack.certificates import CertificateAuthority, application_pem
from devstack.halo.messages import Answer, LoggedRequest, Request
from devstack.halo.server import HaloServer

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LARGEST_PAGE = 999
_DEFAULT_PROPERTIES = ("id", "displayName", "userPrincipalName")
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)


@dataclass
class Faults:
    """What goes wrong; each counts down, and 0 is nothing."""

    sign_in: dict[str, str] | None = None
    """How every sign-in is refused."""
    statuses: list[int] = field(default_factory=list)
    """What the next requests for users are answered with: 0 drops the connection, 200 lets one through."""
    retry_after: str = ""
    next_host: str = ""
    """Another host that next pages are said to be on."""


class SimulatedEntra:
    """One tenant with one application that may list users.

    Attributes:
        tenant, client_id: to sign in with, and `pem`, the application's key and certificate.
        ca_path: the authority whose certificates clients have to trust.
        users: by object id, with Graph's properties.
        page_size: the most users of a page, which Graph may choose smaller than asked.
        consented: whether an administrator has granted User.Read.All.
        requests: all that came, in order.
    """

    def __init__(self, page_size: int = LARGEST_PAGE) -> None:
        self.tenant, self.client_id = str(uuid.uuid4()), str(uuid.uuid4())
        self.users: dict[str, dict[str, Any]] = {}
        self.page_size, self.consented = page_size, True
        self.faults, self.requests = Faults(), list[LoggedRequest]()
        self._tokens: set[str] = set()
        self._folder = tempfile.TemporaryDirectory(prefix="entra-")
        folder = Path(self._folder.name)
        authority = CertificateAuthority(folder)
        self.ca_path = authority.ca_path
        self.pem = application_pem()
        found = _CERTIFICATE.search(self.pem.encode())
        assert found is not None
        self._certificate = x509.load_pem_x509_certificate(found[0])
        issued = authority.issue("127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.certificate_path, issued.key_path)
        self._server = HaloServer(0, self._respond)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._folder.cleanup()

    def add_user(self, guid: str | None = None, **properties: Any) -> str:
        """Add a user, synchronised from the account with this objectGUID if one is given; return its id."""
        user = str(uuid.uuid4())
        anchor = guid and base64.b64encode(uuid.UUID(guid).bytes_le).decode()
        self.users[user] = {
            "id": user,
            "displayName": "Somebody",
            "accountEnabled": True,
            "userPrincipalName": f"{user}@contoso.com",
            "onPremisesImmutableId": anchor,
            **properties,
        }
        return user

    def _respond(self, request: Request) -> Answer:
        answer = self._answer(request)
        self.requests.append(LoggedRequest(request.method, request.path, answer.status, answer.count))
        return answer

    def _answer(self, request: Request) -> Answer:
        if request.path == f"/{self.tenant}/v2.0/.well-known/openid-configuration":
            return self._configuration()
        if request.path.endswith("/.well-known/openid-configuration"):
            return _refused("invalid_tenant", "AADSTS90002: Tenant not found.")
        if (request.method, request.path) == ("POST", f"/{self.tenant}/oauth2/v2.0/token"):
            return self._token(request)
        if (request.method, request.path) == ("GET", "/v1.0/users"):
            return self._users(request)
        return _graph_error(404, "ResourceNotFound")

    def _configuration(self) -> Answer:
        base = f"{self.url}/{self.tenant}"
        return Answer.json(
            {
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
            }
        )

    def _token(self, request: Request) -> Answer:
        if self.faults.sign_in is not None:
            return Answer.json(self.faults.sign_in, 400)
        form = request.form
        if form.get("client_id") != self.client_id:
            return _refused("unauthorized_client", "AADSTS700016: Application not found in the directory.")
        if form.get("grant_type") != "client_credentials" or form.get("client_assertion_type") != ASSERTION:
            return _refused("invalid_request", "AADSTS900144: The request body must contain more.")
        if form.get("scope") != f"{self.url}/.default":
            return _refused("invalid_scope", "AADSTS70011: The provided value for scope is not valid.")
        key = self._certificate.public_key()
        assert isinstance(key, RSAPublicKey)
        try:
            jwt.decode(
                form.get("client_assertion", ""),
                key,
                algorithms=["PS256", "RS256"],
                audience=f"{self.url}/{self.tenant}/oauth2/v2.0/token",
                issuer=self.client_id,
            )
        except jwt.PyJWTError:
            return _refused("invalid_client", "AADSTS700027: The certificate is not registered.", 401)
        token = str(uuid.uuid4())
        self._tokens.add(token)
        return Answer.json({"token_type": "Bearer", "expires_in": 3599, "access_token": token})

    def _users(self, request: Request) -> Answer:
        status = self.faults.statuses.pop(0) if self.faults.statuses else HTTPStatus.OK
        if status != HTTPStatus.OK:
            answer = _graph_error(
                status, "TooManyRequests" if status == HTTPStatus.TOO_MANY_REQUESTS else "generalException"
            )
            if self.faults.retry_after:
                answer.headers["Retry-After"] = self.faults.retry_after
            return answer
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self._tokens:
            return _graph_error(401, "InvalidAuthenticationToken")
        if not self.consented:
            return _graph_error(403, "Authorization_RequestDenied")
        query = request.query
        top = query.get("$top", "100")
        if not top.isdecimal() or not 0 < int(top) <= LARGEST_PAGE:
            return _graph_error(400, "Request_UnsupportedQuery")
        begin, size = int(query.get("$skiptoken", "0")), min(int(top), self.page_size)
        properties = query["$select"].split(",") if "$select" in query else _DEFAULT_PROPERTIES
        everybody = list(self.users.values())
        page = [{name: user.get(name) for name in properties} for user in everybody[begin : begin + size]]
        body: dict[str, Any] = {"@odata.context": f"{self.url}/v1.0/$metadata#users", "value": page}
        if begin + size < len(everybody):
            base = self.faults.next_host or self.url
            select = ",".join(properties)
            body["@odata.nextLink"] = (
                f"{base}/v1.0/users?$select={select}&$top={top}&$skiptoken={begin + size}"
            )
        return Answer.json(body, count=len(page))


def _refused(error: str, description: str, status: int = 400) -> Answer:
    return Answer.json({"error": error, "error_description": f"{description} Trace ID: 1234"}, status)


def _graph_error(status: int, code: str) -> Answer:
    if status == 0:
        return Answer(0)
    return Answer.json({"error": {"code": code, "message": "Something about it.", "innerError": {}}}, status)
