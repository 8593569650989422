"""Taking over, agents: Halo's containers, mappings and matching fields of agents as a block. Pure."""

from collections.abc import Callable, Sequence
from typing import Any

from halo_adsync.customer_agents import AGENT_FIELDS, DEFAULT_AGENT_FIELDS, Agents
from halo_adsync.halo.agent_codec import FROM_USERS, LINE_MANAGER
from halo_adsync.halo.codec import GUID_FIELD
from halo_adsync.halo.ldap_connection import FieldName, LdapConnection
from halo_adsync.plan.templates import ExpressionError, compile_expression, is_template

type Data = dict[str, Any]


def agents_block(
    connection: LdapConnection, ous: Sequence[str], known: Agents, say: Callable[[str], None]
) -> Data | None:
    """Return the block of agents; None where the connection makes nobody an agent.

    Args:
        connection: Halo's.
        ous: the containers whose people become agents.
        known: the block as the file has it.
        say: takes what a person has to know or do.
    """
    if not ous:
        if connection.agent_fields or connection.agent_matching:
            say(
                "Halo maps fields of agents, but no container to agents: the agents block stays as it is."
                " Name its groups or OUs if there are to be agents."
            )
        return None
    if not known.create:
        say("Halo makes agents of the people in its agent containers; here agents.create is off.")
    block: Data = {"ous": list(ous)}
    if fields := _fields(connection, say):
        block["fields"] = fields
    if rungs := _match(connection, say):
        block["match"] = rungs
        mapped = fields or DEFAULT_AGENT_FIELDS
        for rung in rungs[1:]:
            if rung not in mapped:
                say(f"agents.match names {rung}, but no mapping fills it: map it in agents.fields.")
    return block


def _fields(connection: LdapConnection, say: Callable[[str], None]) -> Data:
    fields: Data = {}
    for mapping in connection.agent_fields:
        name, source = _agent_field(mapping.target), mapping.attribute
        if name == LINE_MANAGER:
            source = DEFAULT_AGENT_FIELDS[name]
        if problem := _unusable(name, source, mapping.attribute, fields):
            say(f"The mapping of {mapping.attribute!r} to the agents' {mapping.target.label!r}: {problem}.")
        elif name:
            fields[name] = source
    if fields and "name" not in fields:
        say(f"Halo maps nothing to the agents' name; the file has {DEFAULT_AGENT_FIELDS['name']}.")
        fields = {"name": DEFAULT_AGENT_FIELDS["name"], **fields}
    return fields


def _unusable(name: str | None, source: str, attribute: str, fields: Data) -> str:
    """Return why a mapping cannot be taken over; empty where it can."""
    if name == GUID_FIELD:
        return "the sync itself decides this field"
    if name not in AGENT_FIELDS:
        return "this sync knows no such field of agents"
    if name in fields:
        return f"{name} is mapped already, from {fields[name]}"
    try:
        compile_expression(source)
    except ExpressionError:
        return "this is no attribute's name"
    return "this is no attribute's name" if is_template(attribute) else ""


def _match(connection: LdapConnection, say: Callable[[str], None]) -> list[str]:
    """Return the ladder of agents; empty where Halo names no matching fields."""
    rungs = [GUID_FIELD] if connection.agent_matching else []
    for name in connection.agent_matching:
        rung = _agent_field(name)
        if rung not in {GUID_FIELD, "ad", "email"}:
            say(f"The matching field {name.label!r} has no counterpart; agents are not matched by it.")
        elif rung and rung not in rungs:
            rungs.append(rung)
    return rungs


def _agent_field(name: FieldName) -> str | None:
    """Return what Halo calls the field in an agent's record; None where that is not known."""
    label = "".join(letter for letter in name.label.casefold() if letter.isalnum())
    by_label = next((field for field in sorted(AGENT_FIELDS) if field.replace("_", "") == label), None)
    if name.field is None or label == "ad":
        return by_label
    return FROM_USERS.get(name.field, name.field)
