"""The agents of one instance: read, written in batches, and their tickets handed over."""

from collections.abc import Callable, Mapping, Sequence
from itertools import batched
from typing import Any

from halo_adsync.errors import RecordRejected
from halo_adsync.halo.agent_codec import (
    IDENTIFYING,
    Catalog,
    catalog_of,
    decode_agent,
    decode_seats,
    encode_agent,
    is_assigned,
    takes_seat,
    with_names,
)
from halo_adsync.halo.batch import BatchWriter, Element
from halo_adsync.halo.client import HaloApi
from halo_adsync.halo.codec import GUID_FIELD, Record, identity, record_guid, record_id
from halo_adsync.halo.gate import not_linked, other_stamp
from halo_adsync.halo.pages import how_many, page_parameters, read_all, records
from halo_adsync.halo.port import Licence, UserOutcome, UserWrite
from halo_adsync.halo.users import EMPTY, SAMPLE
from halo_adsync.model import HaloUser, HaloUserId, ObjectGuid, Seats

AGENTS, TEAMS, ROLES, TICKETS = "agents", "teams", "roles", "tickets"
TOGETHER = 25
"""How many tickets are handed over in one request."""
_EVERYBODY = {
    "includeenabled": "true",
    "includedisabled": "true",
    "includeapiagents": "true",
    "includeroles": "true",
}
_NOT_OURS = "This agent is for the API only, or the one that this sync signs in as; it is never written."


