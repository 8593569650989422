"""Requests and answers, before and after HTTP."""

import json
from dataclasses import dataclass, field
from email.message import Message
from functools import cached_property
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit


class LoggedRequest(NamedTuple):
    """One request that Halo met.

    Attributes:
        method: in upper case.
        path: without the query.
        status: of the answer; 0 when the connection was closed without one.
        elements: those of a POSTed array, else records in a listed answer, else 0.
    """

    method: str
    path: str
    status: int
    elements: int


@dataclass(frozen=True)
class Request:
    """A request: `target` is path and query as they were sent; `headers` disregard case."""

    method: str
    target: str
    headers: Message
    body: str = ""

    @cached_property
    def path(self) -> str:
        """The path without the query and without a slash at its end."""
        return urlsplit(self.target).path.rstrip("/")

    @cached_property
    def query(self) -> dict[str, str]:
        """The decoded query, names in lower case."""
        pairs = parse_qsl(urlsplit(self.target).query, keep_blank_values=True)
        return {name.lower(): value for name, value in pairs}

    @cached_property
    def form(self) -> dict[str, str]:
        """The fields of a form-encoded body; none when the body is of another type."""
        is_form = self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
        return dict(parse_qsl(self.body)) if is_form else {}


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes:
        status: the HTTP status, or 0 to close the connection without an answer.
        body: as it is sent.
        content_type: of the body.
        headers: further headers.
        count: records in a listed answer, for the log.
    """

    status: int
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    count: int = 0

    @classmethod
    def json(cls, body: Any, status: int = 200, *, count: int = 0) -> Self:
        """An answer with a body in JSON."""
        return cls(status, json.dumps(body).encode(), count=count)

    @classmethod
    def text(cls, body: str, status: int, **headers: str) -> Self:
        """An answer in plain text; underscores in header names stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, body.encode(), "text/plain; charset=utf-8", named)


DROPPED = Answer(0)
"""No answer: the connection is closed."""
