"""A Halo that repeats what it was told: every secret of a request comes back in the answer, in many forms."""

import html
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import quote

import pytest

from devstack.halo import SimulatedHalo
from devstack.halo.messages import Answer, Request
from devstack.halo.server import HaloServer

HEADER = "X-Halo-Key"
TOKENS = "CNRYtoken"
"""How every token of a parrot begins."""


def _escaped(text: str) -> str:
    return "".join(f"\\u{ord(letter):04x}" for letter in text)


SHAPES: Mapping[str, Callable[[str], str]] = {
    "error": lambda said: json.dumps({"error": said}),
    "description": lambda said: json.dumps({"error": "invalid_client", "error_description": said}),
    "model state": lambda said: json.dumps({"[0].name": [said]}),
    "html": lambda said: f"<html><title>Bad {html.escape(said)}</title></html>",
    "plain text": lambda said: f"no: {said}",
    "as a form has it": lambda said: f"no: {quote(said, safe='')}",
    "as JSON has it": lambda said: f'{{"message": "{_escaped(said)}"}}',
    "glued to words": lambda said: f"no: x{said}x",
    "a word of warning": lambda said: json.dumps([{"id": 4711, "_warning": said}]),
    "a complaint": lambda said: json.dumps([{"error": said}]),
}
"""How a secret may stand in an answer."""


@dataclass
class Echo:
    """Which requests are answered with their own secrets, and how."""

    method: str
    path: str
    shape: str
    status: int
    people: bool = False
    """Whether what was written, and asked for, is repeated in the place of the secrets."""


class Parrot:
    """Stands before a simulated Halo, and passes on what it does not repeat.

    Attributes:
        halo: the one behind it.
        echo: what is repeated; None passes all on.
        echoed: how many requests were answered so.
    """

    def __init__(self, halo: SimulatedHalo, monkeypatch: pytest.MonkeyPatch) -> None:
        self.halo, self.echo, self.echoed = halo, None, 0
        numbers = secrets.token_hex
        monkeypatch.setattr("devstack.halo.access.secrets.token_urlsafe", lambda _: TOKENS + numbers(8))
        self._server = HaloServer(0, self._respond)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    echo: Echo | None

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()

    def _respond(self, request: Request) -> Answer:
        echo = self.echo
        if echo is None or echo.method != request.method or not request.path.lower().endswith(echo.path):
            return self.halo._respond(request)
        self.echoed += 1
        told = [str(request.headers.get(name, "")) for name in ("Authorization", HEADER)]
        said = " ".join(filter(None, [*told, request.form.get("client_secret", "")]))
        if echo.people:
            said = f"{request.target} {request.body}"
        return Answer(echo.status, SHAPES[echo.shape](said).encode())
