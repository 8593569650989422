"""The story of a customer, chapter after chapter, on a real domain controller; told in two ways.

Each chapter goes on where the one before it ended, so they are run in order and all together. What Halo must
hold is compared, person by person and field by field, with what was put into the directory.
"""

import pytest

from tests.story.people import HEADCOUNT, OUS, SITES, somebody
from tests.story.stage import CLIENT, PASSWORD, Stage, recruits
from tests.story.telling import ByFunctions, Summary, eventually

pytestmark = [pytest.mark.samba, pytest.mark.azurite, pytest.mark.worker]

OUTSIDERS = 10
RECRUITS = range(400, 460)
BATCH = 25
ARRIVAL_REQUESTS = 12
"""What one arrival among 300 may cost: to sign in, to look at clients, sites and users, and to write."""
OFFICES_IN_HALO = {"Main", "York"}


def counted(summary: Summary) -> dict[str, int]:
    """Return the buckets that are not empty, but for those whom nothing happens to."""
    quiet = {"unchanged", "skipped"}
    return {name: number for name, number in summary["counts"].items() if number and name not in quiet}


def test_01_a_dry_run_writes_nothing(stage: Stage) -> None:
    """It plans to create everybody, and leaves Halo as it was."""
    summary = stage.telling.sync(dry_run=True)
    assert summary["status"] == "planned"
    assert counted(summary) == {"create": HEADCOUNT}
    assert summary["counts"]["skipped"] == OUTSIDERS
    assert stage.writes() == []
    assert stage.halo.people == []
    assert {site["name"] for site in stage.halo.sites.values()} == OFFICES_IN_HALO


def test_02_the_first_sync_brings_everybody(stage: Stage) -> None:
    """300 people arrive exactly once, in the right sites with the right fields; nobody else does."""
    summary = stage.telling.first_sync()
    assert (summary["status"], counted(summary)) == ("ok", {"create": HEADCOUNT})
    assert len(stage.halo.people) == HEADCOUNT
    stage.check_halo()
    for person in stage.people.values():
        stamp = stage.halo.users[stage.halo_id(person)]["third_party_guid"]
        assert stamp == stage.guid(person.dn(stage.people_ou))


def test_02_the_sites_are_those_of_the_ous(stage: Stage) -> None:
    """Each is there once; what mirrors an OU is marked with its GUID, what was there before was used."""
    sites = list(stage.halo.sites.values())
    assert sorted(site["name"] for site in sites) == sorted(set(SITES.values()))
    harbour = next(site for site in sites if site["name"] == "Harbour 🚢")
    assert harbour["actguid"] == stage.guid(f"{OUS['Harbour 🚢']}{stage.people_ou}")
    assert [client["name"] for client in stage.halo.clients.values()] == [CLIENT]


def test_03_run_again_and_halo_is_not_asked(stage: Stage) -> None:
    """Nothing has changed, so nothing is sent to Halo, not even for a token."""
    stage.halo.forget_requests()
    summary = stage.telling.sync()
    assert (summary["status"], counted(summary)) == ("ok", {})
    assert summary["counts"]["unchanged"] == HEADCOUNT
    assert stage.halo.requests == []
    assert summary["cost"]["halo_requests"] == 0


def test_03_the_timer_asks_for_nothing_that_is_not_due(functions_stage: Stage) -> None:
    """The customer's full run is due once a night, and it has just had one."""
    telling = functions_stage.telling
    assert isinstance(telling, ByFunctions)
    before = telling.runs()
    telling.host.run("enqueue_due")
    assert telling.runs() == before


def test_04_a_new_person_arrives(stage: Stage) -> None:
    """Somebody new is created, with one write, at the OU's site."""
    stage.add(somebody(stage.prefix, 301, "Stoke, North", cn='O\'Neil "Ned", Zoë +1; 🦊 #7'))
    stage.halo.forget_requests()
    summary = stage.telling.sync()
    assert (summary["status"], counted(summary)) == ("ok", {"create": 1})
    assert [request.elements for request in stage.writes()] == [1]
    assert len(stage.halo.requests) <= ARRIVAL_REQUESTS
    stage.check_halo()


def test_05_a_changed_person_is_updated(stage: Stage) -> None:
    """What changed is written; a cleared value clears only the field whose rule says so."""
    person = stage.person(2)
    assert person.mobile
    assert person.department == "", "chosen so that the change below fills it"
    stage.change(
        person,
        {"title": "Käpt'n, 1st", "department": "Sales", "mobile": None, "telephoneNumber": None},
        title="Käpt'n, 1st",
        department="Sales",
        mobile="",
    )
    stage.halo.forget_requests()
    summary = stage.telling.sync()
    assert (summary["status"], counted(summary)) == ("ok", {"update": 1})
    assert [(request.method, request.elements) for request in stage.halo.requests if request.elements] == [
        ("POST", 1)
    ]
    stage.check_halo()


def test_06_a_renamed_person_stays_the_same_user(stage: Stage) -> None:
    """A new common name and display name change the user's name, not its id."""
    person = stage.person(3)
    before = stage.halo_id(person)
    stage.move(person, cn="Newly-Wed, Łukasz (Research)")
    stage.change(stage.person(3), {"displayName": "Łukasz Newly-Wed"}, display="Łukasz Newly-Wed")
    summary = stage.telling.sync()
    assert (summary["status"], counted(summary)) == ("ok", {"update": 1})
    assert stage.halo_id(stage.person(3)) == before
    stage.check_halo()


