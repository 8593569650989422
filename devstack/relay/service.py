"""The service: hybrid connections, who may use them, and how a sender and a listener meet.

Source: "Azure Relay Hybrid Connections protocol" by Microsoft. HTTP requests over the relay are left out.
"""

import asyncio
import json
import logging
import random
import secrets
import ssl
import tempfile
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from devstack.certificates import CertificateAuthority
from devstack.relay.bridge import Bridge, Faults, Leg
from devstack.relay.loop import LoopThread
from devstack.relay.tokens import (
    LISTEN,
    SEND,
    Resource,
    Rule,
    TokenRefusedError,
    check_entra,
    check_signature,
    is_signature,
)

HOST = "127.0.0.1"
PREFIX = "/$hc/"
AUTHORIZATION = "ServiceBusAuthorization"
ACCEPT_SECONDS = 5.0
"""How long a listener may take to come for a sender; Azure gives it 30."""
_QUIET = logging.getLogger(__name__)
_QUIET.setLevel(logging.CRITICAL)

__all__ = ["Faults", "SimulatedRelay", "Upgrade"]


@dataclass(frozen=True)
class Upgrade:
    """A request that came: its path with the query, its headers, and what was answered."""

    target: str
    headers: dict[str, str]
    status: int


@dataclass
class HybridConnection:
    """One hybrid connection: its rules, what its listeners are told, and who listens."""

    name: str
    user_metadata: str
    rules: dict[str, Rule]
    listeners: list[Leg] = field(default_factory=list)


@dataclass
class Meeting:
    """A sender that waits for a listener."""

    sender: Leg
    partner: asyncio.Future[Leg]
    over: asyncio.Event = field(default_factory=asyncio.Event)


