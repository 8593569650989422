"""Agents through a whole sync: created, updated, disabled, within licences, and wherever a worker dies."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from devstack.directory import Directory
from devstack.directory.edits import escape_rdn
from devstack.halo import SimulatedHalo
from devstack.memory import MemoryTable
from halo_adsync import yaml_text
from halo_adsync.customer_file import parse, plain
from halo_adsync.errors import Busy, ConfigurationError
from halo_adsync.explaining import explain
from halo_adsync.plan.types import Change, Kind, Record
from halo_adsync.state.lease import SECONDS as LEASE_SECONDS
from halo_adsync.state.runs import Run, Status
from tests.contract.halo_desk import Time
from tests.contract.sync_stage import CUSTOMER, DOMAIN, PEOPLE, Died, Stage, company, crew

STAFF = f"OU=Staff,{DOMAIN}"
AGENTS = f"CN=Agents,{STAFF}"
SECOND_LINE = f"CN=Second Line,{STAFF}"
ADMINS = f"CN=Admins,{STAFF}"
COUNT = 7
DEFAULTS: dict[str, Any] = {
    "groups": [AGENTS],
    "teams": {SECOND_LINE: "2nd line support"},
    "roles": {ADMINS: "Administrator"},
    "default_team": "1st Line Support",
    "default_role": "Support",
    "create": True,
}


@pytest.fixture
def directory() -> Iterator[Directory]:
    """A company whose seven agents stand outside of scope, in a group within a group within a group."""
    with company() as running:
        running.add_ou("Staff")
        people = [
            running.add_user(f"Agent {n}", STAFF, sAMAccountName=f"a{n}", mail=f"a{n}@corp.example")
            for n in range(COUNT)
        ]
        lowest = running.add_group("Lowest", STAFF, people)
        middle = running.add_group("Middle", STAFF, [lowest])
        running.add_group("Agents", STAFF, [middle])
        running.add_group("Second Line", STAFF, people[:2])
        running.add_group("Admins", STAFF, people[:1])
        yield running


@dataclass
class Desk(Stage):
    """A stage whose customer has agents."""

    def with_agents(self, policy: str = "full", **agents: Any) -> None:
        """Keep the customer's file with this block of agents."""
        data = plain(self.builder.store().customer(CUSTOMER))
        block = {**DEFAULTS, **agents}
        self.builder.store().put_customer(parse(yaml_text.dump({**data, "policy": policy, "agents": block})))

    def lines(self, run: Run) -> list[Change]:
        """Return the lines of agents."""
        changes = [line.change for line in self.state.lines(run)] + self.state.notes(run)
        return [change for change in changes if change.record is Record.AGENT]

    def names(self, **state: bool) -> list[str]:
        """Return the names of Halo's agents in this state."""
        return sorted(
            agent["name"]
            for agent in self.halo.agents.values()
            if all(bool(agent.get(name)) == value for name, value in state.items())
        )


@pytest.fixture
def desk(directory: Directory) -> Iterator[Desk]:
    """A customer with agents, on a table in memory."""
    time = Time()
    with SimulatedHalo(clock=time.seconds) as halo:
        stage = Desk(directory, halo, MemoryTable(), time)
        stage.with_agents()
        yield stage


def agents(run: Run) -> dict[str, int]:
    """Return the buckets of agents that are not empty."""
    return {name: number for name, number in run.agents.items() if number}


def account(number: int) -> str:
    """Return the DN of an agent's account."""
    return f"CN=Agent {number},{STAFF}"


