"""The tickets of a plan: for whom, with what text, and how one is known again."""

from dataclasses import replace
from typing import Any

import pytest

from halo_adsync.halo.port import TicketWrite
from halo_adsync.halo.tickets import encode_ticket, same_ticket
from halo_adsync.model import HaloClientId, HaloSiteId, HaloUserId
from halo_adsync.plan.onboarding import WIDEST_SUMMARY
from halo_adsync.plan.side import HaloSide
from halo_adsync.plan.types import Change, Kind, Plan, Record
from tests.support.plan import customer, guid, link, person, plan, side, user


def welcoming(**ticket: Any) -> Any:
    """Return the customer with a block for tickets."""
    return customer(onboarding={"ticket": ticket}, policy="full")


def known(halo: HaloSide, *due: int, established: bool = True) -> HaloSide:
    """Return Halo's side, with the tickets that are due."""
    return replace(halo, tickets_due=frozenset(map(guid, due)), established=established)


def tickets(made: Plan) -> list[Change]:
    """Return the tickets of a plan."""
    return [change for change in made.changes if change.record is Record.TICKET]


def test_nobody_gets_a_ticket_unless_asked() -> None:
    """Without the block there is none, and on a first run there is none either."""
    assert tickets(plan(customer(), known(side()), [person(1)])) == []
    assert tickets(plan(welcoming(), known(side(), established=False), [person(1)])) == []


def test_a_ticket_stands_after_the_people_and_is_not_counted() -> None:
    """One person, one create, and a ticket at the end of the work."""
    made = plan(welcoming(), known(side()), [person(1), person(2)])
    assert [change.record for change in made.work()][-2:] == [Record.TICKET] * 2
    assert made.counts()["create"] == 2


def test_a_template_that_fails_costs_its_text_alone() -> None:
    """The summary falls back on the name, the details are left out, and the line says so."""
    failing = "{{ displayName + 1 }}"
    made = plan(welcoming(summary=failing, details=failing), known(side()), [person(1)])
    (line,) = tickets(made)
    assert {name: field.after for name, field in line.fields.items()} == {"summary": "New starter: Person 1"}
    assert "summary is left out: the template failed" in line.reason
    assert "details is left out" in line.reason


def test_a_summary_is_one_short_line() -> None:
    """Breaks become blanks, and it is cut to what Halo keeps whole."""
    who = person(1, displayname="A\nB " + "🦊" * 300)
    (line,) = tickets(plan(welcoming(summary="displayName"), known(side()), [who]))
    summary = line.fields["summary"].after
    assert summary.startswith("A B 🦊")
    assert len(summary.encode("utf-16-le")) // 2 == WIDEST_SUMMARY


def test_what_an_earlier_run_did_not_come_to_is_due() -> None:
    """For who is linked by now, or carries our stamp; also above the limit, and with nobody else."""
    here = known(side(user(7, stamp=2), link(1, 5, name="Person 1")), 1, 2, 3, established=False)
    made = plan(welcoming(limit=0), here, [person(1), person(2)])
    assert [line.guid for line in tickets(made)] == [guid(1), guid(2)]
    assert all("an earlier run did not come to it" in line.reason for line in tickets(made))


def test_who_turns_out_to_be_there_already_gets_none() -> None:
    """A ticket was due, but somebody made the user by hand meanwhile: it is adopted."""
    here = known(side(user(7, login="CORP\\u1")), 1)
    made = plan(welcoming(), here, [person(1)])
    assert [change.kind for change in made.changes if change.adopts] == [Kind.UPDATE]
    assert tickets(made) == []


def test_what_the_policy_holds_back_gets_none() -> None:
    """Who is not created has no ticket either; who is created under create_only has."""
    here = known(side())
    only_creates = welcoming().model_copy(update={"policy": "create_only"})
    assert len(tickets(plan(only_creates, here, [person(1)]))) == 1
    assert tickets(plan(welcoming(), here, [replace(person(1), enabled=False)])) == []


TICKET = TicketWrite(HaloUserId(5), HaloClientId(11), HaloSiteId(101), "New starter: Ann")


def test_a_ticket_as_halo_takes_it() -> None:
    """Only what the file says is sent besides the summary and whose it is."""
    whose = {"user_id": 5, "client_id": 11, "site_id": 101, "donotapplytemplateintheapi": True}
    assert encode_ticket(TICKET) == {"summary": "New starter: Ann", **whose}
    full = replace(TICKET, details="d", type=3, team="t", agent=4, priority=2)
    more = {"details": "d", "tickettype_id": 3, "team": "t", "agent_id": 4, "priority_id": 2}
    assert encode_ticket(full) == encode_ticket(TICKET) | more


@pytest.mark.parametrize(
    ("summary", "found"),
    [
        ("New starter: Ann", 9),
        (" new  STARTER: ann ", 9),
        ("New starter: Anna", None),
        ("", None),
        (None, None),
    ],
)
def test_a_ticket_is_known_by_its_summary(summary: str | None, found: int | None) -> None:
    """Whatever its case and blanks; another one is another."""
    assert (
        same_ticket([{"id": 8.0, "summary": "x"}, {"id": 9.0, "summary": summary}], TICKET.summary) == found
    )
