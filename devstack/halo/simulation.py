"""The simulated Halo as one object: data, helpers for tests, start and stop."""

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from . import control
from .access import Application, Clock
from .api import Api
from .faults import Faults
from .messages import Answer, LoggedRequest, Request
from .schema import Record, bind
from .server import HaloServer
from .store import Store
from .switches import Switches
from .writing import write_one

_SAVE_SECONDS = 0.2


class SimulatedHalo:
    """A Halo service desk on loopback, used as a context manager.

    Its data are plain dicts by id that a test may read, and change field by field. `client_id` of a site
    and `site_id` of a user are floats, as Halo's own are (`12.0 == 12`, also as the key of a dict).

    Attributes:
        url: where it listens, without a slash at its end; empty before it has started.
        client_id, client_secret, tenant: what a client signs in with.
        switches: what differs between versions of Halo.
        store: the records, `store.catalogs` among them (teams, roles, custom fields, ...).
    """

    def __init__(
        self,
        *,
        switches: Switches | None = None,
        port: int = 0,
        data: Path | None = None,
        client_id: str = "halo-adsync",
        client_secret: str = "simulated-secret",
        tenant: str = "simulated",
        clock: Clock = time.monotonic,
    ) -> None:
        """Prepare a Halo.

        Args:
            switches: left out: those of a current, hosted Halo.
            port: of 127.0.0.1; 0 takes a free one.
            data: a directory that keeps the records between runs; left out: nothing is kept. Changes are
                saved within a second, and when the Halo stops.
            client_id: of the API application.
            client_secret: of the API application.
            tenant: of the hosted Halo.
            clock: seconds, for tokens and the rate limit.
        """
        self.switches = switches or Switches()
        self.store = Store()
        self.client_id, self.client_secret, self.tenant = client_id, client_secret, tenant
        self._api = Api(self.store, self.switches, Application(client_id, client_secret, tenant), clock)
        self._port = port
        self._file = data / "halo.json" if data else None
        self._server: HaloServer | None = None
        self._saver = threading.Thread(target=self._save_changes, name="simulated-halo-saver")

    def __enter__(self) -> Self:
        if self._file:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            if self._file.exists():
                self.store.load(self._file)
        self._server = HaloServer(self._port, self._respond)
        self._api.url = f"http://127.0.0.1:{self._server.server_port}"
        self._server.start()
        self._saver.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._api.stopping.set()
        if self._server:
            self._server.stop()
        self._saver.join()
        if self._file:
            self.store.save(self._file)

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._api.url

    @property
    def faults(self) -> Faults:
        """What is to go wrong."""
        return self._api.faults

    @property
    def requests(self) -> list[LoggedRequest]:
        """Every request met so far, oldest first."""
        return self._api.requests

    @property
    def violations(self) -> list[str]:
        """Sentences on writes that Halo allows and no client should do."""
        return self.store.violations

    @property
    def users(self) -> dict[int, Record]:
        """All users by id, General Users among them."""
        return self.store.tables["users"]

    @property
    def people(self) -> list[Record]:
        """All users that are not General Users."""
        with self.store.lock:
            return [user for key, user in self.users.items() if key not in self.store.general_users]

    @property
    def sites(self) -> dict[int, Record]:
        """All sites by id."""
        return self.store.tables["sites"]

    @property
    def clients(self) -> dict[int, Record]:
        """All clients by id."""
        return self.store.tables["clients"]

    @property
    def agents(self) -> dict[int, Record]:
        """All agents by id."""
        return self.store.tables["agents"]

    @property
    def tickets(self) -> dict[int, Record]:
        """All tickets by id."""
        return self.store.tables["tickets"]

    @property
    def actions(self) -> dict[int, Record]:
        """All actions on tickets by id."""
        return self.store.tables["actions"]

    def add_client(self, name: str, **fields: Any) -> int:
        """Add a client, and with it a main site and a General User.

        Returns:
            Its id; the site's is its `main_site_id`.
        """
        return self.add("clients", name=name, **fields)

    def add_site(self, client_id: int, name: str, **fields: Any) -> int:
        """Add a site, and with it a General User, and return its id."""
        return self.add("sites", client_id=client_id, name=name, **fields)

    def add_user(self, **fields: Any) -> int:
        """Add a user (`name` and `site_id` are required) and return its id."""
        return self.add("users", **fields)

    def add_agent(self, name: str, **fields: Any) -> int:
        """Add an agent and return its id."""
        return self.add("agents", name=name, **fields)

    def add(self, table: str, **fields: Any) -> int:
        """Add a record by the rules of a POST and return its id.

        Raises:
            ValueError: a field does not bind.
            BusinessRuleError: one of Halo's rules forbids the record.
        """
        (element,), errors = bind(table, [fields])
        if errors:
            raise ValueError(f"The new record does not fit the table {table}: {errors}.")
        with self.store.lock:
            record = write_one(self.store, table, element, license_count=self.switches.license_count)
            self.store.commit()
        return int(record["id"])

    def add_ticket(self, user_id: int, *, open: bool = True, agent_id: int | None = None) -> int:  # noqa: A002 - the word that Halo's `open_only` uses
        """Add a ticket of a user and return its id."""
        with self.store.lock:
            user = self.users[user_id]
            ticket: Record = {
                "id": self.store.new_id("tickets"),
                "summary": "A question",
                "user_id": user_id,
                "site_id": user.get("site_id"),
                "client_id": user.get("client_id"),
                "agent_id": agent_id,
                "hasbeenclosed": not open,
            }
            self.store.put("tickets", ticket)
            self.store.commit()
        return int(ticket["id"])

    def close_ticket(self, ticket_id: int) -> None:
        """Close a ticket."""
        with self.store.lock:
            self.store.put("tickets", self.tickets[ticket_id] | {"hasbeenclosed": True})
            self.store.commit()

    def revoke_tokens(self) -> None:
        """End every bearer token issued so far."""
        self._api.tokens.revoke()

    def rotate_secret(self, client_secret: str) -> None:
        """Give the API application another secret, as its administrator does; its tokens end with the old."""
        self.client_secret = client_secret
        self._api.tokens.rotate(client_secret)

    def forget_requests(self) -> None:
        """Empty the request log and begin a new rate-limit window."""
        with self.store.lock:
            self.requests.clear()
            self._api.rate.forget()

    def reset(self) -> None:
        """Begin anew: no records, faults, tokens or log; switches stay as they are."""
        self.store.reset()
        self.faults.clear()
        self.revoke_tokens()
        self.forget_requests()

    def _respond(self, request: Request) -> Answer:
        is_control = request.path.startswith(control.PREFIX)
        return control.answer(self, request) if is_control else self._api.answer(request)

    def _save_changes(self) -> None:
        while not self._api.stopping.wait(_SAVE_SECONDS):
            if self._file and self.store.dirty.is_set():
                self.store.save(self._file)
