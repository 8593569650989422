"""Taking over: the customer file that stands for a connection of Halo's own directory integration. Pure.

What Halo's set-up speaks of is replaced in the file: `directories`, `scope.include`, `scope.filter`,
`placement.client`, `placement.rules`, `fields`, `match`, `agents` and `onboarding`. Everything else
stays. What has no counterpart, or means something else here, is a sentence of the report.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from halo_adsync import yaml_text
from halo_adsync.customer import DEFAULT_FIELDS, OWNED_BY_THE_SYNC, Customer
from halo_adsync.customer_file import parse, plain
from halo_adsync.directory.dn import canonical_dn, parse_dn
from halo_adsync.directory.entry import GUID
from halo_adsync.directory.filters import checked_filter
from halo_adsync.errors import ConfigurationError
from halo_adsync.halo.codec import EMAIL_FIELD, GUID_FIELD, LOGIN_FIELD
from halo_adsync.halo.ldap_connection import ContainerMapping, FieldMapping, LdapConnection
from halo_adsync.plan.templates import ExpressionError, compile_expression, is_template
from halo_adsync.takeover_agents import agents_block
from halo_adsync.takeover_directory import directory_block
from halo_adsync.takeover_onboarding import onboarding_block

type Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Takeover:
    """A customer as Halo's set-up describes it, and in `report` what that leaves open."""

    customer: Customer
    report: tuple[str, ...]


def choose(connections: Sequence[LdapConnection], number: int | None) -> LdapConnection:
    """Return the connection with this id, or the only one there is.

    Raises:
        ConfigurationError: there is none of that id, or a choice has to be made; the text lists all.
    """
    if not connections:
        raise ConfigurationError(
            "Halo has no LDAP connection to take over, or the API application may not read its integrations;"
            " write the customer file by hand, or give the application that permission."
        )
    if number is None and len(connections) == 1:
        return connections[0]
    chosen = next((connection for connection in connections if connection.id == number), None)
    if chosen is None:
        problem = "several LDAP connections" if number is None else f"no LDAP connection {number}"
        raise ConfigurationError(
            f"Halo has {problem}: choose one with --connection N. There are {_listed(connections)}."
        )
    return chosen


def take_over(
    customer: Customer, connection: LdapConnection, others: Sequence[LdapConnection] = ()
) -> Takeover:
    """Translate a connection into the file of a customer that is known already.

    Args:
        customer: whose file it becomes; its Halo block and all that Halo's set-up is silent on stay.
        connection: with its mappings.
        others: further connections of the instance, for the report.

    Raises:
        ConfigurationError: the connection maps no container to a site, or its host is no host's name.
    """
    translation = _Translation(customer, connection)
    data = translation.data()
    remaining = [other for other in others if other.id != connection.id]
    if remaining:
        translation.report.append(
            f"Halo has further LDAP connections, which are not taken over: {_listed(remaining)}."
        )
    source = f"the file made of Halo's LDAP connection {connection.id}"
    return Takeover(parse(yaml_text.dump(data), source=source), tuple(dict.fromkeys(translation.report)))


