"""How to reach one Halo instance."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from halo_adsync.errors import ConfigurationError
from halo_adsync.loopback import is_protected
from halo_adsync.model import Renewed, unchanged

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True, slots=True)
class HaloConfig:
    """One Halo instance, the API application to sign in as, and the fields that are of interest there."""

    url: str
    """The instance's address, such as `https://contoso.halopsa.com`; a trailing `/api` is dropped."""
    client_id: str
    client_secret: str = field(repr=False)
    renewed: Renewed = field(default=unchanged, repr=False, compare=False)
    """Tells whether the client secret was rotated, when it is refused."""
    tenant: str | None = None
    """The tenant of a hosted instance; None asks the instance itself, an empty string means there is none."""
    auth_url: str | None = None
    """Where tokens are handed out (`{auth_url}/token`); None asks the instance itself."""
    scope: str = "all"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Further static headers: Halo hands out some that lift the rate limit."""
    fields: frozenset[str] = frozenset()
    """Halo's names of the user fields that are of interest, custom fields (`CF...`) included, in any case."""

    agent_fields: frozenset[str] = frozenset()
    """The same for agents."""

    def __post_init__(self) -> None:
        """Bring the addresses into one form.

        Raises:
            ConfigurationError: an address is no https one (http is for loopback), or a header cannot be sent.
        """
        url = safe_url(self.url, "halo.url")
        object.__setattr__(self, "url", url[:-4] if url.lower().endswith("/api") else url)
        if self.auth_url is not None:
            object.__setattr__(self, "auth_url", safe_url(self.auth_url, "halo.auth_url"))
        for name, value in self.headers.items():
            if not (_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)):
                raise ConfigurationError(
                    f"halo.headers: {name!r} or its value cannot be sent in a request; use plain ASCII text."
                )


def safe_url(url: str, place: str) -> str:
    """Return an address without its trailing slash, when a secret may be sent there.

    Args:
        url: the address.
        place: where it was named, for the error.

    Raises:
        ConfigurationError: it is neither an https address nor an http one on this machine.
    """
    text = url.strip().rstrip("/")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if not host or parts.username is not None or parts.query or parts.fragment:
        raise ConfigurationError(f"{place}: this is no web address; write it as https://name.example.com.")
    if not is_protected(text):
        raise ConfigurationError(
            f"{place}: {parts.scheme}://{host} would send secrets in the clear; write an https:// address"
            " (http:// is accepted for this machine only)."
        )
    return text
