"""A listener that behaves as the Hybrid Connection Manager does, which Microsoft gives to customers.

What it does was read in the source of the manager's second version. It learns `host:port` from the
connection's user metadata, opens TCP there for every sender, and copies bytes both ways in pieces of 16 KiB.
Two things are worth knowing. It takes the sender's connection before it has reached the host, so an
unreachable host shows as a connection that opens and closes. And it waits for both directions to end: when
the host hangs up, the sender is not told and has to find out by the silence, and the other way round.
"""

import asyncio
import contextlib
import json
import logging
import ssl
import time
from pathlib import Path
from typing import Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from devstack.relay.loop import START_SECONDS, LoopThread
from devstack.relay.tokens import sign

PIECE = 16384
TOKEN_SECONDS = 3600
_QUIET = logging.getLogger(__name__)
_QUIET.setLevel(logging.CRITICAL)


class HybridConnectionManager:
    """Listens to one hybrid connection until it is left.

    Args:
        connection_string: of a rule that may listen.
        ca_path: the authority that the relay's certificate is checked against.

    Attributes:
        endpoint: host and port, as it learnt them when it came online.

    Raises:
        ValueError: the user metadata do not name one host and port.
    """

    def __init__(self, connection_string: str, ca_path: Path) -> None:
        parts = dict(part.split("=", 1) for part in connection_string.split(";"))
        self._host = parts["Endpoint"].removeprefix("sb://").rstrip("/")
        self._name = parts["EntityPath"]
        self._rule, self._key = parts["SharedAccessKeyName"], parts["SharedAccessKey"]
        self._context = ssl.create_default_context(cafile=str(ca_path))
        self._thread = LoopThread("hybrid-connection-manager")
        self._work = set[asyncio.Task[None]]()
        self.endpoint = ("", 0)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._thread.run(self._come_online())
        except BaseException:
            self._thread.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.run(self._go_offline())
        self._thread.stop()

    async def _come_online(self) -> None:
        self.endpoint = endpoint_of(await self._user_metadata())
        self._control = await self._connect(f"wss://{self._host}/$hc/{self._name}?sb-hc-action=listen", True)
        self._start(self._listen())

    async def _go_offline(self) -> None:
        await self._control.close()
        for task in tuple(self._work):
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    def _start(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.ensure_future(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _connect(self, address: str, with_token: bool) -> ClientConnection:
        token = sign(
            f"http://{self._host}/{self._name}", self._rule, self._key, int(time.time()) + TOKEN_SECONDS
        )
        return await connect(
            address,
            ssl=self._context,
            additional_headers={"ServiceBusAuthorization": token} if with_token else None,
            compression=None,
            ping_interval=None,
            close_timeout=1,
            proxy=None,
            logger=_QUIET,
        )

    async def _user_metadata(self) -> str:
        """Ask the relay about the connection, as the manager does whenever it comes online."""
        host, port = self._host.split(":")
        token = sign(f"http://{self._host}/{self._name}", self._rule, self._key, int(time.time()) + 60)
        reader, writer = await asyncio.open_connection(host, int(port), ssl=self._context)
        head = f"GET /{self._name} HTTP/1.1\r\nHost: {self._host}\r\nServiceBusAuthorization: {token}\r\n\r\n"
        writer.write(head.encode())
        answer = (await asyncio.wait_for(reader.read(), START_SECONDS)).decode()
        writer.close()
        status, _, body = answer.partition("\r\n\r\n")
        if " 200 " not in status.splitlines()[0]:
            raise PermissionError(status.splitlines()[0])
        return body

    async def _listen(self) -> None:
        async for message in self._control:
            asked = json.loads(message)
            if "accept" in asked:
                self._start(self._serve(asked["accept"]["address"]))

    async def _serve(self, address: str) -> None:
        with contextlib.suppress(OSError, InvalidHandshake, ConnectionClosed):
            async with await self._connect(address, False) as stream:
                try:
                    reader, writer = await asyncio.open_connection(*self.endpoint)
                except OSError:
                    return
                try:
                    await asyncio.gather(_to_host(stream, writer), _to_sender(reader, stream))
                finally:
                    writer.close()


async def _to_host(stream: ClientConnection, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionClosed, OSError):
        async for message in stream:
            writer.write(message.encode() if isinstance(message, str) else message)
            await writer.drain()


async def _to_sender(reader: asyncio.StreamReader, stream: ClientConnection) -> None:
    with contextlib.suppress(ConnectionClosed, OSError):
        while data := await reader.read(PIECE):
            await stream.send(data)


def endpoint_of(user_metadata: str) -> tuple[str, int]:
    """Read host and port out of a connection's user metadata.

    Raises:
        ValueError: they do not name exactly one, `host:port` with one colon.
    """
    pairs = json.loads(user_metadata)
    (endpoint,) = (pair["value"] for pair in pairs if pair["key"].lower() == "endpoint")
    host, port = endpoint.split(":")
    return host, int(port)