def test_agents_come_with_teams_and_roles_and_then_nothing_is_asked(desk: Desk) -> None:
    """From three levels of groups, outside of scope; the second run sends Halo not a single request."""
    run = desk.run()
    assert (run.status, agents(run)) == (Status.OK, {"create": COUNT})
    assert desk.names(isdisabled=False) == [f"Agent {n}" for n in range(COUNT)]
    by_name = {agent["name"]: agent for agent in desk.halo.agents.values()}
    teams = {name: [row["team_id"] for row in agent["teams"]] for name, agent in by_name.items()}
    assert (teams["Agent 0"], teams["Agent 1"], teams["Agent 2"]) == ([2], [2], [1])
    roles = {name: len(agent["roles"]) for name, agent in by_name.items()}
    assert set(roles.values()) == {1}
    assert by_name["Agent 0"]["roles"] != by_name["Agent 1"]["roles"]
    assert by_name["Agent 3"]["ad"] == "CORP\\a3"
    assert all(agent["third_party_guid"] for agent in by_name.values())
    assert desk.state.agent_links().keys() == {agent["third_party_guid"] for agent in by_name.values()}
    desk.halo.forget_requests()
    again = desk.run()
    assert (agents(again), desk.halo.requests) == ({"unchanged": COUNT}, [])


def test_members_of_agents_groups_who_come_and_go_need_no_full_run(desk: Desk, directory: Directory) -> None:
    """Who gets another role or team, is an agent from now on or none any more, through nested groups."""
    assert desk.run(mode="delta").mode == "full"
    lowest = f"CN=Lowest,{STAFF}"
    steps = [
        (ADMINS, [account(2)], {"update": 2}),
        (SECOND_LINE, [account(1), account(3)], {"update": 2}),
        (lowest, [account(number) for number in range(1, COUNT)], {"deactivate": 1}),
        (lowest, [account(number) for number in range(COUNT)], {"reactivate": 1}),
        (AGENTS, [account(number) for number in range(4)], {"deactivate": 3}),
    ]
    for group, members, expected in steps:
        directory.set_members(group, members)
        desk.wait(1)
        run = desk.run(mode="delta")
        changed = {name: number for name, number in agents(run).items() if name != "unchanged"}
        assert (run.mode, run.status, changed) == ("delta", Status.OK, expected)
        desk.wait(1)
        desk.halo.forget_requests()
        assert set(agents(desk.run())) <= {"unchanged", "skipped", "held"}
        assert desk.writes() == []


def test_nobody_is_created_unless_asked_for(desk: Desk) -> None:
    """Creation is off by default; the plan says so of each."""
    desk.with_agents(create=False)
    run = desk.run()
    assert agents(run) == {"skipped": COUNT}
    assert desk.halo.agents == {}
    assert all("agents.create is off" in line.reason for line in desk.lines(run))


def test_too_few_licences_hold_back_who_comes_last(desk: Desk) -> None:
    """The shortfall is named, the same people wait each time, and API-only agents cost no licence."""
    desk.halo.switches.license_count = 4
    desk.halo.add_agent("Robot", isapiagent=True)
    desk.halo.add_agent("Somebody else")
    run = desk.run()
    assert (run.status, agents(run)) == (Status.OK, {"create": 3, "held": 4})
    assert any("7 agents to create or enable, 3 licences free: 4 more needed." in w for w in run.warnings)
    assert {f"Agent {n}" for n in range(3)} <= set(desk.names())
    desk.halo.switches.license_count = 20
    assert agents(desk.run()) == {"create": 4, "unchanged": 3}


def test_a_licence_that_is_gone_by_then_fails_the_line_alone(desk: Desk) -> None:
    """Licences are counted again right before they are taken."""

    def progress(phase: str, done: int, total: int | None) -> None:
        del total
        if phase == "Writing to Halo" and done:
            desk.halo.switches.license_count = 6

    run = desk.sync(progress).run(desk.request())
    assert (run.status, agents(run)) == (Status.PARTIAL, {"create": 6, "failed": 1})
    (failed,) = [line for line in desk.state.lines(run) if line.status == "failed"]
    assert "no licence is free" in failed.outcome


