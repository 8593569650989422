"""Taking over, new people: the ticket that Halo opens for each, as a block of the customer file. Pure."""

import re
from collections.abc import Callable
from typing import Any

from halo_adsync.halo.ldap_connection import LdapConnection

_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")
"""Attributes that a template can name: none with a dash, which would be a minus there."""


def onboarding_block(connection: LdapConnection, say: Callable[[str], None]) -> dict[str, Any] | None:
    """Return the block for the ticket of a new person; None where Halo opens none.

    Args:
        connection: Halo's.
        say: takes what a person has to know or do.
    """
    mappings = connection.onboarding_fields
    if not connection.onboarding:
        if mappings:
            names = ", ".join(mapping.attribute for mapping in mappings)
            say(f"The field mappings for new users have no counterpart: {names}.")
        return None
    usable = [mapping for mapping in mappings if _PLAIN_NAME.fullmatch(mapping.attribute)]
    details = "\n".join(f"{mapping.target.label}: {{{{ {mapping.attribute} }}}}" for mapping in usable)
    say(
        "Halo opens a ticket for each new user from a template of its own, which cannot be read here; the"
        " file has onboarding.ticket in its place. Put into it what that template says, its ticket type and"
        " team above all, and switch Halo's off."
    )
    for mapping in mappings:
        if mapping not in usable:
            say(f"The mapping of {mapping.attribute!r} for new users is left out: no template can name it.")
    return {"ticket": {"details": details} if details else {}}
