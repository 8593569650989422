"""Onboarding: a ticket for each person who is created, once a customer's people are in Halo at all."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from halo_adsync.customer import Customer
from halo_adsync.customer_onboarding import TicketBlock
from halo_adsync.model import ObjectGuid
from halo_adsync.plan.mapping import cut, values_of
from halo_adsync.plan.match import STAMP
from halo_adsync.plan.side import HaloSide
from halo_adsync.plan.templates import ExpressionError, compile_expression
from halo_adsync.plan.types import Change, FieldChange, Kind, Record
from halo_adsync.plan.wishes import Subject

SUMMARY, DETAILS = "summary", "details"
WIDEST_SUMMARY = 200
"""UTF-16 units: short enough for Halo to keep it whole, so that a ticket is known again by it."""
NEW = "opened for a person who is new"
DUE = "opened for a person who is new; an earlier run did not come to it"


def tickets(
    customer: Customer, subjects: Sequence[Subject], lines: Sequence[Change], halo: HaloSide, mode: str
) -> tuple[list[Change], list[str]]:
    """Return a line for each ticket to open, and warnings.

    Nobody gets one on a customer's first run, in a reconcile (which repairs), by adoption or on coming back.
    A ticket that is due from an earlier run is opened in any case, also for somebody whom that run created
    without living to note it: they carry our stamp.

    Args:
        customer: whose rules.
        subjects: everybody whom the directories hold.
        lines: the people's lines of this plan, after the policy.
        halo: what is known, with the tickets that are due.
        mode: the run's mode.
    """
    block = customer.onboarding.ticket
    if block is None:
        return [], []
    created = {ObjectGuid(line.guid) for line in lines if line.kind is Kind.CREATE}
    adopted = {ObjectGuid(line.guid) for line in lines if line.adopts and STAMP in line.fields}
    due = {guid for guid in halo.tickets_due if guid in created or guid in halo.links or _ours(lines, guid)}
    wanted = created - due if halo.established and mode != "reconcile" else set()
    warnings = []
    if len(wanted) > block.limit:
        warnings.append(
            f"{len(wanted)} people are created, more than onboarding.ticket.limit ({block.limit}): no tickets"
            " are opened for them, because so many at once are rarely new starters."
        )
        wanted = set()
    opened = _lines(customer, block, subjects, wanted | due - adopted, due)
    return list(opened), warnings


def _ours(lines: Sequence[Change], guid: ObjectGuid) -> bool:
    """Tell whether somebody is adopted who carries our stamp already: an earlier run created them."""
    return any(line.adopts and line.guid == guid and STAMP not in line.fields for line in lines)


def _lines(
    customer: Customer,
    block: TicketBlock,
    subjects: Sequence[Subject],
    wanted: Collection[ObjectGuid],
    due: Collection[ObjectGuid],
) -> Iterator[Change]:
    for subject in subjects:
        guid = subject.person.guid
        if guid not in wanted or subject.outside is not None:
            continue
        texts, notes = _texts(customer, block, subject)
        reason = "; ".join([DUE if guid in due else NEW, *notes])
        fields = {name: FieldChange(None, text) for name, text in texts.items() if text}
        yield Change(
            Kind.CREATE, guid, subject.person.dn, reason, subject.name, fields=fields, record=Record.TICKET
        )


def _texts(customer: Customer, block: TicketBlock, subject: Subject) -> tuple[Mapping[str, str], list[str]]:
    """Return what the ticket holds, and what could not be made of the templates."""
    values, shared = values_of(subject.person, subject.netbios), customer.shared()
    texts = {SUMMARY: "", DETAILS: ""}
    notes = []
    for name, source in ((SUMMARY, block.summary), (DETAILS, block.details)):
        try:
            texts[name] = compile_expression(source)(values, shared) if source else ""
        except ExpressionError as error:
            notes.append(f"{name} is left out: {error}")
    plain = " ".join(texts[SUMMARY].split()) or f"New starter: {subject.name}"
    set_by_file = {
        "type": block.type,
        "team": block.team,
        "agent": block.agent,
        "priority": block.priority,
    }
    given = {name: str(value) for name, value in set_by_file.items() if value is not None}
    return {**texts, SUMMARY: cut(plain, WIDEST_SUMMARY), **given}, notes