def test_an_instance_that_does_not_tell_its_licences_gets_no_new_agents(desk: Desk) -> None:
    """What is not known is not spent."""
    desk.halo.faults.add("status", path="/api/LicenseInfo", status=404, times=None)
    assert agents(desk.run()) == {"held": COUNT}
    assert desk.halo.agents == {}


def test_an_agent_without_team_or_role_is_not_created(desk: Desk) -> None:
    """Such an agent would see nothing; the line says what to map."""
    desk.with_agents(default_team=None)
    run = desk.run()
    assert agents(run) == {"create": 2, "held": COUNT - 2}
    assert any("agents.default_team" in line.reason for line in desk.lines(run))


def test_names_of_teams_and_roles_are_checked(desk: Desk) -> None:
    """A name that Halo has not is an error of the file, which lists those there are."""
    desk.with_agents(teams={SECOND_LINE: "Third Line"}, default_role="Boss")
    run = desk.run()
    assert (run.status, run.cause) == (Status.FAILED, "configuration")
    assert 'no team called "Third Line"; there are 1st line support, 2nd line support' in run.message
    assert 'no role called "Boss"' in run.message


def test_who_is_there_already_is_adopted_and_keeps_other_teams(desk: Desk) -> None:
    """By login; only what the file names is managed; ours and API-only agents are never touched."""
    ours = desk.halo.add_agent("Agent 5", email="a5@corp.example")
    desk.halo.switches.login_agent = ours
    desk.halo.add_agent("Agent 6", email="a6@corp.example", isapiagent=True)
    known = desk.halo.add_agent(
        "Zero", ad="corp\\A0", teams=[{"team_id": 9}, {"team_id": 1}], roles=[{"id": "r9"}]
    )
    before = {key: dict(desk.halo.agents[key]) for key in desk.halo.agents if key != known}
    run = desk.run()
    assert agents(run) == {"create": COUNT - 1, "update": 1}
    adopted = desk.halo.agents[known]
    assert (adopted["name"], [row["team_id"] for row in adopted["teams"]]) == ("Agent 0", [9, 1, 2])
    assert "r9" in [row["id"] for row in adopted["roles"]]
    assert all(desk.halo.agents[key] == record for key, record in before.items())
    assert agents(desk.run()) == {"unchanged": COUNT}


def test_two_agents_that_may_be_meant_are_a_conflict(desk: Desk) -> None:
    """Nobody is guessed at, and the sentence speaks of agents."""
    for name in ("Zero", "Nought"):
        desk.halo.add_agent(name, ad="CORP\\a0")
    run = desk.run()
    assert agents(run) == {"create": COUNT - 1, "conflict": 1}
    assert any("2 Halo agents have the same ad" in line.reason for line in desk.lines(run))


def test_changes_reach_the_agent_field_by_field(desk: Desk, directory: Directory) -> None:
    """A new title is sent alone; leaving a team's group takes the team, joining one gives it."""
    desk.run()
    directory.modify(account(3), {"title": "Chief"})
    directory.set_members(SECOND_LINE, [account(0), account(4)])
    run = desk.run()
    changed = {line.name: line.fields for line in desk.lines(run)}
    assert changed["Agent 3"].keys() == {"jobtitle"}
    assert changed["Agent 4"]["team:2nd line support"].after == "yes"
    assert changed["Agent 1"]["team:2nd line support"].after == ""
    assert (run.status, agents(run)) == (Status.OK, {"update": 3, "unchanged": COUNT - 3})
    by_name = {agent["name"]: agent for agent in desk.halo.agents.values()}
    assert [row["team_id"] for row in by_name["Agent 1"]["teams"]] == []
    assert [row["team_id"] for row in by_name["Agent 4"]["teams"]] == [1, 2]
    assert by_name["Agent 3"]["jobtitle"] == "Chief"


