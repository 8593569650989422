"""A domain of its own for a test: databases from the cache, a certificate, a process, an administrator."""

from __future__ import annotations

import base64
import os
import shutil
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ldap3 import BASE, MODIFY_ADD, MODIFY_DELETE, MODIFY_REPLACE, NONE, Connection, Server, Tls

from devstack.certificates import CertificateAuthority
from devstack.directory.edits import Attributes, Edits, as_bytes
from devstack.directory.ldif import read_ldif
from devstack.samba.process import SambaError, SambaProcess, provisioned, run_offline, samba_missing

if TYPE_CHECKING:
    from collections.abc import Iterable

_SECONDS = 20
_TREE_DELETE = ("1.2.840.113556.1.4.805", True, None)
_SHOW_DELETED = ("1.2.840.113556.1.4.417", True, None)
# The directory gives these itself; an LDIF of the demo directory may name them.
_OPERATIONAL = frozenset(
    {"objectguid", "objectsid", "usncreated", "usnchanged", "whencreated", "whenchanged", "objectcategory"}
    | {"name", "distinguishedname", "memberof", "iscriticalsystemobject", "lockouttime"}
)


class SambaDomain(Edits):
    """A domain controller that runs between `with` and the end of its block.

    Attributes:
        host: the address to connect to.
        hostname: the controller's DNS name, in its certificate beside the address.
        port: LDAPS.
        ldap_port: LDAP with StartTLS; a plain bind is refused unless `strong_auth` is off.
        base_dn: for example `DC=corp,DC=example`.
        ca_path: the certificate to trust (PEM).
        admin_user: the administrator's UPN.
        admin_password: a password that everybody knows.
    """

    def __init__(
        self,
        *,
        realm: str = "CORP.EXAMPLE",
        netbios: str = "CORP",
        hostname: str = "dc01",
        admin_password: str = "Passw0rd!",
        strong_auth: bool = True,
        cache: Path | None = None,
    ) -> None:
        self.realm = realm.upper()
        self.netbios = netbios.upper()
        self.hostname = f"{hostname}.{realm}".lower()
        self.base_dn = ",".join(f"DC={label}" for label in realm.lower().split("."))
        self.admin_user = f"administrator@{realm.lower()}"
        self.admin_password = admin_password
        self._strong_auth = strong_auth
        self._cache = cache or _default_cache()
        # ldap3's type stubs know none of its operations.
        self._administrator: Any = None

    def __enter__(self) -> Self:
        """Start it; about a second, and four more the first time.

        Raises:
            SambaError: Samba is missing, cannot run here, or did not start.
        """
        if missing := samba_missing():
            raise SambaError(missing)
        self._folder = Path(tempfile.mkdtemp(prefix="samba-"))
        try:
            self._start()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it and throw its databases away."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def stop(self) -> None:
        """Stop the controller, as a test of fail-over does; `restart` brings it back with all its data."""
        if self._administrator is not None:
            self._administrator.unbind()
            self._administrator = None
        self._process.stop()

    def restart(self) -> None:
        """Stop the controller if it runs and start it again (for anybody but root its ports change)."""
        self.stop()
        self._process.start()

    def keep(self) -> None:
        """Stop it and let every later domain with these options and this cache begin with its content."""
        self.stop()
        kept = provisioned(self._cache, self._options)
        with tempfile.TemporaryDirectory(prefix="keep-", dir=self._cache) as scratch:
            fresh = Path(scratch) / "private"
            _copy_databases(self._folder / "private", fresh)
            kept.rename(Path(scratch) / "before")
            fresh.rename(kept)

    @property
    def host(self) -> str:
        """The address to connect to."""
        return self._process.address

    @property
    def port(self) -> int:
        """The LDAPS port."""
        return self._process.port

    @property
    def ldap_port(self) -> int:
        """The port for LDAP with StartTLS."""
        return self._process.ldap_port

    def connect(self, user: str | None = None, password: str | None = None) -> Connection:
        """Sign in over LDAPS, checking the certificate; the administrator unless told otherwise.

        The caller unbinds. Operations that fail raise ldap3's exceptions.
        """
        tls = Tls(ca_certs_file=str(self.ca_path), validate=ssl.CERT_REQUIRED, valid_names=[self.hostname])
        server = Server(self.host, self.port, use_ssl=True, tls=tls, get_info=NONE, connect_timeout=_SECONDS)
        return Connection(
            server,
            user or self.admin_user,
            password or self.admin_password,
            auto_bind=True,
            raise_exceptions=True,
            check_names=False,
            receive_timeout=_SECONDS,
        )

    def add(self, dn: str, attributes: Attributes) -> None:
        """Add an object as the administrator.

        `userPassword` sets the account's password, as it does in the demo directory's LDIF.
        """
        self._admin.add(dn, attributes=_with_password(_prepared(attributes)))

    def modify(self, dn: str, changes: Attributes) -> None:
        """Replace the values of the named attributes; None or an empty list clears one."""
        prepared = _with_password({name: as_bytes(values) for name, values in changes.items()})
        self._admin.modify(dn, {name: [(MODIFY_REPLACE, values)] for name, values in prepared.items()})

    def set_members(self, group_dn: str, members: Iterable[str]) -> None:
        """Let a group have exactly these members; who stays is not written again, as a replacement would."""
        there = {value.decode().lower(): value.decode() for value in self.values(group_dn, "member")}
        wanted = {dn.lower(): dn for dn in members}
        joined = [dn for key, dn in wanted.items() if key not in there]
        left = [dn for key, dn in there.items() if key not in wanted]
        changes = [(kind, dns) for kind, dns in ((MODIFY_ADD, joined), (MODIFY_DELETE, left)) if dns]
        if changes:
            self._admin.modify(group_dn, {"member": changes})

    def move(self, dn: str, new_dn: str) -> None:
        """Rename an object, move it, or both; whatever stands below it follows."""
        rdn, parent = _split(new_dn)
        old_parent = _split(dn)[1]
        superior = None if parent.lower() == old_parent.lower() else parent
        self._admin.modify_dn(dn, rdn, new_superior=superior)

    def delete(self, dn: str) -> None:
        """Delete an object; a tombstone stays."""
        self._admin.delete(dn)

    def delete_tree(self, dn: str) -> None:
        """Delete an object with all that stands below it; tombstones stay."""
        self._admin.delete(dn, controls=[_TREE_DELETE])

    def restore(self, guid: bytes, new_dn: str) -> None:
        """Bring a deleted object back (MS-ADTS, 3.1.1.5.3.7); Samba has no recycle bin."""
        escaped = "".join(f"\\{byte:02x}" for byte in guid)
        self._admin.search(
            self.base_dn, f"(objectGUID={escaped})", attributes=["1.1"], controls=[_SHOW_DELETED]
        )
        (tombstone,) = (each["dn"] for each in self._admin.response if each["type"] == "searchResEntry")
        changes = {"isDeleted": [(MODIFY_DELETE, [])], "distinguishedName": [(MODIFY_REPLACE, [new_dn])]}
        self._admin.modify(tombstone, changes, controls=[_SHOW_DELETED])

    def values(self, dn: str, attribute: str) -> list[bytes]:
        """Return an attribute's values, none where the object has no such attribute."""
        self._admin.search(dn, "(objectClass=*)", BASE, attributes=[attribute])
        response: list[dict[str, Any]] = self._admin.response or []
        return list(response[0]["raw_attributes"].get(attribute, [])) if response else []

    def seed(self, entries: Iterable[tuple[str, Attributes]]) -> int:
        """Add many objects at once, straight into the databases; about 400 a second.

        Parents come before their children; members and managers may come later. What exists already is left
        alone, and what the controller gives itself (objectGUID, uSNChanged, ...) is left out.

        Returns:
            How many objects were new.

        Raises:
            SambaError: an object was refused; none was added then.
        """
        given = [
            {
                "dn": dn,
                "attributes": {
                    name: [base64.b64encode(value).decode() for value in values]
                    for name, values in _with_password(_prepared(attributes)).items()
                },
            }
            for dn, attributes in entries
        ]
        return int(run_offline(["seed", str(self._process.configuration_path)], given))

    def seed_ldif(self, path: Path) -> int:
        """Add the objects of an LDIF that was made for the demo directory and has this domain's base DN."""
        return self.seed(read_ldif(path))

    @property
    def _admin(self) -> Any:
        if self._administrator is None:
            self._administrator = self.connect()
        return self._administrator

    @property
    def _options(self) -> dict[str, str]:
        return {
            "realm": self.realm,
            "netbios": self.netbios,
            "hostname": self.hostname.partition(".")[0],
            "admin_password": self.admin_password,
        }

    def _start(self) -> None:
        options = self._options
        _copy_databases(provisioned(self._cache, options), self._folder / "private")
        settings: dict[str, str] = {key: options[key] for key in ("realm", "netbios", "hostname")}
        settings["strong_auth"] = "yes" if self._strong_auth else "no"
        self._process = SambaProcess(self._folder, settings)
        authority = CertificateAuthority(self._folder / "tls")
        certificate = authority.issue(self.hostname, self._process.address)
        self.ca_path = authority.ca_path
        settings["ca_path"] = str(authority.ca_path)
        settings["certificate_path"] = str(certificate.certificate_path)
        settings["key_path"] = str(certificate.key_path)
        self._process.start()


def _copy_databases(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*-lock", "ldapi"), symlinks=True)


def _default_cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "halo-adsync"


def _prepared(attributes: Attributes) -> dict[str, list[bytes]]:
    return {
        name: as_bytes(values)
        for name, values in attributes.items()
        if name.lower() not in _OPERATIONAL and values is not None
    }


def _with_password(attributes: dict[str, list[bytes]]) -> dict[str, list[bytes]]:
    """`unicodePwd` takes the password quoted, in UTF-16 (Microsoft: MS-ADTS, 3.1.1.3.1.5.1)."""
    passwords = attributes.pop("userPassword", [])
    if not passwords:
        return attributes
    return attributes | {"unicodePwd": [f'"{passwords[0].decode()}"'.encode("utf-16-le")]}


def _split(dn: str) -> tuple[str, str]:
    """Split a DN into its first part and its parent, at the first comma that is not escaped."""
    at = 0
    while dn[at] != ",":
        at += 2 if dn[at] == "\\" else 1
    return dn[:at], dn[at + 1 :]