def test_07_a_person_who_moves_gets_another_site(stage: Stage) -> None:
    """Another OU is another site of the same user; one level down in the same office is not."""
    people = [stage.person(number) for number in (10, 11, 19)]
    assert [person.office for person in people] == ["Leeds", "Sales,Leeds", "Leeds"]
    before = [stage.halo_id(person) for person in people]
    for person, office in zip(people, ("Köln & Söhne", "", "Sales,Leeds"), strict=True):
        stage.move(person, office=office)
    summary = stage.telling.sync()
    assert (summary["status"], counted(summary)) == ("ok", {"move": 2})
    assert [stage.halo_id(person) for person in people] == before
    stage.check_halo()


def test_08_users_who_were_in_halo_already_are_adopted(stage: Stage) -> None:
    """One is found by login, one by e-mail; both keep their ids, are stamped, and brought in step."""
    by_login, by_mail = (somebody(stage.prefix, number, "York") for number in (310, 311))
    main = int(stage.halo.clients[stage.client]["main_site_id"])
    first = stage.halo.add_user(
        name="A. N. Other", site_id=main, login=by_login.halo_record()["login"].lower()
    )
    second = stage.halo.add_user(name="Second", site_id=main, emailaddress=by_mail.mail.upper())
    elsewhere = int(stage.halo.clients[stage.halo.add_client("Somebody else")]["main_site_id"])
    stage.stranger(name="Namesake", site_id=elsewhere, emailaddress=by_mail.mail)
    stage.add(by_login)
    stage.add(by_mail)
    summary = stage.telling.sync()
    assert (summary["status"], counted(summary)) == ("ok", {"move": 2})
    for person, user in ((by_login, first), (by_mail, second)):
        assert stage.halo_id(person) == user
        assert stage.halo.users[user]["third_party_guid"] == stage.guid(person.dn(stage.people_ou))
    stage.check_halo()


def test_09_who_it_is_cannot_be_told(stage: Stage) -> None:
    """Two users with one address, and two accounts with the address of one user, are left to a person."""
    main = int(stage.halo.clients[stage.client]["main_site_id"])
    first, second, third = (somebody(stage.prefix, number, "Hull") for number in (320, 321, 322))
    for name in ("One", "Other"):
        stage.stranger(name=name, site_id=main, emailaddress=first.mail)
    stage.stranger(name="Shared", site_id=main, emailaddress=f"{stage.prefix}both@corp.example")
    stage.add(first, arrives=False)
    for person in (second, third):
        claimant = somebody(
            stage.prefix, int(person.account[1:]), "Hull", mail=f"{stage.prefix}both@corp.example"
        )
        stage.add(claimant, arrives=False)
    stage.halo.forget_requests()
    summary = stage.telling.sync()
    assert (summary["status"], counted(summary)) == ("ok", {"conflict": 3})
    assert stage.writes() == []
    stage.check_halo()


def test_10_a_worker_dies_in_the_middle_of_applying(stage: Stage) -> None:
    """It is killed while its second batch is under way; Halo stores that batch, and nobody hears of it."""
    recruits(stage, RECRUITS)
    stage.halo.forget_requests()
    fault = stage.halo.faults.add("delay", method="POST", path="/api/Users", after=1, seconds=2)
    stage.telling.begin()
    eventually(lambda: met(stage) > fault.after, "the second batch")
    stage.telling.kill()
    eventually(lambda: len(stage.writes()) == fault.after + 1, "the storing of the second batch")
    stage.halo.faults.clear()
    assert sum(request.elements for request in stage.writes()) == 2 * BATCH


def test_11_its_work_is_resumed_without_loss_or_duplicate(stage: Stage) -> None:
    """Another worker goes on when the dead one's lease is over, and everybody is there exactly once."""
    summary = stage.telling.recover()
    assert summary["status"] == "ok"
    assert sum(request.elements for request in stage.writes()) == len(RECRUITS)
    stage.check_halo()


def test_12_nothing_is_left_to_do(stage: Stage) -> None:
    """A last run finds everybody as they should be, but for those whom a person has to tell apart."""
    stage.halo.forget_requests()
    summary = stage.telling.sync()
    assert (summary["status"], counted(summary)) == ("ok", {"conflict": 3})
    assert summary["counts"]["unchanged"] == len(stage.people)
    assert stage.writes() == []
    stage.check_halo()


def test_13_the_log_tells_no_secrets(functions_stage: Stage) -> None:
    """Ids of runs and customers stand in it; nobody's name or address, no password and no key do."""
    telling, halo = functions_stage.telling, functions_stage.halo
    assert isinstance(telling, ByFunctions)
    log = telling.log()
    assert '"event": "slice"' in log
    secrets = {PASSWORD, halo.client_secret, telling.host.key, telling.host.master_key}
    people = functions_stage.people.values()
    personal = {text for person in people for text in (person.display, person.mail) if text}
    assert [text for text in secrets | personal if text in log] == []


def met(stage: Stage) -> int:
    """Return how many requests the one fault that is switched on has met."""
    (fault,) = stage.halo.faults.as_json()
    return int(fault["met"])