def test_managers_are_agents_by_number(desk: Desk, directory: Directory) -> None:
    """In the run after the one that made them, in any order; circles are told, others are no manager."""
    chiefs = {0: account(1), 1: account(2), 2: account(0), 3: account(6), 4: f"CN=Person 01,{PEOPLE}"}
    for number, chief in chiefs.items():
        directory.modify(account(number), {"manager": chief})
    assert agents(first := desk.run()) == {"create": COUNT}
    assert not any(agent.get("linemanager") for agent in desk.halo.agents.values())
    second = desk.run()
    assert agents(second) == {"update": 4, "unchanged": COUNT - 4}
    by_name = {agent["name"]: agent for agent in desk.halo.agents.values()}
    numbers = {name: agent.get("linemanager") for name, agent in by_name.items()}
    ids = {name: agent["id"] for name, agent in by_name.items()}
    assert [numbers[f"Agent {n}"] for n in range(4)] == [ids[f"Agent {n}"] for n in (1, 2, 0, 6)]
    assert not numbers["Agent 4"]
    (circle,) = [told for told in second.warnings if "circle" in told]
    assert circle in first.warnings
    assert all(account(n) in circle for n in range(3))
    desk.halo.forget_requests()
    assert (agents(desk.run()), desk.halo.requests) == ({"unchanged": COUNT}, [])


def test_somebody_who_is_user_and_agent_is_linked(desk: Desk) -> None:
    """The user's record names the agent, in the run after the one that made the agent; others stay blank."""
    person = desk.directory.add_user("Both", PEOPLE, sAMAccountName="both", mail="both@corp.example")
    desk.directory.set_members(AGENTS, [person])
    data = plain(desk.builder.store().customer(CUSTOMER))
    data["fields"] = {"name": "displayName", "login": "sAMAccountName", "linked_agent_id": "{{ agent_id }}"}
    desk.builder.store().put_customer(parse(yaml_text.dump(data)))
    assert agents(desk.run()) == {"create": 1}
    run = desk.run()
    assert (run.status, run.counts["update"]) == (Status.OK, 1)
    (agent,) = desk.halo.agents.values()
    linked = {user["name"]: user.get("linked_agent_id") for user in desk.halo.people}
    assert linked.pop("Both") == agent["id"]
    assert not any(linked.values())
    desk.halo.forget_requests()
    assert (desk.run().counts["update"], desk.halo.requests) == (0, [])


def test_a_manager_of_users_and_one_of_agents_are_not_mixed(desk: Desk) -> None:
    """Each name of a template is for one kind of record; the sentence says which."""
    with pytest.raises(ConfigurationError, match=r"manager_email, which is for users only"):
        desk.with_agents(fields={"name": "cn", "linemanager": "{{ manager_email }}"})
    data = plain(desk.builder.store().customer(CUSTOMER))
    data["fields"] = {"name": "cn", "notes": "{{ manager_agent_id }}"}
    with pytest.raises(ConfigurationError, match=r"manager_agent_id, which is for agents\.fields only"):
        parse(yaml_text.dump(data))


def test_a_line_manager_that_is_no_number_fails_alone(desk: Desk) -> None:
    """The sentence says what the field takes; nobody else is held up."""
    desk.with_agents(fields={"name": "cn", "ad": "sAMAccountName", "linemanager": "description"})
    desk.directory.modify(account(5), {"description": "the boss"})
    run = desk.run()
    assert (run.status, agents(run)) == (Status.PARTIAL, {"create": COUNT - 1, "failed": 1})
    failed = [line for line in desk.state.lines(run) if line.status == "failed"]
    assert ["takes the number of an agent" in line.outcome for line in failed] == [True]


def test_reconcile_mends_what_was_changed_in_halo(desk: Desk) -> None:
    """A team taken away by hand and a changed name are found and put right."""
    desk.run()
    by_name = {agent["name"]: agent for agent in desk.halo.agents.values()}
    by_name["Agent 0"]["teams"] = []
    by_name["Agent 3"]["name"] = "Somebody"
    assert agents(desk.run()) == {"unchanged": COUNT}
    assert agents(desk.run(mode="reconcile")) == {"update": 2, "unchanged": COUNT - 2}
    assert desk.names() == [f"Agent {n}" for n in range(COUNT)]
    assert by_name["Agent 0"]["id"] in [a["id"] for a in desk.halo.agents.values() if a["teams"]]


