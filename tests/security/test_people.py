"""Security: no log says anything of a person: no name, address, telephone number or login, at any level."""

import json
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote

import pytest
from azure.functions.queue import QueueMessage

from devstack.directory import Directory
from devstack.halo import FaultKind
from functions import audit, people
from functions import sync as queue_trigger
from halo_adsync.errors import ConfigurationError
from halo_adsync.model import HaloClientId, Meter
from tests.contract.sync_stage import CUSTOMER, DOMAIN, PASSWORD, PEOPLE, Stage
from tests.security.conftest import CANARIES
from tests.security.dragnet import Dragnet
from tests.security.parrot import Echo, Parrot
from tests.support.triggers import CONTEXT, http

PERSONAL = ("cnryname", "cnrymail", "cnrylogin", "2079460958", "cnrytitle")
"""What is said of the people of this directory. Their DNs hold none of it: sentences may name a record."""
NUMBERS = range(1, 31)


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    """A directory in which everything personal is a canary."""
    domain = {"objectClass": ["top", "domain", "domainDNS"], "dc": "corp"}
    with Directory([(DOMAIN, domain)]) as directory:
        for name, password in (("svc-halo", PASSWORD), ("svc-canary", CANARIES["ad"])):
            directory.add_user(name, DOMAIN, sAMAccountName=name, userPassword=password)
        directory.add_ou("People")
        directory.add_ou("Leeds", PEOPLE)
        for number in NUMBERS:
            directory.add_user(
                f"E{number}",
                f"OU=Leeds,{PEOPLE}",
                sAMAccountName=f"cnrylogin{number}",
                displayName=f"Cnryname {number}",
                mail=f"cnrymail{number}@corp.example",
                telephoneNumber="+44 2079460958",
                title="Cnrytitle",
            )
        yield directory


def check_nobody_is_named(net: Dragnet) -> None:
    """Assert that nothing personal was logged, be it written as addresses write it."""
    net.take_telemetry()
    text = "\n".join(net.logged)
    assert "urllib3" in text, "every library's log was looked at"
    assert "halo_adsync.run" in text, "so were spans and numbers"
    folded = unquote(text).casefold()
    for word in PERSONAL:
        at = folded.find(word)
        assert at < 0, f"somebody is named: …{folded[max(at - 300, 0) : at + 80]}…"


def everybody(stage: Stage) -> None:
    """Assert that all people came to Halo, so that there was something to say of them."""
    assert sorted(user["name"] for user in stage.halo.people) == sorted(f"Cnryname {n}" for n in NUMBERS)


def test_a_good_day_names_nobody(net: Dragnet) -> None:
    """First sync, changes, commands and routes about one person, by mail address and by login."""
    net.draw()
    everybody(net.stage)
    net.stage.halo.users[next(iter(net.stage.halo.users))]["title"] = "other"
    net.call("sync", CUSTOMER, "--mode", "reconcile")
    net.call("explain", CUSTOMER, "cnrymail3@corp.example")
    net.call("audit", CUSTOMER, "--person", "cnrylogin3")
    net.call("keep", CUSTOMER, "cnrymail4@corp.example")
    for function in (people.explain_person, people.sync_person, people.ignore_person, people.forget_person):
        net.ask(function, key="cnrymail5@corp.example")
    net.ask(audit.show_audit)
    check_nobody_is_named(net)


def test_who_is_searched_for_in_halo_is_not_named(net: Dragnet) -> None:
    """A look-up by address or login puts it into the address of the request, which libraries log."""
    customer = net.stage.builder.store().customer(CUSTOMER)
    with net.stage.builder.halo(customer, Meter(), lambda: None) as halo:
        client = HaloClientId(net.stage.client)
        net.call("sync", CUSTOMER)
        for name, value in (("emailaddress", "cnrymail1@corp.example"), ("login", "CORP\\cnrylogin1")):
            assert halo.find_users(client, name, value)
    check_nobody_is_named(net)


@pytest.mark.parametrize("status", [400, 409, 500])
@pytest.mark.parametrize("shape", ["description", "model state", "html", "plain text", "as a form has it"])
def test_nobody_is_named_by_a_halo_that_repeats_them(
    net: Dragnet, parrot: Parrot, shape: str, status: int
) -> None:
    """What is written comes back in a refusal, with every record, and in the run's own message."""
    parrot.echo = Echo("POST", "/api/users", shape, status, people=True)
    net.call("sync", CUSTOMER)
    assert parrot.echoed
    check_nobody_is_named(net)


@pytest.mark.parametrize(
    "kind", [FaultKind.MALFORMED, FaultKind.DROP_AFTER_COMMIT, FaultKind.STATUS, FaultKind.REORDERED]
)
def test_no_fault_names_anybody(net: Dragnet, kind: FaultKind) -> None:
    """Nor do broken answers, dropped connections and the search for what became of a batch."""
    net.stage.halo.faults.add(kind, method="POST", path="/api/Users", times=3)
    net.call("sync", CUSTOMER)
    check_nobody_is_named(net)


def test_the_worker_names_nobody(net: Dragnet) -> None:
    """A message about a run, one that is none, and a route that knows nobody of that address."""
    text = json.dumps({"customer": CUSTOMER, "run": "20260101T000000Z-00000000", "actor": "Cnryname 1"})
    for body in (text, "Cnryname 1, cnrymail1@corp.example"):
        message = QueueMessage(id="1", body=body.encode())  # type: ignore[no-untyped-call]  # the worker's own
        with suppress(ConfigurationError):
            queue_trigger.run_slice(message, CONTEXT)
        queue_trigger.settle_poison(message)
    everybody(net.stage)
    answer = http(people.explain_person, b"", None, customer=CUSTOMER, key="cnrymail999@corp.example")
    assert answer.status_code == 404
    check_nobody_is_named(net)
