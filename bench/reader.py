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
from bench.process import Cost, measured
from bench.report import affordable, compared, in_rounds, judged, machine, spread

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.report import Figures

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
SHORT = {
    "ldap3": "ldap3",
    "ldap3 with schema": "ldap3, schema",
    "bonsai": "bonsai (C)",
    "python-ldap": "python-ldap (C)",
    "ours, people": "ours, people kept",
    "ours": "ours",
}
"""What a chart calls the clients that it shows: not the limit of any, which would dwarf them."""
_GOAL = 6.0
OFTEN = 10_000
"""Up to so many people, every round counts."""

type Costs = dict[str, list[Cost]]


def missing_clients() -> dict[str, str]:
    """Return the clients that cannot be measured here, and why."""
    return {
        client: f"{client}, which could not be built on this machine (`./dev bench` says what it needs)"
        for client, module in _NEEDS.items()
        if find_spec(module) is None
    }


def measure(sizes: Sequence[int], rounds: int, cache: Path) -> Figures:
    """Measure every size on every server that can be had here."""
    readings = []
    for title, server in (("OpenLDAP", OpenLdap), ("Samba AD", samba.people)):
        for size in sizes:
            print(f"reading: {title}, {size:,} people", file=sys.stderr)
            reading: Figures = {"server": title, "people": size}
            try:
                with server(size, cache) as target:
                    reading["costs"] = _costs(target, size, affordable(rounds, size, OFTEN))
            except (OpenLdapError, samba.SambaError) as error:
                reading["missing"] = str(error)
            readings.append(reading)
    return {"machine": machine(), "rounds": rounds, "missing": missing_clients(), "readings": readings}


def text(figures: Figures) -> str:
    """Return the section's text."""
    method = (
        f"{figures['machine']} {in_rounds(figures['rounds'], OFTEN)} In a round every client reads once, one "
        "after the other, each in a process of its own, over loopback without TLS, "
        f"{len(ATTRIBUTES)} attributes in pages of 1,000. The processor's time is that of the client, from "
        "the first search to the last entry."
    )
    parts = [method, *(f"Not measured: {why}." for why in figures["missing"].values())]
    head = ["client", "entries per CPU second", "our lead", "seconds", "peak memory, MiB"]
    for reading in figures["readings"]:
        title = f"{reading['server']}, {reading['people']:,} people"
        parts.append(compared(title, reading, head, _row, _verdict))
    return "\n\n".join(parts)


def _costs(target: Target, size: int, rounds: int) -> Costs:
    clients = [client for client in CLIENTS if client not in missing_clients()]
    costs: Costs = {client: [] for client in clients}
    for at in range(rounds):
        # Nobody is always the first after the fastest.
        for client in clients[at % len(clients) :] + clients[: at % len(clients)]:
            cost = measured("bench.clients", client, json.dumps(asdict(target)))
            if cost["entries"] != size:
                raise RuntimeError(f"{client} read {cost['entries']} entries in place of {size}.")
            costs[client].append(cost)
    return costs


def leads(costs: Costs, client: str) -> list[float]:
    """Return, round by round, how many times a client's processor time ours is."""
    return [theirs["cpu"] / ours["cpu"] for theirs, ours in zip(costs[client], costs[OURS], strict=True)]


def _row(client: str, costs: Costs) -> list[str]:
    readings = costs[client]
    return [
        _LABELS[client],
        spread([cost["entries"] / cost["cpu"] for cost in readings], 0),
        "1" if client == OURS else spread(leads(costs, client), 2),
        spread([cost["wall"] for cost in readings], 2),
        spread([cost["peak_mib"] for cost in readings], 0),
    ]


def _verdict(costs: Costs) -> str:
    """Say which of the goals were met in this run."""
    goals = [(LDAP3, _GOAL)] + ([(PYTHON_LDAP, 1.0)] if PYTHON_LDAP in costs else [])
    reached = {}
    for client, goal in goals:
        lead = statistics.median(leads(costs, client))
        words = f"at least {goal:g} times {client} in entries per CPU second: {lead:.2f}"
        reached[words] = lead >= goal
    return judged(reached)