class SimulatedRelay:
    """One namespace, over TLS with a certificate of a throw-away authority.

    Attributes:
        host: the address with the port, where Azure has `NAME.servicebus.windows.net`.
        ca_path: the authority that clients have to trust.
        connections: the hybrid connections, by name.
        faults: what goes wrong.
        upgrades: every request that came, in order.
    """

    def __init__(self) -> None:
        self.connections: dict[str, HybridConnection] = {}
        self.faults, self.upgrades = Faults(), list[Upgrade]()
        self._grants: dict[str, frozenset[str]] = defaultdict(frozenset)
        self._meetings: dict[str, Meeting] = {}
        self._bridges: set[Bridge] = set()
        self._thread = LoopThread("simulated-relay")
        self._folder = tempfile.TemporaryDirectory(prefix="relay-")
        authority = CertificateAuthority(Path(self._folder.name))
        self.ca_path = authority.ca_path
        issued = authority.issue(HOST, "localhost")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(issued.certificate_path, issued.key_path)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._thread.run(self._serve())
        self.host = f"{HOST}:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.run(self._stop())
        self._thread.stop()
        self._folder.cleanup()

    def add_connection(self, name: str, endpoint: str) -> HybridConnection:
        """Add a hybrid connection with a rule `listen` and a rule `send`.

        Args:
            name: letters, digits and hyphens.
            endpoint: `host:port` of what stands behind it.
        """
        metadata = json.dumps([{"key": "endpoint", "value": endpoint}])
        rules = {
            right.lower(): Rule(secrets.token_urlsafe(33).replace("_", "/"), right)
            for right in (LISTEN, SEND)
        }
        self.connections[name] = HybridConnection(name, metadata, rules)
        return self.connections[name]

    def connection_string(self, name: str, rule: str = "listen") -> str:
        """Return what the portal shows for a rule, and what a listener is given."""
        return (
            f"Endpoint=sb://{self.host}/;SharedAccessKeyName={rule};"
            f"SharedAccessKey={self.connections[name].rules[rule].key};EntityPath={name}"
        )

    def grant(self, client_id: str, *names: str) -> None:
        """Give an identity the role *Azure Relay Sender* on these connections, and take it on all others."""
        self._grants[client_id] = frozenset(names)

    @property
    def open_bridges(self) -> int:
        """How many senders are connected to listeners now."""
        return len(self._bridges)

    async def _serve(self) -> Server:
        return await serve(
            self._handle,
            HOST,
            0,
            ssl=self._context,
            process_request=self._decide,
            create_connection=Leg,
            compression=None,
            ping_interval=None,
            open_timeout=60,
            close_timeout=1,
            max_size=2**20,
            logger=_QUIET,
        )

    async def _stop(self) -> None:
        for bridge in tuple(self._bridges):
            bridge.cut()
        self._server.close()
        await self._server.wait_closed()

    async def _decide(self, connection: ServerConnection, request: Request) -> Response | None:
        assert isinstance(connection, Leg)
        answer: Response | None = None
        try:
            await self._admit(connection, request)
        except TokenRefusedError as refusal:
            answer = _answer(refusal.status, str(refusal))
        except _Answered as answered:
            answer = answered.response
        status = answer.status_code if answer else HTTPStatus.SWITCHING_PROTOCOLS
        self.upgrades.append(Upgrade(request.path, dict(request.headers.raw_items()), status))
        return answer

    async def _admit(self, connection: Leg, request: Request) -> None:
        """Let a connection in, knowing in which role.

        Raises:
            TokenRefusedError: its token does not open this.
            _Answered: it gets an answer of its own.
        """
        target = urlsplit(request.path)
        query = dict(parse_qsl(target.query))
        action = query.get("sb-hc-action")
        name = target.path.removeprefix(PREFIX if action else "/")
        hybrid = self.connections.get(name)
        if hybrid is None:
            raise _Answered(_answer(HTTPStatus.NOT_FOUND, "Endpoint does not exist."))
        connection.hybrid, connection.action = hybrid.name, action or ""
        token = request.headers.get(AUTHORIZATION) or query.get("sb-hc-token", "")
        if action == "accept":
            self._come(connection, query)
        elif action == "connect":
            if self.faults.refuse:
                answer = _answer(*self.faults.refuse)
                answer.headers.update(self.faults.headers)
                raise _Answered(answer)
            self._authorise(token, hybrid, SEND)
            await self._meet(connection, hybrid, request)
        else:
            self._authorise(token, hybrid, LISTEN)
            if action is None:
                raise _Answered(_answer(HTTPStatus.OK, "OK", hybrid.user_metadata))
            # Before it is told so: who has been let in is there for every sender.
            connection.is_served = asyncio.Event()
            hybrid.listeners.append(connection)

    def _authorise(self, token: str, hybrid: HybridConnection, right: str) -> None:
        if is_signature(token):
            check_signature(token, Resource(self.host, hybrid.name), hybrid.rules, right)
        elif token:
            check_entra(token, self._grants, hybrid.name, right)
        else:
            raise TokenRefusedError(HTTPStatus.UNAUTHORIZED, "MissingToken: The token is missing.")

    async def _meet(self, sender: Leg, hybrid: HybridConnection, request: Request) -> None:
        """Call a listener and wait until it comes; the sender is answered only then."""
        if not hybrid.listeners:
            raise _Answered(
                _answer(HTTPStatus.NOT_FOUND, "There are no listeners connected for the endpoint.")
            )
        number = str(uuid.uuid4())
        meeting = Meeting(sender, asyncio.get_running_loop().create_future())
        self._meetings[number] = meeting
        query = urlencode({"sb-hc-action": "accept", "sb-hc-id": number})
        headers = {name: value for name, value in request.headers.raw_items() if name != AUTHORIZATION}
        accept = {
            "address": f"wss://{self.host}{PREFIX}{hybrid.name}?{query}",
            "id": number,
            "connectHeaders": headers,
        }
        try:
            listener = random.choice(hybrid.listeners)
            await listener.is_served.wait()
            await listener.send(json.dumps({"accept": accept}))
            async with asyncio.timeout(ACCEPT_SECONDS):
                sender.meeting, sender.partner = meeting, await meeting.partner
        except TimeoutError:
            why = "None of the connected listeners accepted the connection within the allowed timeout."
            raise _Answered(_answer(HTTPStatus.GATEWAY_TIMEOUT, why)) from None
        finally:
            self._meetings.pop(number, None)

    def _come(self, connection: Leg, query: dict[str, str]) -> None:
        """Let a listener in that comes for its sender, or refuses it. An address is good once."""
        meeting = self._meetings.pop(query.get("sb-hc-id", ""), None)
        if meeting is None:
            raise _Answered(_answer(HTTPStatus.FORBIDDEN, "The address is not valid, or not any more."))
        if status := query.get("sb-hc-statusCode"):
            why = query.get("sb-hc-statusDescription", "")
            meeting.partner.set_exception(_Answered(_answer(HTTPStatus(int(status)), why)))
            raise _Answered(_answer(HTTPStatus.GONE, "Gone"))
        connection.meeting = meeting

    async def _handle(self, connection: ServerConnection) -> None:
        """Serve a connection that is open, in its role."""
        assert isinstance(connection, Leg)
        if connection.action == "listen":
            await self._keep_listener(connection)
        elif connection.action == "accept":
            connection.meeting.partner.set_result(connection)
            await connection.meeting.over.wait()
        else:
            bridge = Bridge(connection, connection.partner, self.faults)
            self._bridges.add(bridge)
            try:
                await bridge.run()
            finally:
                self._bridges.discard(bridge)
                connection.meeting.over.set()

    async def _keep_listener(self, connection: Leg) -> None:
        hybrid = self.connections[connection.hybrid]
        connection.is_served.set()
        try:
            async for message in connection:
                try:
                    token = json.loads(message)["renewToken"]["token"]
                    self._authorise(token, hybrid, LISTEN)
                except (ValueError, KeyError, TypeError, TokenRefusedError):
                    await connection.close(1008, "The security token is not valid.")
        finally:
            hybrid.listeners.remove(connection)


class _Answered(Exception):  # noqa: N818 - no error: how a request ends that is no WebSocket
    """A request that is answered and closed."""

    def __init__(self, response: Response) -> None:
        self.response = response
        super().__init__(response.reason_phrase)


def _answer(status: int, why: str, body: str = "") -> Response:
    """Return an answer; Azure puts the reason into the status line."""
    content = body.encode()
    headers = Headers({"Content-Length": str(len(content)), "Connection": "close"})
    return Response(status, f"{why} TrackingId:{uuid.uuid4()}_G1" if status >= 400 else why, headers, content)  # noqa: PLR2004 - errors
