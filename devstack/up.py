"""`make up`: what the demo starts, left running until Ctrl-C."""

import signal
import subprocess
import sys
import threading

from rich.console import Console

from devstack.demo import tell
from devstack.stack import FIXED, ROOT, Stack

_out = Console(highlight=False)


def main() -> None:
    """Start everything, do what the demo does, and wait.

    What the emulator and the simulated Halo hold goes with them: every start is a fresh one.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with Stack(ROOT / ".data", FIXED) as stack:
            tell(stack)
            stack.start_host(timers=True)
            _out.print(_directions(stack), markup=False, soft_wrap=True)
            stop.wait()
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"make up: {error}. Is it running already, or is one of its ports {FIXED} taken?")


def _directions(stack: Stack) -> str:
    return f"""
Everything is running; Ctrl-C stops it. In another terminal:
   . {stack.environment_file.relative_to(ROOT)}
   .venv/bin/halo-adsync customer list
   .venv/bin/halo-adsync tree school-trust
   .venv/bin/halo-adsync plan school-trust
   curl -H "x-functions-key: {stack.host.key}" {stack.host.url}/api/customers/company/runs

   Functions     {stack.host.url}/api/health
   Halo          {stack.halo.url}   what it holds: {stack.halo.url}/_control/state
   Directories   ldaps://localhost:{stack.trust.ldaps_port}
                 ldap://localhost:{stack.company.ldap_port} (StartTLS)
   Files         .data/school-trust.yaml, .data/company.yaml: change them and apply them again"""


if __name__ == "__main__":
    main()
