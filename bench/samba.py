"""A Samba domain with people in it: filled once for each number of people, then kept and only started."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from bench.clients import Target
from bench.people import ATTRIBUTES, PEOPLE, organisation
from devstack.samba import SambaDomain, SambaError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SambaError", "people"]

_REALM, _NETBIOS = "BENCH.EXAMPLE", "BENCH"
_AT_ONCE = 5_000
"""The longer a transaction of Samba's, the more each object in it costs; and each begins with a second."""


def _domain(cache: Path) -> SambaDomain:
    """Passwords go in clear, as on the other server: what is measured is the reading."""
    return SambaDomain(realm=_REALM, netbios=_NETBIOS, strong_auth=False, cache=cache)


@contextlib.contextmanager
def domain(count: int, cache: Path) -> Iterator[SambaDomain]:
    """Start a domain with so many people.

    Raises:
        SambaError: Samba is missing, cannot run here, or refused the people.
    """
    recipe = Path(organisation.__code__.co_filename).read_bytes() + str(count).encode()
    filled = cache / f"samba-people-{count}-{hashlib.sha256(recipe).hexdigest()[:16]}"
    if not filled.exists():
        fresh = filled.with_name(f"{filled.name}-fresh")
        shutil.rmtree(fresh, ignore_errors=True)
        with _domain(fresh) as filling:
            for some in itertools.batched(organisation(count), _AT_ONCE, strict=False):
                filling.seed(some)
            filling.keep()
        fresh.rename(filled)
    with _domain(filled) as running:
        yield running


@contextlib.contextmanager
def people(count: int, cache: Path) -> Iterator[Target]:
    """Start a domain with so many people and tell how to read them.

    Raises:
        SambaError: as for `domain`.
    """
    with domain(count, cache) as running:
        yield target(running)


def target(running: SambaDomain) -> Target:
    """Tell how to read the people of a domain."""
    return Target(
        host=running.host,
        port=running.ldap_port,
        user=running.admin_user,
        password=running.admin_password,
        base=PEOPLE,
        filter="(&(objectCategory=person)(objectClass=user))",
        attributes=list(ATTRIBUTES),
    )
