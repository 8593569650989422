"""Contract: signing in to the simulated Halo, its rate limit, and the probe."""

import json
import logging
import socket
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from devstack.halo import FaultKind, SimulatedHalo, Switches
from halo_adsync.errors import BudgetSpent, HaloRefused, HaloUnavailable
from halo_adsync.halo.budget import Limit, MemoryLedger
from halo_adsync.model import HaloClientId
from tests.contract.halo_desk import Desk, Time


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A simulated Halo with one client and its main site."""
    time = Time()
    with SimulatedHalo(clock=time.seconds) as halo:
        client = halo.add_client("Contoso")
        yield Desk(halo, time, client, int(halo.clients[client]["main_site_id"]))


def tokens(desk: Desk) -> list[str]:
    """Return the paths of the token requests so far."""
    return [request.path for request in desk.halo.requests if request.path.endswith("/token")]


@pytest.mark.parametrize("self_hosted", [True, False])
def test_sign_in_is_discovered(desk: Desk, *, self_hosted: bool) -> None:
    """With nothing but the address, a hosted and a self-hosted instance are signed in to."""
    desk.halo.switches.self_hosted = self_hosted
    with desk.open() as halo:
        sentence = halo.check()
    assert "1 clients, 1 sites and 2 users" in sentence
    assert tokens(desk) == ["/auth/token" if self_hosted else "/signin/token"]


def test_a_configured_sign_in_asks_nobody(desk: Desk) -> None:
    """With address and tenant given, no request goes to authinfo."""
    with desk.open(auth_url=f"{desk.halo.url}/signin/", tenant=desk.halo.tenant) as halo:
        halo.check()
    assert "/api/authinfo" not in [request.path for request in desk.halo.requests]


def test_a_self_hosted_instance_without_authinfo(desk: Desk) -> None:
    """Where authinfo is not there, the self-hosted address is tried."""
    desk.halo.faults.add(FaultKind.STATUS, path="/api/authinfo", status=404)
    with desk.open() as halo:
        halo.check()
    assert tokens(desk) == ["/auth/token"]


def test_a_wrong_secret_is_named_and_not_shown(desk: Desk) -> None:
    """The error says what to correct; neither it nor the configuration's repr holds the secret."""
    with desk.open(client_secret="hunter2-hunter2") as halo, pytest.raises(HaloRefused) as caught:
        halo.check()
    assert "client secret is wrong" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(halo._api.config)


def test_a_wrong_tenant_is_told_from_an_outage(desk: Desk) -> None:
    """Halo answers a wrong tenant with 500; the error names the tenant that the instance has."""
    with desk.open(tenant="fabrikam") as halo, pytest.raises(HaloRefused, match="its tenant is 'simulated'"):
        halo.check()


def test_a_sign_in_that_is_out_of_order_is_unavailable(desk: Desk) -> None:
    """With the right tenant, a 500 is an outage."""
    desk.halo.faults.add(FaultKind.STATUS, path="/signin/token", times=None)
    with desk.open() as halo, pytest.raises(HaloUnavailable, match="try again later"):
        halo.check()


def test_a_wrong_scope_is_named(desk: Desk) -> None:
    """A scope that the application may not ask for is a refusal that says so."""
    with desk.open(scope="read:users") as halo, pytest.raises(HaloRefused, match=r"halo\.scope"):
        halo.check()


def test_an_instance_that_does_not_answer_is_unavailable(desk: Desk) -> None:
    """A port where nobody listens is an outage after a few tries."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with desk.open(url=url) as halo, pytest.raises(HaloUnavailable, match="no connection"):
            halo.check()
    assert len(desk.time.slept) == 3


def test_a_token_is_kept_and_renewed_before_it_expires(desk: Desk) -> None:
    """One token lasts until shortly before its end; no request goes out with an expired one."""
    desk.halo.switches.token_seconds = 600
    with desk.open() as halo:
        for _ in range(4):
            halo.clients()
            desk.time.now += timedelta(seconds=200)
    assert len(tokens(desk)) == 2
    assert 401 not in [request.status for request in desk.halo.requests]


def test_the_rate_limit_is_waited_out(desk: Desk) -> None:
    """Beyond Halo's limit the run waits as long as Halo says, and goes on."""
    desk.halo.switches.change({"rate_limit": 5, "rate_seconds": 60, "retry_after": True})
    with desk.open() as halo:
        for _ in range(8):
            halo.clients()
    assert 60 <= sum(desk.time.slept) <= 125
    assert max(desk.time.slept) <= 5


def test_a_429_without_retry_after_backs_off(desk: Desk) -> None:
    """Without a word on how long, the waits grow from five seconds to a minute at most."""
    desk.halo.faults.add(FaultKind.STATUS, path="/api/Client", status=429, times=4)
    with desk.open() as halo:
        halo.clients()
    assert 5 + 10 + 20 + 30 <= sum(desk.time.slept) <= 10 + 20 + 40 + 60


