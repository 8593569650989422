"""The local Functions host, on a small app of its own: routes, keys, timers, queues, crashes and refusals."""

from __future__ import annotations

import base64
import json
import os
import time
from typing import TYPE_CHECKING

import pytest
import requests
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient

from devstack.azurite import Azurite, azurite_missing
from devstack.host import FunctionsHost
from devstack.processes import StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.azurite, pytest.mark.worker]

APP = """
import json, os, pathlib, time
from typing import List
import azure.functions as func

app = func.FunctionApp()
notes = pathlib.Path(os.environ["NOTES"])

def note(**what):
    with notes.open("a") as file:
        file.write(json.dumps(what) + "\\n")

@app.route(route="api/people/{id}", methods=["GET", "POST"], auth_level=func.AuthLevel.ANONYMOUS)
def person(req: func.HttpRequest) -> func.HttpResponse:
    seen = {"method": req.method, "id": req.route_params["id"], "q": req.params.get("q"),
            "header": req.headers.get("X-Colour"), "body": req.get_body().decode()}
    return func.HttpResponse(json.dumps(seen), status_code=201, mimetype="application/json",
                             headers={"Location": "/api/people/7", "Set-Cookie": "tea=green; HttpOnly"})

@app.route(route="api/people/me", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def me(req: func.HttpRequest) -> str:
    return "it is you"

@app.route(route="api/health/{part?}", methods=["GET"])
def health(req: func.HttpRequest) -> func.HttpResponse:
    problem = {"type": "about:blank", "status": 409, "part": req.route_params.get("part")}
    return func.HttpResponse(json.dumps(problem), status_code=409,
                             mimetype="application/problem+json")

@app.route(route="console/{*rest}", auth_level=func.AuthLevel.ADMIN)
def console(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.route_params["rest"])

@app.route(route="api/broken", auth_level=func.AuthLevel.ANONYMOUS)
def broken(req: func.HttpRequest) -> func.HttpResponse:
    raise ValueError("a secret of the log")

@app.timer_trigger("timer", schedule="%EVERY%", run_on_startup=False)
@app.queue_output("out", queue_name="letters", connection="AzureWebJobsStorage")
def tick(timer: func.TimerRequest, out: func.Out[List[str]]) -> None:
    note(tick=timer.past_due)
    if os.environ.get("TICK") == "fail":
        raise ValueError("the clock stands still")
    out.set(["first", "second"])

@app.queue_trigger("message", queue_name="%QUEUE%", connection="AzureWebJobsStorage")
def letter(message: func.QueueMessage) -> None:
    text = message.get_body().decode()
    note(letter=text, attempt=message.dequeue_count, id=message.id, inserted=str(message.insertion_time))
    if text == "slow":
        time.sleep(float(os.environ["SLOW"]))
        note(done=text)
    if text == "bad":
        raise ValueError("cannot read this")
"""

HOST = {
    "version": "2.0",
    "extensions": {
        "http": {"routePrefix": ""},
        "queues": {"maxDequeueCount": 2, "visibilityTimeout": "00:00:01", "messageEncoding": "base64"},
    },
}


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    """A storage emulator for all tests here."""
    reason = azurite_missing()
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    with Azurite() as azurite:
        yield azurite.connection_string


@pytest.fixture(scope="module")
def app_dir(tmp_path_factory: pytest.TempPathFactory, storage: str) -> Path:
    """The app, with its settings in local.settings.json."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "function_app.py").write_text(APP)
    (folder / "host.json").write_text(json.dumps(HOST))
    values = {
        "AzureWebJobsStorage": storage,
        "EVERY": "0 0 0 1 1 *",
        "NOTES": str(folder / "notes"),
        "QUEUE": "letters",
    }
    (folder / "local.settings.json").write_text(json.dumps({"IsEncrypted": False, "Values": values}))
    return folder


@pytest.fixture(scope="module")
def host(app_dir: Path) -> Iterator[FunctionsHost]:
    """The host with the app running."""
    with FunctionsHost(app_dir) as running:
        yield running


@pytest.fixture
def notes(app_dir: Path, storage: str) -> Callable[[], list[dict[str, object]]]:
    """Reads what the app's functions noted since the test began; the queues begin empty."""
    path = app_dir / "notes"
    path.write_text("")
    for name in ("letters", "letters-poison", "own"):
        with QueueClient.from_connection_string(storage, name) as queue:
            try:
                queue.clear_messages()
            except ResourceNotFoundError:
                queue.create_queue()
    return lambda: [json.loads(line) for line in path.read_text().splitlines()]


