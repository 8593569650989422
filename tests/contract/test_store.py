"""The store: what is kept of customers, their people, places, runs and plans comes back as it was."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import pytest

from halo_adsync.customer import Customer, Scope
from halo_adsync.customer_file import parse
from halo_adsync.errors import Busy, ConfigurationError, NotFound, StateUnavailable
from halo_adsync.model import (
    CustomerId,
    Decision,
    DistinguishedName,
    HaloClientId,
    HaloSiteId,
    HaloUserId,
    Link,
    Meter,
    ObjectGuid,
    Place,
)
from halo_adsync.plan.types import Change, FieldChange, Kind, Plan, Record, Violation
from halo_adsync.state import known_rows, link_rows, rows
from halo_adsync.state.customer_state import CustomerState
from halo_adsync.state.lease import SECONDS
from halo_adsync.state.lines import Line, Settled
from halo_adsync.state.rows import TEXT_CHUNK
from halo_adsync.state.runs import Run, Status
from halo_adsync.state.store import CUSTOMERS, Store
from halo_adsync.state.table import MAX_OPERATIONS, Operation, Row
from tests.contract.storage import (
    CONTOSO,
    MIXED,
    AnyTable,
    Clock,
    RepeatingTable,
    SilentTable,
    a_change,
    a_link,
    a_plan,
    a_run,
    guid,
    put,
    run_id,
)

FILE = """
id: {id}
name: {name}
halo: {{ url: "https://{id}.halo.example", client_id: app, client_secret: {{ secret: {id}-halo }} }}
directories:
  - {{ id: corp, servers: ["dc:636"], bind: {{ user: svc, password: {{ secret: {id}-ad }} }} }}
