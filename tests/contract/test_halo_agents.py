"""Contract: agents as the adapter reads and writes them, whatever version of Halo answers."""

from collections.abc import Iterator
from typing import Any

import pytest

from devstack.halo import SimulatedHalo
from halo_adsync.errors import RecordRejected
from halo_adsync.halo.agent_codec import decode_seats
from halo_adsync.halo.port import UserWrite
from halo_adsync.model import HaloUserId, Seats
from tests.contract.halo_desk import Desk, Time, guid

FIELDS = frozenset({"name", "email", "ad", "third_party_guid"})


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A simulated Halo with a client, for somebody who opens tickets."""
    clock = Time()
    with SimulatedHalo(clock=clock.seconds) as halo:
        client = halo.add_client("Contoso")
        yield Desk(halo, clock, client, int(halo.clients[client]["main_site_id"]))


@pytest.mark.parametrize("envelope", ["bare", "results", "agents"])
def test_every_agent_is_read_in_any_envelope(desk: Desk, envelope: Any) -> None:
    """More than a page, disabled ones too; those for the API and our own are marked as not to be touched."""
    desk.halo.switches.agent_list, desk.halo.switches.license_count = envelope, 200
    own = desk.halo.add_agent("Own")
    desk.halo.switches.login_agent = own
    for number in range(120):
        desk.halo.add_agent(f"Agent {number}", isdisabled=number == 7, isapiagent=number == 9)
    with desk.open(agent_fields=FIELDS) as halo:
        agents = {agent.fields["name"]: agent for agent in halo.agents.all()}
        assert halo.agents.seats() == Seats(200, 119)
    assert len(agents) == 121
    assert [name for name, agent in agents.items() if not agent.active] == ["Agent 7"]
    assert sorted(name for name, agent in agents.items() if agent.general) == ["Agent 9", "Own"]


@pytest.mark.parametrize("envelope", ["bare", "teams"])
def test_teams_and_roles_are_known_by_name(desk: Desk, envelope: Any) -> None:
    """In any envelope, and an agent's own by theirs."""
    desk.halo.switches.team_list = envelope
    role = desk.halo.store.catalogs["roles"][0]
    agent = desk.halo.add_agent("Ann", teams=[{"team_id": 2}], roles=[{"id": str(role["id"]).upper()}])
    with desk.open(agent_fields=FIELDS) as halo:
        assert halo.agents.teams() == ["1st line support", "2nd line support"]
        assert "support" in halo.agents.roles()
        found = halo.agents.agent(HaloUserId(agent))
        assert found is not None
        assert {name for name in found.fields if ":" in name} == {
            "team:2nd line support",
            f"role:{role['name'].casefold()}",
        }
        assert halo.agents.agent(HaloUserId(999)) is None


def test_what_may_not_be_written_is_not(desk: Desk) -> None:
    """An agent for the API and our own are refused before anything is sent."""
    own, robot = desk.halo.add_agent("Own"), desk.halo.add_agent("Robot", isapiagent=True)
    desk.halo.switches.login_agent = own
    with desk.open(agent_fields=FIELDS) as halo:
        writes = [UserWrite(guid(n), desk.linked_agent(n), active=False) for n in (own, robot)]
        outcomes = halo.agents.write(writes)
    assert all("never written" in (outcome.error or "") for outcome in outcomes)
    assert desk.sent("Agent", "POST") == 0


def test_an_agent_that_is_gone_fails_alone(desk: Desk) -> None:
    """Its teams cannot be read, so its line fails; the other one of the batch is written."""
    ann = desk.halo.add_agent("Ann")
    fields = {"team:2nd line support": "yes"}
    with desk.open(agent_fields=FIELDS) as halo:
        writes = [UserWrite(guid(n), desk.linked_agent(n), fields=fields) for n in (ann, 999)]
        first, second = halo.agents.write(writes)
    assert (first.user, first.error) == (ann, None)
    assert second.error == "Halo has no agent 999 any more."
    assert desk.halo.agents[ann]["teams"] == [{"team_id": 2}]


def test_a_team_that_is_gone_fails_the_line(desk: Desk) -> None:
    """It was renamed between plan and apply; nothing is sent."""
    with desk.open(agent_fields=FIELDS) as halo:
        (outcome,) = halo.agents.write(
            [UserWrite(guid(1), None, fields={"name": "Ann", "team:third line": "yes"})]
        )
    assert outcome.error == "Halo has no team called third line any more."
    assert desk.halo.agents == {}


def test_tickets_are_counted_and_handed_over(desk: Desk) -> None:
    """Open ones alone, and nobody else's."""
    ann, bob = desk.halo.add_agent("Ann"), desk.halo.add_agent("Bob")
    user = desk.halo.add_user(name="Caller", site_id=desk.site)
    mine = [desk.halo.add_ticket(user, agent_id=ann) for _ in range(3)]
    closed = desk.halo.add_ticket(user, agent_id=ann, open=False)
    with desk.open(agent_fields=FIELDS) as halo:
        assert halo.agents.open_tickets(HaloUserId(ann)) == 3
        assert halo.agents.reassign(desk.linked_agent(ann), HaloUserId(bob)) == 3
        assert halo.agents.open_tickets(HaloUserId(ann)) == 0
    assert {desk.halo.tickets[number]["agent_id"] for number in mine} == {bob}
    assert desk.halo.tickets[closed]["agent_id"] == ann


def test_tickets_of_others_are_never_handed_over(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Halo that ignores the filter by agent lists everybody's: nothing is counted, nothing is touched."""
    ann, bob = desk.halo.add_agent("Ann"), desk.halo.add_agent("Bob")
    user = desk.halo.add_user(name="Caller", site_id=desk.site)
    desk.halo.add_ticket(user, agent_id=bob)
    with desk.open(agent_fields=FIELDS) as halo:
        monkeypatch.setattr("devstack.halo.reading._id_test", lambda _name, _text: lambda _row: True)
        assert halo.agents.open_tickets(HaloUserId(ann)) is None
        with pytest.raises(RecordRejected, match="none was touched"):
            halo.agents.reassign(desk.linked_agent(ann), HaloUserId(bob))
    assert desk.sent("Tickets", "POST") == 0


def test_a_list_that_leaves_out_the_login_is_completed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is matched by a field that lists do not carry is still found: single records have it."""
    desk.halo.add_agent("Ann", ad="CORP\\ann", email="ann@x.example")
    monkeypatch.setattr("devstack.halo.reading._DETAILS", frozenset({"ad", "email", "roles"}))
    with desk.open(agent_fields=FIELDS) as halo:
        (ann,) = halo.agents.all()
    assert (ann.fields["ad"], ann.fields["email"]) == ("CORP\\ann", "ann@x.example")


@pytest.mark.parametrize(
    ("body", "seats"),
    [
        ({"license_count": 10, "licenses_in_use": 4}, Seats(10, 4)),
        ({"license_count": 10.0}, Seats(10, 3)),
        ([{"other": 1}, {"licence_count": "5", "licences_in_use": 1}], Seats(5, 3)),
        ({}, None),
        (None, None),
        ({"license_count": "many"}, None),
        ({"license_count": -1}, None),
    ],
)
def test_licences_are_read_or_not_known(body: Any, seats: Seats | None) -> None:
    """The greater of what Halo says and what was counted is taken; nothing is made up."""
    assert decode_seats(body, 3) == seats
