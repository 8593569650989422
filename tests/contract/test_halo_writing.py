"""Contract: the adapter writes every user once, whatever the simulated Halo does to it."""

import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from devstack.halo import FaultKind, SimulatedHalo
from halo_adsync.errors import Doubtful, HaloRefused, HaloUnavailable, RecordRejected
from halo_adsync.halo import transport
from halo_adsync.halo.port import Halo, SiteWrite, UserOutcome, UserWrite
from halo_adsync.model import HaloClientId, HaloSiteId, HaloUserId, Meter
from tests.contract.halo_desk import GONE, Desk, Time, guid, people

BATCH = range(25)


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A simulated Halo with one client and its main site."""
    clock = Time()
    with SimulatedHalo(clock=clock.seconds) as halo:
        client = halo.add_client("Contoso")
        yield Desk(halo, clock, client, int(halo.clients[client]["main_site_id"]))
        assert halo.violations == []


@pytest.fixture
def halo(desk: Desk) -> Iterator[Halo]:
    """The adapter, seen as the port."""
    with desk.open() as instance:
        yield instance


def failed(outcomes: Sequence[UserOutcome]) -> dict[str, str]:
    """Return the errors among some outcomes by GUID."""
    return {outcome.guid: outcome.error for outcome in outcomes if outcome.error is not None}


def until(happened: Callable[[], bool]) -> None:
    """Wait for something to happen, ten seconds at most."""
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def test_a_batch_of_creates_arrives_in_one_request(desk: Desk) -> None:
    """25 new users cost one write, are stamped, and the outcomes carry their ids in order."""
    meter = Meter()
    with desk.open(meter=meter) as halo:
        outcomes = halo.write_users([desk.create(n, CFStaffNumber=str(n)) for n in BATCH])
    assert meter.halo_writes == 1
    assert meter.halo_requests == len(desk.halo.requests)
    assert [desk.halo.users[outcome.user or 0]["name"] for outcome in outcomes] == [
        f"Person {n}" for n in BATCH
    ]
    first = desk.halo.users[outcomes[0].user or 0]
    assert first["third_party_guid"] == guid(0)
    assert [entry["value"] for entry in first["customfields"]] == ["0"]


def test_a_single_create_is_answered_with_a_bare_record(desk: Desk, halo: Halo) -> None:
    """A batch of one element works though Halo answers it with no array."""
    (outcome,) = halo.write_users([desk.create(1)])
    assert desk.halo.users[outcome.user or 0]["name"] == "Person 1"


def test_nothing_to_write_sends_nothing(desk: Desk, halo: Halo) -> None:
    """An empty batch is no request."""
    assert list(halo.write_users([])) == []
    assert desk.halo.requests == []


def test_updates_change_what_they_name(desk: Desk, halo: Halo) -> None:
    """Fields, site and state of a user change, and the rest stays."""
    user = desk.halo.add_user(name="Ann", title="Clerk", emailaddress="a@example.test", site_id=desk.site)
    other = desk.halo.add_site(desk.client, "Leeds")
    desk.map(desk.client, other)
    desk.users[guid(1)] = HaloUserId(user)
    write = UserWrite(
        guid(1), HaloUserId(user), HaloSiteId(other), active=False, fields={"Title": "", "CFStaffNumber": "7"}
    )
    (outcome,) = halo.write_users([write])
    record = desk.halo.users[user]
    assert outcome == UserOutcome(guid(1), HaloUserId(user))
    assert (record["title"], record["site_id"], record["inactive"]) == ("", other, True)
    assert (record["emailaddress"], record["third_party_guid"]) == ("a@example.test", None)


def test_an_adoption_stamps_the_user(desk: Desk, halo: Halo) -> None:
    """An update that names the stamp writes it."""
    user = desk.halo.add_user(name="Ann", site_id=desk.site)
    halo.write_users([UserWrite(guid(1), HaloUserId(user), fields={"third_party_guid": guid(1)}, adopts="")])
    assert desk.halo.users[user]["third_party_guid"] == guid(1)


@pytest.mark.parametrize(
    ("kind", "conditions"),
    [
        (FaultKind.DROP_AFTER_COMMIT, {}),
        (FaultKind.DROP_BEFORE_COMMIT, {}),
        (FaultKind.FAIL_AFTER_COMMIT, {"status": 500}),
        (FaultKind.FAIL_AFTER_COMMIT, {"status": 502}),
        (FaultKind.STATUS, {"status": 502}),
        (FaultKind.STATUS, {"status": 500}),
        (FaultKind.MALFORMED, {}),
        (FaultKind.PARTIAL, {"elements": 7, "status": 500}),
        (FaultKind.PARTIAL, {"elements": 24, "status": 400}),
        (FaultKind.REORDERED, {}),
        (FaultKind.STATUS, {"status": 429}),
        (FaultKind.STATUS, {"status": 429, "retry_after": 30}),
    ],
)
@pytest.mark.parametrize("times", [1, 3])
def test_every_create_arrives_once(
    desk: Desk, halo: Halo, kind: FaultKind, conditions: dict[str, int], times: int
) -> None:
    """Whatever happens to the answers, each of 25 people exists exactly once and its outcome says where."""
    desk.halo.faults.add(kind, method="POST", path="/api/Users", times=times, **conditions)
    outcomes = halo.write_users([desk.create(n) for n in BATCH])
    assert desk.names() == people(BATCH)
    assert failed(outcomes) == {}
    for n, outcome in zip(BATCH, outcomes, strict=True):
        assert desk.halo.users[outcome.user or 0]["third_party_guid"] == guid(n)


def test_a_write_that_outlives_its_time_out_is_not_repeated(
    desk: Desk, halo: Halo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that Halo stores after the adapter gave up waiting is found by the look-up."""
    halo.clients()
    monkeypatch.setattr(transport, "TIME_OUTS", (1.0, 0.1))
    desk.time.meanwhile = lambda: until(lambda: desk.sent("Users", "POST") > 0)
    desk.halo.faults.add(FaultKind.DELAY, method="POST", path="/api/Users", seconds=0.3)
    assert failed(halo.write_users([desk.create(n) for n in BATCH])) == {}
    assert desk.names() == people(BATCH)
    assert desk.sent("Users", "POST") == 1