class _Translation:
    """One translation; `report` grows as the blocks are made."""

    def __init__(self, customer: Customer, connection: LdapConnection) -> None:
        self._customer, self._connection = customer, connection
        self.report: list[str] = []

    def data(self) -> Data:
        """Return the customer file as plain data."""
        data = plain(self._customer)
        containers = list(self._usable())
        users = list(self._users(found for found in containers if not found.agents))
        agents = [found for found in containers if found.agents]
        if not users:
            raise ConfigurationError(
                f"Halo's LDAP connection {self._connection.id} maps no container to a site. There is nothing"
                " to take over; without an included OU the whole directory would be in scope."
            )
        for found in (*users, *agents):
            self._say_container(found)
        dns = _distinct((*users, *agents))
        data["directories"] = [
            directory_block(self._connection, self._customer.id, data["directories"], dns, self._say)
        ]
        data["scope"] = {**data.get("scope", {}), "include": _distinct(users), "filter": self._filter(users)}
        data["placement"] = {**data["placement"], **self._placement(users)}
        data["fields"] = self._fields()
        data["match"] = self._match(data["fields"])
        if block := agents_block(self._connection, self._agent_ous(agents), self._customer.agents, self._say):
            data["agents"] = {**data.get("agents", {}), **block}
        if onboarding := onboarding_block(self._connection, self._say):
            data["onboarding"] = onboarding
        self._say_the_rest()
        return data

    def _say(self, sentence: str) -> None:
        self.report.append(sentence)

    def _usable(self) -> Iterator[ContainerMapping]:
        """Yield the containers that users or agents come from and whose name can be read."""
        for found in self._connection.containers:
            if found.board:
                self._say(f"{found.dn}: mappings to change advice boards have no counterpart.")
            elif not _is_dn(found.dn):
                self._say(f"{found.dn!r} is no distinguished name; this container is left out.")
            else:
                yield found

    def _users(self, containers: Iterable[ContainerMapping]) -> Iterator[ContainerMapping]:
        """Yield the containers that are mapped to a site; of one that is mapped to several, the first."""
        sites: dict[str, ContainerMapping] = {}
        for found in containers:
            if found.site is None:
                self._say(f"{found.dn}: Halo names no site for it; this container is left out of scope.")
                continue
            first = sites.setdefault(canonical_dn(found.dn), found)
            if (first.site, first.client) == (found.site, found.client):
                yield found
            else:
                self._say(
                    f"{found.dn}: Halo maps it to site {first.site} and to site {found.site}; only the first"
                    " is taken over, because a rule goes by OU, not by filter."
                )

    def _say_container(self, found: ContainerMapping) -> None:
        if not found.recursive:
            self._say(
                f"{found.dn}: Halo reads this container alone; here the OUs below it count as well. Put those"
                " that are to stay out into scope.exclude."
            )
        if found.user_role is not None:
            self._say(f"{found.dn}: the user role {found.user_role} is not set by this sync.")
        if found.agent_role:
            self._say(f"{found.dn}: the agent role {found.agent_role} has no counterpart: roles go by group.")

    def _filter(self, users: Sequence[ContainerMapping]) -> str:
        """Return the one filter that lets everybody through whom a container's own would."""
        own = [self._checked(found) for found in users]
        distinct = list(dict.fromkeys(own))
        joined = distinct[0] if len(distinct) == 1 else f"(|{''.join(distinct)})"
        shared = "" if "" in distinct else joined
        for found, one in zip(users, own, strict=True):
            if one != shared:
                self._say(
                    f"{found.dn}: Halo's filter for this container is {one or 'empty'}; here one filter,"
                    f" {shared or 'an empty one'}, holds for all of them. More people may be in scope."
                )
        return shared

    def _checked(self, found: ContainerMapping) -> str:
        """Return a container's filter in parentheses; Halo does not insist on them."""
        for text in (found.filter, f"({found.filter})", f"(&{found.filter})"):
            try:
                return checked_filter(text)
            except ConfigurationError:
                continue
        self._say(f"{found.dn}: its filter {found.filter} is no LDAP filter and is left out; write it anew.")
        return ""

    def _placement(self, users: Sequence[ContainerMapping]) -> Data:
        """Return a rule for each container, the deepest first, so that the nearest one answers."""
        clients = Counter(found.client for found in users if found.client is not None)
        common = clients.most_common(1)[0][0] if clients else None
        rules: dict[str, Data] = {}
        for found in sorted(users, key=lambda found: -len(parse_dn(found.dn))):
            rule: Data = {"ou": found.dn, "site": {"id": found.site}}
            if found.client is None:
                self._say(
                    f"{found.dn}: Halo names no client for site {found.site}; placement.client is meant."
                )
            elif found.client != common:
                rule["client"] = {"id": found.client}
            rules.setdefault(canonical_dn(found.dn), rule)
        client = {} if common is None else {"client": {"id": common}}
        return {**client, "rules": list(rules.values())}

    def _fields(self) -> Data:
        fields: Data = {}
        for mapping in self._connection.user_fields:
            if problem := _unusable(mapping, fields):
                self._say(f"The mapping of {mapping.attribute!r} to {mapping.target.label!r}: {problem}.")
            else:
                fields[str(mapping.target.field)] = mapping.attribute
        if not fields:
            self._say(
                "Halo maps no field that could be taken over; the defaults of this sync are in the file."
            )
            return dict(DEFAULT_FIELDS)
        if "name" not in fields:
            self._say(f"Halo maps nothing to the name; the file has the default, {DEFAULT_FIELDS['name']}.")
            return {"name": DEFAULT_FIELDS["name"], **fields}
        return fields

    def _match(self, fields: Data) -> list[str]:
        rungs = [GUID_FIELD]
        for name in self._connection.matching:
            if name.field not in {GUID_FIELD, LOGIN_FIELD, EMAIL_FIELD}:
                self._say(
                    f"The matching field {name.label!r} has no counterpart; people are not matched by it."
                )
            elif name.field not in rungs:
                rungs.append(name.field)
        if not self._connection.matching:
            self._say("Halo names no matching fields; match stays as it is in the file.")
            return list(self._customer.match)
        for rung in rungs[1:]:
            if rung not in fields:
                self._say(
                    f"match names {rung}, but no mapping fills it: map it in fields, or nobody matches."
                )
        return rungs

    def _agent_ous(self, agents: Sequence[ContainerMapping]) -> list[str]:
        for found in agents:
            if found.filter:
                self._say(f"{found.dn}: the agents block has no filter; {found.filter} is left out.")
        return _distinct(agents)

    def _say_the_rest(self) -> None:
        """Report what concerns no block of the file."""
        connection = self._connection
        if connection.guid_attribute and connection.guid_attribute.casefold() != GUID.casefold():
            self._say(
                f"Halo takes GUIDs from {connection.guid_attribute}; this sync takes them from {GUID}, so"
                f" people are not found by {GUID_FIELD} at first."
            )
        if connection.integrator:
            self._say(
                "The Halo Integrator runs this connection: switch it off before the first sync that writes."
            )


def _unusable(mapping: FieldMapping, fields: Data) -> str:
    """Return why a mapping cannot be taken over; empty where it can."""
    field = mapping.target.field
    if field is None:
        return "this sync knows no such Halo field"
    if field in OWNED_BY_THE_SYNC:
        return "the sync itself decides this field"
    if field in fields:
        return f"{field} is mapped already, from {fields[field]}"
    try:
        compile_expression(mapping.attribute)
    except ExpressionError:
        return "this is no attribute's name"
    return "this is no attribute's name" if is_template(mapping.attribute) else ""


def _distinct(containers: Iterable[ContainerMapping]) -> list[str]:
    return list({canonical_dn(found.dn): found.dn for found in containers}.values())


def _is_dn(text: str) -> bool:
    try:
        return bool(parse_dn(text))
    except ValueError:
        return False


def _listed(connections: Iterable[LdapConnection]) -> str:
    return ", ".join(f"{connection.id} ({connection.name})" for connection in connections)
