"""Sign-in: finding out where tokens come from, fetching one, and keeping it while it is good.

A hosted Halo hands out tokens at `{auth_url}/token?tenant={tenant}`, a self-hosted one at `{url}/auth/token`;
`{url}/api/authinfo` names both without signing in. Client-credentials grant: RFC 6749, 4.4.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from halo_adsync.errors import HaloAdSyncError, HaloRefused, HaloUnavailable
from halo_adsync.halo.budget import Budget
from halo_adsync.halo.codec import parse
from halo_adsync.halo.config import HaloConfig, safe_url
from halo_adsync.halo.hiding import Hiding
from halo_adsync.halo.statuses import failure, sentence
from halo_adsync.halo.transport import Message, NoReplyError, Reply, Transport

MARGIN = timedelta(seconds=60)
"""A token is renewed this long before it expires, or after half its life, whichever comes later."""
DEFAULT_LIFE_SECONDS = 300
"""For a token that does not say how long it lasts."""
LONGEST_LIFE = timedelta(days=1)
"""No token is used for longer, whatever it says of itself."""
_INTERNAL_ERROR = 500
_SENDABLE = re.compile(r"[\x21-\x7e]+")
"""What can stand in a header: a token's characters are fewer still (RFC 6750, 2.1)."""
_REASONS = {
    "invalid_client": "halo.client_id or the client secret is wrong",
    "unauthorized_client": "the API application may not sign in with client id and secret; allow it in Halo",
    "invalid_scope": "this API application may not ask for the scope in halo.scope; try 'all'",
}


@dataclass(frozen=True, slots=True)
class Authority:
    """Where tokens come from; `tenant` is empty where Halo is self-hosted."""

    auth_url: str
    tenant: str


class SignIn:
    """Holds the token of one instance."""

    def __init__(self, config: HaloConfig, transport: Transport, budget: Budget, hiding: Hiding) -> None:
        self._config = config
        self._transport = transport
        self._budget = budget
        self._hiding = hiding
        self._authority: Authority | None = None
        self._token = ""
        self._good_until = datetime.min.replace(tzinfo=UTC)

    def token(self) -> str:
        """Return a token that is still good.

        Raises:
            HaloRefused: client id, secret, tenant or scope are wrong; the text says which.
            HaloUnavailable: no answer, or one that cannot be understood.
        """
        if self._budget.now() >= self._good_until:
            self.renew()
        return self._token

    def renew(self) -> str:
        """Fetch a new token, whatever the old one says of itself, and return it; raises as `token` does."""
        if self._authority is None:
            self._authority = self._find_authority()
        reply = self._ask(self._authority)
        if not reply.ok and reply.status < _INTERNAL_ERROR:
            secret = self._config.renewed(self._config.client_secret)
            if secret is not None:
                self._hiding.add(secret)
                self._config = replace(self._config, client_secret=secret)
                reply = self._ask(self._authority)
        if not reply.ok:
            raise self._refusal(reply, self._authority)
        answer = _parse(reply)
        token = answer.get("access_token")
        if not isinstance(token, str) or not _SENDABLE.fullmatch(token):
            raise HaloUnavailable(
                "Halo's sign-in answered without a token that can be sent; check halo.auth_url, or try again"
                " later."
            )
        self._token = token
        self._hiding.add(token)
        self._good_until = self._budget.now() + _useful_life(answer.get("expires_in"))
        return token

    def auth_info(self) -> dict[str, Any]:
        """Return what the instance says about signing in to it; empty where it says nothing.

        Raises:
            HaloUnavailable: no answer.
        """
        reply = self._send(Message("GET", f"{self._config.url}/api/authinfo"), "GET /authinfo")
        if reply.status >= _INTERNAL_ERROR:
            raise failure(reply.status, reply.body, self._hiding, what="GET /authinfo")
        said: dict[str, Any] = self._hiding.strike_all(_parse(reply)) if reply.ok else {}
        return said

    def _find_authority(self) -> Authority:
        auth_url, tenant = self._config.auth_url, self._config.tenant
        if auth_url is None or tenant is None:
            said = self.auth_info()
            named = said.get("auth_url")
            if auth_url is None and isinstance(named, str) and named.strip():
                auth_url = safe_url(named, f"auth_url, as {self._config.url}/api/authinfo names it")
            tenant = _told_tenant(said) if tenant is None else tenant
        return Authority(auth_url or f"{self._config.url}/auth", tenant)

    def _ask(self, authority: Authority) -> Reply:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._config.client_id,
            "client_secret": self._config.client_secret,
            "scope": self._config.scope,
        }
        query = {"tenant": authority.tenant} if authority.tenant else {}
        return self._send(
            Message("POST", f"{authority.auth_url}/token", query=query, form=form), "Halo's sign-in"
        )

    def _refusal(self, reply: Reply, authority: Authority) -> HaloAdSyncError:
        code = _parse(reply).get("error")
        said = sentence(reply.body, self._hiding)
        if reply.status < _INTERNAL_ERROR:
            reason = _REASONS.get(code) if isinstance(code, str) else None
            reason = reason or "check halo.client_id, the client secret, halo.tenant and halo.auth_url"
            return HaloRefused(
                f"Halo refused the sign-in ({reply.status}): {reason}. Halo said: {said or '-'}"
            )
        # A wrong tenant is answered with 500, as if Halo were out of order.
        own = _told_tenant(self.auth_info()) if authority.tenant else ""
        if own and own.casefold() != authority.tenant.casefold():
            return HaloRefused(
                f"Halo refused the sign-in ({reply.status}): halo.tenant is {authority.tenant!r}, but the"
                f" instance says that its tenant is {own!r}. Correct halo.tenant, or leave it out."
            )
        return HaloUnavailable(
            f"Halo's sign-in was answered with {reply.status}; try again later. If it stays so, check"
            " halo.tenant: a wrong one is answered like this, too."
        )

    def _send(self, message: Message, what: str) -> Reply:
        try:
            return self._transport.send(message)
        except NoReplyError as error:
            raise HaloUnavailable(f"{what}: {error}; check halo.url and the network.") from None


def _told_tenant(auth_info: dict[str, Any]) -> str:
    tenant = auth_info.get("tenant_id")
    return tenant.strip() if isinstance(tenant, str) else ""


def _parse(reply: Reply) -> dict[str, Any]:
    try:
        body = parse(reply.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _useful_life(expires_in: Any) -> timedelta:
    try:
        life = timedelta(seconds=float(expires_in))
    except (TypeError, ValueError, OverflowError):
        life = timedelta(seconds=DEFAULT_LIFE_SECONDS)
    return min(max(life - MARGIN, life / 2), LONGEST_LIFE)
