"""A simulated managed identity: the endpoint that App Service gives an app, handing out tokens.

`azure-identity` finds it by IDENTITY_ENDPOINT and IDENTITY_HEADER (Microsoft: "How to use managed identities
for App Service and Azure Functions", REST endpoint reference, 2019-08-01).
"""

import time
import uuid
from typing import Self

import jwt

from devstack.halo.messages import Answer, Request
from devstack.halo.server import HaloServer


class SimulatedIdentity:
    """One user-assigned identity.

    Attributes:
        client_id: how it is named.
        key: what its tokens are signed with; who checks them needs it.
        lifetime: seconds that a token is good for; negative for one that has expired.
        status: what the endpoint answers with.
        issued: every token so far.
    """

    def __init__(self) -> None:
        self.client_id, self.key = str(uuid.uuid4()), uuid.uuid4().hex * 2
        self.lifetime, self.status = 86400, 200
        self.issued: list[str] = []
        self._header = uuid.uuid4().hex
        self._server = HaloServer(0, self._answer)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that App Service sets, and the one that names the identity."""
        address = f"http://127.0.0.1:{self._server.server_address[1]}/msi/token"
        return {
            "IDENTITY_ENDPOINT": address,
            "IDENTITY_HEADER": self._header,
            "AZURE_CLIENT_ID": self.client_id,
        }

    def _answer(self, request: Request) -> Answer:
        if self.status != 200:  # noqa: PLR2004 - OK
            return Answer.json({"statusCode": self.status, "message": "Something about it."}, self.status)
        if request.headers.get("X-IDENTITY-HEADER") != self._header:
            return Answer.json({"statusCode": 401, "message": "The header is missing."}, 401)
        if request.query.get("client_id") != self.client_id:
            return Answer.json({"statusCode": 400, "message": "No User Assigned identity found."}, 400)
        expires = int(time.time()) + self.lifetime
        claims = {"aud": request.query.get("resource"), "appid": self.client_id, "exp": expires}
        token = jwt.encode(claims, self.key, algorithm="HS256")
        self.issued.append(token)
        return Answer.json(
            {
                "access_token": token,
                "expires_on": str(max(expires, int(time.time()) + 600)),
                "resource": claims["aud"],
                "token_type": "Bearer",
                "client_id": self.client_id,
            }
        )
