"""A small directory server that behaves as Active Directory does, for the demo and for tests.

    with Directory.from_ldif(path) as directory:
        connect("ldaps://localhost", directory.ldaps_port, trusting=directory.ca_path)

It reads its contents from an LDIF file, serves LDAPS and LDAP with StartTLS on loopback, keeps everything in
memory, is changed through its own methods, and fails where it is told to (`directory.faults`).

What it imitates: sign-in errors, the NetBIOS name in the partitions container, matching rules, paged
results, the cap of 1,000 entries, ranged retrieval, referrals at the domain's root, tombstones, update
sequence numbers, DirSync. How much is in one answer can be changed (`directory.limits`).
What it leaves out: access rights, the schema, writing over LDAP, SASL.
"""

from devstack.directory.connection import Faults
from devstack.directory.search import Limits
from devstack.directory.server import Directory

__all__ = ["Directory", "Faults", "Limits"]