def leave(directory: Directory) -> None:
    """Let one agent be disabled, another leave the groups, and a third vanish."""
    directory.disable(account(4))
    directory.set_members(f"CN=Lowest,{STAFF}", [account(n) for n in (0, 1, 2, 3, 4, 6)])
    directory.delete(account(6))


def test_who_leaves_is_disabled_on_proof(desk: Desk, directory: Directory) -> None:
    """Disabled, or out of the groups, is proof; who is not found is held; who is back is enabled again."""
    desk.run()
    user = desk.halo.add_user(name="Caller", site_id=next(iter(desk.halo.sites)))
    ids = {agent["name"]: agent["id"] for agent in desk.halo.agents.values()}
    for _ in range(2):
        desk.halo.add_ticket(user, agent_id=ids["Agent 4"])
    leave(directory)
    run = desk.run()
    reasons = {line.name: (line.kind, line.reason) for line in desk.lines(run)}
    assert agents(run) == {"deactivate": 2, "held": 1, "unchanged": COUNT - 3}
    assert "the account is disabled; 2 open tickets stay assigned" in reasons["Agent 4"][1]
    assert "in none of the agents' groups and OUs any more; no open tickets" in reasons["Agent 5"][1]
    assert reasons["Agent 6"][0] is Kind.HELD
    assert desk.names(isdisabled=True) == ["Agent 4", "Agent 5"]
    desk.halo.forget_requests()
    assert agents(desk.run()) == {"held": 1, "skipped": 2, "unchanged": COUNT - 3}
    assert desk.halo.requests == []
    directory.enable(account(4))
    assert agents(desk.run())["reactivate"] == 1
    assert desk.names(isdisabled=True) == ["Agent 5"]


@pytest.mark.parametrize(
    ("policy", "on_leave", "bucket"), [("full", "keep", "skipped"), ("upsert_only", "disable", "held")]
)
def test_who_leaves_may_be_kept(
    desk: Desk, directory: Directory, policy: str, on_leave: str, bucket: str
) -> None:
    """By `on_leave: keep`, or by a policy that disables nobody."""
    desk.run()
    directory.disable(account(4))
    desk.with_agents(policy, on_leave=on_leave)
    assert agents(desk.run()) == {bucket: 1, "unchanged": COUNT - 1}
    assert desk.names(isdisabled=True) == []


def test_tickets_go_to_a_named_agent_first(desk: Desk, directory: Directory) -> None:
    """All open ones, many more than a page; closed ones stay; then the agent is disabled."""
    heir = desk.halo.add_agent("Service Desk")
    desk.run()
    user = desk.halo.add_user(name="Caller", site_id=next(iter(desk.halo.sites)))
    leaver = next(agent["id"] for agent in desk.halo.agents.values() if agent["name"] == "Agent 4")
    for _ in range(120):
        desk.halo.add_ticket(user, agent_id=leaver)
    closed = desk.halo.add_ticket(user, agent_id=leaver, open=False)
    directory.disable(account(4))
    desk.with_agents(on_leave={"reassign": "service desk"})
    run = desk.run()
    (line,) = desk.lines(run)
    assert "120 open tickets go to Service Desk first" in line.reason
    owners = [ticket["agent_id"] for key, ticket in desk.halo.tickets.items() if key != closed]
    assert (set(owners), desk.halo.tickets[closed]["agent_id"]) == ({heir}, leaver)
    assert desk.names(isdisabled=True) == ["Agent 4"]
    desk.with_agents(on_leave={"reassign": "Nobody"})
    directory.disable(account(3))
    failed = desk.run()
    assert failed.cause == "configuration"
    assert "no enabled agents called" in failed.message


