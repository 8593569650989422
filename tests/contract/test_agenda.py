"""The timer's memory of all customers' runs: kept in one partition, and never to be relied upon too much."""

from datetime import UTC, datetime

from halo_adsync.model import CustomerId
from halo_adsync.state.agenda import AGENDA, Agenda, Seen
from halo_adsync.state.table import Row
from tests.contract.storage import CONTOSO, AnyTable, put

NINE, TEN = datetime(2026, 1, 5, 9, tzinfo=UTC), datetime(2026, 1, 5, 10, tzinfo=UTC)
FABRIKAM = CustomerId("fabrikam")


def test_what_was_seen_comes_back(storage_table: AnyTable) -> None:
    """Of everybody at once; what is written later takes the place of what was there."""
    agenda = Agenda(storage_table)
    agenda.keep(CONTOSO, Seen({"delta": TEN, "full": NINE}))
    agenda.keep(FABRIKAM, Seen({}, rests=TEN, in_step=NINE))
    seen = agenda.seen()
    assert {name: (one.asked, one.rests, one.in_step) for name, one in seen.items()} == {
        CONTOSO: ({"delta": TEN, "full": NINE}, None, None),
        FABRIKAM: ({}, TEN, NINE),
    }
    agenda.keep(FABRIKAM, Seen({"full": TEN}, etag=seen[FABRIKAM].etag))
    assert agenda.seen()[FABRIKAM].asked == {"full": TEN}
    assert agenda.seen()[FABRIKAM].rests is None


def test_what_somebody_else_saw_meanwhile_stays(storage_table: AnyTable) -> None:
    """A tick that took too long writes over nothing that a later one wrote, nor over a first row."""
    agenda = Agenda(storage_table)
    agenda.keep(CONTOSO, Seen({"full": NINE}))
    agenda.keep(CONTOSO, Seen({"full": TEN}))
    old = agenda.seen()[CONTOSO]
    assert old.asked == {"full": NINE}
    agenda.keep(CONTOSO, Seen({"full": TEN}, etag=old.etag))
    agenda.keep(CONTOSO, Seen({}, etag=old.etag))
    assert agenda.seen()[CONTOSO].asked == {"full": TEN}


def test_a_row_that_cannot_be_read_is_as_good_as_none(storage_table: AnyTable) -> None:
    """It hides no other, and is written over."""
    agenda = Agenda(storage_table)
    put(storage_table, Row(AGENDA, "contoso", {"full": "yesterday"}), Row(AGENDA, "odd", {"full": 7}))
    put(storage_table, Row(AGENDA, "zoneless", {"full": "2026-01-05T09:00:00"}))
    agenda.keep(FABRIKAM, Seen({"full": TEN}))
    seen = agenda.seen()
    assert [seen[name].asked for name in ("contoso", "fabrikam", "odd", "zoneless")] == [
        {},
        {"full": TEN},
        {},
        {},
    ]
    agenda.keep(CONTOSO, Seen({"full": NINE}, etag=seen[CONTOSO].etag))
    assert agenda.seen()[CONTOSO].asked == {"full": NINE}


def test_a_customer_is_forgotten(storage_table: AnyTable) -> None:
    """Once or twice, and nobody else with it."""
    agenda = Agenda(storage_table)
    for name in (CONTOSO, FABRIKAM):
        agenda.keep(name, Seen({"full": TEN}))
    agenda.forget(CONTOSO)
    agenda.forget(CONTOSO)
    assert list(agenda.seen()) == [FABRIKAM]
