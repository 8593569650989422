"""Access: who calls over HTTP, and what they may do. Pure; `functions/access.py` puts it before every route.

App Service Authentication hands over who signed in as a header of base64 JSON. Its form is Microsoft's ("Work
with user identities in Azure App Service authentication", "Decoding the client principal header"). Whether
the header may be believed is for the caller to say: it is one that anybody can send.
"""

import base64
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from halo_adsync.errors import NotAllowed, NotSignedIn

PRINCIPAL_HEADER = "X-MS-CLIENT-PRINCIPAL"
BY_KEY = "function key"
"""The actor of a request that came with a key, which says nothing about who holds it."""
MAX_NAME = 200
"""Characters that are kept of a name."""

_ENTRA = "aad"
"""The provider whose role claims are granted by the organisation's own administrators."""
_ROLE_CLAIMS = frozenset({"roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"})
_NAME_CLAIMS = (
    "preferred_username",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
    "upn",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    "name",
)
"""Where a person's name may stand, the most telling first."""
_APPLICATION_CLAIMS = ("azp", "appid")
"""Where a program's client id stands, in tokens of version 2 and 1."""
_UNREADABLE = "App Service Authentication handed over a sign-in that cannot be read: sign in again."


class Role(StrEnum):
    """An app role in Entra. Each includes those before it."""

    READ = "Sync.Read"
    OPERATE = "Sync.Operate"
    ADMIN = "Sync.Admin"

    @property
    def rank(self) -> int:
        """How much the role allows; more includes less."""
        return list(Role).index(self)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who signed in: a person, or a program with an identity of its own."""

    name: str
    roles: frozenset[Role] = frozenset()

    def require(self, role: Role) -> None:
        """Let those through who have this role, or one that includes it.

        Raises:
            NotAllowed: they have none.
        """
        if all(held.rank < role.rank for held in self.roles):
            raise NotAllowed(
                f"{self.name} needs the app role {role.value} for this. Whoever administers this app in Entra"
                " assigns it (Enterprise applications, Users and groups); then sign in again."
            )


def read_principal(header: str) -> Principal:
    """Read who signed in from the header's value.

    Raises:
        NotSignedIn: the header is not of Microsoft's form, or tells of another provider than Entra.
    """
    try:
        data: Any = json.loads(base64.b64decode(header, validate=True))
        claims = [(str(claim["typ"]), str(claim["val"])) for claim in data["claims"]]
        provider = data["auth_typ"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise NotSignedIn(_UNREADABLE) from None
    if provider != _ENTRA:
        raise NotSignedIn(
            "Sign in with Microsoft Entra: the app's roles are assigned there and nowhere else."
        )
    known = {role.value: role for role in Role}
    roles = frozenset(known[value] for kind, value in claims if kind in _ROLE_CLAIMS and value in known)
    return Principal(_name(claims), roles)


def _name(claims: list[tuple[str, str]]) -> str:
    """Return what the record calls a caller by: a person's user name, or a program's client id.

    Raises:
        NotSignedIn: nothing says who it is.
    """
    found = {kind: "".join(filter(str.isprintable, value)).strip() for kind, value in reversed(claims)}
    for kind in _NAME_CLAIMS:
        if found.get(kind):
            return found[kind][:MAX_NAME]
    for kind in _APPLICATION_CLAIMS:
        if found.get(kind):
            return f"application {found[kind]}"[:MAX_NAME]
    raise NotSignedIn(_UNREADABLE)