placement: {{ client: {{ name: Main }} }}
"""
FABRIKAM = CustomerId("fabrikam")
LONG = "🦊é\\" * 12_000
"""A value that no property holds by itself."""


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def store(storage_table: AnyTable, clock: Clock) -> Store:
    """An empty store."""
    return Store(storage_table, clock.now)


@pytest.fixture
def state(store: Store) -> CustomerState:
    """The state of a customer of whom nothing is kept yet."""
    return store.of(CONTOSO)


def customer(id_: str, name: str = "A customer") -> Customer:
    """Return a customer."""
    return parse(FILE.format(id=id_, name=json.dumps(name, ensure_ascii=False)))


def stored(state: CustomerState, plan: Plan, number: int = 0, places: Sequence[Place] = ()) -> Run:
    """Store a plan in a run of its own, which is then ready to be applied."""
    run = a_run(number, status=Status.APPLYING)
    lease = state.lease(run.id)
    run = state.save_plan(run, plan, (), places, {}, lease=lease)
    lease.release()
    return run


def settle(state: CustomerState, run: Run, settled: Sequence[Settled]) -> Run:
    """Settle lines under a lease that is released again."""
    lease = state.lease(run.id)
    run = state.settle(run, settled, lease)
    lease.release()
    return run


def done(line: Line, **made: Any) -> Settled:
    """Return the line as settled."""
    return Settled(replace(line, status="done"), **made)


def test_customers_come_back_as_they_were_put(store: Store) -> None:
    """By id, one by one and all together; whether a file differs from the kept one is told."""
    first, second = customer("contoso", MIXED), customer("a-z-0")
    assert store.put_customer(first)
    assert store.put_customer(second)
    assert not store.put_customer(first)
    assert store.customer("contoso") == first
    assert store.customers() == [second, first]
    assert store.customer_ids() == ["a-z-0", "contoso"]
    assert store.put_customer(customer("contoso", "Another name"))
    assert store.customer("contoso").name == "Another name"


def test_a_long_customer_file_is_kept_and_shortened(store: Store) -> None:
    """It is spread over properties, and nothing of it is left when a shorter one takes its place."""
    short = customer("contoso")
    groups = tuple(f"CN=Zoë 🦊 {number},DC=corp" for number in range(2_000))
    long = short.model_copy(update={"scope": Scope(groups=groups)})
    store.put_customer(long)
    assert store.customer("contoso").scope.groups == groups
    store.put_customer(short)
    assert store.customer("contoso") == short


@pytest.mark.parametrize("unknown", ["nobody", "", "a/b", "$budgets", "'", MIXED])
def test_an_unknown_customer_is_not_found(store: Store, unknown: str) -> None:
    """Whatever was typed: the sentence shows it and says how to list or add customers."""
    store.put_customer(customer("contoso"))
    with pytest.raises(NotFound, match="customer list") as raised:
        store.customer(unknown)
    assert f'no customer "{unknown}"' in str(raised.value)
    with pytest.raises(NotFound):
        store.remove_customer(unknown)


def test_an_invalid_file_stops_nobody_else(store: Store, storage_table: AnyTable) -> None:
    """After an upgrade a kept file may not be valid any more: it is named, listed and can be removed."""
    store.put_customer(customer("contoso"))
    put(storage_table, Row(CUSTOMERS, "broken", {"data": '{"id":"broken"}'}))
    assert store.customer_ids() == ["broken", "contoso"]
    broken, contoso = store.each_customer()
    with pytest.raises(ConfigurationError, match="broken: "):
        broken()
    assert contoso() == customer("contoso")
    store.remove_customer("broken")
    assert store.customers() == [customer("contoso")]


def fill(state: CustomerState) -> Run:
    """Keep something of every kind for a customer."""
    run = a_run(status=Status.APPLYING, customer=state.customer)
    state.add_run(run)
    lease = state.lease(run.id)
    place = Place("site:a", HaloClientId(12), HaloSiteId(34), "A")
    plan = replace(a_plan(a_change(0), a_change(1, Kind.CONFLICT, fields={})), customer=state.customer)
    run = state.save_plan(run, plan, (), [place], {"corp|DN": guid(9)}, lease=lease)
    run = state.settle(run, [done(Line(0, plan.changes[0]), link=a_link(0))], lease)
    lease.release()
    state.decide(Decision(guid(1), "ignore"))
    return run


def held(state: CustomerState, run: Run) -> list[object]:
    """Return everything that is kept of a customer."""
    kept = [state.links(), state.places(), state.known().anchors, state.decisions(), state.runs(10)]
    return [*kept, state.find_run(run.id), list(state.lines(run)), state.notes(run)]


def test_nothing_of_one_customer_shows_through_another(store: Store) -> None:
    """Not even the runs, lines or notes of a run whose id is known; a lease holds its own customer only."""
    one, other = store.of(CONTOSO), store.of(FABRIKAM)
    run = fill(one)
    assert all(held(one, run)), "something of every kind is there"
    assert not any(held(other, run))
    with pytest.raises(NotFound):
        other.run(run.id)
    lease = one.lease(run_id(5))
    other.lease(run_id(6)).release()
    lease.release()


def test_removing_a_customer_leaves_the_others_alone(store: Store, storage_table: AnyTable) -> None:
    """Everything of it goes, in several transactions; the other one's rows stay as they are."""
    for name in (CONTOSO, FABRIKAM):
        store.put_customer(customer(name))
    ours, theirs = fill(store.of(CONTOSO)), fill(store.of(FABRIKAM))
    many = 2 * MAX_OPERATIONS + 1
    for start in range(0, many, MAX_OPERATIONS):
        numbers = range(start, min(start + MAX_OPERATIONS, many))
        put(storage_table, *(Row(CONTOSO, f"line|x|{number:07}", {}) for number in numbers))
    before = held(store.of(FABRIKAM), theirs)
    assert store.remove_customer(CONTOSO) == many + 7
    assert list(storage_table.query(CONTOSO, "", "~")) == []
    assert held(store.of(FABRIKAM), theirs) == before
    assert store.customer_ids() == [FABRIKAM]
    assert not any(held(store.of(CONTOSO), ours))


def test_a_customer_whose_run_is_going_on_is_not_removed(store: Store, clock: Clock) -> None:
    """Its worker would go on writing; when the run is over, or its worker is dead, it can be."""
    store.put_customer(customer(CONTOSO))
    store.of(CONTOSO).lease(run_id(1))
    with pytest.raises(Busy, match=run_id(1)):
        store.remove_customer(CONTOSO)
    assert store.customer_ids() == [CONTOSO]
    clock.pass_by(SECONDS + 1)
    store.remove_customer(CONTOSO)
    assert store.customer_ids() == []


