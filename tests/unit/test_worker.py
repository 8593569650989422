"""The function app under Microsoft's own worker library: how it is indexed, and every trigger invoked."""

import asyncio
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from cronsim import CronSim

from devstack.azurite import Azurite, azurite_missing
from devstack.host import FunctionsHost
from devstack.processes import StartError
from devstack.protos import Message, TypedData
from devstack.worker import Function, InvocationError, Outcome, Worker
from functions.access import ROUTES
from halo_adsync import bootstrap
from halo_adsync.access import PRINCIPAL_HEADER
from tests.support.triggers import principal

pytestmark = [pytest.mark.azurite, pytest.mark.worker]

ROOT = Path(__file__).resolve().parents[2]
STORAGE = "AzureWebJobsStorage"
NOBODY = '{"customer": "nobody", "run": "20260101T000000Z-00000000"}'
KINDS = {
    "enqueue_due": "timerTrigger",
    "forget_old_runs": "timerTrigger",
    "report_lag": "timerTrigger",
    "show_audit": "httpTrigger",
    "run_slice": "queueTrigger",
    "settle_poison": "queueTrigger",
    "request_sync": "httpTrigger",
    "list_runs": "httpTrigger",
    "show_run": "httpTrigger",
    "show_plan": "httpTrigger",
    "list_customers": "httpTrigger",
    "show_customer": "httpTrigger",
    "put_customer": "httpTrigger",
    "preview_expression": "httpTrigger",
    "explain_person": "httpTrigger",
    "sync_person": "httpTrigger",
    "list_conflicts": "httpTrigger",
    "link_person": "httpTrigger",
    "ignore_person": "httpTrigger",
    "create_person": "httpTrigger",
    "forget_person": "httpTrigger",
    "health": "httpTrigger",
    **dict.fromkeys(
        ("approve_run", "reject_run", "list_held", "keep_person", "unkeep_person"), "httpTrigger"
    ),
}
OPEN_TO_ALL = {"health"}
QUEUE_NAME = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
"""What Azure takes as the name of a queue ("Naming Queues and Metadata")."""

type Call = Callable[..., Outcome]


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    """A storage emulator."""
    if missing := azurite_missing():
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with Azurite() as azurite:
        yield azurite.connection_string


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    """The event loop that the worker lives on."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def worker(storage: str, loop: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """The worker with this repository's app; nobody's local.settings.json is read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        patch.setenv(STORAGE, storage)
        for name in ("SYNC_TIMER", "API_SIGN_IN", "WEBSITE_AUTH_ENABLED"):
            patch.delenv(name, raising=False)
        patch.syspath_prepend(str(ROOT))
        bootstrap.app.cache_clear()
        worker = loop.run(Worker.load(ROOT))
        yield worker
        worker.stop()
        bootstrap.app.cache_clear()


@pytest.fixture
def call(worker: Worker, loop: asyncio.Runner) -> Call:
    """Call a function by name with a trigger's value."""

    def invoke(name: str, data: TypedData, **metadata: TypedData) -> Outcome:
        return loop.run(worker.invoke(worker.functions[name], data, metadata))

    return invoke


def triggers(worker: Worker, kind: str) -> list[Function]:
    """Return the functions with this kind of trigger."""
    return [function for function in worker.functions.values() if function.trigger["type"] == kind]


def request(method: str, body: bytes = b"", **route: str) -> TypedData:
    """Return an HTTP request as the host hands it to the worker."""
    content = TypedData(bytes=body) if body else TypedData()
    return TypedData(
        http=Message(method=method, url="http://127.0.0.1/", headers={}, body=content, params=route, query={})
    )


def test_the_worker_finds_every_function(worker: Worker) -> None:
    """Each is there under its name, with its kind of trigger."""
    assert {name: function.trigger["type"] for name, function in worker.functions.items()} == KINDS


def test_no_route_hides_another(worker: Worker) -> None:
    """Method and path, whatever its parameters are called, belong to one function; all begin with api."""
    served = [
        (method, re.sub(r"\{[^}]*\}", "{}", function.trigger["route"].lower()))
        for function in triggers(worker, "httpTrigger")
        for method in function.trigger["methods"]
    ]
    assert len(served) == len(set(served))
    assert all(route.startswith("api/") for _, route in served)


def test_only_health_asks_for_no_key(worker: Worker) -> None:
    """By default everything else is closed to who has no function key."""
    levels = {f.name: str(f.trigger["authLevel"]).upper() for f in triggers(worker, "httpTrigger")}
    assert {name for name, level in levels.items() if level == "ANONYMOUS"} == OPEN_TO_ALL
    assert set(levels.values()) == {"ANONYMOUS", "FUNCTION"}


