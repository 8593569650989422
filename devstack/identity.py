"""A simulated managed identity: the endpoint that App Service gives an app, handing out tokens.

`azure-identity` finds it by IDENTITY_ENDPOINT and IDENTITY_HEADER (Microsoft: "How to use managed identities
for App Service and Azure Functions", REST endpoint reference, 2019-08-01).
"""

import time
from http import HTTPStatus
from typing import Self

import jwt

from devstack.halo.messages import Answer, Request
from devstack.halo.server import HaloServer

KEY = "the simulated identity signs its tokens with this key"


class SimulatedIdentity:
    """The endpoint where an app in Azure gets the tokens of its one user-assigned identity.

    Attributes:
        client_id: how it is named.
        header: the secret of the endpoint, which keeps others on the machine away from it.
        lifetime: seconds that a token is good for; negative for one that has expired.
        status: what the endpoint answers with.
        asked: the resources that tokens were given for, in order.
    """

    def __init__(self, client_id: str = "11111111-2222-3333-4444-555555555555") -> None:
        self.client_id, self.header = client_id, "endpoint-secret"
        self.lifetime, self.status = 3600, HTTPStatus.OK.value
        self.asked: list[str] = []
        self._server = HaloServer(0, self._answer)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def environment(self) -> dict[str, str]:
        """What Azure puts into the environment of an app with an identity."""
        address = f"http://127.0.0.1:{self._server.server_address[1]}/msi/token"
        return {"IDENTITY_ENDPOINT": address, "IDENTITY_HEADER": self.header}

    def _answer(self, request: Request) -> Answer:
        if request.headers.get("X-IDENTITY-HEADER") != self.header:
            return Answer.json({"error": "unauthorized"}, HTTPStatus.UNAUTHORIZED)
        if self.status != HTTPStatus.OK:
            return Answer.json({"statusCode": self.status, "message": "Something about it."}, self.status)
        if request.query.get("client_id") != self.client_id:
            return Answer.json({"statusCode": 400, "message": "No such identity."}, HTTPStatus.BAD_REQUEST)
        resource, now = request.query["resource"], int(time.time())
        self.asked.append(resource)
        claims = {
            "aud": resource,
            "iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000000/",
            "appid": self.client_id,
            "iat": now - 60,
            "nbf": now - 60,
            "exp": now + self.lifetime,
        }
        token = jwt.encode(claims, KEY, "HS256")
        expires = max(self.lifetime, 600) + now  # or the library would not hand it on
        said = {"access_token": token, "expires_on": str(expires), "resource": resource}
        return Answer.json({**said, "token_type": "Bearer", "client_id": self.client_id})
