"""A server between the SDK and the storage emulator, which answers wrongly where it is told to."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REFUSES, DROPS, MISMATCH = "refuses", "drops", "412"
"""Hang up before anything is done; after it is done; let every condition on an ETag fail."""
_CODES = {"429": "TooManyRequests", "500": "InternalError", "503": "ServerBusy"}
_HOP = {"connection", "transfer-encoding", "content-length"}
_ETAG = re.compile(rb'(?im)^(if-match: )W/"[^"\r\n]*"')


@dataclass
class Trouble:
    """What happens to which requests, by their number from 0."""

    kind: str = ""
    first: int = 0
    count: float = 0
    met: int = 0

    def strikes(self) -> str:
        """Count a request, and return what happens to it; empty for nothing."""
        number, self.met = self.met, self.met + 1
        return self.kind if self.first <= number < self.first + self.count else ""


class StorageProxy(ThreadingHTTPServer):
    """Passes requests on to the emulator's table service."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = port
        self.trouble = Trouble()

    def calm(self) -> None:
        """Answer rightly from now on."""
        self.trouble = Trouble()

    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that hung up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer leaves in one piece: in two, the network waits 40 ms between them
    server: StorageProxy

    def setup(self) -> None:
        super().setup()
        self._emulator = HTTPConnection("127.0.0.1", self.server.upstream, timeout=30)

    def finish(self) -> None:
        self._emulator.close()
        super().finish()

    def _answer(self) -> None:
        kind = self.server.trouble.strikes()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if kind == REFUSES:
            self.close_connection = True
        elif kind in _CODES:
            said = f'{{"odata.error":{{"code":"{_CODES[kind]}","message":{{"value":"On purpose."}}}}}}'
            self._send(int(kind), {"Content-Type": "application/json"}, said.encode())
        else:
            if kind == MISMATCH:
                body = _ETAG.sub(rb'\1W/"another"', body)
            status, headers, answer = self._ask(body)
            if kind == DROPS:
                self.close_connection = True
            else:
                self._send(status, headers, answer)

    do_GET = do_POST = do_PUT = do_MERGE = do_PATCH = do_DELETE = _answer  # noqa: N815 - the base's names

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        for last in (False, True):
            try:
                self._emulator.request(self.command, self.path, body, headers)
                response = self._emulator.getresponse()
                break
            except (HTTPException, OSError):  # it had closed an idle connection
                self._emulator.close()
                if last:
                    raise
        return response.status, dict(response.getheaders()), response.read()

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


@contextmanager
def storage_proxy(port: int) -> Iterator[StorageProxy]:
    """Serve."""
    with StorageProxy(port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
