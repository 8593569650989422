"""An Entra tenant through Microsoft Graph: signed in by msal as an application, read page by page."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Self
from urllib.parse import urlsplit

import msal
import requests
from jwt import PyJWTError

from halo_adsync import __version__
from halo_adsync.entra.codec import SELECT, accounts_in
from halo_adsync.entra.config import EntraConfig, bad_certificate
from halo_adsync.errors import EntraRefused, EntraUnavailable
from halo_adsync.model import EntraAccount, ObjectGuid

PAGE = 999
"""Users a page; Graph gives no more (user resource, `$top`)."""
TIME_OUTS = (10.0, 60.0)
"""Seconds to connect, and between two parts of an answer."""
WAITS = (1.0, 5.0, 20.0)
"""Seconds before each further try, where Graph does not say how long."""
LONGEST_WAIT = 60.0
"""Seconds; a run does not wait longer for one answer, whatever Graph asks for."""
_TOO_MANY, _SERVER_ERROR = 429, 500
_SENDABLE = re.compile(r"[\x21-\x7e]+")
"""What can stand in a request's first line and in a header."""
_HINTS: Mapping[str, str] = {
    "AADSTS90002": "there is no such tenant; correct login.entra.tenant",
    "AADSTS900023": "login.entra.tenant is no tenant's id or domain",
    "AADSTS700016": "the tenant does not know the application; correct login.entra.client_id, or have an"
    " administrator of the tenant consent to it",
    "AADSTS700027": "the application does not have this certificate; add its public part in the app"
    " registration, or put the right one into the secret",
}


