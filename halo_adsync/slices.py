"""A slice: what one worker, holding the customer's lease, works with on one run, and what that costs."""

import resource
from dataclasses import asdict, dataclass, field
from time import monotonic

from halo_adsync.customer import Customer
from halo_adsync.errors import ConfigurationError
from halo_adsync.model import Meter
from halo_adsync.state.customer_state import CustomerState
from halo_adsync.state.knowledge import Known
from halo_adsync.state.lease import Lease
from halo_adsync.state.notices import Troubles
from halo_adsync.state.runs import Run


@dataclass(slots=True)
class Slice:
    """What one slice of one run works with."""

    customer: Customer
    state: CustomerState
    lease: Lease
    meter: Meter
    ends: float
    """When it takes no new batch any more, by the monotonic clock."""
    begun: float = field(default_factory=monotonic)
    in_doubt: bool = False
    """An earlier slice died, and its last batch may have reached Halo."""
    troubles: Troubles | None = None
    """Of which trouble people were told, once that is known."""

    def cost(self, run: Run, *, to_come: int = 0) -> dict[str, float]:
        """Return the run's cost so far, this slice included.

        Args:
            run: the run.
            to_come: transactions that are still to be done, such as the one that writes this cost.
        """
        self.meter.seconds = round(monotonic() - self.begun, 3)
        self.meter.peak_rss_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        now = asdict(self.meter)
        now["table_transactions"] += to_come
        total = {name: round(run.cost.get(name, 0) + value, 3) for name, value in now.items()}
        return total | {"peak_rss_mib": max(run.cost.get("peak_rss_mib", 0), now["peak_rss_mib"])}

    def check_instance(self, known: Known) -> None:
        """Refuse to use the links of one Halo instance on another: the same ids are other people there.

        Raises:
            ConfigurationError: the customer's file leads to another instance than its links.
        """
        customer, url = self.customer.id, self.customer.halo.url.lower()
        if known.instance == url:
            return
        state = self.state
        if known.instance is None or not (state.links() or state.places() or state.agent_links()):
            state.keep_instance(url, self.lease)
        else:
            raise ConfigurationError(
                f"halo.url is {url} now, but the links of {customer} lead to users of {known.instance}: put"
                f" the old address back, or forget the links with `halo-adsync customer remove {customer}`"
                " and apply the file again."
            )
