"""The samba process itself: its configuration, its databases, its start and its end."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from devstack.samba import namespace
from devstack.samba.namespace import LOOPBACK, Relay

if TYPE_CHECKING:
    from collections.abc import Mapping

LDAP, LDAPS, GLOBAL_CATALOG, GLOBAL_CATALOG_TLS = 389, 636, 3268, 3269
START_SECONDS = 30
STOP_SECONDS = 10
SYSTEM_PYTHON = "/usr/bin/python3"
OFFLINE = Path(__file__).with_name("offline.py")

_PACKAGES = "samba samba-ad-provision samba-dsdb-modules samba-vfs-modules python3-samba"
_CONFIGURATION = """\
[global]
    realm = {realm}
    workgroup = {netbios}
    netbios name = {hostname}
    server role = active directory domain controller
    server services = ldap
    interfaces = {address}/8
    bind interfaces only = yes
    private dir = {folder}/private
    lock directory = {folder}/lock
    state directory = {folder}/state
    cache directory = {folder}/cache
    pid directory = {folder}/pid
    ncalrpc dir = {folder}/ncalrpc
    ntp signd socket directory = {folder}/ntp
    log file = {folder}/samba.log
    tls enabled = yes
    tls keyfile = {key_path}
    tls certfile = {certificate_path}
    tls cafile = {ca_path}
    ldap server require strong auth = {strong_auth}
"""


class SambaError(RuntimeError):
    """Samba could not be provisioned or started; the message says why and what to do."""


@functools.cache
def samba_missing() -> str | None:
    """Return a sentence that says what to install before a domain can be started, or None."""
    found = shutil.which("samba", path=_search_path()) is not None and Path(SYSTEM_PYTHON).exists()
    probe = "import samba.provision, samba.samdb"
    if not found or subprocess.run([SYSTEM_PYTHON, "-c", probe], capture_output=True, check=False).returncode:
        return f"Samba's domain controller is not installed: apt-get install {_PACKAGES}"
    if (
        os.geteuid()
        and subprocess.run(["unshare", "-Urn", "true"], capture_output=True, check=False).returncode
    ):
        return (
            "Samba needs root, or a kernel that lets ordinary users make namespaces "
            "(`unshare -Urn true` fails here): run the tests as root."
        )
    return None


def provisioned(cache: Path, options: dict[str, str]) -> Path:
    """Return a folder with freshly provisioned databases for these options; made once and then kept.

    Args:
        cache: where such folders are kept.
        options: what `offline.py provision` takes, without the folder.
    """
    version = subprocess.run(
        ["samba", "--version"], env=_environment(), capture_output=True, text=True, check=True
    ).stdout
    recipe = json.dumps([options, version, OFFLINE.read_text()], sort_keys=True)
    kept = cache / f"samba-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="provision-", dir=cache) as scratch:
            fresh = Path(scratch) / "domain"
            run_offline(["provision"], options | {"folder": str(fresh)})
            # Whoever provisioned the same at the same time and was first is as good.
            with contextlib.suppress(OSError):
                (fresh / "private").rename(kept)
    return kept


def run_offline(arguments: list[str], given: object) -> str:
    """Run `offline.py` under the system's Python and return what it prints.

    Raises:
        SambaError: with the last lines of what it said.
    """
    command = [SYSTEM_PYTHON, "-I", str(OFFLINE), *arguments]
    if os.geteuid():
        command = ["unshare", "-Ur", *command]
    done = subprocess.run(
        command, input=json.dumps(given), env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        tail = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise SambaError(f"Samba's databases could not be written ({arguments[0]}): {tail}")
    return done.stdout


class SambaProcess:
    """One running `samba`, on an address of its own (root) or behind relays (anybody else).

    Attributes:
        address: what clients connect to.
        port: LDAPS.
        ldap_port: LDAP with StartTLS.
        configuration_path: its smb.conf.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.folder = folder
        self.configuration_path = folder / "smb.conf"
        self.is_private = os.geteuid() != 0
        self.address = LOOPBACK if self.is_private else free_loopback_address()
        self.port, self.ldap_port = LDAPS, LDAP
        self._settings = settings
        self._relays: list[Relay] = []
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("lock", "state", "cache", "pid", "ncalrpc", "ntp"):
            (folder / name).mkdir()

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            SambaError: it ended, or did not answer within 30 seconds.
        """
        text = _CONFIGURATION.format(folder=self.folder, address=self.address, **self._settings)
        self.configuration_path.write_text(text, encoding="utf-8")
        with (self.folder / "output.txt").open("wb") as output:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,
            )
        if self.is_private:
            self._relays = [Relay.to_path(self.folder / str(port)) for port in (LDAPS, LDAP)]
            self.port, self.ldap_port = (relay.port for relay in self._relays)
        self._wait_until_ready(self._process)

    def stop(self) -> None:
        """Stop it and wait for its end; harmless when it does not run."""
        for relay in self._relays:
            relay.close()
        if self._process is None:
            return
        if self._process.stdin:
            # Samba's own sign to end, which reaches it in its namespace too.
            self._process.stdin.close()
        try:
            self._process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _command(self) -> list[str]:
        samba = ["samba", "--interactive", "--no-process-group", "--model=single"]
        samba.append(f"--configfile={self.configuration_path}")
        if not self.is_private:
            return samba
        door = [sys.executable, "-I", namespace.__file__, str(self.folder), f"{LDAPS},{LDAP}"]
        return ["unshare", "-Urn", *door, *samba]

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                said = (self.folder / "output.txt").read_text(errors="replace").strip().splitlines()
                raise SambaError("Samba did not start. It said last: " + "\n".join(said[-8:]))
            time.sleep(0.05)

    def _answers(self) -> bool:
        """A bind on the plain port must be answered: a relay accepts before its server does."""
        anonymous_bind = bytes.fromhex("300c020101600702010304008000")
        try:
            with socket.create_connection((self.address, self.ldap_port), timeout=2) as connection:
                connection.sendall(anonymous_bind)
                return bool(connection.recv(1))
        except OSError:
            return False


def free_loopback_address() -> str:
    """Find an address in 127.0.0.0/8 on which nobody uses Samba's ports.

    Raises:
        SambaError: none of a hundred was free.
    """
    for _ in range(100):
        address = f"127.{random.randint(64, 127)}.{random.randint(0, 255)}.{random.randint(1, 254)}"
        if all(_is_free(address, port) for port in (LDAP, LDAPS, GLOBAL_CATALOG, GLOBAL_CATALOG_TLS)):
            return address
    raise SambaError(
        "No loopback address has its ports 389, 636, 3268 and 3269 free: is a directory bound to 0.0.0.0?"
    )


def _is_free(address: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        candidate.bind((address, port))
        return True
    return False


def _search_path() -> str:
    return os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": _search_path()}
