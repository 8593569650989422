"""Laws of whole plans with people who leave: nobody without proof, nobody who is protected, nobody twice."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from halo_adsync.customer import Customer
from halo_adsync.model import CustomerId, Keep, Leaver, ObjectGuid, Person, RunId, Tickets
from halo_adsync.plan.leavers import Departures, is_kept
from halo_adsync.plan.scope import Scoping
from halo_adsync.plan.side import HaloSide
from halo_adsync.plan.types import Change, Kind, Plan
from halo_adsync.state import rows
from halo_adsync.state.lines import line_of, row_of
from tests.support.applied import Halo, applied
from tests.support.plan import NOW, guid, read
from tests.support.worlds import CUSTOMERS, OUS, accounts, halos, planned

RUN = RunId("20261123T120000Z-0a1b2c3d")
GUIDS = st.integers(1, 11).map(guid)
LEAVERS = st.builds(
    Leaver,
    GUIDS,
    st.integers(0, 4),
    tickets=st.sampled_from([None, Tickets(1, ((1203, "Printer"),)), Tickets(9)]),
)
DEPARTURES = st.builds(
    Departures,
    proofs=st.dictionaries(GUIDS, st.just("deleted in the directory"), max_size=5),
    unsure=st.frozensets(GUIDS, max_size=3),
    leavers=st.lists(LEAVERS, max_size=8).map(lambda some: {one.guid: one for one in some}),
    keeps=st.frozensets(GUIDS, max_size=3).map(
        lambda some: {one: Keep(one, "ada", NOW.isoformat()) for one in some}
    ),
)
TERMS = st.fixed_dictionaries(
    {
        "missing_runs": st.integers(1, 4),
        "tickets": st.sampled_from(["open", "any", "ignore"]),
        "keep": st.lists(st.integers(1, 9).map(lambda number: f"U{number}"), max_size=2),
    }
)


@st.composite
def whose(draw: st.DrawFn) -> Customer:
    """Draw a customer, with its own idea of leavers."""
    data = draw(CUSTOMERS).model_dump(mode="json", by_alias=True, exclude_unset=True)
    policy = draw(st.sampled_from(["full", "full", "full", data["policy"]]))
    return Customer.model_validate({**data, "leavers": draw(TERMS), "policy": policy})


WORLDS = (whose(), accounts(), halos(), DEPARTURES)


def with_departures(halo: Halo, known: Departures) -> HaloSide:
    """Return Halo's side with what is known of leavers."""
    return replace(halo.side, departures=known)


def leaving(plan: Plan) -> list[Change]:
    """Return the lines that switch somebody off."""
    return [change for change in plan.changes if change.kind is Kind.DEACTIVATE]


@settings(deadline=None)
@given(*WORLDS)
def test_nobody_goes_without_a_reason_that_is_true(
    who: Customer, people: Sequence[Person], halo: Halo, known: Departures
) -> None:
    """Whoever is switched off is out of scope as read, proven gone, or was missing often enough."""
    scoping = Scoping(who, read(who, OUS, people), NOW)
    outside = {found.guid for found in people if scoping.why_not(found) is not None}
    seen = {found.guid for found in people}
    for change in leaving(planned(who, people, with_departures(halo, known))):
        key = ObjectGuid(change.guid)
        if key in seen:
            assert key in outside
            continue
        missing = known.leavers[key].missing if key in known.leavers else 0
        often_enough = missing >= who.leavers.missing_runs and key not in known.unsure
        off_before = not halo.side.links[key].active and key not in known.unsure
        assert key in known.proofs or often_enough or off_before


@settings(deadline=None)
@given(*WORLDS)
def test_the_protected_are_never_switched_off(
    who: Customer, people: Sequence[Person], halo: Halo, known: Departures
) -> None:
    """Nobody who is kept, has tickets that count, is a General User, unlinked or off already."""
    side = with_departures(halo, known)
    lines = leaving(planned(who, people, side))
    assert who.policy == "full" or not lines
    for change in lines:
        link = side.links[ObjectGuid(change.guid)]
        user = side.users[link.user]
        assert change.user == link.user
        assert user.active
        assert not user.general
        assert link.guid not in known.keeps
        assert not is_kept(link, who.leavers.keep)
        row = known.leavers.get(link.guid)
        assert who.leavers.tickets == "ignore" or row is None or not row.tickets


