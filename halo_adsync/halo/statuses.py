"""One table: what Halo answered -> the exception that says what to do next.

Halo words its errors in at least five ways, and gateways before it answer with pages of HTML. All of them end
as one sentence here. Secrets, values that a caller names (what it sent) and e-mail addresses are struck out,
so that the sentence can be logged and shown.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from halo_adsync.errors import Doubtful, HaloAdSyncError, HaloRefused, HaloUnavailable, RecordRejected
from halo_adsync.halo.hiding import STRUCK, Hiding

LONGEST_SENTENCE = 400
LONGEST_READ = 20 * LONGEST_SENTENCE
"""An error body is looked at so far: some answer with pages of stack trace."""
_SHORTEST_HIDDEN, _LONG = 3, 8
"""Shorter values may stand in a sentence by chance; long ones stand in no other word."""
_E_MAIL = re.compile(r"[^\s@\"'<>(),;:]+@[^\s@\"'<>(),;:]+")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")

_NOT_SUCH = frozenset({400, 404, 409, 413, 422})
"""On a write: Halo looked at the records and does not want them."""
_TRY_LATER = frozenset({408, 425})
_TOO_MANY_REQUESTS = 429
_HINTS = {
    401: "Halo does not accept the sign-in; check halo.client_id and the client secret",
    403: (
        "the API application, or the agent that it signs in as, may not do this;"
        " give it the permission in Halo's API settings"
    ),
    404: "there is no such address; check halo.url",
    413: "the request is too large; make halo.batch_size smaller",
    429: "the rate limit is reached",
}
_COMPLAINTS = ("error_description", "errormessage", "message", "error")
_MESSAGES = (*_COMPLAINTS, "_warning", "detail", "title")
"""Where an error body says what is wrong. In a record, `title` is a person's job title."""


def failure(
    status: int, body: bytes, hiding: Hiding, *, what: str, write: bool = False, hide: Collection[str] = ()
) -> HaloAdSyncError:
    """Return the error that an answer means.

    Args:
        status: the HTTP status, not a success.
        body: the answer's body.
        hiding: the secrets that must not stand in the error.
        what: what was asked for, such as "GET /Users", without personal data.
        write: whether the request would have changed something.
        hide: values that must not stand in it either.
    """
    said = sentence(body, hiding, hide)
    hint = _HINTS.get(status, "Halo said" if said else "no reason was given")
    text = f"{what} was answered with {status}: " + (f"{hint}: {said}" if said else f"{hint}.")
    if write and status in _NOT_SUCH:
        return RecordRejected(said or text)
    if status == _TOO_MANY_REQUESTS:  # never carried out
        return HaloUnavailable(text)
    if 300 <= status < 500 and status not in _TRY_LATER:  # noqa: PLR2004 - redirections and client errors (RFC 9110)
        return HaloRefused(text)
    return Doubtful(text) if write else HaloUnavailable(text)


def sentence(body: bytes, hiding: Hiding, hide: Collection[str] = ()) -> str:
    """Return what an error body says as one line of text; empty when it says nothing."""
    text = body.decode("utf-8", "replace").strip()
    if text.startswith("<"):
        said = _html(text[:LONGEST_READ])
    else:
        try:
            said = _said(json.loads(text))
        except (ValueError, RecursionError):
            said = text
    return redact(hiding.strike(said), hide)


def redact(text: str, hide: Collection[str]) -> str:
    """Strike out the values of `hide` and every e-mail address; keep the text to one line of fair length."""
    # Addresses first: a value that is part of one would leave the rest of it standing.
    text = _E_MAIL.sub(STRUCK, text[:LONGEST_READ])
    for value in sorted({v for v in hide if len(v) >= _SHORTEST_HIDDEN}, key=len, reverse=True):
        pattern = re.escape(value) if len(value) >= _LONG else rf"(?<!\w){re.escape(value)}(?!\w)"
        text = re.sub(pattern, STRUCK, text, flags=re.IGNORECASE)
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_SENTENCE else line[:LONGEST_SENTENCE] + "…"


def warning(record: Any) -> str:
    """Return the `_warning` that Halo put into a successful answer's record; empty when there is none."""
    return _text(record.get("_warning")) if isinstance(record, dict) else ""


def complaint(record: Any) -> str:
    """Return what a record in a successful answer says instead of an id; empty when it says nothing."""
    return _first(record, _COMPLAINTS) if isinstance(record, dict) else ""


def _html(text: str) -> str:
    title = _TITLE.search(text)
    inner = " ".join(_TAG.sub(" ", title.group(1) if title else "").split())
    return (
        f'a page of HTML, probably a gateway\'s ("{inner}")'
        if inner
        else "a page of HTML, probably a gateway's"
    )


def _said(body: Any) -> str:
    if isinstance(body, list):
        return "; ".join(filter(None, map(_said, body)))
    if not isinstance(body, dict):
        return _text(body)
    by_name = {key.lower(): value for key, value in body.items()}
    if isinstance(by_name.get("errors"), dict):
        return _model_state(by_name["errors"])
    return _first(by_name, _MESSAGES) or _model_state(body)


def _first(by_name: Mapping[str, Any], names: Iterable[str]) -> str:
    return next(filter(None, (_text(by_name.get(name)) for name in names)), "")


def _model_state(body: dict[str, Any]) -> str:
    """Word `{"[0].field": ["why", ...]}`, ASP.NET's way of saying which element's field is wrong."""
    return "; ".join(
        f"{where}: {' '.join(map(_text, why))}"
        for where, why in body.items()
        if isinstance(why, list) and all(isinstance(reason, str) for reason in why)
    )


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
