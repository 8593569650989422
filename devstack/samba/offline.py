"""What must be done to Samba's databases directly: provision a domain, and add many objects at once.

Runs under the system's Python, which has Debian's `python3-samba`, as a program of its own:

    /usr/bin/python3 -I offline.py provision < options.json
    /usr/bin/python3 -I offline.py seed SMB.CONF < entries.json

It therefore imports nothing of this project and keeps to the syntax of Python 3.11.
"""

from __future__ import annotations

import base64
import json
import logging
import sys
from pathlib import Path
from typing import Any

import ldb  # type: ignore[import-not-found]  # Debian's python3-ldb, not on the registry
from samba.auth import system_session  # type: ignore[import-not-found]  # Debian's python3-samba
from samba.param import LoadParm  # type: ignore[import-not-found]
from samba.provision import provision  # type: ignore[import-not-found]
from samba.samdb import SamDB  # type: ignore[import-not-found]

# Links to objects that may come later in the list, so they are set when all objects are there.
LINKS = ("member", "manager")
# Room for about 100,000 people; LMDB reserves it as address space, not on disk.
DATABASE_BYTES = 4 << 30
WINDOWS_2008_R2 = 4


def create_domain(options: dict[str, str]) -> None:
    """Provision a domain controller's databases into the folder `options["folder"]`.

    Through Python, because `samba-tool` insists on setting the file permissions of sysvol, which takes root
    and which no LDAP client ever sees.
    """
    logging.basicConfig(level=logging.WARNING)
    result = provision(
        logging.getLogger(),
        system_session(),
        targetdir=options["folder"],
        realm=options["realm"],
        domain=options["netbios"],
        hostname=options["hostname"],
        hostip="127.0.0.1",
        adminpass=options["admin_password"],
        serverrole="active directory domain controller",
        dns_backend="NONE",
        # The default, TDB, answers a search by uSNChanged about 80 times slower.
        backend_store="mdb",
        backend_store_size=DATABASE_BYTES,
        dom_for_fun_level=WINDOWS_2008_R2,
        skip_sysvolacl=True,
    )
    # Test people have short passwords or none at all.
    result.samdb.set_minPwdLength("0")
    result.samdb.set_pwdProperties("0")


def seed(smb_conf: str, entries: list[dict[str, Any]]) -> int:
    """Add the entries in one transaction and return how many were new; those that exist are left alone."""
    parameters = LoadParm()
    parameters.load(smb_conf)
    # Without batch mode the cost of a transaction grows with the square of its length.
    directory = SamDB(session_info=system_session(), lp=parameters, options=["batch_mode:1"])
    directory.transaction_start()
    try:
        missing = [entry for entry in entries if not _exists(directory, entry["dn"])]
        for entry in missing:
            _add(directory, entry)
        for entry in missing:
            _link(directory, entry)
    except BaseException:
        directory.transaction_cancel()
        raise
    directory.transaction_commit()
    return len(missing)


def _exists(directory: Any, dn: str) -> bool:
    try:
        return len(directory.search(base=dn, scope=ldb.SCOPE_BASE, attrs=["cn"])) > 0
    except ldb.LdbError as error:
        if error.args[0] == ldb.ERR_NO_SUCH_OBJECT:
            return False
        raise


def _add(directory: Any, entry: dict[str, Any]) -> None:
    values = {name: given for name, given in entry["attributes"].items() if name not in LINKS}
    message = _message(directory, entry["dn"], values, ldb.FLAG_MOD_ADD)
    try:
        directory.add(message)
    except ldb.LdbError as error:
        raise SystemExit(f"Samba refused to add {entry['dn']}: {error.args[1]}") from error


def _link(directory: Any, entry: dict[str, Any]) -> None:
    links = {name: entry["attributes"][name] for name in LINKS if name in entry["attributes"]}
    if links:
        directory.modify(_message(directory, entry["dn"], links, ldb.FLAG_MOD_REPLACE))


def _message(directory: Any, dn: str, attributes: dict[str, list[str]], flag: int) -> Any:
    message = ldb.Message(ldb.Dn(directory, dn))
    for name, encoded in attributes.items():
        values = [base64.b64decode(value) for value in encoded]
        message[name] = ldb.MessageElement(values, flag, name)
    return message


def main() -> None:
    """Do what the first argument names, with the JSON on standard input."""
    given = json.load(sys.stdin)
    if sys.argv[1] == "provision":
        Path(given["folder"]).mkdir(parents=True)
        create_domain(given)
    else:
        print(seed(sys.argv[2], given))


if __name__ == "__main__":
    main()
