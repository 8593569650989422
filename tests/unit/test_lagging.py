"""How far customers lag behind, worked out from their runs."""

from datetime import timedelta
from typing import Any

import pytest

from devstack.memory import MemoryRequests, MemoryTable
from halo_adsync.lagging import lags
from halo_adsync.model import CustomerId
from halo_adsync.pausing import LOOK_BACK
from halo_adsync.plan.mapping import Target
from halo_adsync.services import Services
from halo_adsync.state.runs import Run, Status
from halo_adsync.state.store import Store
from tests.support.plan import customer
from tests.support.runs import at, never, run

NOW = at("11-23T10:00:00")
DAILY = {"schedule": {"full": "0 2 * * *"}}


def lag(*runs: Run, **blocks: Any) -> list[tuple[str, int]]:
    """Return what is told of one customer with these runs."""
    store = Store(MemoryTable(), lambda: NOW)
    store.put_customer(customer(id="contoso", **(DAILY | blocks)))
    for one in runs:
        store.of(CustomerId("contoso")).add_run(one)
    services = Services(lambda _: store, MemoryRequests(), never, never, never, never, lambda: NOW, Target())
    return list(lags(services))


@pytest.mark.parametrize(
    "bad",
    [
        {"status": Status.FAILED},
        {"status": Status.BLOCKED},
        {"status": Status.SKIPPED},
        {"status": Status.RUNNING},
        {"status": Status.PARTIAL, "message": "Halo did not answer."},
        {"status": Status.PLANNED, "dry_run": True},
        {"status": Status.OK, "person": "6f3f3c39-8f5c-4a2e-9d43-0d3a5f3b1c01"},
    ],
)
def test_only_a_good_run_for_everybody_counts(bad: dict[str, Any]) -> None:
    """What came after it left others behind, however it ended."""
    good = run("full", "11-22T02:00:00")
    assert lag(good, run("full", "11-23T02:00:00", **bad)) == [("contoso", 32)]


def test_a_run_with_single_failures_counts() -> None:
    """Everybody else is in step, and the failed records have their own ways to be told."""
    assert lag(run("full", "11-23T02:00:00", Status.PARTIAL)) == [("contoso", 8)]


def test_without_a_good_run_the_first_one_counts() -> None:
    """Since then somebody waits. Without any run there is nothing to tell: the next tick asks for one."""
    failed = [run("full", f"11-{day}T02:00:00", Status.FAILED) for day in (20, 21, 22)]
    assert lag(*failed) == [("contoso", 80)]
    assert lag() == []


def test_a_good_run_is_found_however_many_failed_since() -> None:
    """Each quarter of an hour one that failed, for days: the lag grows on."""
    begun = NOW - timedelta(hours=60)
    failed = [
        run("delta", begun + timedelta(minutes=15 * number), Status.FAILED) for number in range(LOOK_BACK * 3)
    ]
    assert lag(run("full", begun - timedelta(hours=2)), *failed) == [("contoso", 62)]


@pytest.mark.parametrize("blocks", [{"enabled": False}, {"schedule": {}}])
def test_who_is_not_synced_by_schedule_does_not_lag(blocks: dict[str, Any]) -> None:
    """Nobody promised that such a customer is in step."""
    assert lag(run("full", "11-01T02:00:00"), **blocks) == []
