"""The block of a customer file that says what happens for a new person beside the user in Halo."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from halo_adsync.customer_connections import Part
from halo_adsync.customer_values import Count, Name, Source

Id = Annotated[int, Field(gt=0)]


class TicketBlock(Part):
    """The ticket that is opened for each new person; `limit` is the most new people of one run."""

    summary: Source = "New starter: {{ displayName or cn }}"
    details: Source | None = None
    type: Id | None = None
    team: Name | None = None
    agent: Id | None = None
    priority: Id | None = None
    limit: Count = 25

    def sources(self) -> Iterator[str]:
        """Yield the expressions of the block."""
        yield self.summary
        if self.details is not None:
            yield self.details


class Onboarding(Part):
    """What happens for a new person; nothing unless asked for."""

    ticket: TicketBlock | None = None
