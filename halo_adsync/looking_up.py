"""Looking up: what has to be known of people that no directory tells. Reads only."""

from halo_adsync.customer import Customer
from halo_adsync.errors import ConfigurationError, Refused, Unavailable
from halo_adsync.plan.facts import NOTHING_MORE, Facts
from halo_adsync.services import Pulse, Services


def facts_of(services: Services, customer: Customer, pulse: Pulse) -> Facts:
    """Return what Entra has of a customer's people, where the file names a tenant.

    Where Entra cannot be read, nothing is known of anybody: what rests on it is left as it is, with a
    warning. Nothing else of a run depends on Entra, so it goes on.
    """
    if customer.login.entra is None:
        return NOTHING_MORE
    services.progress("Reading Entra", 0, None)
    try:
        with services.open_entra(customer.login.entra, pulse) as entra:
            return Facts(entra.accounts())
    except (Unavailable, Refused, ConfigurationError) as error:
        warning = f"Entra could not be read, so object ids are left as they are. {error}"
        return Facts(why_not="Entra could not be read", warnings=(warning,))