def test_a_worker_whose_customer_was_removed_writes_nothing(store: Store, clock: Clock) -> None:
    """It seemed dead and was not: its customer stays removed."""
    store.put_customer(customer(CONTOSO))
    state = store.of(CONTOSO)
    lease = state.lease(run_id(1))
    clock.pass_by(SECONDS + 1)
    store.remove_customer(CONTOSO)
    with pytest.raises(Busy):
        state.save_run(a_run(1), lease)
    assert state.runs(10) == []


LINKS = [
    a_link(0),
    a_link(1, {"name": MIXED, "notes": "", "title": "x" * 300}),
    a_link(2, {"name": "🦊" * 300, "notes": LONG}),
    replace(a_link(3), active=False, dn=DistinguishedName(f'CN=O\\, "Neil",OU={MIXED},DC=corp')),
    Link(
        guid(4),
        HaloUserId(2**31 - 1),
        HaloClientId(1),
        HaloSiteId(0),
        active=True,
        dn=DistinguishedName(""),
        fields={},
    ),
]
PLACES = [
    Place("client:id:12", HaloClientId(12), None, "A client"),
    Place(f"site:name:{MIXED}@client:name:{MIXED}", HaloClientId(12), HaloSiteId(1), MIXED),
    Place("site:name:a/b", HaloClientId(12), HaloSiteId(2), "a/b"),
    Place("site:name:a~002Fb", HaloClientId(12), HaloSiteId(3), "a~002Fb"),
    Place("site:name:" + "🦊/" * 127, HaloClientId(12), HaloSiteId(4), "🦊/" * 127),
    Place("site:name:" + "🦊/" * 127 + "!", HaloClientId(12), HaloSiteId(5), "🦊/" * 127 + "!"),
    Place(f"site:ou:{guid(7)}", HaloClientId(12), HaloSiteId(6), "Mirror", guid(7)),
]
ANCHORS = {f"corp|OU={MIXED}": guid(1), f"corp|OU={'x' * 40_000}": guid(2)}


def test_links_places_and_anchors_come_back_as_they_were(state: CustomerState) -> None:
    """Whatever is in the names: emoji, quotes, 300 characters, or more than a property holds."""
    lines = [Line(number, a_change(number)) for number in range(len(LINKS))]
    run = a_run(status=Status.APPLYING)
    lease = state.lease(run.id)
    run = state.save_plan(run, a_plan(*(line.change for line in lines)), (), PLACES, ANCHORS, lease=lease)
    state.settle(run, [done(line, link=link) for line, link in zip(lines, LINKS, strict=True)], lease)
    assert state.links() == {link.guid: link for link in LINKS}
    assert state.linked(Record.USER) == {link.guid: link.user for link in LINKS}
    assert state.linked(Record.AGENT) == {}
    assert state.places() == {place.key: place for place in PLACES}
    assert state.known().anchors == ANCHORS


def test_what_is_known_is_read_without_links_and_plans(state: CustomerState, storage_table: AnyTable) -> None:
    """They are as many as people; their rows stand beside those that are read."""
    stored(state, a_plan(*(a_change(number) for number in range(3))))
    read: list[str] = []

    class Watched(RepeatingTable):
        def query(self, partition: str, low: str, high: str, *more: Any) -> Iterator[Row]:
            for row in super().query(partition, low, high, *more):
                read.append(row.key)
                yield row

    watched = Store(Watched(storage_table), state._now).of(CONTOSO)
    watched.known()
    assert sorted(read) == ["anchors", "lease"]


def test_fingerprints_that_cannot_be_read_are_none(state: CustomerState, storage_table: AnyTable) -> None:
    """They only spare work; and the next ones take their place."""
    lease = state.lease(run_id(0))
    for number in (0, 7):
        row = Row(CONTOSO, f"{known_rows.FINGERPRINTS}{number:04d}", {"data0": "no bytes"})
        storage_table.transact(CONTOSO, [Operation("put", row)])
    assert state.fingerprints() == frozenset()
    state.keep_fingerprints(frozenset({bytes(16)}), frozenset(), lease)
    assert state.fingerprints() == {bytes(16)}


@pytest.mark.parametrize("more", [-1, 0, 1, TEXT_CHUNK])
def test_a_link_of_any_length_comes_back_whole(state: CustomerState, more: int) -> None:
    """All are read by the one property that is enough for nearly every link, and this may be more than it."""
    empty = len(str(link_rows.link_row(CONTOSO, a_link(0, {"notes": ""})).values["data"]))
    link = a_link(0, {"notes": "x" * (TEXT_CHUNK - empty + more)})
    run = stored(state, a_plan(a_change(0)))
    settle(state, run, [done(next(state.lines(run)), link=link)])
    assert state.links() == {guid(0): link}


