"""What the sync asks of a Halo instance."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from halo_adsync.model import (
    CustomField,
    HaloClient,
    HaloClientId,
    HaloSite,
    HaloSiteId,
    HaloUser,
    HaloUserId,
    ObjectGuid,
    Place,
    Seats,
    Tickets,
)


@dataclass(frozen=True, slots=True)
class UserWrite:
    """What has to become true of one user. Only what is named here is sent."""

    guid: ObjectGuid
    """The directory account: ties an answer to its request, and is stamped on the user."""
    user: HaloUserId | None
    """The user to change; None creates one."""
    site: HaloSiteId | None = None
    """The site to stand in; None leaves it (a create needs one)."""
    active: bool | None = None
    """True reactivates, False deactivates, None leaves it."""
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Canonical values by Halo's field name; an empty string clears."""
    adopts: str | None = None
    """First contact: the stamp that the user carried when this was planned, empty for none.

    None where the account is linked to the user, or creates one.
    """


@dataclass(frozen=True, slots=True)
class Licence:
    """What may be written in Halo. It may grow: what it holds is looked at when something is written."""

    places: Mapping[str, Place] = field(default_factory=dict)
    """The mapped clients and their sites, by key."""
    users: Mapping[ObjectGuid, HaloUserId] = field(default_factory=dict, repr=False)
    """The linked users, each by its account."""
    agents: Mapping[ObjectGuid, HaloUserId] = field(default_factory=dict, repr=False)
    """The linked agents, each by its account."""


@dataclass(frozen=True, slots=True)
class UserOutcome:
    """What became of one `UserWrite`: either `user` is set, or `error` says in plain words why not."""

    guid: ObjectGuid
    user: HaloUserId | None = None
    error: str | None = None
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class SiteWrite:
    """A site to create. `guid` and `dn` are those of the OU that it mirrors, where it mirrors one."""

    client: HaloClientId
    name: str
    guid: ObjectGuid | None = None
    dn: str | None = None


@dataclass(frozen=True, slots=True)
class TicketWrite:
    """A ticket to open for a user. Numbers are Halo's ids; None leaves the choice to Halo."""

    user: HaloUserId
    client: HaloClientId
    site: HaloSiteId
    summary: str = field(repr=False)
    details: str = field(default="", repr=False)
    type: int | None = None
    team: str = ""
    agent: int | None = None
    priority: int | None = None


class AgentDesk(Protocol):
    """The agents of an instance. Their ids stand where those of users do; they have no client and no site.

    Raises, throughout:
        HaloRefused, HaloUnavailable, BudgetSpent: as everywhere in `Halo`.
    """

    def all(self) -> Sequence[HaloUser]:
        """Return every agent, disabled ones too. `general` are those for the API only, and our own."""
        ...

    def agent(self, agent: HaloUserId) -> HaloUser | None:
        """Return one agent with teams and roles; None where Halo has no such agent."""
        ...

    def teams(self) -> Sequence[str]:
        """Return the names of the teams there are."""
        ...

    def roles(self) -> Sequence[str]:
        """Return the names of the roles of agents there are."""
        ...

    def seats(self) -> Seats | None:
        """Return how many licences there are and how many are taken; None where Halo does not say."""
        ...

    def open_tickets(self, agent: HaloUserId) -> int | None:
        """Return how many open tickets are assigned to an agent; None where Halo does not tell them apart."""
        ...

    def reassign(self, agent: HaloUserId, to: HaloUserId) -> int:
        """Hand every open ticket of an agent to another, and return how many that were.

        Raises:
            RecordRejected, Doubtful: some could not be handed over.
        """
        ...

    def write(self, writes: Sequence[UserWrite], *, resumed: bool = False) -> Sequence[UserOutcome]:
        """Write one batch of agents; the contract is that of `Halo.write_users`."""
        ...


