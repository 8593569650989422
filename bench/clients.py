"""One reading of a directory by one client, in a process of its own that prints what it cost as JSON.

    python -m bench.clients python-ldap '{"host": "127.0.0.1", "port": 389, ...}'

Every client signs in without TLS and reads the same people with the same attributes in pages of 1,000, each
in the way that its documentation shows. The time counts from the first search to the last entry.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.process import peak_mib

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE_SIZE = 1000
_SUBTREE = 2


@dataclass(frozen=True)
class Target:
    """What is read, where and as whom."""

    host: str
    port: int
    user: str
    password: str
    base: str
    filter: str
    attributes: list[str]


def read_with_ldap3(target: Target, **options: Any) -> Iterator[int]:
    """Sign in, yield once, then yield the number of entries page by page: so does every client."""
    import ldap3

    server = ldap3.Server(target.host, target.port, **options)
    connection: Any = ldap3.Connection(server, target.user, target.password, auto_bind=True)
    yield 0
    entries = connection.extend.standard.paged_search(
        target.base, target.filter, attributes=target.attributes, paged_size=PAGE_SIZE
    )
    yield sum(1 for _ in entries)


def read_with_bonsai(target: Target) -> Iterator[int]:
    """Read with bonsai, which stands on libldap."""
    import bonsai

    client = bonsai.LDAPClient(f"ldap://{target.host}:{target.port}")
    client.set_credentials("SIMPLE", target.user, target.password)
    connection = client.connect()
    yield 0
    entries = connection.paged_search(
        target.base, _SUBTREE, target.filter, target.attributes, page_size=PAGE_SIZE
    )
    yield sum(1 for _ in entries)


def read_with_python_ldap(target: Target) -> Iterator[int]:
    """Read with python-ldap, which stands on libldap."""
    import ldap
    from ldap.controls import SimplePagedResultsControl

    connection = ldap.initialize(f"ldap://{target.host}:{target.port}")
    connection.set_option(ldap.OPT_REFERRALS, 0)
    connection.simple_bind_s(target.user, target.password)
    yield 0
    control = SimplePagedResultsControl(True, size=PAGE_SIZE, cookie="")
    more = True
    while more:
        number = connection.search_ext(
            target.base, _SUBTREE, target.filter, target.attributes, serverctrls=[control]
        )
        _, entries, _, controls = connection.result3(number)
        yield len(entries)
        (answer,) = [one for one in controls if one.controlType == control.controlType]
        control.cookie = answer.cookie
        more = bool(answer.cookie)


def read_with_ours(target: Target) -> Iterator[int]:
    """Read as the product does."""
    session = _session(target)
    yield 0
    for page in session.pages(target.base, target.filter, target.attributes):
        yield len(page)


def read_people(target: Target) -> Iterator[int]:
    """Read as the product does, into its records of people, which are kept."""
    from halo_adsync.directory.people import PersonCodec
    from halo_adsync.model import ObjectGuid, Person

    session = _session(target)
    codec = PersonCodec("bench", {name.lower() for name in target.attributes})
    parent = ObjectGuid("")
    people: list[Person] = []
    yield 0
    for page in session.pages(target.base, target.filter, target.attributes):
        people += [codec.person(entry, parent) for entry in page]
    yield len(people)


def cut_messages(target: Target) -> Iterator[int]:
    """Take the answers apart into messages and decode no entry: the limit of any reader in Python."""
    from halo_adsync.directory.ber import messages

    session = _session(target)
    connection = session._connection  # noqa: SLF001 - below what the product offers
    counted = 0

    def receive() -> list[bytes]:
        nonlocal counted
        for message in arriving:
            # Entries are longer than a result, whose message stays below 128 bytes.
            if message[1] < 0x80:  # noqa: PLR2004 - the short form of a length
                return [message]
            counted += 1
        return []

    arriving = messages(lambda: connection.socket.recv(1 << 16))
    connection.strategy.receiving = receive
    yield 0
    for _ in session.pages(target.base, target.filter, target.attributes):
        pass
    yield counted


def _session(target: Target) -> Any:
    from halo_adsync.directory.config import DirectoryConfig
    from halo_adsync.directory.connection import Session
    from halo_adsync.model import Meter

    config = DirectoryConfig(
        id="bench",
        servers=(f"{target.host}:{target.port}",),
        user=target.user,
        password=target.password,
        tls="none",
    )
    return Session(config.endpoints({})[0], config, None, Meter())


CLIENTS: dict[str, Callable[[Target], Iterator[int]]] = {
    "ldap3": lambda target: read_with_ldap3(target, get_info="NO_INFO"),
    "ldap3 with schema": read_with_ldap3,
    "bonsai": read_with_bonsai,
    "python-ldap": read_with_python_ldap,
    "ours": read_with_ours,
    "ours, people": read_people,
    "framing": cut_messages,
}


def main() -> None:
    """Read once and print the cost."""
    reading = CLIENTS[sys.argv[1]](Target(**json.loads(sys.argv[2])))
    next(reading)
    # What importing a client has left behind is not looked through again while it reads.
    gc.collect()
    gc.freeze()
    wall, cpu = time.perf_counter(), time.process_time()
    entries = sum(reading)
    cost = {
        "entries": entries,
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "peak_mib": peak_mib(),
    }
    print(json.dumps(cost))


if __name__ == "__main__":
    main()
