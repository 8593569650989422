"""Object ids from Entra in a sync: filled where they are known, and never blanked where they are not."""

from collections.abc import Iterator

import pytest

from devstack.directory import Directory
from devstack.entra import SimulatedEntra
from devstack.halo import SimulatedHalo
from devstack.memory import MemoryTable
from halo_adsync.bootstrap import HALO_FIELDS
from halo_adsync.checks import check_customer
from halo_adsync.customer_file import export, parse
from halo_adsync.errors import LeaseLost
from halo_adsync.looking_up import facts_of
from halo_adsync.model import Meter
from halo_adsync.previewing import preview
from halo_adsync.readiness import readiness
from halo_adsync.state.runs import Run, Status
from tests.contract.halo_desk import Time
from tests.contract.sync_stage import CUSTOMER, HEADCOUNT, Stage, company

BLOCK = """
login:
  entra:
    tenant: "{entra.tenant}"
    client_id: "{entra.client_id}"
    certificate: {{ secret: entra }}
    login_url: {entra.url}
    graph_url: {entra.url}
"""


CLEARING = r"""
fields:
  name: cn
  login: '{{ netbios }}\{{ sAMAccountName }}'
  azureoid: { from: entra_id, blank: clear }
"""
"""A mapping that would blank the object id, if not to be found meant that there is none."""


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    """The company's directory, for tests that leave it as it is."""
    with company() as running:
        yield running


@pytest.fixture
def entra(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedEntra]:
    """A tenant whose server is trusted."""
    with SimulatedEntra() as tenant:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tenant.ca_path))
        yield tenant


@pytest.fixture
def stage(directory: Directory, entra: SimulatedEntra) -> Iterator[Stage]:
    """A customer with an Entra tenant, of whom nobody is in Halo yet."""
    time = Time()
    with SimulatedHalo(clock=time.seconds) as halo:
        stage = Stage(directory, halo, MemoryTable(Meter()), time)
        stage.environment["SECRET_ENTRA"] = entra.pem
        keep(stage, BLOCK.format(entra=entra))
        yield stage


def keep(stage: Stage, more: str) -> None:
    """Keep the customer's file with these blocks besides."""
    stage.keep()
    store = stage.builder.store()
    store.put_customer(parse(export(store.customer(CUSTOMER)) + more))


def guids(stage: Stage) -> list[str]:
    """Return everybody's objectGUID, in the order of Halo's users; runs a first sync."""
    assert stage.run().status is Status.OK
    return [user["third_party_guid"] for user in stage.halo.people]


def held(stage: Stage) -> dict[str, str]:
    """Return the object ids that Halo holds, by objectGUID."""
    return {user["third_party_guid"]: user["azureoid"] for user in stage.halo.people if user.get("azureoid")}


def told(run: Run) -> str:
    """Return the warnings of a run."""
    return "\n".join(run.warnings)


def test_object_ids_are_filled_for_whom_entra_has(stage: Stage, entra: SimulatedEntra) -> None:
    """Nobody has one at first; who comes into Entra gets it, the others stay; the next run has no work."""
    everybody = guids(stage)
    assert held(stage) == {}
    ids = {guid: entra.add_user(guid) for guid in everybody[:4]}
    run = stage.run()
    assert (run.status, run.counts["update"], told(run)) == (Status.OK, 4, "")
    assert held(stage) == ids
    before = len(stage.writes())
    run = stage.run()
    assert (run.counts["unchanged"], len(stage.writes())) == (HEADCOUNT, before)


def test_who_is_created_has_the_object_id_at_once(stage: Stage, entra: SimulatedEntra) -> None:
    """A person whom Entra knows before Halo does is created with it; no mapping in the file is needed."""
    everybody = guids(stage)
    ids = {guid: entra.add_user(guid) for guid in everybody}
    with SimulatedHalo(clock=stage.time.seconds) as other:
        again = Stage(stage.directory, other, MemoryTable(Meter()), stage.time)
        again.environment["SECRET_ENTRA"] = entra.pem
        keep(again, BLOCK.format(entra=entra))
        assert again.run().counts["create"] == HEADCOUNT
        assert held(again) == ids


def test_who_leaves_entra_keeps_the_object_id(stage: Stage, entra: SimulatedEntra) -> None:
    """Not to be found is not to have none: Halo's value stays, though the mapping says to clear blanks."""
    keep(stage, BLOCK.format(entra=entra) + CLEARING)
    ids = {guid: entra.add_user(guid) for guid in guids(stage)}
    stage.run()
    assert held(stage) == ids
    entra.users.clear()
    assert stage.run().counts["unchanged"] == HEADCOUNT
    assert held(stage) == ids


