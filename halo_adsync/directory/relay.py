"""A hybrid connection of Azure Relay from the sender's side: its address, its tokens, what its refusals mean.

Sources: "Azure Relay Hybrid Connections protocol" and "Shared access signature authentication with Azure
Relay", both by Microsoft; the reasons that a refusal gives were seen in the field.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol
from urllib.parse import quote_plus

from halo_adsync.model import Renewed, unchanged

SCOPE = "https://relay.azure.net/.default"
"""The scope of Entra's tokens for Azure Relay."""
SIGNATURE_SECONDS = 3600
"""How long a signature is good for; every connection gets a new one."""
_TOKEN_EXPIRED = 1008
_NORMAL_CODES = frozenset({1000, 1001})


class Tokens(Protocol):
    """Where tokens for the relay come from."""

    def token(self, resource: str) -> str:
        """Return a token for `http://HOST/CONNECTION`.

        Raises:
            DirectoryRefused: there is none to be had before a person changes something.
            Unavailable: there is none now.
        """
        ...

    def renew(self) -> bool:
        """Take note that a token was refused; return whether the next one is made of something else."""
        ...


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """The relay through which a directory is reached."""

    host: str
    """The namespace's, with the port where it is not 443."""
    connections: Mapping[str, str]
    """The hybrid connection that leads to each server, by `host:port`."""
    tokens: Tokens = field(repr=False)

    def address(self, server: str) -> str:
        """Return where a sender connects. The token never stands in it: addresses are logged."""
        return f"wss://{self.host}/$hc/{self.connections[server]}?sb-hc-action=connect"

    def token_for(self, server: str) -> str:
        """Return a token for the connection to a server; see `Tokens`."""
        return self.tokens.token(f"http://{self.host}/{self.connections[server]}")

    def name(self, server: str) -> str:
        """Return what errors call the connection to a server."""
        return f"the hybrid connection {self.connections[server]} of {self.host}"


class Signatures:
    """Signs with a shared access key.

    Args:
        rule: the rule's name.
        key: its key, used as the text that it is.
        renewed: asked for the key that may have taken its place, where a signature is refused.
        now: tells the time, in seconds since 1970.
    """

    def __init__(
        self, rule: str, key: str, renewed: Renewed = unchanged, now: Callable[[], float] = time.time
    ) -> None:
        self._rule, self._key, self._renewed, self._now = rule, key, renewed, now

    def token(self, resource: str) -> str:
        """Return a signature that is good for an hour."""
        quoted = quote_plus(resource.lower())
        expires = int(self._now()) + SIGNATURE_SECONDS
        digest = hmac.digest(self._key.encode(), f"{quoted}\n{expires}".encode(), hashlib.sha256)
        signature = quote_plus(base64.b64encode(digest))
        return f"SharedAccessSignature sr={quoted}&sig={signature}&se={expires}&skn={quote_plus(self._rule)}"

    def renew(self) -> bool:
        """Ask once more for the key."""
        key = self._renewed(self._key)
        self._key = key or self._key
        return key is not None


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a refusal means: half a sentence, and whether a person of ours has to change something."""

    text: str
    ours: bool = False


def refusal(status: int, reason: str) -> Refusal:
    """Return what it means that the relay answers a sender with an HTTP status.

    Args:
        status: the status.
        reason: the reason in the status line, where Azure says more.
    """
    said = reason.lower()
    if status == HTTPStatus.UNAUTHORIZED:
        return Refusal(
            "does not accept the app's token (HTTP 401). You have to give the app's identity the role Azure"
            " Relay Sender there, or, where the file names a rule and a key, to correct these",
            ours=True,
        )
    if status == HTTPStatus.FORBIDDEN:
        return Refusal(
            "does not let the app send (HTTP 403). You have to give the app's identity the role Azure Relay"
            " Sender there, or the rule the right to send, and to let the app through the namespace's"
            " firewall",
            ours=True,
        )
    if status == HTTPStatus.NOT_FOUND and "listener" in said:
        return Refusal(
            "has nobody who listens (HTTP 404). The customer has to start the Hybrid Connection Manager with"
            " this connection, and to let it call out to port 443"
        )
    if status == HTTPStatus.NOT_FOUND:
        return Refusal(
            "is not there, or nobody listens to it (HTTP 404). You have to check its name in the customer"
            " file; where that is right, the customer has to start the Hybrid Connection Manager"
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return Refusal(f"cannot serve now (HTTP {status}). That is Azure's to mend: try again later")
    return Refusal(
        f"answers what no relay answers (HTTP {status}). You have to check the namespace in the customer"
        " file, and what stands between the app and it",
        ours=True,
    )


def ending(code: int | None, *, has_spoken: bool) -> str:
    """Return what it means that a connection ended which was open: half a sentence.

    Args:
        code: the code of the WebSocket's close (RFC 6455, 7.4); None where the line went dead.
        has_spoken: whether a byte had come from the other end.
    """
    if code is None:
        return "broke off. That is the network's: try again later"
    if code == _TOKEN_EXPIRED:
        return "was ended by the relay, because the app's token expired. The next run gets a new one"
    if not has_spoken:
        return (
            "was closed before a byte came. The customer has to check that the host and port that the"
            " connection names as its endpoint can be reached from where the Hybrid Connection Manager runs"
        )
    if code in _NORMAL_CODES:
        return "was closed at the customer's end, by the domain controller or the Hybrid Connection Manager"
    return f"was ended by the relay (code {code}). Try again later"