class Agents:
    """The agents of one instance. What was learnt of teams and of our own agent is remembered."""

    def __init__(self, api: HaloApi, pause: Callable[[float], None]) -> None:
        self._api = api
        self._writer = BatchWriter(self._post, self._look_up, pause, self._encode)
        self._catalog: Catalog | None = None
        self._own: list[int | None] = []
        self._known: dict[HaloUserId, HaloUser] | None = None
        self.licence = Licence()
        self._current: dict[int, Record] = {}

    def all(self) -> Sequence[HaloUser]:
        """Return every agent, disabled ones too."""
        rows = self._list()
        if self._hides_identity(rows):
            found = (self.agent(HaloUserId(identity(row)[0])) for row in rows)
            return tuple(agent for agent in found if agent is not None)
        return tuple(self._decode(row) for row in rows)

    def agent(self, agent: HaloUserId) -> HaloUser | None:
        """Return one agent with teams and roles; None where Halo has no such agent."""
        record = self._details(agent)
        return None if record is None else self._decode(record)

    def teams(self) -> Sequence[str]:
        """Return the names of the teams there are, in lower case."""
        return sorted(self._names().teams)

    def roles(self) -> Sequence[str]:
        """Return the names of the roles there are, in lower case."""
        return sorted(self._names().roles)

    def seats(self) -> Seats | None:
        """Return how many licences there are and how many are taken; None where Halo does not say."""
        body = self._api.get("/LicenseInfo", missing_ok=True)
        return decode_seats(body, sum(map(takes_seat, self._list())))

    def open_tickets(self, agent: HaloUserId) -> int | None:
        """Return how many open tickets are assigned to an agent; None where Halo does not tell them apart."""
        body = self._tickets(agent, 100)
        if not all(is_assigned(row, agent) for row in records(body, TICKETS)):
            return None
        return how_many(body, TICKETS)

    def reassign(self, agent: HaloUserId, to: HaloUserId) -> int:
        """Hand every open ticket of an agent to another, and return how many that were.

        Raises:
            RecordRejected, Doubtful: some could not be handed over.
        """
        if agent not in self.licence.agents.values():
            raise RecordRejected(f"Halo agent {agent} is linked to nobody; no ticket is taken from it.")
        handed: set[int] = set()
        while True:
            rows = records(self._tickets(agent, 100), TICKETS)
            if not all(is_assigned(row, agent) for row in rows):
                raise RecordRejected("Halo lists other agents' tickets as this one's; none was touched.")
            numbers = sorted(number for row in rows if (number := record_id(row)) is not None)
            if not numbers:
                return len(handed)
            if handed.issuperset(numbers):
                raise RecordRejected("Halo leaves tickets with the agent that were handed to another.")
            for some in batched(numbers, TOGETHER, strict=False):
                self._api.post("/Tickets", [{"id": number, "agent_id": int(to)} for number in some])
            handed.update(numbers)

    def write(self, writes: Sequence[UserWrite], *, resumed: bool = False) -> Sequence[UserOutcome]:
        """Write one batch; return one outcome for each write, in their order."""
        refused = {write.guid: self._why_not(write) for write in writes}
        outcomes = {guid: UserOutcome(guid, error=why) for guid, why in refused.items() if why is not None}
        allowed = [write for write in writes if write.guid not in outcomes]
        self._current.clear()
        for write in allowed:
            if write.user is not None and any(":" in name for name in write.fields):
                record = self._details(write.user)
                if record is None:
                    gone = f"Halo has no agent {write.user} any more."
                    outcomes[write.guid] = UserOutcome(write.guid, error=gone)
                else:
                    self._current[write.user] = record
        ready = [write for write in allowed if write.guid not in outcomes]
        for outcome in self._writer.write(ready, resumed=resumed):
            outcomes[outcome.guid] = outcome
        return [outcomes[write.guid] for write in writes]

    def _encode(self, write: UserWrite) -> Element:
        marked = any(":" in name for name in write.fields)
        current = self._current.get(write.user) if write.user is not None else None
        return encode_agent(write, self._names() if marked else Catalog(), current)

    def _post(self, elements: Sequence[Element], hide: frozenset[str]) -> Any:
        return self._api.post("/Agent", elements, hide)

    def _look_up(self, creates: Sequence[UserWrite]) -> Mapping[ObjectGuid, Sequence[HaloUserId]]:
        wanted = {write.guid for write in creates}
        found: dict[ObjectGuid, list[HaloUserId]] = {}
        rows = self._list()
        listed = any(GUID_FIELD in row for row in rows)
        for row in rows:
            number = identity(row)[0]
            record = row if listed else (self._details(number) or row)
            guid = record_guid(record)
            if guid in wanted:
                found.setdefault(guid, []).append(HaloUserId(number))
        return found

    def _list(self) -> list[Record]:
        def fetch(page: Mapping[str, str]) -> Any:
            return self._api.get("/Agent", page)

        return list(read_all(fetch, AGENTS, _EVERYBODY))

    def _hides_identity(self, rows: Sequence[Record]) -> bool:
        """Tell whether lists leave out what agents are matched by; a few single records show it."""
        lacking = IDENTIFYING - frozenset[str]().union(*rows)
        samples = rows[:: max(1, len(rows) // SAMPLE)][:SAMPLE] if lacking else []
        details = (self._details(identity(row)[0]) or {} for row in samples)
        return any(record.get(name) not in EMPTY for record in details for name in lacking)

    def _details(self, agent: int) -> Record | None:
        record: Any = self._api.get(f"/Agent/{agent}", {"includedetails": "true"}, missing_ok=True)
        return record if record_id(record) == agent else None

    def _decode(self, record: Record) -> HaloUser:
        return decode_agent(with_names(record, self._names()), self._api.config.agent_fields, self._me())

    def _tickets(self, agent: HaloUserId, size: int) -> Any:
        query = {"agent_id": str(agent), "open_only": "true", **page_parameters(1, size)}
        return self._api.get("/Tickets", query)

    def _names(self) -> Catalog:
        if self._catalog is None:
            teams = records(self._api.get("/Team"), TEAMS)
            self._catalog = catalog_of(teams, records(self._api.get("/Roles"), ROLES))
        return self._catalog

    def _me(self) -> int | None:
        if not self._own:
            self._own.append(record_id(self._api.get("/Agent/me", missing_ok=True)))
        return self._own[0]

    def _why_not(self, write: UserWrite) -> str | None:
        """Say why an agent may not be written, if it may not."""
        refused = not_linked(write, self.licence.agents, "agent")
        if refused or write.user is None:
            return refused
        if self._known is None:
            self._known = {agent.id: agent for agent in self.all()}
        known = self._known.get(write.user)
        if known is not None and known.general:
            return _NOT_OURS
        return other_stamp(write, known.guid if known else None, "agent")
