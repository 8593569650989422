"""Who may call which route. Every route of the API is registered here, with the role that it needs.

`docs/adr/0010-keys-or-sign-in.md` says why it is so:

- `API_SIGN_IN` left out, or `keys`: the Functions host lets nobody in without a function key. Who has signed
  in as well needs the route's role besides: a sign-in only ever takes away.
- `API_SIGN_IN` is `entra`: keys open nothing. App Service Authentication says who calls; their role decides.
- The header that says who signed in counts only where the platform says that it sets it, in
  `WEBSITE_AUTH_ENABLED`. Without App Service Authentication a forged one is not looked at.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import azure.functions as func

from functions.http import Handler, WrongMediaError, problems
from halo_adsync.access import BY_KEY, PRINCIPAL_HEADER, Principal, Role, read_principal
from halo_adsync.errors import NotSignedIn

KEYS, ENTRA = "keys", "entra"
SAFE_METHODS = frozenset({"GET"})
NOT_FROM_A_FORM = ("application/json", "application/yaml")
"""Media types that no page of another site can send with a signed-in person's cookie (Fetch, 2.2.2)."""
_SIGN_IN = "Sign in with Microsoft Entra first."
_NO_SIGN_IN = (
    "API_SIGN_IN is entra, but this app has no App Service Authentication: switch that on, or set API_SIGN_IN"
    " to keys."
)


@dataclass(frozen=True, slots=True)
class Route:
    """One route of the API: its function's name, and what it needs."""

    name: str
    method: str
    path: str
    role: Role


ROUTES: list[Route] = []
"""Every route but health, which says nothing about any customer and is open to all."""


def route(blueprint: func.Blueprint, method: str, path: str, role: Role) -> Callable[[Handler], Any]:
    """Register a function as a route that needs a role; its errors become problem documents."""
    keys_only = sign_in_mode() == KEYS
    level = func.AuthLevel.FUNCTION if keys_only else func.AuthLevel.ANONYMOUS

    def register(handler: Handler) -> Any:
        @wraps(handler)
        def allowed(req: func.HttpRequest) -> func.HttpResponse:
            admit(req, role, keys=keys_only)
            return handler(req)

        ROUTES.append(Route(handler.__name__, method, path, role))
        return blueprint.route(path, methods=[method], auth_level=level)(problems(allowed))

    return register


def sign_in_mode() -> str:
    """Return what lets a caller in; whatever is not plainly `entra` means that a key is needed."""
    return ENTRA if os.environ.get("API_SIGN_IN", "").strip().lower() == ENTRA else KEYS


def admit(req: func.HttpRequest, role: Role, *, keys: bool) -> None:
    """Let a request through to a route that needs this role.

    Args:
        req: the request.
        role: what the route needs.
        keys: the host has seen a function key; without a sign-in, that is enough.

    Raises:
        NotSignedIn, NotAllowed: it may not pass.
        WrongMediaError: it would change something, and another site's page could have sent it.
    """
    principal = signed_in(req)
    if principal is None:
        if not keys:
            raise NotSignedIn(_SIGN_IN if platform_signs_in() else _NO_SIGN_IN)
        return
    principal.require(role)
    media_type = req.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if req.method not in SAFE_METHODS and media_type not in NOT_FROM_A_FORM:
        raise WrongMediaError(
            "Send the header Content-Type: application/json (or application/yaml), also without a body. It"
            " shows that the request is no form of another site's page."
        )


def actor_of(req: func.HttpRequest) -> str:
    """Return who is calling, for the record."""
    principal = signed_in(req)
    return principal.name if principal else BY_KEY


def signed_in(req: func.HttpRequest) -> Principal | None:
    """Return who signed in, as far as that can be believed.

    Raises:
        NotSignedIn: the platform's header cannot be read.
    """
    header = req.headers.get(PRINCIPAL_HEADER)
    return read_principal(header) if header and platform_signs_in() else None


def platform_signs_in() -> bool:
    """Tell whether App Service Authentication stands before this app; the platform itself says so."""
    return os.environ.get("WEBSITE_AUTH_ENABLED", "").strip().lower() == "true"
