"""The adapter: one Halo instance as the port `Halo` describes it."""

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from halo_adsync.errors import Doubtful, HaloUnavailable, RecordRejected
from halo_adsync.halo.agents import Agents
from halo_adsync.halo.batch import BatchWriter, Element
from halo_adsync.halo.budget import Budget, Pulse, no_pulse
from halo_adsync.halo.client import HaloApi
from halo_adsync.halo.codec import (
    CLIENTS,
    SITES,
    USERS,
    identity,
    record_id,
)
from halo_adsync.halo.config import HaloConfig
from halo_adsync.halo.custom_fields import FIELD_INFO, decode_fields
from halo_adsync.halo.gate import Gate
from halo_adsync.halo.ldap_connection import CONNECTIONS, LdapConnection, decode_connection
from halo_adsync.halo.pages import INACTIVE_TOO, how_many, page_parameters, read_all, records
from halo_adsync.halo.place_codec import decode_client, decode_site, encode_client, encode_rename, encode_site
from halo_adsync.halo.port import Licence, SiteWrite, TicketWrite, UserOutcome, UserWrite
from halo_adsync.halo.probe import Finding, probe
from halo_adsync.halo.search import UserSearch
from halo_adsync.halo.statuses import complaint, redact
from halo_adsync.halo.tickets import (
    ACTIONS,
    TICKETS,
    decode_ticket,
    encode_note,
    encode_ticket,
    has_note,
    same_ticket,
)
from halo_adsync.halo.users import UserReader
from halo_adsync.model import (
    CustomField,
    HaloClient,
    HaloClientId,
    HaloSite,
    HaloSiteId,
    HaloUser,
    HaloUserId,
    Meter,
    ObjectGuid,
    Tickets,
)

TICKETS_SHOWN = 3
"""How many of somebody's tickets are named."""