def test_a_revoked_token_is_renewed_once(desk: Desk, halo: Halo) -> None:
    """A 401 in the middle of a run costs one new token and one repeat, and stores nothing twice."""
    halo.write_users([desk.create(1)])
    desk.halo.revoke_tokens()
    halo.write_users([desk.create(2)])
    assert desk.names() == people([1, 2])
    tokens = [request.path for request in desk.halo.requests if request.path.endswith("/token")]
    assert len(tokens) == 2


def test_a_second_401_is_a_refusal(desk: Desk, halo: Halo) -> None:
    """A new token that is refused as well ends the batch."""
    desk.halo.faults.add(FaultKind.STATUS, method="POST", path="/api/Users", status=401, times=2)
    with pytest.raises(HaloRefused, match="client_id"):
        halo.write_users([desk.create(1)])
    assert desk.names() == []


@pytest.mark.parametrize("rule", ["nothing", "partial", "elements"])
@pytest.mark.parametrize("position", [0, 11, 24])
def test_one_bad_element_stops_no_other(desk: Desk, halo: Halo, rule: str, position: int) -> None:
    """24 of 25 arrive once, the bad one gets Halo's sentence, and the cost stays logarithmic."""
    desk.halo.switches.change({"batch_failure": rule})
    writes = [desk.create(n) for n in BATCH]
    writes[position] = UserWrite(guid(position), None, HaloSiteId(GONE), fields={"name": "Nowhere"})
    outcomes = halo.write_users(writes)
    assert desk.names() == people(set(BATCH) - {position})
    assert failed(outcomes).keys() == {guid(position)}
    assert "existing site" in failed(outcomes)[guid(position)]
    assert desk.sent("Users", "POST") <= 11


