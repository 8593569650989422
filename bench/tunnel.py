"""What the tunnel costs: the same people read directly and through a relay, from the same domain controller.

The relay and a likeness of the Hybrid Connection Manager run in this process, `hyco-ws` in one of its own,
and each reading in another: all of them, and the domain controller, share this machine's cores.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

from bench import samba
from bench.people import ATTRIBUTES, PEOPLE
from bench.process import Cost, measured
from bench.report import compared, machine, spread
from devstack.relay import HybridConnectionManager, NodeListener, SimulatedRelay, node_listener_missing
from halo_adsync.directory.config import DirectoryConfig
from halo_adsync.directory.connection import Session
from halo_adsync.directory.relay import RelayConfig, Signatures
from halo_adsync.directory.tunnel import Tunnel
from halo_adsync.model import Meter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from bench.report import Figures
    from devstack.samba import SambaDomain

DIRECT = "directly"
MANAGER = "by relay, likeness of the Hybrid Connection Manager"
NODE = "by relay, Microsoft's `hyco-ws`"
GOAL = 0.8
MOST = 10_000
"""Where a read takes seconds, more people show nothing new."""
_FILTER = "(&(objectCategory=person)(objectClass=user))"
_CONNECTION = "bench"

type Costs = dict[str, list[Cost]]


def measure(sizes: Sequence[int], rounds: int, cache: Path) -> Figures:
    """Measure every size that is not too large for it."""
    figures: Figures = {"machine": machine(), "rounds": rounds, "readings": []}
    if missing := node_listener_missing():
        figures["missing"] = f"{NODE}. {missing}"
    for size in [size for size in sizes if size <= MOST] or [min(sizes)]:
        print(f"tunnel: {size:,} people", file=sys.stderr)
        reading: Figures = {"people": size}
        try:
            with samba.domain(size, cache) as controller:
                reading["costs"] = _costs(controller, size, rounds)
        except samba.SambaError as error:
            reading["missing"] = str(error)
        figures["readings"].append(reading)
    return figures


def text(figures: Figures) -> str:
    """Return the section's text."""
    method = (
        f"{figures['machine']} Each number is the median of {figures['rounds']} rounds with its range; in a "
        "round every way is gone once, each in a process of its own: LDAPS with the certificate checked, "
        f"{len(ATTRIBUTES)} attributes in pages of 1,000. Throughput counts from the first search to the "
        "last entry; connecting is everything before, the sign-in included."
    )
    parts = [method, *([f"Not measured: {figures['missing']}"] if "missing" in figures else [])]
    head = ["way", "throughput, direct = 1", "seconds", "CPU seconds of the app", "seconds to connect"]
    for reading in figures["readings"]:
        title = f"Samba AD, {reading['people']:,} people"
        parts.append(compared(title, reading, head, _row, verdict))
    return "\n\n".join(parts)


def _costs(controller: SambaDomain, size: int, rounds: int) -> Costs:
    ways = [DIRECT, MANAGER] if node_listener_missing() else [DIRECT, MANAGER, NODE]
    costs: Costs = {way: [] for way in ways}
    with SimulatedRelay() as relay:
        relay.add_connection(_CONNECTION, f"{controller.host}:{controller.port}")
        for at in range(rounds):
            # Nobody is always the first.
            for way in ways[at % len(ways) :] + ways[: at % len(ways)]:
                cost = _cost(way, controller, relay)
                if cost["entries"] != size:
                    raise RuntimeError(f"{way}: {cost['entries']} entries in place of {size}.")
                costs[way].append(cost)
    return costs


def _cost(way: str, controller: SambaDomain, relay: SimulatedRelay) -> Cost:
    given: dict[str, Any] = {
        "server": f"{controller.hostname}:636",
        "at": [controller.host, controller.port],
        "user": controller.admin_user,
        "password": controller.admin_password,
        "ca_file": str(controller.ca_path),
    }
    if way == DIRECT:
        return measured("bench.tunnel", json.dumps(given))
    string = relay.connection_string(_CONNECTION)
    listener: AbstractContextManager[object] = HybridConnectionManager(string, relay.ca_path)
    if way == NODE:
        listener = NodeListener(string, relay.ca_path, f"{controller.host}:{controller.port}")
    with listener:
        key = relay.connections[_CONNECTION].rules["send"].key
        through = given | {"relay": relay.host, "key": key}
        trusted = {"SSL_CERT_FILE": str(relay.ca_path)}
        return measured("bench.tunnel", json.dumps(through), environment=trusted)


def ratios(costs: Costs, way: str) -> list[float]:
    """Return, round by round, how much of the direct way's throughput a way has."""
    return [direct["read"] / other["read"] for direct, other in zip(costs[DIRECT], costs[way], strict=True)]


def _row(way: str, costs: Costs) -> list[str]:
    return [
        way,
        "1" if way == DIRECT else spread(ratios(costs, way), 2),
        *(spread([cost[name] for cost in costs[way]], 2) for name in ("read", "cpu", "connect")),
    ]


def verdict(costs: Costs) -> str:
    """Say whether the goal was met in this run."""
    sentences = []
    for way in costs:
        if way != DIRECT:
            ratio = statistics.median(ratios(costs, way))
            sentences.append(f"{way}: {ratio:.2f}, {'met' if ratio >= GOAL else '**not met**'}")
    return f"Goal: at least {GOAL:g} of the direct way's throughput. {'; '.join(sentences)}."


def _sign_in(given: dict[str, Any]) -> Session:
    server = given["server"]
    config = DirectoryConfig(
        id="bench",
        servers=(server,),
        user=given["user"],
        password=given["password"],
        ca_file=given["ca_file"],
    )
    (endpoint,) = config.endpoints({server: tuple(given["at"])})
    if "relay" in given:
        relay = RelayConfig(given["relay"], {server: _CONNECTION}, Signatures("send", given["key"]))
        endpoint = Tunnel(relay).open(endpoint)
    return Session(endpoint, config, config.tls_context(), Meter())


def main() -> None:
    """Read once and print the cost."""
    given = json.loads(sys.argv[1])
    begun = time.perf_counter()
    session = _sign_in(given)
    connected, cpu = time.perf_counter(), time.process_time()
    entries = sum(len(page) for page in session.pages(PEOPLE, _FILTER, ATTRIBUTES))
    read, cpu = time.perf_counter() - connected, time.process_time() - cpu
    session.close()
    print(json.dumps({"entries": entries, "read": read, "cpu": cpu, "connect": connected - begun}))


if __name__ == "__main__":
    main()
