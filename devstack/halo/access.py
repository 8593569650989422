"""Who may ask, and how often: bearer tokens and the rate limit."""

import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.message import Message

from .switches import Switches

type Clock = Callable[[], float]


@dataclass(frozen=True)
class Application:
    """An API application as Halo's administrator registers it."""

    client_id: str
    client_secret: str = field(repr=False)
    tenant: str


class OAuthError(Exception):
    """A token request that is refused with `status` and the OAuth 2.0 error `code` (RFC 6749, 5.2)."""

    def __init__(self, status: int, code: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.body = {"error": code, "error_description": description}


class Tokens:
    """Issues bearer tokens and knows which are still good."""

    def __init__(self, application: Application, switches: Switches, clock: Clock) -> None:
        self._application = application
        self._switches = switches
        self._clock = clock
        self._expiry: dict[str, float] = {}

    def issue(self, form: Mapping[str, str]) -> dict[str, object]:
        """Answer a client-credentials request (RFC 6749, 4.4).

        Raises:
            OAuthError: the grant type, the client, its secret or the scope is wrong.
        """
        if form.get("grant_type") != "client_credentials":
            raise OAuthError(400, "unsupported_grant_type", "The grant type must be client_credentials.")
        asked = (form.get("client_id"), form.get("client_secret"))
        if asked != (self._application.client_id, self._application.client_secret):
            raise OAuthError(401, "invalid_client", "The specified client credentials are invalid.")
        scope = form.get("scope", "")
        if not scope or set(scope.split()) - self._switches.scopes:
            raise OAuthError(400, "invalid_scope", "The specified scope is not supported.")
        token = secrets.token_urlsafe(24)
        self._expiry[token] = self._clock() + self._switches.token_seconds
        return {
            "scope": scope,
            "token_type": "Bearer",
            "access_token": token,
            "expires_in": int(self._switches.token_seconds),
        }

    def accept(self, authorization: str) -> bool:
        """Whether an `Authorization` header carries a token that has neither expired nor been revoked."""
        scheme, _, token = authorization.partition(" ")
        return scheme.lower() == "bearer" and self._expiry.get(token, 0) > self._clock()

    def rotate(self, client_secret: str) -> None:
        """Take another secret from now on, and end every token."""
        self._application = replace(self._application, client_secret=client_secret)
        self.revoke()

    def revoke(self) -> None:
        """End every token issued so far."""
        self._expiry.clear()


class RateLimit:
    """So many requests per rolling window, whoever sends them; refused ones do not count."""

    def __init__(self, switches: Switches, clock: Clock) -> None:
        self._switches = switches
        self._clock = clock
        self._times: deque[float] = deque()

    def admit(self, headers: Message) -> float:
        """Count a request.

        Returns:
            0 when it may pass, else the seconds until one may.
        """
        switches = self._switches
        if switches.rate_limit == 0 or self._is_lifted(headers):
            return 0
        now = self._clock()
        while self._times and self._times[0] <= now - switches.rate_seconds:
            self._times.popleft()
        if len(self._times) >= switches.rate_limit:
            return self._times[0] + switches.rate_seconds - now
        self._times.append(now)
        return 0

    def forget(self) -> None:
        """Begin a new window."""
        self._times.clear()

    @property
    def message(self) -> str:
        """The text of Halo's 429."""
        limit, minutes = self._switches.rate_limit, self._switches.rate_seconds / 60
        return f"Rate Limit Reached - {limit} Requests per rolling {minutes:g} minute window"

    def _is_lifted(self, headers: Message) -> bool:
        lift = self._switches.lift_header
        return lift is not None and headers.get(lift[0]) == lift[1]
