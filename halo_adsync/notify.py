"""The webhook: one notice as JSON that Slack, or a workflow of Microsoft Teams, shows in a channel.

It is sent by Python's own HTTP client, which logs nothing and follows no redirection: the whole address is a
secret, for who knows it may write to the channel.
"""

import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from halo_adsync.errors import ConfigurationError, Refused, Unavailable
from halo_adsync.loopback import is_protected

SECONDS = 10.0
"""How long each step of a call may take."""
SLACK = ("hooks.slack.com", "hooks.slack-gov.com")
_SUCCESS, _TRY_LATER, _SERVER_ERROR = 200, (408, 429), 500


@dataclass(frozen=True, slots=True)
class Message:
    """What people are told: a title, and sentences in plain text."""

    title: str
    lines: tuple[str, ...]


def post(url: str, message: Message, renewed: Callable[[str], str | None]) -> None:
    """Send a notice to a webhook; to its new address where the old one is refused and was replaced.

    Args:
        url: the address.
        message: the notice.
        renewed: returns another address than the given one, or None where there is none.

    Raises:
        ConfigurationError: the secret holds no address that may be called.
        Refused: the webhook does not take it.
        Unavailable: no answer, or one that says to try again later.
    """
    try:
        _post(url, message)
    except (ConfigurationError, Refused):
        other = renewed(url)
        if other is None:
            raise
        _post(other, message)


def body_for(url: str, message: Message) -> dict[str, Any]:
    """Return what is sent to an address.

    Slack reads `text`, in which `&`, `<` and `>` have to be escaped (Slack, "Formatting text for app
    surfaces"). A workflow of Teams ("When a Teams webhook request is received") reads adaptive cards; text
    runs of a card are plain text, so that no name in a sentence becomes a link.
    """
    if urlsplit(url).hostname in SLACK:
        text = "\n".join((message.title, *message.lines))
        for sign, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            text = text.replace(sign, escaped)
        return {"text": text, "mrkdwn": False}
    title = {"type": "TextRun", "text": message.title, "weight": "Bolder"}
    runs = [title, *({"type": "TextRun", "text": line} for line in message.lines)]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "body": [{"type": "RichTextBlock", "inlines": [run]} for run in runs],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def _post(url: str, message: Message) -> None:
    parts = urlsplit(url) if is_protected(url) else None
    if parts is None or parts.username is not None or not url.isascii() or not url.isprintable():
        raise ConfigurationError(
            "notify.webhook: the secret does not hold an https:// address; copy the webhook's whole address"
            " into it."
        )
    status = _answer(url, json.dumps(body_for(url, message)).encode())
    if _SUCCESS <= status < 300:  # noqa: PLR2004 - the range of success (RFC 9110)
        return
    if status in _TRY_LATER or status >= _SERVER_ERROR:
        raise Unavailable(f"The webhook answered with HTTP {status}; the next run tries again.")
    raise Refused(
        f"The webhook refused the notice (HTTP {status}): put its address as it is now into the secret that"
        " notify.webhook names."
    )


def _answer(url: str, body: bytes) -> int:
    """Send a body and return the status of the answer, whose body is not read."""
    parts = urlsplit(url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    connection: HTTPConnection | None = None
    try:
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "https":
            context = ssl.create_default_context()
            connection = HTTPSConnection(host, port, timeout=SECONDS, context=context)
        else:
            connection = HTTPConnection(host, port, timeout=SECONDS)
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        return connection.getresponse().status
    except ssl.SSLCertVerificationError:
        raise Refused("The webhook's certificate is not trusted: nothing was sent to it.") from None
    except (OSError, HTTPException, ValueError) as error:  # without its text, which may hold the address
        raise Unavailable(
            f"The webhook could not be reached ({type(error).__name__}); the next run tries again."
        ) from None
    finally:
        if connection is not None:
            connection.close()