def test_every_route_declares_the_role_that_it_needs(worker: Worker) -> None:
    """What the host serves is what the app's own table of roles says, but for health."""
    served = {
        (function.name, method, function.trigger["route"])
        for function in triggers(worker, "httpTrigger")
        for method in function.trigger["methods"]
        if function.name not in OPEN_TO_ALL
    }
    assert served == {(route.name, route.method, route.path) for route in ROUTES}
    assert len(served) == list(KINDS.values()).count("httpTrigger") - len(OPEN_TO_ALL)


def test_keys_open_nothing_where_people_sign_in(storage: str) -> None:
    """The host lets everybody through, the app nobody who has not signed in with the right role."""
    environment = {STORAGE: storage, "API_SIGN_IN": "entra", "WEBSITE_AUTH_ENABLED": "True"}
    with FunctionsHost(ROOT, env=environment, timers=False) as host:
        address = f"{host.url}/api/customers"

        def status(**headers: str) -> int:
            return requests.get(address, headers=headers, timeout=20).status_code

        assert status() == status(**{"x-functions-key": host.key}) == 401
        assert status(**{PRINCIPAL_HEADER: principal("anna@x")}) == 403
        assert status(**{PRINCIPAL_HEADER: principal("anna@x", "Sync.Read")}) == 200


def test_queues_have_names_that_azure_takes(worker: Worker) -> None:
    """The poison queue's name is the one that the host gives it."""
    names = {function.name: function.trigger["queueName"] for function in triggers(worker, "queueTrigger")}
    assert all(QUEUE_NAME.fullmatch(name) for name in names.values())
    assert names["settle_poison"] == f"{names['run_slice']}-poison"


def test_every_setting_that_a_trigger_names_is_documented(worker: Worker) -> None:
    """Whoever copies the example of the settings has all that the host will ask for."""
    example = json.loads((ROOT / "local.settings.example.json").read_text("utf-8"))["Values"]
    bindings = [
        binding for function in worker.functions.values() for binding in (function.trigger, *function.outputs)
    ]
    named = {binding["connection"] for binding in bindings if "connection" in binding}
    for binding in bindings:
        named |= set(re.findall(r"%([^%]+)%", json.dumps(binding)))
    assert named == {STORAGE}
    assert named <= example.keys()
    assert all(isinstance(value, str) for value in example.values())


def test_the_timers_fire_by_themselves(worker: Worker) -> None:
    """Each full minute without a setting, once an hour and a day, as NCRONTAB says it; not at each start."""
    timers = {timer.name: timer.trigger for timer in triggers(worker, "timerTrigger")}
    schedules = {name: timer["schedule"] for name, timer in timers.items()}
    assert schedules == {
        "enqueue_due": "0 * * * * *",
        "report_lag": "0 50 * * * *",
        "forget_old_runs": "0 30 3 * * *",
    }
    for timer in timers.values():
        CronSim(timer["schedule"], bootstrap._now())
        assert timer["runOnStartup"] is False


def test_the_timer_follows_its_setting(storage: str) -> None:
    """SYNC_TIMER is the schedule: one that is none is refused by the host."""
    host = FunctionsHost(ROOT, env={STORAGE: storage, "SYNC_TIMER": "every minute"}, timers=False)
    with pytest.raises(StartError, match="'every minute' of enqueue_due is not NCRONTAB"), host:
        pytest.fail("the app was served")


def test_the_timers_run(call: Call) -> None:
    """Without customers there is nothing to do."""
    for name in ("enqueue_due", "report_lag", "forget_old_runs"):
        call(name, TypedData(json='{"IsPastDue": false}'))


def test_a_message_for_nobody_is_an_error(call: Call) -> None:
    """The host hears of it, tries again and gives up."""
    with pytest.raises(InvocationError, match='There is no customer "nobody"'):
        call("run_slice", TypedData(string=NOBODY), Id=TypedData(string="1"))


@pytest.mark.parametrize("text", [NOBODY, "no request", "\ufffd"])
def test_poison_is_always_done_with(call: Call, text: str) -> None:
    """A poison queue has no poison queue: what fails here would come back for ever."""
    call("settle_poison", TypedData(string=text), Id=TypedData(string="1"))


@pytest.mark.parametrize("name", ["request_sync", "show_plan", "show_customer", "explain_person"])
def test_a_route_of_a_customer_that_is_not_there(call: Call, name: str) -> None:
    """The worker carries the problem document."""
    returned = call(name, request("GET", customer="nobody", run="r", key="k")).returned
    assert returned is not None
    assert int(returned.http.status_code) == 404
    assert json.loads(returned.http.body.bytes)["title"] == "Not Found"
    assert returned.http.headers["content-type"].startswith("application/problem+json")


def test_health_is_answered(call: Call) -> None:
    """The emulator answers, and holds no customer."""
    returned = call("health", request("GET")).returned
    assert returned is not None
    assert int(returned.http.status_code) == 200
    assert json.loads(returned.http.body.bytes) == {"status": "ok", "customers": 0, "problems": []}
