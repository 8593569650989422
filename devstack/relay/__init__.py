"""A simulated Azure Relay on loopback, and the two programs that stand at a customer's and listen to it.

    with SimulatedRelay() as relay:
        relay.add_connection("contoso-dc01", endpoint="dc01.contoso.local:636")
        with HybridConnectionManager(relay.connection_string("contoso-dc01"), relay.ca_path):
            ...

`HybridConnectionManager` behaves as Microsoft's program of that name; `NodeListener` is a few lines around
`hyco-ws`, Microsoft's own library for listeners.
"""

from .manager import HybridConnectionManager
from .node import NodeListener, node_listener_missing
from .service import Faults, SimulatedRelay, Upgrade

__all__ = [
    "Faults",
    "HybridConnectionManager",
    "NodeListener",
    "SimulatedRelay",
    "Upgrade",
    "node_listener_missing",
]
