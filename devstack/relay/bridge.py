"""A sender and a listener that have met: bytes both ways, and all the ways in which that ends."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, override

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

if TYPE_CHECKING:
    from devstack.relay.service import Meeting

NORMAL, TOKEN_EXPIRED, FAILED = 1000, 1008, 1011


@dataclass
class Faults:
    """What goes wrong for senders."""

    refuse: tuple[int, str] | None = None
    """Status and reason that every sender is refused with."""
    headers: dict[str, str] = field(default_factory=dict)
    """What that answer has besides."""
    cut_after: int | None = None
    """Bytes towards the sender after which the line is dead."""
    expire_after: int | None = None
    """Bytes towards the sender after which its token counts as expired."""
    silent: bool = False
    """Whether bytes towards the sender are swallowed."""
    idle_seconds: float | None = None
    """After how long without a byte from the sender its connection is dropped; Azure: about four minutes."""


class Leg(ServerConnection):
    """A connection to the relay, in the role that its request named."""

    hybrid = ""
    action = ""
    is_served: asyncio.Event
    """Set when it is open and somebody waits for its messages."""
    meeting: "Meeting"
    partner: "Leg"
    heard = 0.0
    """When the other side was last heard of, be it by a ping; in the loop's time."""

    @override
    def data_received(self, data: bytes) -> None:
        self.heard = self.loop.time()
        super().data_received(data)

    def cut(self) -> None:
        """Drop the line without a word."""
        self.transport.abort()


class Bridge:
    """Passes messages between a sender and a listener until one of them ends."""

    def __init__(self, sender: Leg, listener: Leg, faults: Faults) -> None:
        self._sender, self._listener, self._faults = sender, listener, faults
        self._passed = 0
        self._ending: tuple[int, str] | None = None

    def cut(self) -> None:
        """Drop both lines."""
        self._sender.cut()
        self._listener.cut()

    async def run(self) -> None:
        """Pass messages until either side ends, then end the other."""
        work = [self._pass_on(), self._pass_back()]
        if self._faults.idle_seconds is not None:
            work.append(self._watch(self._faults.idle_seconds))
        tasks = [asyncio.ensure_future(one) for one in work]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        code, reason = self._ending or _how_it_ended(self._sender, self._listener)
        for leg in (self._sender, self._listener):
            with contextlib.suppress(ConnectionClosed, OSError):
                await leg.close(code, reason)

    async def _pass_on(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in self._sender:
                await self._listener.send(message)

    async def _pass_back(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in self._listener:
                if self._faults.silent:
                    continue
                self._passed += len(message)
                if _is_past(self._faults.cut_after, self._passed):
                    self.cut()
                    return
                if _is_past(self._faults.expire_after, self._passed):
                    self._ending = TOKEN_EXPIRED, "The security token has expired."
                    return
                await self._sender.send(message)

    async def _watch(self, seconds: float) -> None:
        loop = self._sender.loop
        left = seconds
        while left > 0:
            await asyncio.sleep(left)
            left = self._sender.heard + seconds - loop.time()
        self.cut()


def _is_past(limit: int | None, passed: int) -> bool:
    return limit is not None and passed > limit


def _how_it_ended(sender: Leg, listener: Leg) -> tuple[int, str]:
    """Return what the side that is left is told: a normal end, unless the other went without a word."""
    ended = sender if sender.close_code is not None else listener
    if ended.close_code == NORMAL:
        return NORMAL, ""
    return FAILED, "The other side of the connection is gone."