@pytest.mark.parametrize("trouble", ["down", "half", "consent", "sign-in", "secret"])
def test_entra_that_cannot_be_read_blanks_nothing(stage: Stage, entra: SimulatedEntra, trouble: str) -> None:
    """The run goes on and is ok, with one warning; no object id is touched, and everything else is done."""
    keep(stage, BLOCK.format(entra=entra) + CLEARING)
    ids = {guid: entra.add_user(guid) for guid in guids(stage)}
    stage.run()
    before = len(stage.writes())
    if trouble == "secret":
        del stage.environment["SECRET_ENTRA"]
    entra.page_size = 5
    entra.consented = trouble != "consent"
    entra.faults.statuses = {"down": [503] * 4, "half": [200, *[503] * 4]}.get(trouble, [])
    entra.faults.sign_in = {"error": "invalid_client"} if trouble == "sign-in" else None
    run = stage.run()
    assert (run.status, run.counts["unchanged"], len(stage.writes())) == (Status.OK, HEADCOUNT, before)
    assert held(stage) == ids
    assert told(run).count("Entra could not be read, so object ids are left as they are.") == 1
    assert stage.run(mode="reconcile").counts["unchanged"] == HEADCOUNT


def test_readiness_asks_entra(stage: Stage, entra: SimulatedEntra) -> None:
    """Not there, disabled there, and under a name of Entra's own: each is told of the right person."""
    everybody = guids(stage)
    entra.add_user(everybody[0], accountEnabled=False)
    entra.add_user(everybody[1])
    customer = stage.builder.store().customer(CUSTOMER)
    found = readiness(stage.builder.services(), customer)
    reasons: dict[str, set[str]] = {
        one.guid: {obstacle.reason.value for obstacle in one.obstacles} for one in found.unready
    }
    assert found.counts()["not_in_entra"] == HEADCOUNT - 2
    assert "disabled" in reasons[everybody[0]]
    assert "not_in_entra" not in reasons.get(everybody[1], set())
    entra.faults.statuses = [503] * 4
    found = readiness(stage.builder.services(), customer)
    assert found.counts()["not_in_entra"] == 0
    assert "Entra could not be read" in found.warnings[0]


def test_an_expression_with_the_object_id_can_be_tried(stage: Stage, entra: SimulatedEntra) -> None:
    """`preview` shows the id of one person, and says of another why there is none."""
    everybody = guids(stage)
    user = entra.add_user(everybody[0])
    customer, services = stage.builder.store().customer(CUSTOMER), stage.builder.services()

    def tried(person: str) -> tuple[str | None, tuple[str, ...]]:
        shown = preview(
            services, customer, "entra_id", person=person, field="azureoid", halo_fields=HALO_FIELDS
        )
        return shown.value, shown.notes

    assert tried(everybody[0]) == (user, ())
    value, notes = tried(everybody[1])
    assert value is None
    assert notes == ("azureoid is left as it is: Entra has no account that belongs to this one",)


def test_a_check_says_whether_entra_answers(stage: Stage, entra: SimulatedEntra) -> None:
    """The number of synchronised accounts, or what is wrong."""
    entra.add_user(guids(stage)[0])
    customer = stage.builder.store().customer(CUSTOMER)
    texts = [finding.text for finding in check_customer(stage.builder, customer) if not finding.error]
    assert "Entra answers, and shows 1 accounts that come from a directory" in texts
    entra.consented = False
    wrong = [finding.text for finding in check_customer(stage.builder, customer) if finding.error]
    assert len(wrong) == 1
    assert wrong[0].startswith("Entra: Microsoft Graph refused")


def test_a_lost_lease_is_no_trouble_of_entras(stage: Stage, entra: SimulatedEntra) -> None:
    """The worker that lost it stops in the middle of the list, in place of going on without object ids."""
    for guid in guids(stage):
        entra.add_user(guid)
    entra.page_size = 2
    calls = iter(range(4))

    def pulse() -> None:
        if next(calls, None) is None:
            raise LeaseLost("Another run has the lease.")

    customer = stage.builder.store().customer(CUSTOMER)
    before = len(entra.requests)
    with pytest.raises(LeaseLost):
        facts_of(stage.builder.services(), customer, pulse)
    assert len(entra.requests) == before + 4
