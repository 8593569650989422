"""One person over HTTP, on a real directory and a simulated Halo: explained, synced, conflicts settled."""

from collections.abc import Iterator
from typing import Any

import pytest

from devstack.directory import Directory
from devstack.halo import SimulatedHalo
from devstack.memory import MemoryTable
from functions import people
from halo_adsync.model import RunId
from halo_adsync.state.runs import Status
from tests.contract.halo_desk import Time
from tests.contract.sync_stage import CUSTOMER, HEADCOUNT, PEOPLE, Stage, company, last_run
from tests.support.triggers import check_problem, http, json_of, principal

NOBODY_HOLDS = RunId("20260101T000000Z-00000000")
LEADER = f"CN=Head/Support,OU=Leeds,{PEOPLE}"


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    """The company's directory, with one name that would tear a path apart."""
    with company() as running:
        running.add_user("Head/Support", f"OU=Leeds,{PEOPLE}", sAMAccountName="head", mail="p01@corp.example")
        yield running


@pytest.fixture
def stage(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A customer of whom nobody is in Halo yet, and the routes of people on it."""
    time = Time()
    with SimulatedHalo(clock=time.seconds) as halo:
        stage = Stage(directory, halo, MemoryTable(), time)
        monkeypatch.setattr(people, "app", lambda: stage.builder)
        yield stage


def ask(function: Any, key: str, body: bytes = b"", **headers: str) -> Any:
    """Call a route about one person."""
    return http(function, body, headers, customer=CUSTOMER, key=key)


def doubled(stage: Stage) -> list[int]:
    """Put two users into Halo who have the login of one account; return their ids."""
    site = stage.halo.add_site(stage.client, "Leeds")
    return [stage.halo.add_user(name=f"Twin {n}", site_id=site, login="CORP\\p02") for n in (1, 2)]


@pytest.mark.parametrize("key", [LEADER, LEADER.replace("/", "%2F"), LEADER.replace("/", "%2f"), "head"])
def test_a_person_is_explained(stage: Stage, key: str) -> None:
    """In four steps, by whatever names the person, a DN with a slash too; nothing is written to Halo."""
    answer = ask(people.explain_person, key)
    document = json_of(answer)
    assert (answer.status_code, document["status"]) == (200, "planned")
    assert [step["title"] for step in document["steps"]] == ["Found", "In scope", "Matched", "Changes"]
    assert document["steps"][0]["text"].startswith(LEADER)
    assert "create" in [change["kind"] for change in document["changes"]]
    assert stage.halo.people == []
    assert last_run(stage).actor == "function key"


@pytest.mark.parametrize(
    ("key", "status", "said"),
    [
        ("nobody at all", 404, "No account in the directories"),
        ("p01@corp.example", 400, "2 accounts go by"),
        (" ", 400, "Name a person by"),
        ("\ud800", 400, "Name a person by"),
        ("*", 404, "No account"),
    ],
)
def test_who_is_not_one_person_is_refused(stage: Stage, key: str, status: int, said: str) -> None:
    """Nobody, several, or nothing that names anybody: no run comes about, for any of the routes."""
    for function in (people.explain_person, people.sync_person, people.ignore_person, people.forget_person):
        check_problem(ask(function, key), status, said)
    assert stage.state.runs(10) == []


def test_an_expression_is_tried_on_a_person(stage: Stage) -> None:
    """The value, what it is made of and whose would change; nothing is written, and no run comes about."""
    body = b'{"expression": "{{ sAMAccountName | upper }}", "person": "head", "field": "initials"}'
    document = json_of(http(people.preview_expression, body, {}, customer=CUSTOMER))
    assert (document["value"], document["attributes"]) == ("HEAD", {"samaccountname": "head"})
    assert document["person"]["dn"] == LEADER
    assert document["effect"]["new"] == HEADCOUNT + 1
    assert stage.halo.requests == []
    assert stage.state.runs(10) == []


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{}", 400, "expression: "),
        (b'{"expression": "cn"}', 400, "Name a person"),
        (b'{"expression": "{{", "person": "head"}', 400, "not a valid template"),
        (b'{"expression": "cn", "field": "id"}', 400, "the sync itself decides"),
        (b'{"expression": "cn", "person": "nobody at all"}', 404, "No account"),
    ],
)
def test_an_expression_that_cannot_be_tried_is_refused(
    stage: Stage, body: bytes, status: int, said: str
) -> None:
    """The answer says what is wrong with the expression, the field or the person."""
    check_problem(http(people.preview_expression, body, {}, customer=CUSTOMER), status, said)
    assert stage.halo.requests == []


def test_a_body_where_none_is_wanted_is_refused(stage: Stage) -> None:
    """A misplaced `dry_run` above all must not be overlooked."""
    for function in (people.explain_person, people.sync_person, people.ignore_person, people.create_person):
        check_problem(ask(function, "p01", b'{"dry_run": true}'), 400, "dry_run: ")
    assert stage.queue.sent == []


def test_explaining_beside_a_run_is_a_conflict(stage: Stage) -> None:
    """The other run has the lease: 409, with the run that it came to."""
    lease = stage.state.lease(NOBODY_HOLDS)
    answer = ask(people.explain_person, "p01")
    assert (answer.status_code, json_of(answer)["run"]) == (409, last_run(stage).id)
    assert NOBODY_HOLDS in json_of(answer)["detail"]
    lease.release()


def test_a_directory_that_does_not_answer_is_a_503(stage: Stage) -> None:
    """The caller may try again."""
    stage.keep(server="localhost:1")
    check_problem(ask(people.explain_person, "p01"), 503, "localhost:1")


def test_a_run_that_cannot_explain_is_a_problem(stage: Stage) -> None:
    """Halo refuses the sign-in: the answer says so and names the run."""
    stage.environment["SECRET_HALO"] = "wrong"
    answer = ask(people.explain_person, "p01")
    assert (answer.status_code, json_of(answer)["run"]) == (502, last_run(stage).id)
    assert last_run(stage).status is Status.FAILED


def test_one_person_is_synced(stage: Stage) -> None:
    """A run for that person goes to the queue; worked on, it writes nobody else."""
    answer = ask(people.sync_person, LEADER)
    assert answer.status_code == 202
    ((request, _),) = stage.queue.sent
    assert (request.run, request.reason) == (json_of(answer)["run"], "HTTP")
    assert stage.sync().run(request).status is Status.OK
    assert [user["login"] for user in stage.halo.people] == ["CORP\\head"]


def test_a_conflict_is_listed_and_settled(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is in conflict is listed; the chosen user is linked, and the record says who chose."""
    first, second = doubled(stage)
    stage.run()
    (line,) = json_of(http(people.list_conflicts, customer=CUSTOMER))["conflicts"]
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "true")
    headers = {
        "X-MS-CLIENT-PRINCIPAL": principal("anna@x", "Sync.Operate"),
        "Content-Type": "application/json",
    }
    answer = ask(people.link_person, line["guid"], f'{{"user": {second}}}'.encode(), **headers)
    document = json_of(answer)
    assert (answer.status_code, document["guid"], document["linked"]) == (200, line["guid"], False)
    assert (document["decision"]["action"], document["decision"]["actor"]) == ("link", "anna@x")
    stage.wait(1)  # so that the next run is the newer one
    run = stage.run()
    assert run.counts["conflict"] == 0
    stamps = {user["id"]: user["third_party_guid"] for user in stage.halo.people}
    assert (stamps[first], stamps[second]) == (None, line["guid"])
    assert json_of(http(people.list_conflicts, customer=CUSTOMER))["conflicts"] == []


@pytest.mark.parametrize(
    ("function", "bucket"), [(people.create_person, "create"), (people.ignore_person, "skipped")]
)
def test_a_conflict_can_be_decided_otherwise_and_taken_back(stage: Stage, function: Any, bucket: str) -> None:
    """Created or set aside, it is no conflict any more; forgotten, it is one again."""
    doubled(stage)
    before = stage.run(dry_run=True).counts
    assert ask(function, "p02").status_code == 200
    after = stage.run(dry_run=True).counts
    assert (after["conflict"], after[bucket]) == (0, before[bucket] + 1)
    forgotten = json_of(ask(people.forget_person, "p02"))
    assert forgotten["decision"] is None
    assert stage.run(dry_run=True).counts == before
    assert sum(before.values()) == HEADCOUNT + 2


@pytest.mark.parametrize("user", [None, "0", "-3", '"7"', "7.5", "true", "[7]"])
def test_a_link_names_a_user(stage: Stage, user: str | None) -> None:
    """Anything else than an id is a 400, and nothing is decided."""
    body = f'{{"user": {user}}}'.encode() if user else b""
    check_problem(ask(people.link_person, "p01", body), 400, "user: ")
    assert stage.state.decisions() == {}