@settings(deadline=None)
@given(*WORLDS, st.data())
def test_protection_holds_those_whom_it_is_about(
    who: Customer, people: Sequence[Person], halo: Halo, known: Departures, data: st.DataObject
) -> None:
    """Of those who would go, whoever is kept or has tickets stays for that reason, and nobody else does."""
    bare = Departures(known.proofs, known.unsure, _without_tickets(known))
    gone = [ObjectGuid(change.guid) for change in leaving(planned(who, people, with_departures(halo, bare)))]
    keeps, rows_of = dict(bare.keeps), dict(bare.leavers)
    held = set()
    for key in gone:
        why = data.draw(st.sampled_from(["", "keep", "tickets"]))
        if why == "keep":
            keeps[key] = Keep(key, "ada", NOW.isoformat())
        elif why == "tickets":
            rows_of[key] = replace(rows_of.get(key, Leaver(key)), tickets=Tickets(1))
        if why == "keep" or (why and who.leavers.tickets != "ignore"):
            held.add(key)
    plan = planned(who, people, with_departures(halo, replace(bare, keeps=keeps, leavers=rows_of)))
    assert [change.guid for change in leaving(plan)] == [key for key in gone if key not in held]
    assert held <= {change.guid for change in plan.changes if change.kind is Kind.HELD}


def _without_tickets(known: Departures) -> dict[ObjectGuid, Leaver]:
    return {key: replace(row, tickets=None) for key, row in known.leavers.items()}


@settings(deadline=None)
@given(*WORLDS)
def test_who_left_stays_off_and_nothing_is_left_to_do(
    who: Customer, people: Sequence[Person], halo: Halo, known: Departures
) -> None:
    """Applied once, the same plan is empty; whoever it switched off is off, and nobody else is."""
    side = with_departures(halo, known)
    plan = planned(who, people, side)
    after = applied(replace(halo, side=side), plan)
    assert planned(who, people, after.side).work() == ()
    gone = {change.user for change in leaving(plan)}
    for key, user in halo.side.users.items():
        assert after.side.users[key].active or not user.active or key in gone


@settings(deadline=None)
@given(*WORLDS, st.randoms(use_true_random=False))
def test_no_order_of_what_is_known_matters(
    who: Customer, people: Sequence[Person], halo: Halo, known: Departures, random: Random
) -> None:
    """What is known of leavers in another order gives the same plan, with the same digest."""

    def mixed[K, V](mapping: dict[K, V]) -> dict[K, V]:
        return dict(random.sample(list(mapping.items()), len(mapping)))

    other = Departures(
        mixed(dict(known.proofs)),
        frozenset(random.sample(sorted(known.unsure), len(known.unsure))),
        mixed(dict(known.leavers)),
        mixed(dict(known.keeps)),
    )
    first = planned(who, people, with_departures(halo, known))
    again = planned(who, random.sample(people, len(people)), with_departures(halo, other))
    assert again == first
    assert again.digest() == first.digest()


@settings(deadline=None)
@given(*WORLDS)
def test_a_plan_survives_the_table(
    who: Customer, people: Sequence[Person], halo: Halo, known: Departures
) -> None:
    """Stored and read again line by line, it is the same plan: what is approved is what was shown."""
    plan = planned(who, people, with_departures(halo, known))
    customer = CustomerId(who.id)
    work = [line_of(row_of(customer, RUN, number, one)).change for number, one in enumerate(plan.work())]
    notes = [change for change in plan.changes if not change.is_work]
    noted = rows.notes_of(list(rows.note_rows(customer, RUN, notes))) if notes else []
    assert tuple(work) == plan.work()
    assert noted == notes
    assert replace(plan, changes=(*work, *noted)).digest() == plan.digest()
