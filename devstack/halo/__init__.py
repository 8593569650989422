"""A simulated Halo: an HTTP server that answers as a real Halo does, with faults to switch on.

In a test: `with SimulatedHalo() as halo:` gives `halo.url`, `halo.users`, `halo.faults` and more.
As a process: `python -m devstack.halo --ready-file FILE`, steered through the API of `control`.
"""

from .faults import Fault, FaultKind, Faults
from .messages import LoggedRequest
from .simulation import SimulatedHalo
from .switches import Switches
from .writing import BusinessRuleError

__all__ = ["BusinessRuleError", "Fault", "FaultKind", "Faults", "LoggedRequest", "SimulatedHalo", "Switches"]