def test_a_model_binding_error_is_named_without_the_value(desk: Desk, halo: Halo) -> None:
    """A value that Halo cannot bind refuses the array; only its own record fails, in Halo's words."""
    writes = [desk.create(n) for n in range(5)]
    writes[3] = desk.create(3, name="")
    outcomes = halo.write_users(writes)
    assert desk.names() == people([0, 1, 2, 4])
    assert failed(outcomes) == {guid(3): "[0].name: The name field is required."}


def test_a_value_that_cannot_fit_is_not_sent(desk: Desk, halo: Halo) -> None:
    """A name wider than Halo's column is an outcome without a request of its own."""
    outcomes = halo.write_users([desk.create(1, firstname="x" * 201), desk.create(2)])
    assert "201 characters" in failed(outcomes)[guid(1)]
    assert desk.names() == ["Person 2"]
    assert desk.sent("Users", "POST") == 1


def test_a_user_that_halo_chokes_on_is_parked(desk: Desk, halo: Halo) -> None:
    """A record that always ends in a 500 fails alone, and the others arrive once."""
    desk.halo.faults.add(FaultKind.STATUS, method="POST", path="/api/Users", contains='"Poison"', times=None)
    outcomes = halo.write_users([desk.create(n, title="Poison") if n == 5 else desk.create(n) for n in BATCH])
    assert failed(outcomes).keys() == {guid(5)}
    assert desk.names() == people(set(BATCH) - {5})


def test_a_halo_that_writes_nothing_is_unavailable(desk: Desk, halo: Halo) -> None:
    """When every write ends in a 500 the batch is given up instead of ground through."""
    desk.halo.faults.add(FaultKind.STATUS, method="POST", path="/api/Users", times=None)
    with pytest.raises(HaloUnavailable, match="3 users in a row"):
        halo.write_users([desk.create(n) for n in BATCH])
    assert desk.sent("Users", "POST") < 15
    assert desk.names() == []


def test_a_refused_write_is_a_refusal(desk: Desk, halo: Halo) -> None:
    """A 403 ends the batch with a sentence that says what to do."""
    desk.halo.faults.add(FaultKind.STATUS, method="POST", path="/api/Users", status=403, times=None)
    with pytest.raises(HaloRefused, match="permission"):
        halo.write_users([desk.create(1)])


def test_a_resumed_batch_is_looked_up_first(desk: Desk) -> None:
    """A batch that an earlier worker sent in part is finished without a duplicate."""
    with desk.open() as halo:
        earlier = halo.write_users([desk.create(n) for n in range(10)])
    with desk.open() as halo:
        outcomes = halo.write_users([desk.create(n) for n in BATCH], resumed=True)
    assert desk.names() == people(BATCH)
    assert [outcome.user for outcome in outcomes[:10]] == [outcome.user for outcome in earlier]


def test_a_look_up_on_lean_lists_reads_single_records_once(desk: Desk, halo: Halo) -> None:
    """Where lists lack the stamp, a doubtful batch is still found, and no record is fetched twice."""
    desk.halo.switches.lean_lists = True
    desk.halo.faults.add(FaultKind.PARTIAL, method="POST", path="/api/Users", elements=7, times=3)
    assert failed(halo.write_users([desk.create(n) for n in BATCH])) == {}
    assert desk.names() == people(BATCH)
    singles = [request.path for request in desk.halo.requests if request.path.startswith("/api/Users/")]
    assert len(singles) == len(set(singles))