def send(storage: str, text: str, *, encode: bool = True, queue: str = "letters") -> None:
    """Puts a message on a queue; `own` is not the module's host's."""
    with QueueClient.from_connection_string(storage, queue) as client:
        client.send_message(base64.b64encode(text.encode()).decode() if encode else text)


def poison(storage: str) -> list[str]:
    """What lies in the poison queue."""
    with QueueClient.from_connection_string(storage, "letters-poison") as queue:
        return [message.content for message in queue.peek_messages()]


def eventually(condition: Callable[[], object], seconds: float = 20) -> None:
    """Waits until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


def test_http_carries_everything_both_ways(host: FunctionsHost) -> None:
    """Method, route and query parameters, headers and body arrive; status, headers and cookies come back."""
    answer = requests.post(
        f"{host.url}/api/people/Zoë%20K?q=a&q=b", data="tea", headers={"X-Colour": "blue"}, timeout=20
    )
    assert answer.status_code == 201
    assert answer.json() == {"method": "POST", "id": "Zoë K", "q": "a,b", "header": "blue", "body": "tea"}
    assert answer.headers["Location"] == "/api/people/7"
    assert answer.cookies["tea"] == "green"


def test_an_encoded_slash_parts_nothing(host: FunctionsHost) -> None:
    """It stays encoded in a route's parameter, as ASP.NET Core leaves it; everything else is decoded."""
    answer = requests.get(f"{host.url}/api/people/CN=A%2FB%2c%25C", timeout=20)
    assert answer.json()["id"] == "CN=A%2FB,%C"
    assert requests.get(f"{host.url}/api/people/A/B", timeout=20).status_code == 404


def test_a_literal_route_wins_over_a_parameter(host: FunctionsHost) -> None:
    """`people/me` is not the person called me, whatever the order of definition; a text is plain text."""
    answer = requests.get(f"{host.url}/API/people/me", timeout=20)
    assert answer.text == "it is you"
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/api/people/7"), ("GET", "/api/people"), ("GET", "/")]
)
def test_what_no_function_serves_is_not_found(host: FunctionsHost, method: str, path: str) -> None:
    """A wrong method or path is a 404."""
    assert requests.request(method, host.url + path, timeout=20).status_code == 404


def test_problem_documents_come_through(host: FunctionsHost) -> None:
    """A refusal by the app keeps its status, media type and body; the key may stand in the address."""
    answer = requests.get(f"{host.url}/api/health?code={host.key}", timeout=20)
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert answer.json()["part"] is None
    answer = requests.get(f"{host.url}/api/health/disk", headers={"x-functions-key": host.key}, timeout=20)
    assert answer.json()["part"] == "disk"


def test_keys_are_asked_for(host: FunctionsHost) -> None:
    """Without a key or with the wrong one there is a 401; admin routes take the master key only."""
    wrong = {"x-functions-key": "wrong"}
    default, master = {"x-functions-key": host.key}, {"x-functions-key": host.master_key}
    assert requests.get(f"{host.url}/api/health", timeout=20).status_code == 401
    assert requests.get(f"{host.url}/api/health", headers=wrong, timeout=20).status_code == 401
    assert requests.get(f"{host.url}/console/a/b", headers=default, timeout=20).status_code == 401
    assert requests.get(f"{host.url}/console/a/b", headers=master, timeout=20).text == "a/b"
    assert requests.get(f"{host.url}/admin/host/status", headers=default, timeout=20).status_code == 401
    status = requests.get(f"{host.url}/admin/host/status", headers=master, timeout=20).json()
    assert status["state"] == "Running"
    assert host.key not in host.log()


def test_an_exception_is_an_empty_500(host: FunctionsHost) -> None:
    """The caller learns nothing of an exception, the log everything."""
    answer = requests.get(f"{host.url}/api/broken", timeout=20)
    assert (answer.status_code, answer.text) == (500, "")
    assert "a secret of the log" in host.log()


def test_a_timer_runs_on_request_and_feeds_a_queue(
    host: FunctionsHost, notes: Callable[[], list[dict[str, object]]]
) -> None:
    """The timer's queue output reaches the queue's function, one message an element."""
    host.run("tick")
    eventually(lambda: len(notes()) == 3)
    assert notes()[0] == {"tick": False}
    assert {note["letter"] for note in notes()[1:]} == {"first", "second"}
    assert str(notes()[1]["inserted"]).endswith("+00:00")
    assert notes()[1]["id"]


def test_an_unknown_function_cannot_be_run(host: FunctionsHost) -> None:
    """A manual run of what is not there is an error with the host's answer."""
    with pytest.raises(RuntimeError, match="404"):
        host.run("nobody")


