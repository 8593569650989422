"""How fast entries are read: by us, by ldap3 and by clients that stand on a C library, of the same people."""

from __future__ import annotations

import json
import statistics
import sys
from dataclasses import asdict
from importlib.util import find_spec
from typing import TYPE_CHECKING

from bench import samba
from bench.clients import CLIENTS, Target
from bench.openldap import OpenLdap, OpenLdapError
from bench.people import ATTRIBUTES
from bench.process import measured
from bench.report import machine, spread, table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

OURS, LDAP3, PYTHON_LDAP = "ours", "ldap3", "python-ldap"
_NEEDS = {"python-ldap": "ldap", "bonsai": "bonsai"}
_LABELS = {
    "ldap3": "ldap3, its default (`SYNC`), without schema",
    "ldap3 with schema": "ldap3, with schema and checks of names",
    "bonsai": "bonsai (C)",
    "python-ldap": "python-ldap (C)",
    "ours": "**Halo AD Sync**, entries",
    "ours, people": "Halo AD Sync, entries and then records of people, kept",
    "framing": "messages only, no entry decoded: the limit in Python",
}
_GOAL = 6.0

type Costs = dict[str, list[dict[str, float]]]


def missing_clients() -> dict[str, str]:
    """Return the clients that cannot be measured here, and why."""
    return {
        client: f"{client}, which could not be built on this machine (`./dev bench` says what it needs)"
        for client, module in _NEEDS.items()
        if find_spec(module) is None
    }


def run(sizes: Sequence[int], rounds: int, cache: Path) -> str:
    """Measure every size on every server that can be had here; return the section's text."""
    method = (
        f"{machine()} Each number is the median of {rounds} rounds with its range; in a round every client "
        "reads once, one after the other, each in a process of its own, over loopback without TLS, "
        f"{len(ATTRIBUTES)} attributes in pages of 1,000. The processor's time is that of the client, from "
        "the first search to the last entry."
    )
    parts = [method, *(f"Not measured: {why}." for why in missing_clients().values())]
    for title, server in (("OpenLDAP", OpenLdap), ("Samba AD", samba.people)):
        for size in sizes:
            named = f"{title}, {size:,} people"
            print(f"reading: {named}", file=sys.stderr)
            try:
                with server(size, cache) as target:
                    parts.append(_measured(named, target, size, rounds))
            except (OpenLdapError, samba.SambaError) as error:
                parts.append(f"### {named}\n\nNot measured: {error}")
    return "\n\n".join(parts)


def _measured(title: str, target: Target, size: int, rounds: int) -> str:
    clients = [client for client in CLIENTS if client not in missing_clients()]
    costs: Costs = {client: [] for client in clients}
    for at in range(rounds):
        # Nobody is always the first after the fastest.
        for client in clients[at % len(clients) :] + clients[: at % len(clients)]:
            cost = _cost(client, target)
            if cost["entries"] != size:
                raise RuntimeError(f"{client} read {cost['entries']} entries in place of {size}.")
            costs[client].append(cost)
    rows = [_row(client, costs) for client in clients]
    head = ["client", "entries per CPU second", "our lead", "seconds", "peak memory, MiB"]
    return f"### {title}\n\n{table(head, rows)}\n\n{_verdict(costs)}"


def _cost(client: str, target: Target) -> dict[str, float]:
    return measured("bench.clients", client, json.dumps(asdict(target)))


def leads(costs: Costs, client: str) -> list[float]:
    """Return, round by round, how many times a client's processor time ours is."""
    return [theirs["cpu"] / ours["cpu"] for theirs, ours in zip(costs[client], costs[OURS], strict=True)]


def _row(client: str, costs: Costs) -> list[str]:
    measured = costs[client]
    return [
        _LABELS[client],
        spread([cost["entries"] / cost["cpu"] for cost in measured], 0),
        "1" if client == OURS else spread(leads(costs, client), 2),
        spread([cost["wall"] for cost in measured], 2),
        spread([cost["peak_mib"] for cost in measured], 0),
    ]


def _verdict(costs: Costs) -> str:
    """Say which of the goals were met in this run."""
    goals = [(LDAP3, _GOAL)] + ([(PYTHON_LDAP, 1.0)] if PYTHON_LDAP in costs else [])
    sentences = []
    for client, goal in goals:
        lead = statistics.median(leads(costs, client))
        met = "met" if lead >= goal else "**not met**"
        sentences.append(f"at least {goal:g} times {client} in entries per CPU second: {lead:.2f}, {met}")
    return f"Goals: {'; '.join(sentences)}."
