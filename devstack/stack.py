"""The whole stack on this machine: storage emulator, two directories, a simulated Halo, a Functions host."""

import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Self

from devstack.azurite import Azurite
from devstack.directory import Directory
from devstack.halo import SimulatedHalo
from devstack.host import FunctionsHost

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = Path(__file__).with_name("customers")
CUSTOMERS = ("school-trust", "company")


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything listens, on loopback; 0 is any free port."""

    storage: int = 0
    halo: int = 0
    host: int = 0
    trust: int = 0
    company: int = 0


FIXED = Ports(storage=10000, halo=8380, host=7071, trust=10636, company=10389)
"""Ports that stay the same, so that what is written down stays right."""


@dataclass
class Stack:
    """Everything that the sync needs, running within the `with` block.

    Attributes:
        folder: where logs, keys, certificates and customer files go.
        ports: where everything listens.
    """

    folder: Path
    ports: Ports = field(default_factory=Ports)

    def __enter__(self) -> Self:
        """Start everything; whatever was started is stopped again if something fails."""
        with ExitStack() as starting:
            self._start(starting)
            self._running = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def _start(self, starting: ExitStack) -> None:
        ports, data = self.ports, Path(__file__).with_name("data")
        self.folder.mkdir(parents=True, exist_ok=True)
        storage = starting.enter_context(Azurite(port_base=ports.storage))
        self.halo = starting.enter_context(SimulatedHalo(port=ports.halo))
        self.trust = starting.enter_context(
            Directory.from_ldif(
                data / "school-trust.ldif", folder=self.folder / "trust", ldaps_port=ports.trust
            )
        )
        self.company = starting.enter_context(
            Directory.from_ldif(
                data / "company.ldif", folder=self.folder / "company", ldap_port=ports.company
            )
        )
        self.environment = {
            "AzureWebJobsStorage": storage.connection_string,
            "SYNC_TIMER": "0 * * * * *",
            "SECRET_DEMO_HALO": self.halo.client_secret,
            "SECRET_TRUST_AD": self.trust.password,
            "SECRET_COMPANY_AD": self.company.password,
        }
        self.customer_files = [self._write_customer(name) for name in CUSTOMERS]
        self.environment_file = self._write_environment()
        self._hosts = starting.enter_context(ExitStack())
        self.start_host(timers=False)

    def start_host(self, *, timers: bool) -> None:
        """Start the Functions host, in the place of the one that may be running."""
        self._hosts.close()
        folder, port = self.folder / "host", self.ports.host
        host = FunctionsHost(ROOT, env=self.environment, data_dir=folder, port=port, timers=timers)
        self.host = self._hosts.enter_context(host)

    def _write_customer(self, name: str) -> Path:
        text = Template((SAMPLES / f"{name}.yaml").read_text("utf-8")).substitute(
            halo_url=self.halo.url,
            halo_client_id=self.halo.client_id,
            trust_server=f"localhost:{self.trust.ldaps_port}",
            trust_ca=self.trust.ca_path,
            company_server=f"localhost:{self.company.ldap_port}",
            company_ca=self.company.ca_path,
        )
        path = self.folder / f"{name}.yaml"
        path.write_text(text, "utf-8")
        return path

    def _write_environment(self) -> Path:
        """Write what a shell needs; readable by its owner only, because passwords are in it."""
        path = self.folder / "environment"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.writelines(f"export {name}='{value}'\n" for name, value in self.environment.items())
        return path

    def command(self, *arguments: str) -> list[str]:
        """Return what runs `halo-adsync` with these arguments."""
        return [sys.executable, "-m", "halo_adsync", *arguments]
