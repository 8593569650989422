"""Notices of runs that do not go well, from a sync to a webhook on this machine: once a cause."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from devstack.directory import Directory
from halo_adsync.approving import approve
from halo_adsync.secrets import Secrets
from halo_adsync.state.runs import Run, Status
from halo_adsync.state.table import Operation
from tests.contract.sync_stage import CUSTOMER, PASSWORD, Stage, crew, directory, dn, go, rules, stage
from tests.support.webhook import Webhook, serve_webhook

__all__ = ["directory", "stage"]
NOTIFY = {"webhook": {"secret": "hook"}}
NONE_LEAVES = {"deactivate": {"percent": 0, "count": 0, "always": 0}}


@pytest.fixture
def hook() -> Iterator[Webhook]:
    """A webhook that takes everything."""
    with serve_webhook() as webhook:
        yield webhook


@pytest.fixture
def told(stage: Stage, hook: Webhook) -> Stage:
    """A customer whose people are all in Halo, and whose runs are told to the webhook."""
    stage.environment["SECRET_HOOK"] = hook.url
    rules(stage, policy="full", limits=NONE_LEAVES, notify=NOTIFY)
    assert go(stage).status is Status.OK
    assert hook.asked == [], "nothing is told of what goes well"
    return stage


def problems(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the log says of notices that reached nobody."""
    logged = [json.loads(one.getMessage()) for one in caplog.records if one.name == "halo_adsync.events"]
    return [line["problem"] for line in logged if line["event"] == "not told"]


def test_a_blocked_run_is_told_once_and_when_it_is_over(
    told: Stage, hook: Webhook, directory: Directory
) -> None:
    """With the limit and the way on; not with anybody's name; and again only when all is well."""
    directory.disable(dn(1))
    blocked = go(told)
    assert (blocked.status, len(hook.bodies)) == (Status.BLOCKED, 1)
    (text,) = hook.texts()
    assert text.startswith("Halo AD Sync, Contoso Ltd (contoso): blocked")
    assert blocked.violations[0].message in text
    assert f"halo-adsync approve contoso {blocked.id} --digest {blocked.digest}" in text
    assert not any(name in text or f"{account}@" in text for account, name, _ in crew())
    again = go(told)
    assert (again.status, len(hook.bodies)) == (Status.BLOCKED, 1)
    services = told.builder.services()
    ended = told.sync().run(approve(services, CUSTOMER, again.id, again.digest, "ada"))
    assert ended.status is Status.OK
    assert len(hook.bodies) == 2
    assert "all is well again" in hook.texts()[1]
    assert blocked.id in hook.texts()[1]
    go(told)
    assert len(hook.bodies) == 2


def test_each_cause_of_failure_is_told_once(told: Stage, hook: Webhook) -> None:
    """The directory refuses, then a secret is gone, then the first again: two notices, and one at the end."""
    told.environment["SECRET_AD"] = "wrong"
    assert [go(told).cause for _ in range(2)] == ["DirectoryRefused"] * 2
    told.environment["SECRET_AD"] = PASSWORD
    told.environment.pop("SECRET_HALO")
    assert go(told).cause == "configuration"
    told.environment["SECRET_AD"] = "wrong"
    told.environment["SECRET_HALO"] = told.halo.client_secret
    assert go(told).cause == "DirectoryRefused"
    first, second = hook.texts()
    assert "refused the account" in first
    assert 'secret "halo"' in second
    told.environment["SECRET_AD"] = PASSWORD
    assert go(told, mode="delta").status is Status.OK
    assert go(told).status is Status.OK
    assert ["all is well again" in text for text in hook.texts()] == [False, False, True]


