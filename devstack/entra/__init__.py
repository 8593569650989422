"""A simulated Entra tenant: its token endpoint and Microsoft Graph's list of users, over HTTPS on loopback.

msal wants https for where it signs in, so the server has a certificate of a throw-away authority.
"""

from .tenant import Faults, SimulatedEntra

__all__ = ["Faults", "SimulatedEntra"]
