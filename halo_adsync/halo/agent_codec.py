"""Halo's field names of agents, and the way between its records and the domain's types. Pure.

Names are those of Halo's OpenAPI (April 2025). Teams and roles are fields of their own here, `team:NAME` and
`role:NAME` with the name in lower case, which hold `yes` or nothing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from halo_adsync.errors import RecordRejected
from halo_adsync.halo.codec import (
    EMAIL_FIELD,
    GUID_FIELD,
    LOGIN_FIELD,
    Record,
    identity,
    is_true,
    number_in,
    plain_text,
    record_guid,
    record_id,
    rows_in,
)
from halo_adsync.halo.port import UserWrite
from halo_adsync.model import ROLE, TEAM, YES, HaloClientId, HaloSiteId, HaloUser, HaloUserId, Seats

AGENT_FIELDS = frozenset({
    "name", "firstname", "surname", "initials", "email", "jobtitle", "sms", "ad", "activedirectory_dn",
    "extensionnumber", "linemanager",
})  # fmt: skip
"""Every field of agents that a customer's file may map; all hold text, but for the manager's number."""
LINE_MANAGER = "linemanager"
IDENTIFYING = frozenset({GUID_FIELD, "email", "ad"})
"""What agents are matched by."""
FROM_USERS: Mapping[str, str] = {
    EMAIL_FIELD: "email",
    LOGIN_FIELD: "ad",
    "title": "jobtitle",
    "mobilenumber": "sms",
}
"""What agents' fields are called that have another name among users."""
_TOTAL = ("license_count", "licence_count")
_TAKEN = ("licenses_in_use", "licences_in_use", "named_licences_in_use")


@dataclass(frozen=True, slots=True)
class Catalog:
    """What an instance calls its teams and roles: ids by name in lower case."""

    teams: Mapping[str, int] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)


def decode_agent(record: Record, fields: Collection[str], own: int | None) -> HaloUser:
    """Read an agent; `own` is the one that the API application signs in as.

    A field that the record does not carry is none of the result's: lists may leave some out.
    """
    number = identity(record)[0]
    carried = [name for name in fields if name != GUID_FIELD and name.lower() in record]
    values = {name: plain_text(record[name.lower()]).strip() for name in carried}
    if values.get(LINE_MANAGER) in {"0", "-1"}:  # numbers that no agent has
        values[LINE_MANAGER] = ""
    return HaloUser(
        id=HaloUserId(number),
        client=HaloClientId(0),
        site=HaloSiteId(0),
        active=not is_true(record.get("isdisabled")),
        guid=record_guid(record),
        general=is_true(record.get("isapiagent")) or number == own or number <= 0,
        managed_elsewhere=False,
        fields=values | dict.fromkeys(_memberships(record), YES),
    )


def is_assigned(ticket: Record, agent: int) -> bool:
    """Tell whether a ticket is this agent's."""
    return plain_text(ticket.get("agent_id")) == str(int(agent))


def takes_seat(record: Record) -> bool:
    """Tell whether an agent costs a licence: enabled, and not for the API only."""
    return not is_true(record.get("isdisabled")) and not is_true(record.get("isapiagent"))


def decode_seats(body: Any, counted: int) -> Seats | None:
    """Read how many licences there are; None where the answer does not say.

    Args:
        body: the answer of `/LicenseInfo`, an object or a list of them.
        counted: how many agents were seen to take one.
    """
    parts = [part for part in (body if isinstance(body, list) else [body]) if isinstance(part, dict)]
    total = next(_numbers(parts, _TOTAL), None)
    return None if total is None else Seats(total, max([counted, *_numbers(parts, _TAKEN)]))


def encode_agent(write: UserWrite, catalog: Catalog, current: Record | None) -> dict[str, Any]:
    """Write an agent as an element of `POST /Agent`.

    Args:
        write: what has to become true; a new agent is stamped with its directory account.
        catalog: the teams and roles there are.
        current: the agent as Halo has it, whose other teams and roles stay; None for a new one.

    Raises:
        RecordRejected: a team or role is not there, or the manager is no number.
    """
    element: dict[str, Any] = {GUID_FIELD: write.guid} if write.user is None else {"id": int(write.user)}
    if write.active is not None:
        element["isdisabled"] = not write.active
    marks = {name: text for name, text in write.fields.items() if ":" in name}
    element |= {name.lower(): _value(name, text) for name, text in write.fields.items() if name not in marks}
    teams = {name.removeprefix(TEAM): text for name, text in marks.items() if name.startswith(TEAM)}
    roles = {name.removeprefix(ROLE): text for name, text in marks.items() if name.startswith(ROLE)}
    if teams:
        element["teams"] = _with(rows_in(current or {}, "teams"), teams, catalog.teams, "team_id", "team")
        joined = sorted(name for name, text in teams.items() if text)
        if write.user is None and joined:
            element["team"] = joined[0]
    if roles:
        element["roles"] = _with(rows_in(current or {}, "roles"), roles, catalog.roles, "id", "role")
    return element


def _value(name: str, text: str) -> str | int:
    if name.lower() != LINE_MANAGER:
        return text
    if not (text or "0").isdecimal():
        raise RecordRejected(f"{name} takes the number of an agent, as {{{{ manager_agent_id }}}} gives it.")
    return int(text or "0")


def _with(
    there: Sequence[Record], marks: Mapping[str, str], ids: Mapping[str, int | str], key: str, noun: str
) -> list[Record]:
    """Return the memberships there are, with those of `marks` added or taken away."""
    missing = sorted(marks.keys() - ids.keys())
    if missing:
        raise RecordRejected(f"Halo has no {noun} called {missing[0]} any more.")
    named = {str(ids[name]).lower(): bool(text) for name, text in marks.items()}
    kept: list[Record] = [row for row in there if named.get(plain_text(row.get(key)).lower(), True)]
    held = {plain_text(row.get(key)).lower() for row in kept}
    added = [ids[name] for name, text in sorted(marks.items()) if text]
    return [*kept, *({key: number} for number in added if str(number).lower() not in held)]


def catalog_of(teams: Sequence[Record], roles: Sequence[Record]) -> Catalog:
    """Return what the lists of teams and roles call them."""
    numbered = {_name(row): number for row in teams if (number := record_id(row)) is not None}
    return Catalog(numbered, {_name(row): plain_text(row.get("id")) for row in roles})


def with_names(record: Record, catalog: Catalog) -> Record:
    """Return an agent's record in which every team and role has its name."""
    teams = {str(number): name for name, number in catalog.teams.items()}
    roles = {number.lower(): name for name, number in catalog.roles.items()}
    named = {
        "teams": [
            {**row, "name": teams.get(plain_text(row.get("team_id")))} for row in rows_in(record, "teams")
        ],
        "roles": [
            {**row, "name": roles.get(plain_text(row.get("id")).lower())} for row in rows_in(record, "roles")
        ],
    }
    return {**record, **named}


def _memberships(record: Record) -> Iterator[str]:
    for key, prefix in (("teams", TEAM), ("roles", ROLE)):
        yield from (f"{prefix}{_name(row)}" for row in rows_in(record, key) if _name(row))


def _name(row: Record) -> str:
    return plain_text(row.get("name")).strip().casefold()


def _numbers(parts: Sequence[Record], names: Sequence[str]) -> Iterator[int]:
    for part in parts:
        for name in names:
            number = number_in(part.get(name))
            if number is not None and number >= 0:
                yield number
