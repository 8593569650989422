"""`python -m devstack.host`: the host's process."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from devstack.host.queues import QueueListener
from devstack.host.routes import METHODS, HttpFrontend
from devstack.host.runner import Runner
from devstack.host.settings import (
    HostConfigError,
    load_host_settings,
    load_keys,
    load_local_settings,
    write_private,
)
from devstack.host.timers import Timer
from devstack.worker import Function, Worker, WorkerLoadError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DEFAULT_PORT = 7071
LEASE_SECONDS = 600
GRACE_SECONDS = 30
logger = logging.getLogger("devstack.host")


@dataclass(frozen=True)
class Triggers:
    """Everything of the app that starts by itself."""

    timers: dict[str, Timer]
    listeners: dict[str, QueueListener]

    async def run_now(self, function: Function, text: str) -> None:
        """Runs a timer's or a queue's function once.

        Raises:
            InvocationError: It failed.
        """
        if timer := self.timers.get(function.name):
            await timer.run()
        else:
            await self.listeners[function.name].run_once(text)


def _triggers(worker: Worker, runner: Runner, options: argparse.Namespace) -> Triggers:
    settings = load_host_settings(options.app, os.environ).queues
    timers: dict[str, Timer] = {}
    listeners: dict[str, QueueListener] = {}
    for name, function in worker.functions.items():
        match function.trigger["type"]:
            case "timerTrigger":
                timers[name] = Timer(runner, function)
            case "queueTrigger":
                listeners[name] = QueueListener(
                    runner, function, settings, lease_seconds=options.lease_seconds
                )
            case "httpTrigger":
                pass
            case other:
                raise HostConfigError(
                    f"{name} has a {other}; this host knows HTTP, timer and queue triggers."
                )
    return Triggers(timers, listeners)


async def serve(options: argparse.Namespace) -> None:
    """Loads the app and serves it until SIGINT or SIGTERM.

    Raises:
        HostConfigError: A setting or file is wrong.
        WorkerLoadError: The worker refuses the app.
    """
    load_local_settings(options.app, os.environ)
    settings = load_host_settings(options.app, os.environ)
    keys = load_keys(options.data)
    os.chdir(options.app)
    worker = await Worker.load(options.app)
    runner = Runner(worker, base64_messages=settings.queues.base64)
    triggers = _triggers(worker, runner, options)
    frontend = HttpFrontend(
        worker, runner, keys, route_prefix=settings.route_prefix, run_now=triggers.run_now
    )
    listening = socket.create_server(("127.0.0.1", options.port))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        running: list[Timer | QueueListener] = [*triggers.listeners.values()]
        if not options.no_timers:
            running += triggers.timers.values()
        loops = [asyncio.create_task(trigger.run_forever()) for trigger in running]
        for loop in loops:
            loop.add_done_callback(_report_crash)
        _announce(url, frontend, options)
        yield
        for trigger in running:
            trigger.stop()
        await asyncio.gather(*loops, return_exceptions=True)
        worker.stop()

    app = Starlette(routes=[Route("/{path:path}", frontend.answer, methods=METHODS)], lifespan=lifespan)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, timeout_graceful_shutdown=GRACE_SECONDS, server_header=False
    )
    # uvicorn raises the signal again when it is done, which would end the process with an error.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    await uvicorn.Server(config).serve(sockets=[listening])


def _announce(url: str, frontend: HttpFrontend, options: argparse.Namespace) -> None:
    for route in frontend.routes:
        logger.info("%s: [%s] %s/%s", route.function.name, ",".join(route.methods), url, route.template)
    logger.info("listening on %s; the access keys are in %s", url, options.data / "host-keys.json")
    if options.ready_file:
        write_private(options.ready_file, {"url": url, "pid": os.getpid()})


def _report_crash(loop: asyncio.Task[None]) -> None:
    if not loop.cancelled() and (error := loop.exception()):
        logger.error("a trigger ended, restart the host", exc_info=error)


def _parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m devstack.host", description="Runs a function app locally."
    )
    parser.add_argument(
        "--app", type=Path, default=Path(), help="the folder of function_app.py and host.json"
    )
    parser.add_argument("--data", type=Path, help="the folder of host-keys.json (default: .data in the app)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one")
    parser.add_argument("--ready-file", type=Path, help="written with the address when the host is ready")
    parser.add_argument("--no-timers", action="store_true", help="timers run on request only")
    parser.add_argument("--lease-seconds", type=int, default=LEASE_SECONDS, help="of a message in work")
    parser.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    options = parser.parse_args(arguments)
    options.app = options.app.resolve()
    options.data = (options.data or options.app / ".data").resolve()
    options.ready_file = options.ready_file and options.ready_file.resolve()
    return options


def main() -> None:
    """Runs the host; ends with 1 and one sentence when the app cannot be served."""
    options = _parse()
    logging.basicConfig(level=options.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("azure.core", "azure.functions", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        asyncio.run(serve(options))
    except (HostConfigError, WorkerLoadError, OSError) as error:
        sys.exit(f"The function app cannot be served: {error}")


if __name__ == "__main__":
    main()
