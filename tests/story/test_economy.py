"""What reading Halo costs when a customer maps a field that Halo's lists do not carry for everybody.

A handful of single records tells whether lists leave a field out, or nobody has anything in it.
"""

import time
from datetime import UTC, datetime

from devstack.halo import SimulatedHalo
from halo_adsync.halo.adapter import HaloInstance
from halo_adsync.halo.budget import Budget
from halo_adsync.halo.config import HaloConfig
from halo_adsync.model import HaloClientId, Meter

PEOPLE = 150
SIGN_IN, PAGES, DETAILS_AT_MOST = 2, 2, 10


def test_a_field_that_lists_lack_costs_no_request_a_user() -> None:
    """Only who is about to be adopted needs a single record; 2,000 people would use up Halo's budget."""
    with SimulatedHalo() as halo:
        client = halo.add_client("Contoso")
        site = int(halo.clients[client]["main_site_id"])
        for number in range(PEOPLE):
            halo.add_user(name=f"Person {number}", site_id=site)
        config = HaloConfig(
            url=halo.url,
            client_id=halo.client_id,
            client_secret=halo.client_secret,
            fields=frozenset({"name", "notes"}),
        )
        budget = Budget(None, lambda: datetime.now(UTC), time.sleep, 0)
        with HaloInstance(config, meter=Meter(), budget=budget) as instance:
            people = [user for user in instance.users(HaloClientId(client)) if not user.general]
        assert len(people) == PEOPLE
        assert len(halo.requests) <= SIGN_IN + PAGES + DETAILS_AT_MOST
