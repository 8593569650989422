"""Custom fields and departments through whole runs, against a Halo that says what its fields take."""

import json
from collections.abc import Iterator

import pytest

from devstack.directory import Directory
from devstack.halo import SimulatedHalo
from devstack.memory import MemoryTable
from halo_adsync.customer_file import parse, plain
from halo_adsync.model import Meter
from halo_adsync.state.runs import Status
from tests.contract.halo_desk import Time
from tests.contract.sync_stage import CUSTOMER, HEADCOUNT, Stage, company

FIELDS = {
    "name": "displayName",
    "login": "{{ netbios }}\\{{ sAMAccountName }}",
    "CFStaffNumber": "{{ sAMAccountName | upper }}",
    "CFShirt": "{{ sAMAccountName | lookup('shirts', 'LARGE') }}",
    "CFStarted": "{{ '2027-03-31' }}",
    "departments": "{{ '7, 4' }}",
    "adconnection": "{{ 0 }}",
}

SHIRTS = {"shirts": {"p01": "small", "p02": "Medium"}}


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    """The company's directory."""
    with company() as running:
        yield running


@pytest.fixture
def stage(directory: Directory) -> Iterator[Stage]:
    """A customer who maps custom fields."""
    time = Time()
    with SimulatedHalo(clock=time.seconds) as halo:
        stage = Stage(directory, halo, MemoryTable(Meter()), time)
        keep(stage, FIELDS)
        yield stage


def keep(stage: Stage, fields: dict[str, str]) -> None:
    """Keep the customer's file with this mapping."""
    store = stage.builder.store()
    store.put_customer(
        parse(json.dumps({**plain(store.customer(CUSTOMER)), "fields": fields, "lookups": SHIRTS}))
    )


def asked(stage: Stage) -> int:
    """Return how often Halo was asked what its fields take."""
    return sum("fieldinfo" in request.path.lower() for request in stage.halo.requests)


def test_custom_fields_are_checked_translated_and_then_left_in_peace(stage: Stage) -> None:
    """Choices become ids, one that is not there is left out and told; the next run asks Halo nothing."""
    run = stage.run()
    assert (run.status, run.counts["create"], asked(stage)) == (Status.OK, HEADCOUNT, 1)
    for user in stage.halo.people:
        account = user["login"].removeprefix("CORP\\")
        custom = {entry["name"]: entry["value"] for entry in user["customfields"]}
        shirt = {"p01": {"CFShirt": "1"}, "p02": {}}.get(account, {"CFShirt": "2"})
        assert custom == {"CFStaffNumber": account.upper(), "CFStarted": "2027-03-31T00:00:00", **shirt}
        assert user["departments"] == [{"department_id": 4}, {"department_id": 7}]
        assert user["adconnection"] == 0
    told = [
        line.change for line in stage.state.lines(run) if "CFShirt is left as it is" in line.change.reason
    ]
    assert len(told) == 1
    stage.halo.forget_requests()
    again = stage.run()
    assert (again.counts["unchanged"], stage.halo.requests) == (HEADCOUNT, [])


def test_a_new_custom_field_and_a_reconcile_ask_again(stage: Stage) -> None:
    """What is kept is believed for the fields that it speaks of, until a reconcile looks anew."""
    stage.run()
    stage.halo.forget_requests()
    keep(stage, FIELDS | {"CFFirstAider": "{{ 'true' }}"})
    assert stage.run().counts["update"] == HEADCOUNT
    assert asked(stage) == 1
    stage.run()
    assert asked(stage) == 1
    stage.run(mode="reconcile")
    assert asked(stage) == 2


def test_a_custom_field_that_halo_does_not_have_ends_the_run_before_anything_is_written(stage: Stage) -> None:
    """Halo would drop the value in silence; the run says which name is meant instead."""
    keep(stage, FIELDS | {"CFStafNumber": "employeeID"})
    run = stage.run()
    assert run.status is Status.FAILED
    assert run.cause == "configuration"
    assert run.message.startswith(
        "fields.CFStafNumber: Halo has no such custom field; is CFStaffNumber meant?"
    )
    assert stage.writes() == []


def test_an_account_that_may_not_see_the_fields_goes_on_without_checks(stage: Stage) -> None:
    """A refusal is remembered as well: it is not asked for again in every run."""
    stage.halo.faults.add("status", method="GET", path="/api/FieldInfo", status=403)
    keep(stage, {name: FIELDS[name] for name in ("name", "login", "CFStaffNumber")})
    assert stage.run().status is Status.OK
    assert stage.halo.people[0]["customfields"][0]["name"] == "CFStaffNumber"
    stage.halo.forget_requests()
    stage.run()
    assert stage.halo.requests == []