class HaloInstance:
    """One Halo instance, signed in on first use. A context manager; not for use by two threads at a time."""

    def __init__(self, config: HaloConfig, *, meter: Meter, budget: Budget, pulse: Pulse = no_pulse) -> None:
        """Prepare; nothing is sent yet.

        Args:
            config: where the instance is and who signs in.
            meter: where requests are counted: each as one, and those that write as a write, too.
            budget: what may be sent. What is left of it is given back by `close`.
            pulse: called before each request and while waiting; renews the run's lease, and may raise.
        """
        self._api = HaloApi(config, meter=meter, budget=budget, pulse=pulse)
        self._reader = UserReader(self._api)
        self._gate = Gate(self._reader)
        self._search = UserSearch(self._api, self._reader)
        self.agents = Agents(self._api, lambda seconds: budget.pause(seconds, pulse))
        self._writer = BatchWriter(
            self._post_users, self._look_up, lambda seconds: budget.pause(seconds, pulse)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and give back what is left of the budget; safe to call twice."""
        self._api.close()

    def permit(self, licence: Licence) -> None:
        """Say what may be written from now on; before the first call that is nothing."""
        self._gate.licence = self.agents.licence = licence

    def check(self) -> str:
        """Sign in, read one record of each kind that a sync needs, and return a sentence for people."""
        self._api.sign_in()
        counts = []
        for path, key in (("/Client", CLIENTS), ("/Site", SITES), ("/Users", USERS)):
            body = self._api.get(path, {**INACTIVE_TOO, **page_parameters(1, size=1)})
            counts.append(f"{how_many(body, key)} {key}")
        host = urlsplit(self._api.config.url).netloc
        return f"Signed in to {host}; it shows {counts[0]}, {counts[1]} and {counts[2]}."

    def probe(self) -> Sequence[Finding]:
        """Settle what is not known about this instance's API; it only reads, with about 20 requests."""
        return probe(self._api)

    def ldap_connections(self) -> Sequence[LdapConnection]:
        """Return the connections of Halo's own directory integration, without their mappings."""
        return tuple(map(decode_connection, records(self._api.get("/LDAPConnection"), CONNECTIONS)))

    def ldap_connection(self, number: int) -> LdapConnection:
        """Return one connection of Halo's own directory integration with its mappings.

        Raises:
            HaloUnavailable: the answer is another connection, or none.
        """
        record = self._api.get(f"/LDAPConnection/{number}", {"includedetails": "true"})
        if record_id(record) != number:
            raise HaloUnavailable(
                f"Halo did not answer with the LDAP connection {number} that was asked for."
            )
        return decode_connection(record)

    def clients(self) -> Sequence[HaloClient]:
        """Return every client, inactive ones too."""
        return tuple(map(decode_client, self._list("/Client", CLIENTS, {})))

    def sites(self, client: HaloClientId) -> Sequence[HaloSite]:
        """Return every site of a client, inactive ones too."""
        rows = self._list("/Site", SITES, {"client_id": str(client)})
        return tuple(site for row in rows if (site := decode_site(row, client)).client == client)

    def users(self, client: HaloClientId, site: HaloSiteId | None = None) -> Iterator[HaloUser]:
        """Yield every user of a client (or of one of its sites), inactive ones too, each once.

        What was yielded counts only when the iterator ends without an error.
        """
        query = {} if site is None else {"site_id": str(site)}
        for user in self._reader.read(client, query):
            if site is None or user.site == site:
                yield user

    def find_users(self, client: HaloClientId, field: str, value: str) -> Sequence[HaloUser]:
        """Return the users of a client whose `field` equals `value` without regard to case.

        Raises:
            ValueError: the field is a custom one, or not among `HaloConfig.fields`.
        """
        return self._search.find(client, field, value)

    def user(self, user: HaloUserId) -> HaloUser | None:
        """Return one user with all its details (custom fields too); None where Halo has no such user."""
        return self._reader.user(user)

    def custom_fields(self) -> Sequence[CustomField]:
        """Return the custom fields of the instance, those of other records than users too."""
        return decode_fields(records(self._api.get("/FieldInfo", {"includevalues": "true"}), FIELD_INFO))

    def tickets(self, user: HaloUserId, *, open_only: bool) -> Tickets:
        """Count a user's tickets, closed ones too unless `open_only`, and name the first few."""
        query = {"user_id": str(user)} | ({"open_only": "true"} if open_only else {})
        body = self._api.get("/Tickets", {**query, **page_parameters(1, size=TICKETS_SHOWN)})
        shown = tuple(map(decode_ticket, records(body, TICKETS)[:TICKETS_SHOWN]))
        return Tickets(how_many(body, TICKETS), shown)

    def create_client(self, name: str, main_site: str, guid: ObjectGuid | None = None) -> HaloClient:
        """Create a client whose first site is called `main_site`; `guid` is the OU that it mirrors."""
        return decode_client(self._post_one("/Client", encode_client(name, main_site, guid)))

    def create_site(self, site: SiteWrite) -> HaloSite:
        """Create a site."""
        self._gate.check_client(site.client)
        return decode_site(self._post_one("/Site", encode_site(site)), site.client)

    def rename_client(self, client: HaloClientId, name: str) -> None:
        """Give a client another name."""
        self._gate.check_client(client)
        self._post_one("/Client", encode_rename(client, name))

    def rename_site(self, site: HaloSiteId, name: str) -> None:
        """Give a site another name."""
        self._gate.check_site(site)
        self._post_one("/Site", encode_rename(site, name))

    def ensure_ticket(self, ticket: TicketWrite) -> int:
        """Return the id of the user's ticket with this summary, open or closed; open it if there is none."""
        self._gate.check_user(ticket.user)
        found = same_ticket(self._tickets(ticket.user), ticket.summary)
        if found is not None:
            return found
        record = self._post_one("/Tickets", encode_ticket(ticket))
        return identity(record)[0]

    def note_on_ticket(self, user: HaloUserId, summary: str, note: str) -> bool:
        """Note something on the user's open ticket with this summary; tell whether there is such a ticket."""
        self._gate.check_user(user)
        ticket = same_ticket(self._tickets(user, open_only="true"), summary)
        if ticket is None:
            return False
        there = self._api.get("/Actions", {"ticket_id": str(ticket), "excludesys": "true"})
        if not has_note(records(there, ACTIONS), note):
            self._post_one("/Actions", encode_note(ticket, note))
        return True

    def write_users(self, writes: Sequence[UserWrite], *, resumed: bool = False) -> Sequence[UserOutcome]:
        """Write one batch; return one outcome for each write, in their order."""
        self._search.forget()
        outcomes = self._gate.refusals(writes)
        allowed = [write for write in writes if write.guid not in outcomes]
        for outcome in self._writer.write(allowed, resumed=resumed):
            outcomes[outcome.guid] = outcome
        return [outcomes[write.guid] for write in writes]

    def _list(self, path: str, key: str, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        return read_all(lambda page: self._api.get(path, page), key, {**INACTIVE_TOO, **query})

    def _tickets(self, user: HaloUserId, **query: str) -> Iterator[Mapping[str, Any]]:
        return read_all(
            lambda page: self._api.get("/Tickets", page), TICKETS, {"user_id": str(int(user)), **query}
        )

    def _post_one(self, path: str, element: Element) -> Mapping[str, Any]:
        self._search.forget()
        answer = self._api.post(path, [element])
        record = answer[0] if isinstance(answer, list) and len(answer) == 1 else answer
        if isinstance(record, dict) and record_id(record) is not None:
            return record
        said = redact(complaint(record), ())
        raise RecordRejected(said) if said else Doubtful(f"POST {path} was answered without a record.")

    def _post_users(self, elements: Sequence[Element], hide: frozenset[str]) -> Any:
        return self._api.post("/Users", elements, hide)

    def _look_up(self, creates: Sequence[UserWrite]) -> Mapping[ObjectGuid, Sequence[HaloUserId]]:
        return self._reader.stamped(write.site for write in creates if write.site is not None)
