"""A tick of the timer: it asks for what is due by the runs, and hardly ever reads them."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstack.memory import MemoryRequests, MemoryTable
from halo_adsync.lagging import lags
from halo_adsync.model import CustomerId, Meter
from halo_adsync.pausing import LOOK_BACK
from halo_adsync.plan.mapping import Target
from halo_adsync.schedule import RELIED_UPON, SPREAD_SECONDS, due, request_due, turn
from halo_adsync.services import Services
from halo_adsync.state.agenda import AGENDA
from halo_adsync.state.runs import Run, Status, run_row
from halo_adsync.state.store import Store
from halo_adsync.state.table import Operation, Row
from tests.support.plan import customer
from tests.support.runs import at, never, run

EVERY_WAY = {"delta": "*/15 * * * *", "full": "0 2 * * *", "reconcile": "0 3 * * sun"}
MONDAY = at("11-23T10:01:00")


@dataclass
class App:
    """An app with customers, and a timer that ticks when it is told to."""

    now: datetime = MONDAY
    table: MemoryTable = field(default_factory=MemoryTable)
    queue: MemoryRequests = field(default_factory=MemoryRequests)

    def store(self, meter: Meter) -> Store:
        """Return the store."""
        return Store(self.table.with_meter(meter), lambda: self.now)

    def add(self, name: str, **schedule: Any) -> None:
        """Add a customer with this schedule."""
        self.store(Meter()).put_customer(customer(id=name, schedule=schedule))

    def ran(self, name: str, one: Run) -> None:
        """Let a customer have had a run, as it is now."""
        row = run_row(replace(one, customer=CustomerId(name)))
        self.table.transact(name, [Operation("put", row)])

    def tick(self) -> tuple[list[tuple[str, str]], int]:
        """Let the timer tick; return whom it asked for, and how many transactions it took."""
        services, meters = self.services()
        asked = [(str(request.customer), request.mode) for request in request_due(services)]
        return asked, sum(meter.table_transactions for meter in meters)

    def lags(self) -> tuple[dict[str, int], int]:
        """Return how many hours each customer lags behind, and how many transactions that took."""
        services, meters = self.services()
        return {str(name): hours for name, hours in lags(services)}, sum(
            meter.table_transactions for meter in meters
        )

    def services(self) -> tuple[Services, list[Meter]]:
        """Return what the timers work with, and where they count."""
        meters: list[Meter] = []

        def store(meter: Meter) -> Store:
            meters.append(meter)
            return self.store(meter)

        return Services(store, self.queue, never, never, never, never, lambda: self.now, Target()), meters

    def due_and_asked(self) -> tuple[list[str], list[str]]:
        """Return what is due by all runs of the one customer, and what a tick asks for; that fails then."""
        state = self.store(Meter()).of(CustomerId("contoso"))
        mode = due(self.store(Meter()).customer("contoso"), state.runs(1000), self.now)
        asked, _ = self.tick()
        for request, _ in self.queue.sent:
            self.ran("contoso", replace(state.run(request.run), status=Status.FAILED))
        self.queue.sent.clear()
        return [mode] if mode else [], [mode for _, mode in asked]


@pytest.fixture
def app() -> App:
    """An app without customers."""
    return App()


def test_a_tick_in_which_nobody_is_due_takes_two_transactions_for_two_hundred_customers(app: App) -> None:
    """One reads the customers, one what is remembered; the first tick of all reads everybody's runs."""
    for number in range(200):
        app.add(f"c{number}", **EVERY_WAY)
        app.ran(f"c{number}", run("reconcile", "11-23T10:00:00"))
    assert app.tick() == ([], 2 + 2 * 200)
    for _ in range(13):
        app.now += timedelta(minutes=1)
        assert app.tick() == ([], 2)


def test_who_was_in_step_within_the_hour_is_told_in_two_transactions(app: App) -> None:
    """One reads the customers, one what the timer saw; of the others, the latest few runs are read."""
    for number in range(200):
        app.add(f"c{number}", **EVERY_WAY)
        app.ran(f"c{number}", run("reconcile", "11-23T10:00:00"))
    app.tick()
    app.now += timedelta(minutes=49)
    everybody = dict.fromkeys([f"c{number}" for number in range(200)], 0)
    assert app.lags() == (everybody, 2)
    app.now += timedelta(hours=2)
    assert app.lags() == (dict.fromkeys(everybody, 2), 2 + 200)


def test_a_good_run_that_the_timer_did_not_see_counts(app: App) -> None:
    """Somebody asked for it by hand; the timer had no reason to look."""
    app.add("contoso", full="0 2 * * *")
    app.ran("contoso", run("full", "11-22T02:00:00"))
    app.tick()
    app.ran("contoso", run("full", "11-23T08:00:00", reason="by hand"))
    assert app.lags() == ({"contoso": 2}, 3)


