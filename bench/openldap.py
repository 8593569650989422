"""An OpenLDAP server with people in it: filled once for each number of people, then kept and only started."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from bench.clients import Target
from bench.people import ATTRIBUTES, BASE, PEOPLE, organisation
from devstack.processes import Child

if TYPE_CHECKING:
    from collections.abc import Iterator

USER, PASSWORD = f"CN=Reader,{BASE}", "bench"
_SCHEMAS = ["core", "cosine", "inetorgperson", "nis", "msuser"]
_CONFIGURATION = """\
{schemas}
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
sizelimit unlimited
database mdb
suffix "{base}"
rootdn "{user}"
rootpw {password}
directory {folder}/data
maxsize 4294967296
index objectClass eq
"""
_START_SECONDS = 30


class OpenLdapError(RuntimeError):
    """The server could not be filled or started; the text says why."""


def openldap_missing() -> str | None:
    """Return a sentence that says what to install before a server can be started, or None."""
    if _program("slapd") and _program("slapadd") and Path("/etc/ldap/schema/msuser.schema").exists():
        return None
    return "OpenLDAP's server is not installed: apt-get install slapd"


class OpenLdap:
    """A server with so many people that runs between `with` and the end of its block.

    Attributes:
        host: the address to connect to.
        port: plain LDAP.
    """

    def __init__(self, people: int, cache: Path) -> None:
        self.host, self.port = "127.0.0.1", 0
        self._people = people
        self._cache = cache

    def __enter__(self) -> Target:
        """Fill it, if that has not been done before, start it and tell how to read the people.

        Raises:
            OpenLdapError: it is not installed, or refused the people.
        """
        if missing := openldap_missing():
            raise OpenLdapError(missing)
        self._folder = self._filled()
        with socket.create_server((self.host, 0)) as free:
            self.port = free.getsockname()[1]
        command = [str(_program("slapd")), "-d", "0", "-f", str(self._folder / "slapd.conf")]
        self._server = Child(
            [*command, "-h", f"ldap://{self.host}:{self.port}/"], log_path=self._folder / "log"
        )
        self._server.wait_for(self._answers, what="slapd", seconds=_START_SECONDS)
        return Target(
            host=self.host,
            port=self.port,
            user=USER,
            password=PASSWORD,
            base=PEOPLE,
            filter="(objectClass=user)",
            attributes=list(ATTRIBUTES),
        )

    def __exit__(self, *_: object) -> None:
        """Stop it; its data are kept."""
        self._server.stop()

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0

    def _filled(self) -> Path:
        recipe = Path(__file__).read_bytes() + Path(organisation.__code__.co_filename).read_bytes()
        kept = self._cache / f"openldap-{self._people}-{hashlib.sha256(recipe).hexdigest()[:16]}"
        if not kept.exists():
            self._cache.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix="openldap-", dir=self._cache))
            try:
                self._fill(scratch)
                scratch.rename(kept)
            except BaseException:
                shutil.rmtree(scratch, ignore_errors=True)
                raise
        _configure(kept)
        return kept

    def _fill(self, folder: Path) -> None:
        (folder / "data").mkdir()
        _configure(folder)
        source = folder / "people.ldif"
        with source.open("w", encoding="ascii") as ldif:
            ldif.writelines(_ldif(self._people))
        command = [str(_program("slapadd")), "-q", "-s", "-f", str(folder / "slapd.conf"), "-l", str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        source.unlink()
        if done.returncode:
            raise OpenLdapError(f"slapadd refused the people: {done.stderr.strip()[-500:]}")


def _configure(folder: Path) -> None:
    schemas = "\n".join(f"include /etc/ldap/schema/{name}.schema" for name in _SCHEMAS)
    values = {"schemas": schemas, "folder": folder, "base": BASE, "user": USER, "password": PASSWORD}
    (folder / "slapd.conf").write_text(_CONFIGURATION.format(**values))


def _ldif(people: int) -> Iterator[str]:
    yield f"dn: {BASE}\nobjectClass: domain\ndc: bench\n\n"
    for number, (dn, attributes) in enumerate(organisation(people)):
        yield f"dn:: {_base64(dn.encode())}\n"
        for name, values in attributes.items():
            yield from (f"{name}:: {_base64(value.encode())}\n" for value in values)
        yield f"objectGUID:: {_base64(uuid.UUID(int=number).bytes)}\n\n"


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
