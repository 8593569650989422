"""Planning, agents: Halo is asked about them only where somebody is new or something is to be written."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from halo_adsync.customer import Customer
from halo_adsync.halo.port import AgentDesk
from halo_adsync.model import DirectoryRead
from halo_adsync.plan.agents import AgentLines, AgentSide, agent_lines, check_names, leaving, match_agents
from halo_adsync.plan.mapping import Target
from halo_adsync.plan.staff import candidates, circles


def plan_agents(
    customer: Customer,
    reads: Sequence[DirectoryRead],
    side: AgentSide,
    desk: AgentDesk,
    *,
    mode: str,
    now: datetime,
) -> AgentLines:
    """Return what becomes of everybody who is, was, or is to be an agent.

    Args:
        customer: whose rules.
        reads: what the directories hold.
        side: what is kept of the customer's agents.
        desk: where Halo is asked.
        mode: `reconcile` compares with what Halo really holds.
        now: the time that expiry is judged by, UTC.

    Raises:
        ConfigurationError: the file names a team, a role or an agent that is not there.
        HaloUnavailable, HaloRefused, BudgetSpent: Halo had to be asked and did not answer.
    """
    found = candidates(customer, reads, side.links, now, Target())
    told = tuple(circles(customer, reads, found))
    lines = agent_lines(customer, found, side).with_warnings(told)
    newcomers = any(one.outside is None and one.person.guid not in side.links for one in found)
    if mode != "reconcile" and not newcomers and not lines.ask_halo:
        return lines
    check_names(customer.agents, desk.teams(), desk.roles())
    side = replace(side, agents={agent.id: agent for agent in desk.all()}, seats=desk.seats())
    matched = [m.user.id for m in match_agents(customer, found, side).values() if m.user is not None]
    linked = [link.user for link in side.links.values()] if mode == "reconcile" else []
    read = [desk.agent(agent) for agent in sorted({*matched, *linked})]
    whole = {agent.id: agent for agent in read if agent is not None}
    side = replace(side, agents={**(side.agents or {}), **whole}, whole=frozenset(whole))
    going = leaving(agent_lines(customer, found, side).changes)
    counted = {agent: desk.open_tickets(agent) for agent in going}
    side = replace(side, tickets={agent: n for agent, n in counted.items() if n is not None})
    return agent_lines(customer, found, side).with_warnings(told)