def test_tickets_that_cannot_be_handed_over_keep_the_agent(desk: Desk, directory: Directory) -> None:
    """The line fails with Halo's reason, and the next run tries again."""
    desk.halo.add_agent("Service Desk")
    desk.run()
    user = desk.halo.add_user(name="Caller", site_id=next(iter(desk.halo.sites)))
    leaver = next(agent["id"] for agent in desk.halo.agents.values() if agent["name"] == "Agent 4")
    desk.halo.add_ticket(user, agent_id=leaver)
    directory.disable(account(4))
    desk.with_agents(on_leave={"reassign": "Service Desk"})
    desk.halo.faults.add("status", method="POST", path="/api/Tickets", status=400)
    run = desk.run()
    assert (run.status, agents(run)["failed"], desk.names(isdisabled=True)) == (Status.PARTIAL, 1, [])
    assert agents(desk.run())["deactivate"] == 1


def test_one_agent_that_halo_refuses_stops_nobody_else(desk: Desk) -> None:
    """The batch is halved down to the one, as with users."""
    desk.halo.faults.add("status", method="POST", path="/api/Agent", contains="a3@", times=None, status=400)
    run = desk.run()
    assert (run.status, agents(run)) == (Status.PARTIAL, {"create": COUNT - 1, "failed": 1})
    desk.halo.faults.clear()
    assert agents(desk.run()) == {"create": 1, "unchanged": COUNT - 1}
    assert len(desk.halo.agents) == COUNT


@pytest.mark.parametrize("kind", ["drop_after_commit", "fail_after_commit", "drop_before_commit"])
def test_an_answer_in_doubt_creates_nobody_twice(desk: Desk, kind: str) -> None:
    """Stored or not: agents are looked up before anything is sent again."""
    desk.halo.faults.add(kind, method="POST", path="/api/Agent")
    assert agents(desk.run()) == {"create": COUNT}
    assert desk.names() == [f"Agent {n}" for n in range(COUNT)]


def test_a_worker_may_die_at_any_step(desk: Desk, directory: Directory) -> None:
    """The same run goes on, and every agent is there once, with a link."""
    step = 30
    while True:
        desk.halo.reset()
        stage = Desk(directory, desk.halo, MemoryTable())
        stage.with_agents()
        request = stage.request()
        stage.kill_at(step)
        died = False
        try:
            stage.sync().run(request)
        except Died:
            died = True
        stage.kill_at(None)
        if not died:
            break
        with suppress(Busy):
            stage.sync().run(request)
        stage.wait(LEASE_SECONDS)
        stage.sync().run(request)
        assert stage.state.run(request.run).status is Status.OK, step
        assert stage.names() == [f"Agent {n}" for n in range(COUNT)], step
        links = {link.user for link in stage.state.agent_links().values()}
        assert links == set(stage.halo.agents), step
        step += 1
    assert step > 36


def test_explain_shows_both_records_of_a_person(desk: Desk, directory: Directory) -> None:
    """Somebody who is user and agent has a step for each; a user's conflict list knows no agents."""
    _, name, office = next(crew())
    directory.set_members(f"CN=Lowest,{STAFF}", [f"CN={escape_rdn(name)},OU={office},{PEOPLE}"])
    services = desk.builder.services()
    told = explain(desk.sync(), services, CUSTOMER, "p01", "tester")
    assert (told.run.status, told.run.message) == (Status.PLANNED, "")
    steps = {step.title: step.text for step in told.steps}
    assert steps["Changes"].startswith("create: new in the directory")
    assert steps["Agent"].startswith("create: new among the agents")
    desk.run()
    steps = {step.title: step.text for step in explain(desk.sync(), services, CUSTOMER, "p01", "x").steps}
    assert "Halo agent" in steps["Agent"]
    assert "Agent" not in {s.title for s in explain(desk.sync(), services, CUSTOMER, "p02", "x").steps}