def test_a_duplicate_in_halo_is_reported(desk: Desk, halo: Halo) -> None:
    """A look-up that finds two users with the stamp keeps the older one and warns."""
    users = [
        desk.halo.add_user(name="Person 1", site_id=desk.site, third_party_guid=f"{{{guid(1).upper()}}}")
        for _ in range(2)
    ]
    (outcome,) = halo.write_users([desk.create(1)], resumed=True)
    assert outcome.user == users[0]
    assert outcome.warning is not None


def test_a_warning_is_kept_without_personal_data(desk: Desk, halo: Halo) -> None:
    """Halo's `_warning` is part of the outcome; addresses in it are struck out."""
    desk.halo.switches.warning = "The address ann@example.test is in use."
    (outcome,) = halo.write_users([desk.create(1)])
    assert outcome.warning == "The address (…) is in use."


def test_a_general_user_is_never_written(desk: Desk, halo: Halo) -> None:
    """A write to a General User that was seen is refused here; the others of its batch go on."""
    general = next(user for user in halo.users(HaloClientId(desk.client)) if user.general and user.id > 0)
    outcomes = halo.write_users([desk.update(1, general.id, {"title": "x"}), desk.create(2)])
    assert failed(outcomes).keys() == {guid(1)}
    assert desk.names() == ["Person 2"]


def test_an_update_of_a_user_that_is_gone_fails_alone(desk: Desk, halo: Halo) -> None:
    """An id that Halo does not know is that record's own trouble."""
    outcomes = halo.write_users([desk.update(1, 4711, {"title": "x"}), desk.create(2)])
    assert failed(outcomes).keys() == {guid(1)}
    assert desk.names() == ["Person 2"]


def test_halos_sentence_does_not_quote_what_was_sent(desk: Desk) -> None:
    """Values of the record are struck out of Halo's complaint, whatever it quotes."""
    with desk.open(fields=frozenset({"useadlogin"})) as halo:
        outcomes = halo.write_users([desk.update(1, 7, {"useadlogin": "Jane Doe"})])
    assert failed(outcomes) == {guid(1): "useadlogin: the value must be a whole number."}


def test_two_writes_for_one_account_are_a_mistake(desk: Desk, halo: Halo) -> None:
    """A batch that names an account twice is refused before anything is sent."""
    with pytest.raises(ValueError, match="same directory account"):
        halo.write_users([desk.create(1), desk.create(1)])
    assert desk.halo.requests == []


def test_clients_and_sites_are_created(desk: Desk, halo: Halo) -> None:
    """A new client comes with its main site, a new site carries the GUID and DN of its OU."""
    client = halo.create_client("Fabrikam", "Head office")
    assert [site.name for site in halo.sites(client.id)] == ["Head office"]
    desk.map(client.id, int(halo.sites(client.id)[0].id))
    site = halo.create_site(SiteWrite(client.id, "Leeds", guid(1), "OU=Leeds,DC=example,DC=test"))
    assert (site.client, site.guid) == (client.id, guid(1))
    assert desk.halo.sites[site.id]["ldapstring"] == "OU=Leeds,DC=example,DC=test"
    assert site in halo.sites(client.id)


def test_a_refused_site_is_rejected_and_a_dropped_one_doubtful(desk: Desk, halo: Halo) -> None:
    """Creating a place says whether Halo refused it or nobody knows."""
    with pytest.raises(RecordRejected, match="existing client"):
        halo.create_site(SiteWrite(HaloClientId(GONE), "Leeds"))
    desk.halo.faults.add(FaultKind.DROP_AFTER_COMMIT, method="POST", path="/api/Site")
    with pytest.raises(Doubtful):
        halo.create_site(SiteWrite(HaloClientId(desk.client), "Leeds"))
    assert "Leeds" in {site.name for site in halo.sites(HaloClientId(desk.client))}


def test_the_adapter_is_a_halo(desk: Desk) -> None:
    """The class fits the port, and closing it twice does no harm."""
    instance = desk.open()
    port: Halo = instance
    assert port.user(HaloUserId(4711)) is None
    instance.close()
    instance.close()