class EntraTenant:
    """One tenant.

    Args:
        config: which, and as whom.
        pulse: called before each request and each wait.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        config: EntraConfig,
        *,
        pulse: Callable[[], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._config, self._pulse, self._sleep = config, pulse, sleep
        self._session = requests.Session()
        self._session.headers.update(
            {"User-Agent": f"HaloAdSync/{__version__}", "Accept": "application/json"}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def accounts(self) -> Mapping[ObjectGuid, EntraAccount]:
        """Return all accounts that come from a directory, by the objectGUID there; see the port."""
        token = self._sign_in()
        found: dict[ObjectGuid, EntraAccount] = {}
        address: str | None = f"{self._config.graph_url}/v1.0/users?$select={SELECT}&$top={PAGE}"
        asked: set[str] = set()
        while address is not None:
            if address in asked:
                raise EntraUnavailable("Microsoft Graph named the same page twice; try again later.")
            asked.add(address)
            page = self._page(address, token)
            try:
                found.update(accounts_in(page))
            except ValueError as error:
                raise EntraUnavailable(f"Microsoft Graph answered with {error}; try again later.") from None
            address = self._next(page)
        return found

    def _sign_in(self) -> str:
        """Return a token; where the certificate is refused and was rotated, with the new one."""
        try:
            return self._token()
        except EntraRefused:
            pem = self._config.renewed(self._config.pem)
            if pem is None:
                raise
        self._config = replace(self._config, pem=pem)
        return self._token()

    def _token(self) -> str:
        """Return a token for Graph.

        Raises:
            ConfigurationError: the secret holds no usable certificate.
            EntraRefused, EntraUnavailable: no token.
        """
        config = self._config
        credential = config.credential()
        self._pulse()
        try:
            application = msal.ConfidentialClientApplication(
                config.client_id,
                client_credential=credential,
                authority=f"{config.login_url}/{config.tenant}",
                instance_discovery=False,  # the file says where, and there are clouds that it does not know
                timeout=TIME_OUTS,
            )
        except requests.RequestException as error:
            raise _unreachable("Entra's sign-in", error) from None
        except ValueError as error:
            # msal says both of them in this way: a tenant that is not there, and what is no certificate
            if "authority" not in str(error):
                raise bad_certificate() from None
            raise EntraRefused(
                f"Entra has no tenant {config.tenant!r} at {config.login_url}; correct login.entra.tenant."
            ) from None
        return self._acquired(application)

    def _acquired(self, application: msal.ConfidentialClientApplication) -> str:
        self._pulse()
        try:
            said = application.acquire_token_for_client([f"{self._config.graph_url}/.default"])
        except requests.RequestException as error:
            raise _unreachable("Entra's sign-in", error) from None
        except (ValueError, TypeError, PyJWTError):
            raise bad_certificate() from None
        token = said.get("access_token")
        if isinstance(token, str) and _SENDABLE.fullmatch(token):
            return token
        raise _refusal(said)

    def _page(self, address: str, token: str) -> dict[str, Any]:
        """Return one page; what may pass is tried again."""
        for wait in WAITS:
            response = self._get(address, token)
            if response.status_code != _TOO_MANY and response.status_code < _SERVER_ERROR:
                break
            self._pulse()  # an answer and a wait together may take longer than a lease lasts
            asked = response.headers.get("Retry-After", "")
            self._sleep(min(float(asked), LONGEST_WAIT) if asked.isdecimal() else wait)
        else:
            response = self._get(address, token)
        return _body(response)

    def _get(self, address: str, token: str) -> requests.Response:
        def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers["Authorization"] = f"Bearer {token}"
            return request

        self._pulse()
        try:
            # A redirection could carry the token elsewhere.
            return self._session.get(address, auth=sign, timeout=TIME_OUTS, allow_redirects=False)
        except requests.RequestException as error:
            raise _unreachable("Microsoft Graph", error) from None

    def _next(self, page: Mapping[str, Any]) -> str | None:
        """Return where the next page is; the token goes to no other host."""
        link = page.get("@odata.nextLink")
        if link is None:
            return None
        if not isinstance(link, str) or _origin(link) != _origin(self._config.graph_url):
            raise EntraUnavailable(
                "Microsoft Graph named a next page on another host; nothing is sent there."
            )
        return link


def _origin(link: str) -> tuple[str, str] | None:
    """Return the scheme and host of an address; None where it is none that can be asked."""
    try:
        return urlsplit(link)[:2] if _SENDABLE.fullmatch(link) else None
    except ValueError:
        return None


def _body(response: requests.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except (ValueError, RecursionError):
        body = None
    if response.ok and isinstance(body, dict):
        return body
    said = body.get("error") if isinstance(body, dict) else None
    code = str(said.get("code", "-")) if isinstance(said, dict) else "-"
    number = response.status_code
    if number in {401, 403}:
        raise EntraRefused(
            f"Microsoft Graph refused to list users ({number}, {_word(code)}): the application needs the"
            " application permission User.Read.All, with an administrator's consent in this tenant."
        )
    raise EntraUnavailable(f"Microsoft Graph answered {number} ({_word(code)}); try again later.")


def _refusal(said: Mapping[str, Any]) -> EntraRefused | EntraUnavailable:
    """Return what Entra's refusal means, by its number; its sentences hold ids and are not repeated."""
    code = _word(str(said.get("error", "-")))
    number = re.search(r"AADSTS\d+", str(said.get("error_description", "")))
    if code in {"temporarily_unavailable", "server_error"}:
        return EntraUnavailable(f"Entra's sign-in is out of order ({code}); try again later.")
    hint = _HINTS.get(number[0] if number else "", "check login.entra and the application in Entra")
    return EntraRefused(f"Entra refused the sign-in ({code}, {number[0] if number else '-'}): {hint}.")


def _word(code: str) -> str:
    """Return an error's name, as far as it is one: words without digits, so no key and no token."""
    return code if re.fullmatch(r"[A-Za-z_.]{1,60}", code) else "-"


def _unreachable(what: str, error: requests.RequestException) -> EntraUnavailable:
    """Return the error of no answer; what requests says holds addresses and is not repeated."""
    return EntraUnavailable(
        f"{what} could not be reached ({type(error).__name__}): check the network, and login.entra.login_url"
        " and graph_url where they are given."
    )