@pytest.mark.usefixtures("host")
def test_a_failing_message_ends_as_poison(storage: str, notes: Callable[[], list[dict[str, object]]]) -> None:
    """It is tried as often as host.json says, then parked unchanged; others are served meanwhile."""
    send(storage, "bad")
    send(storage, "good")
    eventually(lambda: poison(storage))
    assert [note["attempt"] for note in notes() if note["letter"] == "bad"] == [1, 2]
    assert [note["attempt"] for note in notes() if note["letter"] == "good"] == [1]
    assert base64.b64decode(poison(storage)[0]) == b"bad"


@pytest.mark.usefixtures("host")
def test_a_message_that_is_not_base64_is_poison_at_once(
    storage: str, notes: Callable[[], list[dict[str, object]]]
) -> None:
    """What cannot be decoded is never handed to the function."""
    send(storage, "{plain}", encode=False)
    eventually(lambda: poison(storage) == ["{plain}"])
    assert notes() == []


def test_a_long_message_keeps_its_lease(
    app_dir: Path, storage: str, notes: Callable[[], list[dict[str, object]]]
) -> None:
    """Work longer than the lease is not handed out twice, and a polite stop lets it end."""
    with FunctionsHost(app_dir, env={"QUEUE": "own", "SLOW": "2.5"}, lease_seconds=1) as own:
        send(storage, "slow", queue="own")
        eventually(lambda: len(notes()) == 1)
        assert own.stop() == 0
    assert [note.get("attempt", note.get("done")) for note in notes()] == [1, "slow"]


def test_a_killed_host_loses_no_message(
    app_dir: Path, storage: str, notes: Callable[[], list[dict[str, object]]]
) -> None:
    """A message in work at a crash comes back when its lease is over, and is done by the next host."""
    with FunctionsHost(app_dir, env={"QUEUE": "own", "SLOW": "60"}, lease_seconds=2) as first:
        send(storage, "slow", queue="own")
        eventually(lambda: len(notes()) == 1)
        first.kill()
    with FunctionsHost(app_dir, env={"QUEUE": "own", "SLOW": "0"}, lease_seconds=2):
        eventually(lambda: len(notes()) == 3)
    assert [note.get("attempt", note.get("done")) for note in notes()] == [1, 2, "slow"]


def test_a_timer_runs_by_the_clock(app_dir: Path, notes: Callable[[], list[dict[str, object]]]) -> None:
    """A schedule of every second runs again and again, also after a failure; the setting names it."""
    with FunctionsHost(app_dir, env={"QUEUE": "own", "EVERY": "* * * * * *", "TICK": "fail"}) as own:
        eventually(lambda: len(notes()) >= 2)
        with pytest.raises(RuntimeError, match="the clock stands still"):
            own.run("tick")


def test_no_timers_means_none(app_dir: Path, notes: Callable[[], list[dict[str, object]]]) -> None:
    """With timers off, only a request runs them."""
    with FunctionsHost(
        app_dir, env={"QUEUE": "own", "EVERY": "* * * * * *", "TICK": "fail"}, timers=False
    ) as own:
        time.sleep(1.2)
        assert notes() == []
        with pytest.raises(RuntimeError, match="the clock stands still"):
            own.run("tick")


HEAD = "import azure.functions as func\napp = func.FunctionApp()\n"
TIMER = "@app.timer_trigger('timer', schedule='{schedule}')\ndef tick(timer: {type}) -> None: ...\n"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (HEAD + 2 * TIMER.format(schedule="0 * * * * *", type="func.TimerRequest"), "unique function name"),
        (HEAD + TIMER.format(schedule="0 * * * * *", type="int"), "does not match its Python annotation"),
        (HEAD + "other = func.FunctionApp()\n", "More than one FunctionApp"),
        ("import nothing_of_this_name\n", "No module named 'nothing_of_this_name'"),
        (HEAD + TIMER.format(schedule="every minute", type="func.TimerRequest"), "is not NCRONTAB"),
        (HEAD + TIMER.format(schedule="%NOWHERE%", type="func.TimerRequest"), "NOWHERE.* is missing"),
    ],
    ids=["twice the same name", "wrong annotation", "two apps", "import error", "schedule", "setting"],
)
def test_what_azure_refuses_is_refused(tmp_path: Path, code: str, message: str) -> None:
    """An app that would not start in Azure does not start here, and the reason is given."""
    (tmp_path / "function_app.py").write_text(code)
    (tmp_path / "host.json").write_text(json.dumps(HOST))
    with pytest.raises(StartError, match=message), FunctionsHost(tmp_path):
        pytest.fail("the app was served")