def test_fingerprints_come_back_and_fewer_leave_nothing_behind(
    state: CustomerState, storage_table: AnyTable
) -> None:
    """Those of 100,000 people stand in three rows; some of them may go."""

    def of(count: int) -> frozenset[bytes]:
        return frozenset(hashlib.md5(str(number).encode()).digest() for number in range(count))

    lease = state.lease(run_id(0))
    before = frozenset[bytes]()
    for now, rows_then in ((of(100_000), 3), (of(99_999), 3), (of(41_000), 2), (of(40_960), 1), (of(0), 0)):
        state.keep_fingerprints(now, before, lease)
        assert state.fingerprints() == now
        found = storage_table.query(CONTOSO, known_rows.FINGERPRINTS, rows.after(known_rows.FINGERPRINTS))
        assert len(list(found)) == rows_then
        before = now


def test_a_link_that_became_shorter_keeps_nothing_of_the_old_one(state: CustomerState) -> None:
    """A row is replaced as a whole."""
    run = stored(state, a_plan(a_change(0), a_change(1)))
    first, second = state.lines(run)
    run = settle(state, run, [done(first, link=a_link(0, {"notes": LONG}))])
    settle(state, run, [done(second, link=a_link(0, {"notes": "short"}))])
    assert state.links() == {guid(0): a_link(0, {"notes": "short"})}


def test_decisions_come_back_until_they_are_forgotten(state: CustomerState) -> None:
    """The latest about an account counts; forgetting one that is not there is no error."""
    state.decide(Decision(guid(0), "ignore", actor=MIXED, made="2026-01-05T09:00:00+00:00"))
    latest = Decision(guid(0), "link", HaloUserId(7), MIXED, "2026-01-05T09:01:00+00:00")
    other = Decision(guid(1), "create")
    state.decide(latest)
    state.decide(other)
    assert state.decisions() == {guid(0): latest, guid(1): other}
    state.undecide(guid(0))
    state.undecide(guid(0))
    assert state.decisions() == {guid(1): other}


def test_runs_are_listed_newest_first(state: CustomerState) -> None:
    """In whatever order they were requested, and no more than are asked for."""
    for number in (2, 0, 3, 1, 61):
        state.add_run(a_run(number))
    assert [run.id for run in state.runs(10)] == [run_id(number) for number in (61, 3, 2, 1, 0)]
    assert [run.id for run in state.runs(2)] == [run_id(61), run_id(3)]


def test_a_run_comes_back_as_it_was(state: CustomerState) -> None:
    """With violations, warnings and costs."""
    run = a_run(
        1,
        status=Status.BLOCKED,
        reason=MIXED,
        actor="Zoë",
        dry_run=True,
        finished="2026-01-05T09:02:00+00:00",
        violations=(Violation("deactivate.percent", 10, 34.5, 17, 50, MIXED),),
        warnings=(MIXED, "two"),
        cost=asdict(Meter(ldap_searches=3, seconds=1.25)),
        message=LONG,
        cause="configuration",
        person=guid(3),
        orderly=False,
        batch_size=7,
        notes=2,
    )
    state.add_run(run)
    assert state.run(run.id) == run
    assert json.loads(json.dumps(run.summary()))["violations"][0]["actual"] == 34.5


@pytest.mark.parametrize("unknown", ["", "r", "20260105T090000Z-99999999", "a/b#c", MIXED, "9" * 200])
def test_an_unknown_run_is_not_found(state: CustomerState, unknown: str) -> None:
    """Whatever was typed; the sentence says how to list the runs."""
    state.add_run(a_run())
    assert state.find_run(unknown) is None
    with pytest.raises(NotFound, match="halo-adsync runs contoso"):
        state.run(unknown)


def test_a_run_that_is_recorded_already_stays_as_it_is(state: CustomerState) -> None:
    """Its message is delivered twice at the same time: the slower one must not set it back."""
    state.add_run(a_run(status=Status.APPLYING, settled=3))
    state.add_run(a_run())
    assert state.run(run_id(0)).settled == 3


