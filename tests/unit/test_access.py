"""Who signed in, read from App Service Authentication's header: names, roles, and what is refused."""

import base64
import json
from typing import Any

import pytest

from halo_adsync.access import MAX_NAME, Principal, Role, read_principal
from halo_adsync.errors import NotAllowed, NotSignedIn

ROLE_CLAIM = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
UPN_CLAIM = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"


def header(*claims: tuple[str, str], provider: Any = "aad") -> str:
    """Return a header with these claims."""
    listed = [{"typ": kind, "val": value} for kind, value in claims]
    return packed({"auth_typ": provider, "claims": listed, "name_typ": "name", "role_typ": "roles"})


def packed(document: Any) -> str:
    """Return a document as the platform packs it."""
    return base64.b64encode(json.dumps(document).encode()).decode()


@pytest.mark.parametrize("kind", ["roles", ROLE_CLAIM])
def test_roles_come_from_both_kinds_of_claim(kind: str) -> None:
    """App Service has called them both ways; what is no role of this app counts for nothing."""
    read = read_principal(header(("upn", "a@x"), (kind, "Sync.Read"), (kind, "Sync.Everything")))
    assert read.roles == {Role.READ}


def test_a_claim_of_another_kind_gives_no_role() -> None:
    """A group or a name that reads like a role is none."""
    read = read_principal(header(("name", "Sync.Admin"), ("groups", "Sync.Admin"), ("Roles", "Sync.Admin")))
    assert read.roles == frozenset()


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ([("name", "Anna"), ("preferred_username", "anna@x")], "anna@x"),
        ([("name", "Anna"), (UPN_CLAIM, "anna@x")], "anna@x"),
        ([("name", "Anna")], "Anna"),
        ([("appid", "old"), ("azp", "0e1f")], "application 0e1f"),
        ([("preferred_username", ""), ("appid", "0e1f")], "application 0e1f"),
        ([("preferred_username", " an\nna@x\u202e ")], "anna@x"),
        ([("preferred_username", "a" * 5000)], "a" * MAX_NAME),
        ([("preferred_username", "first@x"), ("preferred_username", "second@x")], "first@x"),
    ],
)
def test_the_record_has_a_name(claims: list[tuple[str, str]], name: str) -> None:
    """The user name of a person, the client id of a program; nothing in it steers a terminal."""
    assert read_principal(header(*claims)).name == name


@pytest.mark.parametrize("provider", ["github", "AAD", "", None, ["aad"]])
def test_another_provider_is_refused(provider: Any) -> None:
    """Its claims may say whatever its users like."""
    with pytest.raises(NotSignedIn, match="Entra"):
        read_principal(header(("upn", "a@x"), ("roles", "Sync.Admin"), provider=provider))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "no base64",
        "bm8ganNvbg==",
        packed([]),
        packed(None),
        packed({}),
        packed({"auth_typ": "aad"}),
        packed({"auth_typ": "aad", "claims": None}),
        packed({"auth_typ": "aad", "claims": [7]}),
        packed({"auth_typ": "aad", "claims": [{"typ": "roles"}]}),
        packed({"auth_typ": "aad", "claims": [{"typ": "roles", "val": "Sync.Admin"}]}),
        base64.b64encode(b"[" * 100_000).decode(),
        "ü",
    ],
)
def test_what_is_no_sign_in_is_refused(value: str) -> None:
    """Nobody is let in on a header that says nothing of who it is."""
    with pytest.raises(NotSignedIn, match="cannot be read"):
        read_principal(value)


def test_a_role_includes_those_before_it() -> None:
    """Who administers may operate, who operates may read, and never the other way round."""
    for held in Role:
        for needed in Role:
            allowed = held.rank >= needed.rank
            if allowed:
                Principal("anna@x", frozenset({held})).require(needed)
            else:
                with pytest.raises(NotAllowed, match=rf"anna@x needs the app role {needed.value}"):
                    Principal("anna@x", frozenset({held})).require(needed)
    with pytest.raises(NotAllowed):
        Principal("anna@x").require(Role.READ)
