"""What the sync asks of an Entra tenant."""

from collections.abc import Mapping
from typing import Protocol

from halo_adsync.model import EntraAccount, ObjectGuid


class Entra(Protocol):
    """One tenant, read only."""

    def accounts(self) -> Mapping[ObjectGuid, EntraAccount]:
        """Return all accounts that come from a directory, by the objectGUID there; all of them, or an error.

        Raises:
            EntraRefused: the sign-in or the permission is refused.
            EntraUnavailable: no answer, or one that cannot be understood.
        """
        ...