def test_a_run_is_skipped_only_while_it_waits(state: CustomerState) -> None:
    """A worker may have taken it up between the look and the writing."""
    skipped = a_run(1, status=Status.SKIPPED, message="another run was going on")
    state.add_run(a_run(1))
    state.skip_run(skipped)
    assert state.run(run_id(1)) == skipped
    state.add_run(a_run(2, status=Status.RUNNING))
    state.skip_run(replace(skipped, id=run_id(2)))
    assert state.run(run_id(2)).status is Status.RUNNING


CHANGES = [
    Change(Kind.CREATE_CLIENT, "", "", "a client", name=MIXED, place="client:name:x"),
    Change(Kind.CREATE_SITE, guid(50), f"OU={MIXED}", "a site", name="x" * 300, place="s", client="c"),
    a_change(0),
    a_change(1, fields={"name": FieldChange(None, MIXED), "notes": FieldChange(None, LONG)}),
    a_change(2, Kind.UPDATE, user=HaloUserId(7), fields={"title": FieldChange("Mr", "")}, base=a_link(2)),
    a_change(3, Kind.MOVE, user=HaloUserId(8), base=a_link(3), fields={"site": FieldChange("A", "B")}),
    a_change(4, Kind.UNCHANGED, user=HaloUserId(9), base=a_link(4), adopts=True, fields={}, place=""),
    a_change(5, Kind.REACTIVATE, user=HaloUserId(9), base=replace(a_link(5), active=False)),
    a_change(6, Kind.DEACTIVATE, user=HaloUserId(9), base=a_link(6), fields={}),
]
NOTES = [
    a_change(7, Kind.HELD, user=HaloUserId(3), fields={}, place=""),
    a_change(8, Kind.SKIPPED, name=MIXED, reason=MIXED, dn=f"CN={MIXED}", fields={}, place=""),
    a_change(9, Kind.CONFLICT, name="half a pair: \ud83e", fields={}, place=""),
]


def test_a_plan_comes_back_line_by_line(state: CustomerState) -> None:
    """Lines to apply in their order, the others as notes; verdict and numbers stand in the run."""
    plan = replace(a_plan(*CHANGES, *NOTES, unchanged=40), warnings=("careful",))
    violations = (Violation("create", 200, 300, 300, 400, "too many"),)
    run = a_run(status=Status.BLOCKED)
    run = state.save_plan(run, plan, violations, (), {}, lease=state.lease(run.id))
    assert run == state.run(run.id)
    assert list(state.lines(run)) == [Line(number, change) for number, change in enumerate(CHANGES)]
    assert state.notes(run) == NOTES
    assert (run.total, run.settled, run.digest) == (len(CHANGES), 0, plan.digest())
    assert (run.counts, run.violations, run.warnings) == (plan.counts(), violations, plan.warnings)
    assert [line.number for line in state.lines(run, 7)] == [7, 8]
    assert list(state.lines(run, 9)) == []


def test_the_lines_of_runs_are_kept_apart(state: CustomerState) -> None:
    """Two runs of one second have ids that begin alike."""
    first = stored(state, a_plan(*CHANGES, *NOTES))
    second = stored(state, a_plan(a_change(0, name="second"), a_change(1, Kind.HELD, fields={})), 1)
    assert len(list(state.lines(first))) == len(CHANGES)
    assert [line.change.name for line in state.lines(second)] == ["second"]
    assert (len(state.notes(first)), len(state.notes(second))) == (3, 1)


