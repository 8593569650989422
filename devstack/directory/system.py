"""The objects that clients expect in every domain: partitions, sites, deleted objects, and the rootDSE."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from devstack.directory import names
from devstack.directory.objects import Object
from devstack.directory.protocol import START_TLS, SUPPORTED_CONTROLS, WHO_AM_I

if TYPE_CHECKING:
    from devstack.directory.edits import Attributes
    from devstack.directory.tree import Tree


def system_entries(tree: Tree) -> list[tuple[str, Attributes]]:
    """Return the objects that every domain has, parents first."""
    partitions = f"CN=Partitions,{tree.configuration_dn}"
    container = {"objectClass": ["top", "container"], "isCriticalSystemObject": "TRUE"}
    cross_ref: Attributes = {
        "objectClass": ["top", "crossRef"],
        "nCName": tree.base_dn,
        "nETBIOSName": tree.netbios,
        "dnsRoot": tree.dns_domain,
        "systemFlags": 3,
    }
    sites = f"CN=Sites,{tree.configuration_dn}"
    site = f"CN=Default-First-Site-Name,{sites}"
    settings: Attributes = {
        "objectClass": ["top", "applicationSettings", "nTDSDSA"],
        "invocationId": uuid.uuid4().bytes_le,
    }
    return [
        (f"CN=Deleted Objects,{tree.base_dn}", container | {"isDeleted": "TRUE"}),
        (tree.configuration_dn, {"objectClass": ["top", "configuration"]}),
        (partitions, {"objectClass": ["top", "crossRefContainer"]}),
        (f"CN={tree.netbios},{partitions}", cross_ref),
        (sites, {"objectClass": ["top", "sitesContainer"]}),
        (site, {"objectClass": ["top", "site"]}),
        (f"CN=Servers,{site}", {"objectClass": ["top", "serversContainer"]}),
        (f"CN=DC01,CN=Servers,{site}", {"objectClass": ["top", "server"]}),
        (tree.settings_dn, settings),
    ]


def root_dse(tree: Tree, hostname: str) -> Object:
    """Make the rootDSE (MS-ADTS, 3.1.1.3.2)."""
    schema = f"CN=Schema,{tree.configuration_dn}"
    root = Object("")
    facts: Attributes = {
        "objectClass": "top",
        "defaultNamingContext": tree.base_dn,
        "rootDomainNamingContext": tree.base_dn,
        "configurationNamingContext": tree.configuration_dn,
        "schemaNamingContext": schema,
        "namingContexts": [tree.base_dn, tree.configuration_dn, schema],
        "dnsHostName": hostname,
        "serverName": names.parent(tree.settings_dn),
        "dsServiceName": tree.settings_dn,
        "supportedControl": SUPPORTED_CONTROLS,
        "supportedExtension": [START_TLS, WHO_AM_I],
        "supportedLDAPVersion": ["3", "2"],
        "supportedCapabilities": ["1.2.840.113556.1.4.800", "1.2.840.113556.1.4.1670"],
        "isSynchronized": "TRUE",
        "highestCommittedUSN": tree.usn,
    }
    for name, values in facts.items():
        root.put(name, values)
    return root
