"""A real Active Directory domain controller for tests: Samba from Debian's packages.

    with SambaDomain() as dc:
        ou = dc.add_ou("People")
        dc.add_user("Anna O'Neill", ou, mail="anna@corp.example")

The domain is provisioned once (about 4 seconds), kept in a cache folder and copied from there on each
start (about a second). Root runs it on a loopback address of its own, with the usual ports; anybody else
behind relays with free ports, if the kernel lets ordinary users make namespaces (`samba_missing` tells).
"""

from devstack.samba.domain import SambaDomain
from devstack.samba.process import SambaError, samba_missing

__all__ = ["SambaDomain", "SambaError", "samba_missing"]