def incompressible(length: int) -> str:
    """Return text that packing makes no smaller than about half."""
    numbers, seed = [], 1
    for _ in range(length // 8):
        seed = seed * 6364136223846793005 % 2**64
        numbers.append(f"{seed % 2**32:08x}")
    return "".join(numbers)


def test_notes_may_take_more_than_one_row(state: CustomerState) -> None:
    """A directory with many people whom the plan leaves alone; unpacked, they are the same."""
    text = incompressible(3_000_000)
    noted = [
        a_change(number, Kind.SKIPPED, fields={}, reason=text[start : start + 30_000])
        for number, start in enumerate(range(0, len(text), 30_000))
    ]
    run = stored(state, a_plan(*noted))
    assert run.notes > 1
    assert state.notes(run) == noted


def test_a_plan_that_is_stored_again_leaves_nothing_of_the_first(state: CustomerState) -> None:
    """A worker died while it stored the plan; the next one's plan is a shorter one."""
    text = incompressible(3_000_000)
    long = [a_change(n, Kind.SKIPPED, fields={}, reason=text[n * 30_000 :][:30_000]) for n in range(100)]
    stored(state, a_plan(*CHANGES, *long))
    run = stored(state, a_plan(a_change(0), *NOTES))
    assert len(list(state.lines(run))) == 1
    assert state.notes(run) == NOTES
    run = stored(state, a_plan())
    assert (list(state.lines(run)), state.notes(run)) == ([], [])


def test_a_plan_of_long_values_is_stored_and_settled(state: CustomerState) -> None:
    """A hundred lines of which not ten fit a transaction; each row is within the service's limits."""
    fields = {f"f{number}": FieldChange("é" * 1_000, "è" * 1_000) for number in range(25)}
    base = {name: change.before or "" for name, change in fields.items()}
    changes = [a_change(n, Kind.UPDATE, fields=fields, base=a_link(n, base)) for n in range(100)]
    run = stored(state, a_plan(*changes))
    lines = list(state.lines(run))
    assert [line.change for line in lines] == changes
    links = [a_link(n, {name: change.after for name, change in fields.items()}) for n in range(100)]
    run = settle(state, run, [done(line, link=link) for line, link in zip(lines, links, strict=True)])
    assert run.settled == 100
    assert state.links() == {link.guid: link for link in links}


def test_one_line_that_is_too_long_is_a_sentence(state: CustomerState) -> None:
    """It names the person and what to change; nothing of the values is in it."""
    run = a_run()
    huge = a_change(3, fields={"notes": FieldChange(None, "private" * 100_000)})
    with pytest.raises(ConfigurationError, match="fields in the customer file") as raised:
        state.save_plan(run, a_plan(huge), (), (), {}, lease=state.lease(run.id))
    assert huge.dn in str(raised.value)
    assert "private" not in str(raised.value)


def test_settling_commits_everything_in_one_transaction(storage_table: AnyTable, clock: Clock) -> None:
    """Outcomes, links, a place, the run's progress and the lease: all or nothing."""
    watched = RepeatingTable(storage_table)
    state = Store(watched, clock.now).of(CONTOSO)
    run = stored(state, a_plan(*(a_change(number) for number in range(25))))
    lines = list(state.lines(run))
    place = Place("site:a", HaloClientId(12), HaloSiteId(34), "A")
    lease = state.lease(run.id)
    watched.sent.clear()
    batch = [done(lines[0], place=place), *(done(line, link=a_link(line.number)) for line in lines[1:])]
    run = state.settle(run, batch, lease)
    (operations,) = watched.sent
    assert len(operations) == 25 + 24 + 1 + 2
    assert (run.settled, state.run(run.id)) == (25, run)
    assert [line.status for line in state.lines(run)] == ["done"] * 25
    assert (len(state.links()), list(state.places().values())) == (24, [place])


def test_what_does_not_fit_one_transaction_is_settled_in_order(storage_table: AnyTable, clock: Clock) -> None:
    """The run's progress never runs ahead of the lines and links, wherever the worker dies between."""
    watched = RepeatingTable(storage_table)
    state = Store(watched, clock.now).of(CONTOSO)
    run = stored(state, a_plan(*(a_change(number) for number in range(120))))
    lease = state.lease(run.id)
    watched.sent.clear()
    run = state.settle(run, [done(line, link=a_link(line.number)) for line in state.lines(run)], lease)
    assert len(watched.sent) == 3
    assert all(len(operations) <= MAX_OPERATIONS for operations in watched.sent)
    settled = 0
    for operations in watched.sent:
        keys = [operation.row.key for operation in operations]
        lines = [int(key.rpartition("|")[2]) for key in keys if key.startswith("line|")]
        assert lines == list(range(settled, settled + len(lines)))
        settled += len(lines)
        assert sum(key.startswith("link|") for key in keys) == len(lines)
        progress = next(o.row.values["data"] for o in operations if o.row.key.startswith("run|"))
        assert json.loads(str(progress))["settled"] == settled
    assert run.settled == settled == 120


def test_outcomes_alone_fill_transactions_to_the_brim(storage_table: AnyTable, clock: Clock) -> None:
    """Lines that failed make no links, so more of them fit; never more than the service takes."""
    watched = RepeatingTable(storage_table)
    state = Store(watched, clock.now).of(CONTOSO)
    run = stored(state, a_plan(*(a_change(number) for number in range(197))))
    lease = state.lease(run.id)
    watched.sent.clear()
    failed = [Settled(replace(line, status="failed")) for line in state.lines(run)]
    assert state.settle(run, failed, lease).settled == 197
    assert [len(operations) for operations in watched.sent] == [MAX_OPERATIONS, MAX_OPERATIONS, 3]


def test_a_failed_line_moves_its_person_to_failed(state: CustomerState) -> None:
    """The counts say so, and the sum of all people stays the same; a site is no person."""
    site = Change(Kind.CREATE_SITE, "", "", "a site", place="s", client="c")
    run = stored(state, a_plan(site, a_change(0), a_change(1), a_change(2, Kind.UPDATE), unchanged=5))
    before = dict(run.counts)
    lines = list(state.lines(run))
    failed = [
        replace(line, status="failed", outcome=MIXED * 400) for line in lines if line.number in {0, 1, 3}
    ]
    batch = [Settled(failed[0]), Settled(failed[1]), done(lines[2]), Settled(failed[2])]
    run = settle(state, run, batch)
    expected = before | {"create": 1, "update": 0, "failed": 2}
    assert run.counts == state.run(run.id).counts == expected
    assert sum(run.counts.values()) == sum(before.values())
    assert [line.status for line in state.lines(run)] == ["failed", "failed", "done", "failed"]
    assert next(state.lines(run)).outcome == (MIXED * 400)[:2000]


def test_settling_whose_answer_was_lost_is_done_once(storage_table: AnyTable, clock: Clock) -> None:
    """The client repeats it and fails on its own first attempt; the run goes on."""
    table = RepeatingTable(storage_table)
    state = Store(table, clock.now).of(CONTOSO)
    run = stored(state, a_plan(a_change(0), a_change(1)))
    first, second = state.lines(run)
    lease = state.lease(run.id)
    table.repeats = 1
    run = state.settle(run, [Settled(replace(first, status="failed"))], lease)
    run = state.settle(run, [done(second, link=a_link(1))], lease)
    assert (run.settled, run.counts["failed"], run.counts["create"]) == (2, 1, 1)
    assert state.run(run.id) == run


def test_an_open_run_is_going_on_while_somebody_may_take_it_up(state: CustomerState, clock: Clock) -> None:
    """Waiting for a worker for up to an hour, or in the hands of one whose lease holds."""
    waiting, running = a_run(0), a_run(1, status=Status.RUNNING)
    assert state.is_going_on(waiting)
    assert not state.is_going_on(running)
    lease = state.lease(running.id)
    assert state.is_going_on(running)
    lease.hand_over()
    assert state.is_going_on(running)
    clock.pass_by(SECONDS + 1)
    assert not state.is_going_on(running)
    assert state.is_going_on(waiting)
    clock.pass_by(3600)
    assert not state.is_going_on(waiting)
    clock.pass_by(-3 * 86_400)
    assert not state.is_going_on(waiting), "a request of a time to come is nobody's"
    assert not state.is_going_on(replace(waiting, status=Status.OK))


def test_a_run_goes_on_when_the_service_answers_again(storage_table: AnyTable, clock: Clock) -> None:
    """Its last transaction was done, though it never heard so: that is no lost lease."""
    table = SilentTable(storage_table)
    state = Store(table, clock.now).of(CONTOSO)
    run = stored(state, a_plan(a_change(0), a_change(1)))
    first, second = state.lines(run)
    lease = state.lease(run.id)
    table.down = True
    with pytest.raises(StateUnavailable):
        state.settle(run, [done(first, link=a_link(0))], lease)
    table.down = False
    run = state.settle(state.run(run.id), [done(second, link=a_link(1))], lease)
    assert (run.settled, len(state.links())) == (2, 2)


def test_the_guid_of_a_link_is_its_key(state: CustomerState) -> None:
    """Settling one person twice leaves one link."""
    run = stored(state, a_plan(a_change(0), a_change(1)))
    first, second = state.lines(run)
    run = settle(state, run, [done(first, link=a_link(0))])
    settle(state, run, [done(second, link=replace(a_link(0), site=HaloSiteId(99)))])
    assert state.links() == {ObjectGuid(guid(0)): replace(a_link(0), site=HaloSiteId(99))}
