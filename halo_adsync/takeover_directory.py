"""Taking over, the directory: how Halo's own integration connects, as a block of the customer file. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from halo_adsync.directory.dn import canonical_dn
from halo_adsync.halo.ldap_connection import LdapConnection

_PORTS: Mapping[bool, int] = {True: 636, False: 389}
"""The ports of a domain controller, with TLS from the start and without."""
_CATALOG_PORTS = frozenset({3268, 3269})
"""The ports of the global catalog, which holds only some of the attributes (Microsoft, MS-ADTS)."""
_SIMPLE_BIND = frozenset({"", "basic", "simple"})
_HOST = re.compile(
    r"^(?:(?:ldaps?|gc)://)?(?P<host>[^/:]+)(?::(?P<port>[0-9]{1,5}))?(?:/.*)?$", re.IGNORECASE
)
_HAS_A_DOMAIN = re.compile(r"[\\@=]")
"""What `CORP\\svc`, `svc@corp.contoso.com` and a DN have, and a bare logon name has not."""

type Say = Callable[[str], None]
"""Takes a sentence of the report."""
type Block = dict[str, Any]


def directory_block(
    connection: LdapConnection, customer: str, blocks: Sequence[Block], containers: Sequence[str], say: Say
) -> Block:
    """Return a connection's directory: that of the file where it has this server already, else a new one.

    Args:
        connection: Halo's.
        customer: its id, for the secret's name.
        blocks: the directories of the customer file so far, at least one.
        containers: the DNs that have to be found in the directory.
        say: takes what a person has to know or do.
    """
    hosts = _hosts(connection)
    there = [block for block in blocks if hosts.keys() & _names(block)]
    if there or not hosts:
        block = (there or blocks)[0]
        why = "has this server" if there else "stands in for one, as Halo names no host"
        say(f"The directory {block['id']} of the file {why}; it is kept with its servers and account.")
    else:
        block = _new_block(connection, customer, blocks[0]["bind"]["user"], say)
        _set_base(block, connection.base_dn, containers, say)
    for other in blocks:
        if other is not block:
            say(f"The directory {other['id']} is no part of this connection and is not in the file any more.")
    return block


def _hosts(connection: LdapConnection) -> dict[str, int | None]:
    """Return the hosts that Halo names, each with its own port if it has one; else the domain's name."""
    named = map(_HOST.match, re.split(r"[\s,;]+", connection.host or connection.domain))
    return {found["host"].casefold(): int(found["port"] or 0) or None for found in named if found}


def _names(block: Block) -> set[str]:
    return {server.rpartition(":")[0].casefold() for server in block["servers"]}


def _new_block(connection: LdapConnection, customer: str, account: str, say: Say) -> Block:
    identifier = _slug(connection.domain.partition(".")[0]) or _slug(connection.name) or "ad"
    secret = f"{customer}-{identifier}-ad"
    user = _user(connection, account, say)
    say(f"Halo does not show passwords: put the one of {user} into Key Vault as {secret}.")
    say(
        "If the domain controllers' certificates come from the company's own authority, name it in"
        f" ca_certificate of the directory {identifier}."
    )
    if not connection.ssl:
        say(
            "Halo's connection is not encrypted; the file says tls: starttls, for which the domain"
            " controllers need a certificate."
        )
    if connection.authentication.lower() not in _SIMPLE_BIND:
        say(f"Halo signs in with {connection.authentication}; this sync uses a simple bind over TLS.")
    return {
        "id": identifier,
        "servers": _servers(connection, say),
        "tls": "ldaps" if connection.ssl else "starttls",
        "bind": {"user": user, "password": {"secret": secret}},
    }


def _servers(connection: LdapConnection, say: Say) -> list[str]:
    usual = _PORTS[connection.ssl]
    servers = []
    for host, own in _hosts(connection).items():
        port = own or connection.port or usual
        if port in _CATALOG_PORTS:
            say(f"Halo asks the global catalog, which lacks attributes; the file has port {usual} instead.")
            port = usual
        if not _is_full_name(host):
            say(
                f"{host} is no full host name: put the name that stands in the domain controller's"
                " certificate into servers."
            )
        servers.append(f"{host}:{port}")
    return servers


def _user(connection: LdapConnection, account: str, say: Say) -> str:
    """Return the account in a form that a simple bind takes (Microsoft, MS-ADTS 5.1.1.1.1)."""
    user, domain = connection.user, connection.domain
    if not user:
        say(f"Halo names no account; the file has {account}, as before. Check that it is right.")
        return account
    if not domain or _HAS_A_DOMAIN.search(user):
        return user
    say(f"Halo signs in as {user}; a simple bind needs the full name, so the file has {user}@{domain}.")
    return f"{user}@{domain}"


def _set_base(block: Block, base: str, containers: Sequence[str], say: Say) -> None:
    """Set the base DN where all containers lie below it; else the directory is asked for its own."""
    if base and _is_above(base, containers):
        block["base_dn"] = base
    elif base:
        say(f"The base DN {base} is left out, because not all containers lie below it.")


def _is_above(base: str, containers: Sequence[str]) -> bool:
    try:
        end = f",{canonical_dn(base)}"
    except ValueError:
        return False
    return all(f",{canonical_dn(dn)}".endswith(end) for dn in containers)


def _is_full_name(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return "." in host
    return False


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:40].strip("-")
