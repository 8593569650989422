"""The simulated Halo as a process; it runs until SIGTERM or SIGINT and prints its URL when it listens."""

import argparse
import signal
import threading
from pathlib import Path

from . import SimulatedHalo


def main() -> None:
    """Serve until told to stop."""
    arguments = _parser().parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with SimulatedHalo(
        port=arguments.port,
        data=arguments.data,
        client_id=arguments.client_id,
        client_secret=arguments.client_secret,
        tenant=arguments.tenant,
    ) as halo:
        if arguments.ready_file:
            _write_whole(arguments.ready_file, halo.url)
        print(halo.url, flush=True)
        stop.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devstack.halo", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="a port of 127.0.0.1; 0 takes a free one")
    parser.add_argument("--data", type=Path, help="a directory that keeps the records between runs")
    parser.add_argument("--ready-file", type=Path, help="a file to write the URL to once it listens")
    parser.add_argument("--client-id", default="halo-adsync", help="of the API application")
    parser.add_argument("--client-secret", default="simulated-secret", help="of the API application")
    parser.add_argument("--tenant", default="simulated", help="of the hosted Halo")
    return parser


def _write_whole(path: Path, text: str) -> None:
    """Write a file that nobody can see half-written."""
    draft = path.with_suffix(".draft")
    draft.write_text(f"{text}\n", encoding="utf-8")
    draft.replace(path)


if __name__ == "__main__":
    main()
