"""The ticket that tells people in Halo of a trouble, and of its end: one for each, known by its summary."""

from halo_adsync.customer import Customer
from halo_adsync.customer_terms import NotifyTicket
from halo_adsync.errors import ConfigurationError
from halo_adsync.halo.port import Licence, TicketWrite
from halo_adsync.model import HaloUserId, Meter, ObjectGuid
from halo_adsync.notify import Message
from halo_adsync.services import Pulse, Services
from halo_adsync.state.notices import Trouble

_ACCOUNT = ObjectGuid("notify.ticket.user")
"""Stands where the licence has an account: nothing but a ticket for this one user may be written."""


def open_ticket(
    services: Services, customer: Customer, block: NotifyTicket, news: tuple[Trouble, Message], pulse: Pulse
) -> int:
    """Open the ticket of a trouble, unless an earlier try has done so, and return its number.

    Its summary names the run that met with the trouble first, so that another time has a ticket of its own.

    Raises:
        ConfigurationError: Halo has no such user.
        HaloRefused, HaloUnavailable, RecordRejected, Doubtful, BudgetSpent: as the port says.
    """
    user, (trouble, message) = HaloUserId(block.user), news
    with services.open_halo(customer, Meter(), pulse) as halo:
        found = halo.user(user)
        if found is None:
            raise ConfigurationError(f"notify.ticket.user: Halo has no user {user}; correct the number.")
        halo.permit(Licence(users={_ACCOUNT: user}))
        return halo.ensure_ticket(
            TicketWrite(
                user=user,
                client=found.client,
                site=found.site,
                summary=_summary(customer, trouble),
                details="\n".join((message.title, *message.lines)),
                type=block.type,
                team=block.team or "",
                agent=block.agent,
                priority=block.priority,
            )
        )


def note_on_ticket(
    services: Services, customer: Customer, block: NotifyTicket, news: tuple[Trouble, Message], pulse: Pulse
) -> None:
    """Note on the ticket of a trouble what became of it; one that people have closed is left alone.

    Raises:
        HaloRefused, HaloUnavailable, RecordRejected, Doubtful, BudgetSpent: as the port says.
    """
    user, (trouble, message) = HaloUserId(block.user), news
    with services.open_halo(customer, Meter(), pulse) as halo:
        halo.permit(Licence(users={_ACCOUNT: user}))
        halo.note_on_ticket(user, _summary(customer, trouble), "\n".join(message.lines))


def _summary(customer: Customer, trouble: Trouble) -> str:
    return f"Halo AD Sync, {customer.id}: {trouble.kind.value}, run {trouble.run}"