def test_what_the_timer_saw_spares_reading_everything(app: App) -> None:
    """However many runs failed since: their number makes no difference."""
    app.add("contoso", delta="*/15 * * * *")
    app.ran("contoso", run("delta", "11-20T10:00:00"))
    app.now = at("11-20T10:05:00")
    app.tick()
    for number in range(LOOK_BACK + 5):
        app.ran("contoso", run("delta", at("11-21T10:00:00") + timedelta(minutes=number), Status.FAILED))
    app.now = MONDAY
    assert app.due_and_asked() == (["delta"], ["delta"]), "and that one fails, too"
    app.tick()
    assert app.lags() == ({"contoso": 72}, 4)


def test_a_customer_whose_runs_cannot_be_read_hides_nobody(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names it, and the others are told of."""
    for name in ("contoso", "fabrikam"):
        app.add(name, full="0 2 * * *")
        app.ran(name, run("full", "11-23T02:00:00"))
    (row,) = app.table.query("contoso", "run|", "run|~")
    app.table.transact("contoso", [Operation("put", replace(row, values={"data": "{"}))])
    assert app.lags()[0] == {"fabrikam": 8}
    assert "how far customer contoso lags behind" in caplog.text


def test_what_a_wrong_clock_left_is_not_believed(app: App) -> None:
    """Nobody can have been in step tomorrow."""
    app.add("contoso", full="0 2 * * *")
    app.ran("contoso", run("full", "11-23T02:00:00"))
    app.table.transact(
        AGENDA, [Operation("put", Row(AGENDA, "contoso", {"in_step": "2026-11-24T00:00:00Z"}))]
    )
    assert app.lags() == ({"contoso": 8}, 3)


def test_runs_of_many_customers_do_not_begin_in_the_same_second(app: App) -> None:
    """They are spread over minutes, and each customer has its place whenever it is due."""
    names = [f"customer-{number}" for number in range(200)]
    for name in names:
        app.add(name, delta="*/15 * * * *")
        app.ran(name, run("delta", app.now))
    app.tick()
    places: list[dict[str, float]] = []
    for _ in range(2):
        app.now += timedelta(minutes=15)
        assert len(app.tick()[0]) == len(names)
        places.append({request.customer: delay for request, delay in app.queue.sent})
        for request, _ in app.queue.sent:
            one = app.store(Meter()).of(request.customer).run(request.run)
            app.ran(request.customer, replace(one, status=Status.OK))
        app.queue.sent.clear()
    assert places[0] == places[1]
    assert sorted(places[0]) == sorted(names)
    minutes = [sum(delay // 60 == minute for delay in places[0].values()) for minute in range(4)]
    assert sum(minutes) == len(names)
    assert max(minutes) < len(names) / 2
    assert len({int(delay) for delay in places[0].values()}) > len(names) / 2


def test_few_customers_hardly_wait_for_each_other() -> None:
    """The spread grows with their number, and ends before a quarter of an hour is over."""
    names = [f"customer-{number}" for number in range(1000)]
    assert turn("contoso", 0) == 0
    assert max(turn(name, 5) for name in names) < 5
    assert SPREAD_SECONDS / 2 < max(turn(name, 1000) for name in names) < SPREAD_SECONDS
    assert turn("contoso", 10**6) == turn("contoso", 1000)


def test_no_run_is_put_off_into_quiet_hours(app: App) -> None:
    """Of many that are due a minute before them, those begin at once that would be too late."""
    quiet = {"quiet": ["10:17-11:00"], "timezone": "Europe/London"}
    for number in range(100):
        app.add(f"c{number}", delta="16 * * * *", **quiet)
        app.ran(f"c{number}", run("delta", app.now))
    app.tick()
    app.now = at("11-23T10:16:00")
    app.tick()
    delays = [delay for _, delay in app.queue.sent]
    assert len(delays) == 100
    assert max(delays) < 60
    assert delays.count(0) > 10
    assert sum(delay > 0 for delay in delays) > 10


def test_what_a_request_costs(app: App) -> None:
    """Reading the runs, the customer and writing the run; while it is on its way, its lease is looked at."""
    app.add("contoso", **EVERY_WAY)
    assert app.tick() == ([("contoso", "reconcile")], 2 + 3)
    assert app.tick() == ([], 2 + 1)
    asked = app.queue.sent[0][0]
    one = app.store(Meter()).of(CustomerId("contoso")).run(asked.run)
    app.ran("contoso", replace(one, status=Status.RUNNING))
    assert app.tick() == ([("contoso", "reconcile")], 2 + 2 + 2), "nobody holds its lease: it died"
    for status in (Status.OK, Status.FAILED):
        for each, _ in app.queue.sent:
            app.ran("contoso", replace(one, id=each.run, status=status))
    assert app.tick() == ([], 2 + 2)
    assert app.tick() == ([], 2)


@dataclass(frozen=True)
class Move:
    """A run that ends, and how many minutes after it the timer ticks a second time."""

    mode: str
    status: Status
    minutes: int
    reason: str
    person: str
    paused: int


MOVES = st.builds(
    Move,
    mode=st.sampled_from(["delta", "delta", "full", "reconcile"]),
    status=st.sampled_from([*Status, Status.OK, Status.OK, Status.FAILED]),
    minutes=st.sampled_from([5, 7, 15, 60, 400, 1440]),
    reason=st.sampled_from(["schedule", "manual"]),
    person=st.sampled_from(["", "", "a-guid"]),
    paused=st.sampled_from([0, 0, 90]),
)
SCHEDULES: list[dict[str, Any]] = [
    EVERY_WAY,
    {"delta": "*/15 * * * *", "timezone": "Asia/Kolkata"},
    {"delta": "*/5 * * * *", "full": "0 9 * * *", "quiet": ["09:00-11:00"], "timezone": "Europe/London"},
]


@given(schedule=st.sampled_from(SCHEDULES), moves=st.lists(MOVES, max_size=30))
@settings(max_examples=60, deadline=None)
def test_what_is_remembered_changes_nothing(schedule: dict[str, Any], moves: list[Move]) -> None:
    """A tick asks for what the runs say, whatever they are; only a rest may seem to last minutes longer."""
    app = App()
    app.add("contoso", **schedule)
    for move in moves:
        until = {"strikes": 1, "message": "Stopped."} if move.paused else {}
        if move.paused:
            until["paused_until"] = (app.now + timedelta(minutes=move.paused)).isoformat()
        status = Status.PARTIAL if move.paused else Status.SKIPPED if move.status.is_open else move.status
        more = {"reason": move.reason, "person": move.person, **until}
        app.ran("contoso", run(move.mode, app.now, status, **more))
        expected, asked = app.due_and_asked()
        assert asked in ([], expected), "a rest may seem to last longer"
        app.now += timedelta(minutes=move.minutes)
        expected, asked = app.due_and_asked()
        assert asked == expected


def test_a_rest_that_a_good_run_ended_is_over_within_minutes(app: App) -> None:
    """While it lasts the runs are read every five minutes, not every minute."""
    app.add("contoso", delta="* * * * *")
    until = (app.now + timedelta(hours=6)).isoformat()
    stopped = run("delta", app.now, Status.PARTIAL, message="Stopped.", strikes=1, paused_until=until)
    app.ran("contoso", stopped)
    app.now += timedelta(minutes=2)
    costs = []
    for _ in range(6):
        asked, cost = app.tick()
        assert asked == []
        costs.append(cost)
        app.now += timedelta(minutes=1)
    assert costs == [4, 2, 2, 2, 2, 4]
    app.ran("contoso", run("delta", app.now, reason="manual"))
    app.now += RELIED_UPON
    assert app.tick()[0] == [("contoso", "delta")]


@pytest.mark.parametrize("wrong", [{"full": "no time"}, {"full": "2027-01-01T00:00:00+00:00"}, {}])
def test_a_row_that_says_nothing_useful_holds_nobody_up(app: App, wrong: dict[str, str]) -> None:
    """It cannot be read, or a clock was wrong: the runs are read, and the row is mended."""
    app.add("contoso", full="0 2 * * *")
    app.table.transact(AGENDA, [Operation("put", Row(AGENDA, "contoso", dict(wrong)))])
    app.ran("contoso", run("full", "11-23T02:00:00"))
    assert app.tick() == ([], 4)
    assert app.tick() == ([], 2)


def test_a_rest_that_a_wrong_clock_wrote_is_not_relied_upon(app: App) -> None:
    """Else nobody would be synced until that time has come."""
    app.add("contoso", full="0 2 * * *")
    row = Row(AGENDA, "contoso", {"rests": "2027-01-01T00:00:00+00:00"})
    app.table.transact(AGENDA, [Operation("put", row)])
    assert app.tick()[0] == [("contoso", "full")]


def test_who_is_removed_and_added_again_is_new(app: App) -> None:
    """Nothing is remembered of who had the id before."""
    app.add("contoso", full="0 2 * * *")
    app.ran("contoso", run("full", app.now))
    assert app.tick()[0] == []
    assert list(app.table.query(AGENDA, "!", "~"))
    app.store(Meter()).remove_customer("contoso")
    assert not list(app.table.query(AGENDA, "!", "~"))
    app.add("contoso", full="0 2 * * *")
    assert app.tick()[0] == [("contoso", "full")]


def test_who_cannot_be_looked_at_stops_nobody_else(app: App, caplog: pytest.LogCaptureFixture) -> None:
    """A run's row that another version wrote is named in the log, and everybody else is synced."""
    for name in ("broken", "contoso"):
        app.add(name, full="0 2 * * *")
    app.ran("broken", run("full", app.now))
    key = next(key for key in app.table.rows if key[0] == "broken")
    app.table.rows[key] = replace(app.table.rows[key], values={"data": "{"})
    assert app.tick()[0] == [("contoso", "full")]
    assert "Customer broken is not synced by schedule" in caplog.text
    assert key[1] in caplog.text
