"""A customer to be measured: people in Samba AD, a simulated Halo and a storage emulator, all beside.

Each run of the product has a process of its own, so that its time and its memory are its own:

    python -m bench.customer '{"storage": "...", "environment": {...}, "mode": "delta"}'
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ldap3 import MODIFY_REPLACE

from bench.people import PEOPLE, name_of
from bench.process import Cost, measured, peak_mib
from devstack.azurite import Azurite
from devstack.halo import SimulatedHalo, Switches
from halo_adsync.bootstrap import Builder
from halo_adsync.customer_file import parse
from halo_adsync.model import CustomerId
from halo_adsync.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstack.samba import SambaDomain

BATCH = 25
CUSTOMER = CustomerId("bench")
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


@dataclass(frozen=True)
class MeasuredCustomer:
    """A customer whom nothing was done for yet."""

    controller: SambaDomain
    halo: SimulatedHalo
    job: dict[str, Any]

    def run(self, mode: str) -> Cost:
        """Do one run and return what it cost.

        Raises:
            RuntimeError: the run did not end well.
        """
        return measured("bench.customer", json.dumps({**self.job, "mode": mode}))

    def change(self, count: int) -> None:
        """Change the titles of so many people who are in Halo."""
        active = [user for user in self.halo.people if not user["inactive"]]
        step = len(active) // count
        names = {str(user["login"]).rpartition("\\")[2] for user in active[: step * count : step]}
        # A connection of one's own: the domain's may be idle for longer than a controller keeps one.
        connection: Any = self.controller.connect()
        for name in sorted(names):
            dn, _ = name_of(int(name.removeprefix("p")))
            connection.modify(dn, {"title": [(MODIFY_REPLACE, [f"Changed {time.time_ns()}"])]})
        connection.unbind()


@contextlib.contextmanager
def customer(controller: SambaDomain, *, delay: float = 0) -> Iterator[MeasuredCustomer]:
    """Set a customer up for a domain.

    Args:
        controller: the people.
        delay: how many seconds Halo takes over each request, on top of what it does.
    """
    with Azurite() as storage, SimulatedHalo(switches=Switches(rate_limit=0)) as halo:
        halo.add_client("Bench Limited")
        if delay:
            halo.faults.add("delay", seconds=delay, times=None)
        environment = {"SECRET_HALO": halo.client_secret, "SECRET_AD": controller.admin_password}
        job = {"storage": storage.connection_string, "environment": environment}
        file = _FILE.format(halo=halo, ad=controller, people=PEOPLE)
        _builder(job).store().put_customer(parse(file))
        yield MeasuredCustomer(controller, halo, job)


def _builder(job: dict[str, Any]) -> Builder:
    return Builder(Settings(connection_string=job["storage"], environment=job["environment"]))


def main() -> None:
    """Do one run and print what it cost."""
    job = json.loads(sys.argv[1])
    builder = _builder(job)
    sync = builder.sync()
    request = sync.new_run(CUSTOMER, job["mode"], "bench", "bench")
    idle = peak_mib()
    begun, cpu = time.perf_counter(), time.process_time()
    done = sync.run(request)
    seconds, cpu, peak = time.perf_counter() - begun, time.process_time() - cpu, peak_mib()
    if done.status != "ok":
        raise SystemExit(f"the run ended as {done.status}: {done.message} {done.violations}")
    state = builder.store().of(CUSTOMER)
    sites = sum(place.site is not None for place in state.places().values())
    counted = {name: value for name, value in done.cost.items() if name not in ("seconds", "peak_rss_mib")}
    told = {"changed": sum(done.counts[name] for name in ("create", "update")), "sites": sites}
    cost: Cost = {"seconds": seconds, "cpu": cpu, "idle_mib": idle, "peak_mib": peak, **counted, **told}
    print(json.dumps(cost))


if __name__ == "__main__":
    main()