class Halo(Protocol):
    """One Halo instance, signed in on first use."""

    @property
    def agents(self) -> AgentDesk:
        """The agents of the instance."""
        ...

    def permit(self, licence: Licence) -> None:
        """Say what may be written from now on; before the first call that is nothing.

        Everything else is refused where it is written: a client or site that is not mapped, a user or agent
        that is not linked and not about to be adopted, one that is another account's by now, a user who
        stands in a client that is not mapped, and a General User. A user is looked at in Halo before it is
        adopted, moved, deactivated or reactivated, unless it was read since the connection was opened.
        """
        ...

    def check(self) -> str:
        """Sign in, read one record of each kind that a sync needs, and return a sentence for people.

        Raises:
            HaloRefused: the client id, secret, tenant or permissions are wrong; the text says which.
            HaloUnavailable: no answer.
        """
        ...

    def clients(self) -> Sequence[HaloClient]:
        """Return every client, inactive ones too.

        Raises:
            HaloRefused, HaloUnavailable, BudgetSpent: as everywhere below.
        """
        ...

    def sites(self, client: HaloClientId) -> Sequence[HaloSite]:
        """Return every site of a client, inactive ones too."""
        ...

    def users(self, client: HaloClientId, site: HaloSiteId | None = None) -> Iterable[HaloUser]:
        """Yield every user of a client (or of one of its sites), inactive ones too, each once."""
        ...

    def find_users(self, client: HaloClientId, field: str, value: str) -> Sequence[HaloUser]:
        """Return a client's users whose `field` equals `value` in any case, inactive ones too."""
        ...

    def user(self, user: HaloUserId) -> HaloUser | None:
        """Return one user with all its details (custom fields too); None where Halo has no such user."""
        ...

    def custom_fields(self) -> Sequence[CustomField]:
        """Return the custom fields of the instance, those of other records than users too."""
        ...

    def tickets(self, user: HaloUserId, *, open_only: bool) -> Tickets:
        """Count a user's tickets, closed ones too unless `open_only`, and name the first few."""
        ...

    def create_client(self, name: str, main_site: str, guid: ObjectGuid | None = None) -> HaloClient:
        """Create a client whose first site is called `main_site`; `guid` is the OU that it mirrors.

        Raises:
            RecordRejected: Halo says no.
            Doubtful: it may have been created; look among `clients` before trying again.
        """
        ...

    def create_site(self, site: SiteWrite) -> HaloSite:
        """Create a site.

        Raises:
            RecordRejected: Halo says no.
            Doubtful: it may have been created; look among `sites` before trying again.
        """
        ...

    def ensure_ticket(self, ticket: TicketWrite) -> int:
        """Return the id of the user's ticket with this summary, open or closed; open it if there is none.

        Raises:
            RecordRejected: Halo says no.
            Doubtful: it may have been opened; ask again, and it is looked for before anything is sent.
        """
        ...

    def note_on_ticket(self, user: HaloUserId, summary: str, note: str) -> bool:
        """Note something on the user's open ticket with this summary, and tell whether there is one.

        Agents alone see the note. One that begins with the same line stands for it.

        Raises:
            RecordRejected: Halo says no.
            Doubtful: it may have been noted; ask again, and it is looked for before anything is sent.
        """
        ...

    def rename_client(self, client: HaloClientId, name: str) -> None:
        """Give a client another name.

        Raises:
            RecordRejected: Halo says no.
            Doubtful: it may have been done; doing it again does no harm.
        """
        ...

    def rename_site(self, site: HaloSiteId, name: str) -> None:
        """Give a site another name; raises as `rename_client`."""
        ...

    def write_users(self, writes: Sequence[UserWrite], *, resumed: bool = False) -> Sequence[UserOutcome]:
        """Write one batch; return one outcome for each write, in their order.

        A record's own trouble is an outcome, never an exception. A batch that is refused or left in doubt
        is looked up, bisected and finished record by record; a create is never repeated before a look-up
        has shown that it did not happen. With `resumed`, an earlier attempt at this batch may have reached
        Halo: its creates are looked up before anything is sent.

        Raises:
            HaloRefused, HaloUnavailable, BudgetSpent: nothing more can be done now. Whether the records were
                written is then unknown: hand the same batch in again with `resumed`.
        """
        ...
