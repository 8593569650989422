"""What the contract tests of the Halo adapter share: a clock that nobody waits for, and an opened adapter."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from devstack.halo import SimulatedHalo
from halo_adsync.halo.adapter import HaloInstance
from halo_adsync.halo.budget import Budget, Ledger, Pulse, no_pulse
from halo_adsync.halo.config import HaloConfig
from halo_adsync.halo.port import Licence, UserWrite
from halo_adsync.model import HaloClientId, HaloSiteId, HaloUserId, Meter, ObjectGuid, Place

GONE = 9999
"""The id of a client and a site that Halo has no more."""
FIELDS = frozenset({"name", "firstname", "emailaddress", "login", "title", "CFStaffNumber"})


@dataclass
class Time:
    """A clock that moves only when somebody sleeps."""

    now: datetime = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
    slept: list[float] = field(default_factory=list)
    meanwhile: Callable[[], None] | None = None
    """What else happens while somebody sleeps."""

    def clock(self) -> datetime:
        """Tell the time."""
        return self.now

    def seconds(self) -> float:
        """Tell the time in seconds, for the simulated Halo."""
        return self.now.timestamp()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        if self.meanwhile:
            self.meanwhile()
        self.now += timedelta(seconds=seconds)


@dataclass
class Desk:
    """A simulated Halo with one client, and what is needed to sign in to it."""

    halo: SimulatedHalo
    time: Time
    client: int
    site: int
    places: dict[str, Place] = field(default_factory=dict)
    """What the adapter may write to: all of the client, and what is gone from Halo since it was mapped."""
    users: dict[ObjectGuid, HaloUserId] = field(default_factory=dict)
    agents: dict[ObjectGuid, HaloUserId] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.map(self.client, self.site)
        self.map(GONE, GONE)

    def map(self, client: int, site: int) -> None:
        """Let the adapter write to a site and its client."""
        self.places[f"site:{site}"] = Place(f"site:{site}", HaloClientId(client), HaloSiteId(site), "")

    def open(
        self,
        *,
        ledger: Ledger | None = None,
        patience: float = 600,
        meter: Meter | None = None,
        pulse: Pulse = no_pulse,
        **config: Any,
    ) -> HaloInstance:
        """Return an adapter; `config` overrides what it is configured with."""
        settings: dict[str, Any] = {
            "url": self.halo.url,
            "client_id": self.halo.client_id,
            "client_secret": self.halo.client_secret,
            "fields": FIELDS,
        }
        instance = HaloInstance(
            HaloConfig(**(settings | config)),
            meter=meter or Meter(),
            budget=Budget(ledger, self.time.clock, self.time.sleep, patience),
            pulse=pulse,
        )
        instance.permit(Licence(self.places, self.users, self.agents))
        return instance

    def create(self, number: int, **fields: str) -> UserWrite:
        """Return the write that creates person `number`."""
        named = {"name": f"Person {number}", "emailaddress": f"p{number}@example.test"} | fields
        return UserWrite(guid(number), None, site=HaloSiteId(self.site), fields=named)

    def update(self, number: int, user: int, fields: Mapping[str, str]) -> UserWrite:
        """Return the write that changes a user, who is linked."""
        self.users[guid(number)] = HaloUserId(user)
        return UserWrite(guid(number), HaloUserId(user), fields=fields)

    def linked_agent(self, agent: int) -> HaloUserId:
        """Return an agent's id, linked to the account of the same number."""
        self.agents[guid(agent)] = HaloUserId(agent)
        return HaloUserId(agent)

    def names(self) -> list[str]:
        """Return the names of Halo's users, General Users aside, sorted."""
        return sorted(person["name"] for person in self.halo.people)

    def sent(self, path: str, method: str = "GET") -> int:
        """Return how many requests met this resource, or a record of it."""
        return sum(
            request.method == method and f"{request.path}/".lower().startswith(f"/api/{path}/".lower())
            for request in self.halo.requests
        )


def guid(number: int) -> ObjectGuid:
    """Return the objectGUID of person `number`."""
    return ObjectGuid(str(UUID(int=number + 1)))


def people(numbers: Iterable[int]) -> list[str]:
    """Return the names of these people, as `Desk.names` does."""
    return sorted(f"Person {number}" for number in numbers)
