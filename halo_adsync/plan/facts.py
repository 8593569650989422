"""Facts: what is known of people besides their attributes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from halo_adsync.model import AttributeValue, EntraAccount, Link, ObjectGuid
from halo_adsync.plan.templates import AGENT_ID, ENTRA_ID


@dataclass(frozen=True, slots=True)
class Facts:
    """What Entra has of the people of a customer, and which of them are agents."""

    entra: Mapping[ObjectGuid, EntraAccount] | None = field(default=None, repr=False)
    """Its accounts by the objectGUID in the directory; None where it was not read, in full or at all."""
    why_not: str = "Entra was not read"
    """Why there are none."""
    warnings: tuple[str, ...] = ()
    agents: Mapping[ObjectGuid, Link] = field(default_factory=dict, repr=False)
    """The links of those who are agents in Halo."""

    def of(self, guid: ObjectGuid) -> Mapping[str, AttributeValue]:
        """Return what is known of one person, by the built-in names of templates; without what is not."""
        account = self.entra.get(guid) if self.entra is not None else None
        agent = {AGENT_ID: str(self.agents[guid].user)} if guid in self.agents else {}
        return agent if account is None else {**agent, ENTRA_ID: account.id}

    @property
    def why_unknown(self) -> str:
        """Why something is not known of somebody, for a note."""
        return self.why_not if self.entra is None else "Entra has no account that belongs to this one"


NOTHING_MORE = Facts()