def test_what_reached_nobody_is_told_by_the_next_run(
    told: Stage, hook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    """The run ends as it would have, the log says so without the address, and the next one tries again."""
    caplog.set_level(logging.DEBUG)
    told.environment["SECRET_AD"] = "wrong"
    hook.statuses["/hook"] = 503
    assert go(told).status is Status.FAILED
    assert problems(caplog) == ["The webhook answered with HTTP 503; the next run tries again."]
    hook.statuses.clear()
    go(told)
    assert [": failed" in text for text in hook.texts()] == [True]
    told.environment["SECRET_AD"] = PASSWORD
    hook.statuses["/hook"] = 404
    assert go(told).status is Status.OK
    hook.statuses.clear()
    assert go(told).status is Status.OK
    assert ["all is well again" in text for text in hook.texts()] == [False, True]
    assert "s3cret" not in caplog.text


def test_what_was_never_told_ends_in_silence(told: Stage, hook: Webhook) -> None:
    """That all is well again is news only to those who knew."""
    told.environment["SECRET_AD"] = "wrong"
    hook.statuses["/hook"] = 503
    assert go(told).status is Status.FAILED
    hook.statuses.clear()
    told.environment["SECRET_AD"] = PASSWORD
    assert go(told).status is Status.OK
    assert hook.bodies == []


@pytest.fixture
def desk(told: Stage) -> Stage:
    """The same customer, who is told by a ticket only."""
    user = next(user for user in told.halo.people if user["login"] == "CORP\\p03")
    rules(told, notify={"ticket": {"user": user["id"], "priority": 2}})
    return told


def tickets(stage: Stage) -> list[str]:
    """Return the summaries of all tickets in Halo."""
    return [str(ticket["summary"]) for ticket in stage.halo.tickets.values()]


def test_a_blocked_run_has_one_ticket(desk: Stage, hook: Webhook, directory: Directory) -> None:
    """In the client and site of the user whom the file names; a later trouble has another."""
    directory.disable(dn(1))
    first, _ = go(desk), go(desk)
    (ticket,) = desk.halo.tickets.values()
    assert ticket["summary"] == f"Halo AD Sync, contoso: blocked, run {first.id}"
    user = next(user for user in desk.halo.people if user["id"] == ticket["user_id"])
    assert (user["login"], ticket["site_id"], ticket["priority_id"]) == ("CORP\\p03", user["site_id"], 2)
    assert first.violations[0].message in ticket["details"]
    directory.modify(dn(1), {"userAccountControl": "512"})
    assert go(desk).status is Status.OK
    directory.disable(dn(1))
    assert go(desk).status is Status.BLOCKED
    assert len(set(tickets(desk))) == len(tickets(desk)) == 2
    assert hook.asked == []


def test_an_answer_that_got_lost_opens_no_second_ticket(
    desk: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """Halo opened it and the connection dropped: the next run with this trouble finds it."""
    caplog.set_level(logging.INFO)
    desk.halo.faults.add("drop_after_commit", method="POST", path="/api/Tickets")
    desk.environment["SECRET_AD"] = "wrong"
    first = go(desk)
    assert len(problems(caplog)) == 1
    go(desk)
    go(desk)
    assert tickets(desk) == [f"Halo AD Sync, contoso: failed, run {first.id}"]
    assert len(problems(caplog)) == 1


def notes(stage: Stage) -> list[tuple[int, str]]:
    """Return what was noted on tickets: the ticket's number, and the note's first line."""
    return [
        (action["ticket_id"], action["note_html"].partition("<br>")[0])
        for action in stage.halo.actions.values()
    ]


def test_the_end_of_a_trouble_is_noted_on_its_ticket(desk: Stage) -> None:
    """Once, for agents only, with the run that went well; the ticket stays for people to close."""
    desk.environment["SECRET_AD"] = "wrong"
    failed = go(desk)
    assert notes(desk) == []
    desk.environment["SECRET_AD"] = PASSWORD
    well = go(desk)
    go(desk)
    (ticket,) = desk.halo.tickets.values()
    assert notes(desk) == [(ticket["id"], f"What was told of run {failed.id} is over.")]
    (action,) = desk.halo.actions.values()
    assert (action["hiddenfromuser"], ticket["hasbeenclosed"]) == (True, False)
    assert f"Run {well.id} (full): " in action["note_html"]
    assert "<b" not in action["note_html"].replace("<br>", "")


def test_the_way_that_failed_is_tried_again_alone(desk: Stage, hook: Webhook) -> None:
    """The webhook knows that all is well; Halo did not answer clearly, and has the note all the same."""
    block = desk.builder.store().customer(CUSTOMER).notify
    assert block is not None
    rules(desk, notify=block.model_dump(mode="json", exclude_none=True) | NOTIFY)
    desk.environment["SECRET_AD"] = "wrong"
    failed = go(desk)
    desk.environment["SECRET_AD"] = PASSWORD
    desk.halo.faults.add("drop_after_commit", method="POST", path="/api/Actions")
    for _ in range(3):
        go(desk)
    assert [line for _, line in notes(desk)] == [f"What was told of run {failed.id} is over."]
    assert ["all is well again" in text for text in hook.texts()] == [False, True]
    assert desk.state.troubles() == {}


def test_a_trouble_that_comes_back_before_its_end_was_noted_keeps_its_ticket(desk: Stage) -> None:
    """Its people never heard that it was over."""
    desk.environment["SECRET_AD"] = "wrong"
    go(desk)
    desk.environment["SECRET_AD"] = PASSWORD
    desk.halo.faults.add("status", method="POST", path="/api/Actions", status=503)
    assert go(desk).status is Status.OK
    desk.environment["SECRET_AD"] = "wrong"
    go(desk)
    assert len(tickets(desk)) == 1
    assert notes(desk) == []


def test_nothing_is_noted_on_a_ticket_that_is_closed(desk: Stage) -> None:
    """Somebody has seen to it."""
    desk.environment["SECRET_AD"] = "wrong"
    go(desk)
    (number,) = desk.halo.tickets
    desk.halo.close_ticket(number)
    desk.environment["SECRET_AD"] = PASSWORD
    go(desk)
    assert notes(desk) == []
    assert desk.state.troubles() == {}


@pytest.mark.parametrize("status", [400, 403])
def test_a_note_that_halo_refuses_is_not_tried_again(
    desk: Stage, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """The log says so, once; each further run would cost requests for nothing."""
    caplog.set_level(logging.INFO)
    desk.environment["SECRET_AD"] = "wrong"
    go(desk)
    desk.environment["SECRET_AD"] = PASSWORD
    desk.halo.faults.add("status", method="POST", path="/api/Actions", status=status, times=None)
    for _ in range(3):
        assert go(desk).status is Status.OK
    assert len(problems(caplog)) == 1
    assert notes(desk) == []


def test_a_ticket_for_nobody_says_what_to_correct(desk: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """The run ends as it would have; when the file is right, the ticket is opened."""
    caplog.set_level(logging.INFO)
    right = desk.builder.store().customer(CUSTOMER).notify
    assert right is not None
    rules(desk, notify={"ticket": {"user": 999_999}})
    desk.environment["SECRET_AD"] = "wrong"
    assert go(desk).status is Status.FAILED
    assert problems(caplog) == ["notify.ticket.user: Halo has no user 999999; correct the number."]
    assert tickets(desk) == []
    rules(desk, notify=right.model_dump(mode="json", exclude_none=True))
    go(desk)
    assert len(tickets(desk)) == 1


def test_records_that_fail_have_no_ticket(desk: Stage, directory: Directory) -> None:
    """Tickets are for what keeps a whole plan from being done."""
    directory.modify(dn(1), {"title": "Engineer"})
    desk.halo.faults.add("status", method="POST", path="/api/Users", status=400, times=None)
    assert go(desk).status is Status.PARTIAL
    assert tickets(desk) == []


def test_dry_runs_and_runs_for_one_person_tell_nothing(told: Stage, hook: Webhook) -> None:
    """Whoever asked for them is looking at them."""
    told.environment["SECRET_AD"] = "wrong"
    assert go(told, dry_run=True).status is Status.FAILED
    guid = next(iter(told.state.links()))
    told.wait(1)
    assert told.sync().run(told.request(person=guid)).status is Status.FAILED
    assert hook.asked == []
    assert "last-notice" not in told.rows()


def test_records_that_halo_refuses_are_told_once_until_none_is_left(
    told: Stage, hook: Webhook, directory: Directory
) -> None:
    """A run that leaves a parked record alone goes well, and does not mean that all is well."""
    directory.modify(dn(1), {"title": "Engineer"})
    told.halo.faults.add("status", method="POST", path="/api/Users", status=400, times=None)
    assert [go(told).status for _ in range(3)] == [Status.PARTIAL, Status.PARTIAL, Status.OK]
    (text,) = hook.texts()
    assert "1 of 1 changes failed" in text
    told.halo.faults.clear()
    told.wait(7 * 3600)
    assert go(told).status is Status.OK
    assert ["all is well again" in text for text in hook.texts()] == [False, True]


def test_only_what_is_asked_for_is_told(told: Stage, hook: Webhook, directory: Directory) -> None:
    """`ok` tells of runs that changed something, and of no others."""
    rules(told, notify={**NOTIFY, "on": ["ok"]})
    directory.modify(dn(1), {"title": "Engineer"})
    assert [go(told).counts["update"] for _ in range(2)] == [1, 0]
    told.environment["SECRET_AD"] = "wrong"
    assert go(told).status is Status.FAILED
    (text,) = hook.texts()
    assert text.splitlines()[0].endswith(": ok")
    assert "1 update" in text


def test_a_run_that_the_queue_gave_up_on_is_told(told: Stage, hook: Webhook) -> None:
    """Nobody worked on it, and its notice goes out all the same; once."""
    for _ in range(2):
        told.wait(1)
        run = told.sync().fail(told.request(), "It was given up.")
        assert run is not None
        assert run.status is Status.FAILED
    (text,) = hook.texts()
    assert "It was given up." in text


def test_a_new_address_is_taken_when_the_old_one_is_refused(told: Stage, hook: Webhook) -> None:
    """The vault had another one by then, as after a rotation."""
    secrets = told.builder.secrets()
    old = hook.url.replace("/hook", "/old")
    hook.statuses["/old"] = 410
    told.builder._secrets = _Rotated(secrets, old, hook.url)
    told.environment["SECRET_AD"] = "wrong"
    go(told)
    assert [path.partition("?")[0] for path in hook.asked] == ["/old", "/hook"]
    assert len(hook.bodies) == 1


class _Rotated:
    """Secrets of which the webhook's address was replaced after it was read."""

    def __init__(self, secrets: Secrets, old: str, new: str) -> None:
        self._secrets, self._old, self._new = secrets, old, new

    def get(self, name: str) -> str:
        """Return the old address, and everything else as it is."""
        return self._old if name == "hook" else self._secrets.get(name)

    def renewed(self, name: str, old: str) -> str | None:
        """Return the new address."""
        return self._new if (name, old) == ("hook", self._old) else None


def test_a_delta_without_a_change_costs_no_more(told: Stage, hook: Webhook) -> None:
    """What people were told is read with what is known anyway, and written only where it changes."""
    costs: list[Run] = []
    for notify in (None, NOTIFY):
        rules(told, notify=notify)
        go(told, mode="delta")
        costs.append(go(told, mode="delta"))
    without, with_ = (run.cost["table_transactions"] for run in costs)
    assert with_ == without < 10
    assert hook.asked == []


def test_trouble_that_is_remembered_outlives_a_row_that_cannot_be_read(told: Stage, hook: Webhook) -> None:
    """Another row breaks every run: that is told once, too."""
    row = told.rows()["anchors"]
    broken = replace(row, values={**row.values, "data": "{"})
    told.table.transact(CUSTOMER, [Operation("put", broken)])
    assert [go(told).cause for _ in range(2)] == ["RowUnreadable"] * 2
    assert len(hook.bodies) == 1
