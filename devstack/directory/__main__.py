"""Serves an LDIF as a process of its own: `python -m devstack.directory LDIF --port N --ready-file F`."""

from __future__ import annotations

import argparse
import json
import signal
import threading
from pathlib import Path

from devstack.directory import Directory


def main() -> None:
    """Serve until SIGTERM or Ctrl+C."""
    parser = argparse.ArgumentParser(prog="python -m devstack.directory", description=__doc__)
    parser.add_argument("ldif", type=Path)
    parser.add_argument("--port", type=int, default=0, help="LDAPS; a free one by default")
    parser.add_argument("--ldap-port", type=int, default=0, help="LDAP with StartTLS; a free one by default")
    parser.add_argument("--netbios", help="by default the domain's first label")
    parser.add_argument("--folder", type=Path, help="for the certificates; a temporary one by default")
    parser.add_argument("--ready-file", type=Path, help="written as JSON when the directory answers")
    given = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with Directory.from_ldif(
        given.ldif,
        netbios=given.netbios,
        folder=given.folder,
        ldaps_port=given.port,
        ldap_port=given.ldap_port,
    ) as directory:
        shown = ("host", "hostname", "ldaps_port", "ldap_port", "base_dn", "netbios", "user", "password")
        facts = {name: getattr(directory, name) for name in shown} | {"ca_path": str(directory.ca_path)}
        if given.ready_file:
            # Whoever waits for the file must never see half of it.
            half = given.ready_file.with_suffix(".part")
            half.write_text(json.dumps(facts, indent=2), encoding="utf-8")
            half.replace(given.ready_file)
        print(f"{directory.base_dn} on ldaps://{directory.host}:{directory.ldaps_port}", flush=True)
        stopped.wait()


if __name__ == "__main__":
    main()
