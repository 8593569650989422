"""What a customer costs: a first sync, runs without a change, a delta, a reconcile, at several sizes.

Directory, Halo and storage run beside; each run of the product has a process of its own, so that its time and
its memory are its own. State lies in the storage emulator.
"""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench import samba
from bench.people import PEOPLE, name_of
from bench.process import measured
from bench.report import machine, table
from devstack.azurite import Azurite, azurite_missing
from devstack.halo import SimulatedHalo, Switches
from halo_adsync.bootstrap import Builder
from halo_adsync.customer_file import parse
from halo_adsync.model import CustomerId
from halo_adsync.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from devstack.samba import SambaDomain

BATCH = 25
SHARE, WASTE, LEAST = 0.5, 1.05, (0, 3, 9)
"""The goals."""
CUSTOMER = CustomerId("bench")
COLUMNS = ("seconds", "CPU s", "peak MiB", "searches", "entries", "Halo requests", "writes", "transactions")
_FILE = """
id: bench
name: Bench Limited
halo: {{ url: {halo.url}, client_id: {halo.client_id}, client_secret: {{ secret: halo }}, budget: off }}
directories:
  - id: bench
    servers: ["{ad.host}:{ad.port}"]
    ca_file: {ad.ca_path}
    bind: {{ user: "{ad.admin_user}", password: {{ secret: ad }} }}
scope: {{ include: ["{people}"] }}
placement:
  client: {{ name: Bench Limited }}
  rules: [{{ mirror: "{people}", site_level: 1 }}]
policy: full
limits: {{ create: 1000000 }}
schedule: {{ delta: "*/15 * * * *" }}
"""

type Cost = dict[str, float]


def run(sizes: Sequence[int], _rounds: int, cache: Path) -> str:
    """Measure every size once; return the section's text."""
    if missing := azurite_missing():
        return f"Not measured: {missing}"
    method = (
        f"{machine()} One measurement each, in a process of its own, by LDAPS from Samba AD; the processor's"
        " time is that of the run, start-up apart. Halo is the simulated one on this machine, storage the"
        f" emulator; {BATCH} people in a batch, no budget of requests."
    )
    parts = [method]
    deltas: dict[int, float] = {}
    for size in sizes:
        print(f"costs: {size:,} people", file=sys.stderr)
        title = f"### {size:,} people"
        try:
            with samba.domain(size, cache) as controller:
                costs = _measured(controller, size)
        except samba.SambaError as error:
            parts.append(f"{title}\n\nNot measured: {error}")
            continue
        deltas[size] = costs["delta, no change"]["cpu"]
        rows = [_row(name, cost) for name, cost in costs.items() if name != "ldap3"]
        parts.append(f"{title}\n\n{table(['run', *COLUMNS], rows)}\n\n{_verdict(costs)}")
    if len(deltas) > 1:
        small, large = min(deltas), max(deltas)
        ratio = deltas[large] / deltas[small]
        parts.append(
            f"A delta without a change: CPU of {large:,} people {ratio:.2f} times that of {small:,}."
        )
    return "\n\n".join(parts)


def _measured(controller: SambaDomain, size: int) -> dict[str, Cost]:
    with Azurite() as storage, SimulatedHalo(switches=Switches(rate_limit=0)) as halo:
        halo.add_client("Bench Limited")
        environment = {"SECRET_HALO": halo.client_secret, "SECRET_AD": controller.admin_password}
        job = {"storage": storage.connection_string, "environment": environment}
        text = _FILE.format(halo=halo, ad=controller, people=PEOPLE)
        _builder(job).store().put_customer(parse(text))
        costs = {"first sync": _in_a_process(job, "full")}
        costs["full, no change"] = _in_a_process(job, "full")
        costs["ldap3"] = measured("bench.clients", "ldap3", json.dumps(asdict(samba.target(controller))))
        costs["delta, no change"] = _in_a_process(job, "delta")
        _change(controller, halo, max(1, size // 100))
        costs["delta, 1 % changed"] = _in_a_process(job, "delta")
        costs["reconcile, no change"] = _in_a_process(job, "reconcile")
        return costs


def _change(controller: SambaDomain, halo: SimulatedHalo, count: int) -> None:
    """Change somebody's title, of so many people who are in Halo."""
    active = [user for user in halo.people if not user["inactive"]]
    step = len(active) // count
    names = {str(user["login"]).rpartition("\\")[2] for user in active[: step * count : step]}
    for name in sorted(names):
        dn, _ = name_of(int(name.removeprefix("p")))
        controller.modify(dn, {"title": f"Changed {time.time_ns()}"})


def _in_a_process(job: dict[str, Any], mode: str) -> Cost:
    return measured("bench.costs", json.dumps({**job, "mode": mode}))


def _row(name: str, cost: Cost) -> list[str]:
    times = [f"{cost['seconds']:,.2f}", f"{cost['cpu']:,.2f}"]
    counted = ("peak_rss_mib", "ldap_searches", "ldap_entries", "halo_requests", "halo_writes")
    return [name, *times, *(f"{cost[key]:,.0f}" for key in (*counted, "table_transactions"))]


def _verdict(costs: dict[str, Cost]) -> str:
    """Say which goals were met in this run."""
    first, full, delta = costs["first sync"], costs["full, no change"], costs["delta, no change"]
    needed = math.ceil(first["people"] / BATCH) + first["sites"]
    share, writes = full["cpu"] / costs["ldap3"]["cpu"], first["halo_writes"] / needed
    spent = [delta[name] for name in ("halo_requests", "ldap_searches", "table_transactions")]
    asked, searches, transactions = (f"{number:.0f}" for number in spent)
    reached = {
        f"full run without a change, {share:.2f} of the CPU of a read with plain ldap3 (at most {SHARE})": (
            share <= SHARE
        ),
        f"first sync, {writes:.3f} times the writes that its people and sites need (at most {WASTE})": (
            writes <= WASTE
        ),
        f"delta without a change, {asked} requests to Halo, {searches} searches, {transactions} transactions"
        f" (at most {', '.join(map(str, LEAST))})": all(a <= b for a, b in zip(spent, LEAST, strict=True)),
    }
    return (
        f"Goals: {'; '.join(f'{text}: {"met" if met else "**not met**"}' for text, met in reached.items())}."
    )


def _builder(job: dict[str, Any]) -> Builder:
    return Builder(Settings(connection_string=job["storage"], environment=job["environment"]))


def main() -> None:
    """Do one run and print what it cost."""
    job = json.loads(sys.argv[1])
    builder = _builder(job)
    sync = builder.sync()
    request = sync.new_run(CUSTOMER, job["mode"], "bench", "bench")
    begun, cpu = time.perf_counter(), time.process_time()
    done = sync.run(request)
    spent = {"seconds": time.perf_counter() - begun, "cpu": time.process_time() - cpu}
    if done.status != "ok":
        raise SystemExit(f"the run ended as {done.status}: {done.message} {done.violations}")
    state = builder.store().of(CUSTOMER)
    sites = sum(place.site is not None for place in state.places().values())
    told = {"people": done.counts["create"], "sites": sites}
    print(json.dumps({**done.cost, **spent, **told}))


if __name__ == "__main__":
    main()
