"""Who may do what at the relay: shared access signatures and tokens of Entra, made and checked.

Sources: "Shared access signature authentication with Azure Relay", "Authenticate a managed identity with
Microsoft Entra ID to access Azure Relay", both by Microsoft.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote_plus, unquote

import jwt

from devstack.identity import KEY

AUDIENCE = "https://relay.azure.net"
"""Whom tokens for Azure Relay are for."""
LISTEN, SEND = "Listen", "Send"
_SAS = "SharedAccessSignature "


class TokenRefusedError(Exception):
    """A token does not open this; `status` is what HTTP says to that."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        self.status = status
        super().__init__(why)


@dataclass(frozen=True)
class Rule:
    """A shared access rule: who knows the key has the right."""

    key: str
    right: str


@dataclass(frozen=True)
class Resource:
    """What a token is shown for."""

    host: str
    """With the port."""
    name: str
    """The hybrid connection."""

    @property
    def addresses(self) -> frozenset[str]:
        """How a signature may name it: on loopback some leave the port out and some do not."""
        bare = self.host.partition(":")[0]
        return frozenset(f"http://{host}/{self.name}".lower() for host in (self.host, bare))


def sign(address: str, rule: str, key: str, expires: int) -> str:
    """Make a shared access signature.

    Args:
        address: `http://HOST/CONNECTION`.
        rule: the rule's name.
        key: the rule's key, used as the text that it is.
        expires: seconds since 1970.
    """
    resource = quote_plus(address.lower())
    return f"{_SAS}sr={resource}&sig={quote_plus(_signature(resource, key, expires))}&se={expires}&skn={rule}"


def check_signature(token: str, resource: Resource, rules: Mapping[str, Rule], right: str) -> None:
    """Check a shared access signature.

    Raises:
        TokenRefusedError: 401 where it is none of ours or too old, 403 where it is for something else.
    """
    # As they stand: what was signed is the address in the spelling of whoever signed.
    fields = dict(part.partition("=")[::2] for part in token.removeprefix(_SAS).split("&"))
    rule = rules.get(fields.get("skn", ""))
    expires, address = fields.get("se", ""), fields.get("sr", "")
    if rule is None or not expires.isdecimal():
        raise TokenRefusedError(HTTPStatus.UNAUTHORIZED, "InvalidSignature: The token has no known rule.")
    if not hmac.compare_digest(_signature(address, rule.key, int(expires)), unquote(fields.get("sig", ""))):
        raise TokenRefusedError(HTTPStatus.UNAUTHORIZED, "InvalidSignature: The token has a wrong signature.")
    if int(expires) < time.time():
        raise TokenRefusedError(HTTPStatus.UNAUTHORIZED, "ExpiredToken: The token is expired.")
    if unquote(address).lower() not in resource.addresses or rule.right != right:
        raise _not_for_this(right)


def check_entra(token: str, grants: Mapping[str, frozenset[str]], name: str, right: str) -> None:
    """Check a token of Entra.

    Args:
        token: a JWT, without "Bearer".
        grants: by client id, to which connections it has the role *Azure Relay Sender*.
        name: the hybrid connection.
        right: what is to be done.

    Raises:
        TokenRefusedError: 401 where it is none of ours or too old, 403 where the role is missing.
    """
    try:
        claims = jwt.decode(token, KEY, algorithms=["HS256"], audience=AUDIENCE)
    except jwt.PyJWTError as error:
        raise TokenRefusedError(HTTPStatus.UNAUTHORIZED, f"InvalidToken: {type(error).__name__}.") from None
    if right != SEND or name not in grants.get(claims["appid"], frozenset()):
        raise _not_for_this(right)


def is_signature(token: str) -> bool:
    """Tell a shared access signature from a token of Entra."""
    return token.startswith(_SAS)


def _signature(resource: str, key: str, expires: int) -> str:
    digest = hmac.digest(key.encode(), f"{resource}\n{expires}".encode(), hashlib.sha256)
    return base64.b64encode(digest).decode()


def _not_for_this(right: str) -> TokenRefusedError:
    return TokenRefusedError(HTTPStatus.FORBIDDEN, f"Unauthorized access. '{right}' claim is required.")
