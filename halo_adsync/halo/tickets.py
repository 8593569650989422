"""Tickets of Halo, and notes on them: each is looked for before it is written.

The field names are those of Halo's REST API.
"""

import re
from collections.abc import Iterable
from html import escape, unescape
from typing import Any

from halo_adsync.halo.codec import Record, identity, plain_text, record_id
from halo_adsync.halo.port import TicketWrite

TICKETS, ACTIONS = "tickets", "actions"
"""The keys that the lists stand under."""
PRIVATE_NOTE: dict[str, Any] = {"outcome": "Private Note", "outcome_id": 7, "hiddenfromuser": True}
"""What makes an action a note that agents alone see (as CIPP writes them); the ticket stays as it is."""
_TAG = re.compile(r"<[^>]*>")


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


def encode_note(ticket: int, note: str) -> dict[str, Any]:
    """Write a note on a ticket as an element of `POST /Actions`."""
    return {"ticket_id": ticket, **PRIVATE_NOTE, "note_html": "<br>".join(map(escape, note.split("\n")))}


def has_note(rows: Iterable[Record], note: str) -> bool:
    """Tell whether one of a ticket's actions begins with a note's first line: lists cut long notes off."""
    wanted = _folded(note.partition("\n")[0])
    texts = (plain_text(row.get(name)) for row in rows for name in ("note", "note_html"))
    return any(_folded(unescape(_TAG.sub(" ", text))).startswith(wanted) for text in texts)


def same_ticket(rows: Iterable[Record], summary: str) -> int | None:
    """Return the id of the ticket with this summary; None where there is none."""
    wanted = _folded(summary)
    found = (record_id(row) for row in rows if _folded(plain_text(row.get("summary"))) == wanted)
    return next((number for number in found if number is not None), None)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
