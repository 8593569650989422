"""A webhook on this machine: takes what is posted, and answers as a test says."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from threading import Thread
from typing import Any, override


@dataclass
class Webhook:
    """What a webhook was sent, and the status that it answers with by path; 200 where none is set."""

    url: str = ""
    bodies: list[Any] = field(default_factory=list)
    """Only what it took."""
    asked: list[str] = field(default_factory=list)
    """The path and query of every call."""
    statuses: dict[str, int] = field(default_factory=dict)

    def texts(self) -> list[str]:
        """Return each notice that it took, its title in the first line."""
        return [text_of(body) for body in self.bodies]

    def answer(self, path: str, body: bytes) -> int:
        """Take a call."""
        self.asked.append(path)
        status = self.statuses.get(path.partition("?")[0], 200)
        if status == 200:
            self.bodies.append(json.loads(body))
        return status


def text_of(body: Any) -> str:
    """Return the text of a notice as a workflow of Teams gets it."""
    (attachment,) = body["attachments"]
    return "\n".join(run["text"] for block in attachment["content"]["body"] for run in block["inlines"])


@contextmanager
def serve_webhook(context: SSLContext | None = None) -> Iterator[Webhook]:
    """Serve a webhook on loopback, over TLS where a context is given."""
    webhook = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(webhook.answer(self.path, body))
            self.send_header("Location", webhook.url)
            self.send_header("Content-Length", "0")
            self.end_headers()

        @override
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme, host = ("http", "127.0.0.1") if context is None else ("https", "localhost")
        webhook.url = f"{scheme}://{host}:{server.server_port}/hook?sig=s3cret"
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield webhook
        finally:
            server.shutdown()
            thread.join()