def test_a_429_blocks_everybody_and_ends_an_impatient_run(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """A wait beyond the run's patience ends it with the time to come back; ledger and log know it, too."""
    caplog.set_level(logging.INFO, "halo_adsync.events")
    ledger = MemoryLedger(Limit())
    desk.halo.faults.add(FaultKind.STATUS, path="/api/Client", status=429, retry_after=300)
    with desk.open(ledger=ledger, patience=60) as halo, pytest.raises(BudgetSpent) as caught:
        halo.clients()
    assert caught.value.until == desk.time.now + timedelta(seconds=300)
    assert ledger.take(1, desk.time.now).count == 0
    logged = [json.loads(line.getMessage()) for line in caplog.records if line.name == "halo_adsync.events"]
    instance = urlsplit(desk.halo.url).netloc
    assert logged == [{"event": "throttled", "instance": instance, "seconds": "300"}]


def test_endless_429_end_the_run(desk: Desk) -> None:
    """A Halo that answers nothing but 429 is not asked for ever."""
    desk.halo.faults.add(FaultKind.STATUS, path="/api/Client", status=429, retry_after=1, times=None)
    with desk.open() as halo, pytest.raises(BudgetSpent):
        halo.clients()
    assert desk.sent("Client") == 8


def test_the_ledger_keeps_requests_within_halos_limit(desk: Desk) -> None:
    """With the budget set below Halo's limit there is never a 429, and unspent grants are given back."""
    desk.halo.switches.change({"rate_limit": 30, "rate_seconds": 60})
    ledger = MemoryLedger(Limit(20, 60))
    with desk.open(ledger=ledger) as halo:
        for _ in range(50):
            halo.clients()
    assert 429 not in [request.status for request in desk.halo.requests]
    assert sum(count for _, count in ledger.state.grants) <= 20


def test_the_pulse_beats_before_each_request_and_can_stop_the_run(desk: Desk) -> None:
    """A pulse that raises stops the run before the next request."""
    beats: list[int] = []

    def pulse() -> None:
        beats.append(len(desk.halo.requests))
        if len(beats) > 3:
            raise InterruptedError

    with desk.open(pulse=pulse) as halo:
        halo.clients()
        with pytest.raises(InterruptedError):
            halo.clients()
    assert beats == [0, 1, 2, 3]
    assert len(desk.halo.requests) == 3


def test_static_headers_are_sent() -> None:
    """A header that Halo handed out lifts the rate limit."""
    time = Time()
    switches = Switches(rate_limit=1, lift_header=("X-Lift", "yes"))
    with SimulatedHalo(switches=switches, clock=time.seconds) as halo:
        with Desk(halo, time, 0, 0).open(headers={"X-Lift": "yes"}) as instance:
            instance.clients()
        assert {request.status for request in halo.requests} == {200}


def test_a_missing_permission_is_named(desk: Desk) -> None:
    """A 403 without a body becomes a sentence that says where the permission is given."""
    desk.halo.faults.add(FaultKind.STATUS, path="/api/Users", status=403, times=None)
    with (
        desk.open() as halo,
        pytest.raises(HaloRefused, match=r"GET /Users was answered with 403.*permission"),
    ):
        halo.check()


@pytest.mark.parametrize("lean", [True, False])
def test_the_probe_settles_what_is_not_known(desk: Desk, *, lean: bool) -> None:
    """The probe tells a lean instance from a full one, names nobody, and writes nothing."""
    desk.halo.switches.change({"lean_lists": lean, "agent_list": "results"})
    desk.halo.switches.exact_search_fields = frozenset({"emailaddress", "login"})
    desk.halo.add_user(
        name="Ann", emailaddress="ann@example.test", login="C\\ann", site_id=desk.site, third_party_guid="x"
    )
    ticket = desk.halo.add_ticket(next(user["id"] for user in desk.halo.people))
    for outcome, private in ((("Private Note", 7), not lean), (("Email User", 16), False)):
        named = {"outcome": outcome[0], "outcome_id": outcome[1], "note_html": "Ann called"}
        desk.halo.add("actions", ticket_id=ticket, hiddenfromuser=private, **named)
    with desk.open() as halo:
        findings = {finding.question: finding for finding in halo.probe()}
    note = findings["How is a private note on a ticket called?"]
    assert note.answer == ("none stands on 1 tickets" if lean else "Private Note (7)")
    assert ("not settled" in note.meaning) is lean
    carried = findings["Does the list of users carry the stamp, the login and the DN?"]
    assert ("lacks" in carried.answer) is lean
    assert "looked up" in findings["Does advanced_search know emailaddress?"].meaning
    stamp = findings["Does advanced_search know third_party_guid?"]
    assert ("not settled" if lean else "ignored") in stamp.meaning
    assert findings["How does /Agent answer?"].answer == "an object with a list in results"
    assert "2.184.1" in findings["Which version is it?"].answer
    assert "404" in findings["May this application read reports?"].answer
    assert not any("ann" in finding.answer.lower() for finding in findings.values())
    assert {request.method for request in desk.halo.requests if "token" not in request.path} == {"GET"}


def test_the_probe_goes_on_where_halo_refuses(desk: Desk) -> None:
    """A question that Halo refuses is a finding; the others are asked all the same."""
    desk.halo.faults.add(FaultKind.STATUS, path="/api/InstanceInfo", status=403, times=None)
    with desk.open() as halo:
        findings = {finding.question: finding for finding in halo.probe()}
    assert findings["Which version is it?"].meaning == "not settled on this instance"
    assert "How does /Team answer?" in findings


def test_reading_one_page_costs_one_request_after_sign_in(desk: Desk) -> None:
    """Signing in costs two requests, once."""
    with desk.open() as halo:
        for _ in range(3):
            halo.sites(HaloClientId(desk.client))
    assert len(desk.halo.requests) == 5
