"""Tickets of Halo: one is looked for before it is opened. The field names are those of Halo's REST API."""

from collections.abc import Iterable
from typing import Any

from halo_adsync.halo.codec import Record, identity, plain_text, record_id
from halo_adsync.halo.port import TicketWrite

TICKETS = "tickets"
"""The key that the list stands under."""


def decode_ticket(record: Record) -> tuple[int, str]:
    """Read a ticket's number and summary.

    Raises:
        HaloUnavailable: the record has no id.
    """
    return identity(record)[0], plain_text(record.get("summary")).strip()


def encode_ticket(ticket: TicketWrite) -> dict[str, Any]:
    """Write a new ticket as an element of `POST /Tickets`.

    No template of the ticket type is laid over it, so that it keeps its summary. Halo's rules do run: they
    are what brings a ticket to the right desk.
    """
    element: dict[str, Any] = {
        "summary": ticket.summary,
        "user_id": int(ticket.user),
        "client_id": int(ticket.client),
        "site_id": int(ticket.site),
        "donotapplytemplateintheapi": True,
    }
    more = {
        "details": ticket.details,
        "tickettype_id": ticket.type,
        "team": ticket.team,
        "agent_id": ticket.agent,
        "priority_id": ticket.priority,
    }
    return element | {name: value for name, value in more.items() if value}


def same_ticket(rows: Iterable[Record], ticket: TicketWrite) -> int | None:
    """Return the id of the ticket that this one would repeat; None where there is none."""
    wanted = _folded(ticket.summary)
    found = (record_id(row) for row in rows if _folded(plain_text(row.get("summary"))) == wanted)
    return next((number for number in found if number is not None), None)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
