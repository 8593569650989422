"""`make demo`: two customers, from nothing to a first sync and a second one that finds nothing to do."""

import os
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import requests
from rich.console import Console

from devstack.stack import CUSTOMERS, ROOT, Stack

PATIENCE_SECONDS = 60
_SHOWN = 18
_out = Console(highlight=False, soft_wrap=True)


def tell(stack: Stack) -> None:
    """Tell the story on a running stack; raises `RuntimeError` where it does not go as it should."""
    _heading("1. Two customers are described by a file each; both are valid, and are kept in Table Storage")
    _command(stack, "customer", "apply", *map(str, stack.customer_files))
    _heading("2. The first plan, made by the functions: what a sync would do. Nothing is written")
    for customer in CUSTOMERS:
        run = _sync(stack, customer, dry_run=True)
        _check(run, "planned", bool(run["counts"]["create"]))
    _command(stack, "plan", CUSTOMERS[0], shown=_SHOWN)
    _heading("3. The first sync: asked for by HTTP, worked on from the queue")
    for customer in CUSTOMERS:
        run = _sync(stack, customer)
        _check(run, "ok", bool(run["counts"]["create"]))
    _heading("4. What Halo holds now")
    _show_halo(stack)
    _heading("5. The second sync finds nothing to do, and asks Halo nothing")
    for customer in CUSTOMERS:
        run = _sync(stack, customer)
        _check(run, "ok", run["cost"]["halo_requests"] == 0 and not run["counts"]["create"])
    if stack.halo.violations:
        raise RuntimeError(f"Halo was used wrongly: {stack.halo.violations}")


def _sync(stack: Stack, customer: str, *, dry_run: bool = False) -> dict[str, Any]:
    """Ask for a run by HTTP and wait for its end."""
    headers = {"x-functions-key": stack.host.key}
    address = f"{stack.host.url}/api/customers/{customer}/sync"
    accepted = requests.post(address, json={"mode": "full", "dry_run": dry_run}, headers=headers, timeout=30)
    accepted.raise_for_status()
    deadline = time.monotonic() + PATIENCE_SECONDS
    run: dict[str, Any] = {}
    while time.monotonic() < deadline:
        answer = requests.get(stack.host.url + accepted.json()["status_url"], headers=headers, timeout=30)
        answer.raise_for_status()
        run = answer.json()
        if run["status"] not in {"queued", "running", "applying"}:
            break
        time.sleep(0.1)
    counts = ", ".join(f"{number} {name}" for name, number in run["counts"].items() if number)
    cost = run["cost"]
    _out.print(
        f"   POST /api/customers/{customer}/sync -> [green]{run['status']}[/green]: {counts};"
        f" {cost['halo_requests']} requests to Halo, {cost['ldap_searches']} LDAP searches,"
        f" {cost['seconds']:.1f} s"
    )
    return run


def _check(run: dict[str, Any], status: str, holds: bool) -> None:
    if run["status"] != status or not holds:
        raise RuntimeError(f"Expected {status}, but run {run['run']} of {run['customer']} says: {run}")


def _command(stack: Stack, *arguments: str, shown: int | None = None) -> None:
    """Run `halo-adsync` as a person would, and show the first lines of what it prints."""
    _out.print(f"   $ halo-adsync {' '.join(arguments)}", style="bold")
    environment = {**os.environ, **stack.environment}
    done = subprocess.run(
        stack.command(*arguments), env=environment, cwd=ROOT, check=True, capture_output=True, text=True
    )
    lines = done.stdout.splitlines()
    for line in lines[:shown]:
        _out.print(f"   {line}", markup=False)
    if shown is not None and len(lines) > shown:
        _out.print(f"   ... ({len(lines) - shown} more lines)", style="dim")


def _show_halo(stack: Stack) -> None:
    sites = Counter(int(user["site_id"]) for user in stack.halo.people)
    by_name = sorted(stack.halo.sites.values(), key=lambda site: str(site["name"]))
    for client in stack.halo.clients.values():
        _out.print(f"   {client['name']}", markup=False, style="bold")
        for site in by_name:
            if int(site["client_id"]) == client["id"]:
                _out.print(f"      {site['name']:<28}{sites[site['id']]:>5} people", markup=False)


def _heading(text: str) -> None:
    _out.print(f"\n[bold cyan]{text}[/bold cyan]")


def main() -> None:
    """Run the demo in a folder that goes away afterwards."""
    begun = time.monotonic()
    _out.print("Starting storage emulator, two directories, a simulated Halo and the Functions host ...")
    with tempfile.TemporaryDirectory(prefix="halo-adsync-demo-") as folder, Stack(Path(folder)) as stack:
        tell(stack)
    _out.print(
        f"\nDone in {time.monotonic() - begun:.0f} s. Where to look next:\n"
        "   make up                       the same, left running, to try things by hand\n"
        "   docs/getting-started.md       a first sync of your own directory\n"
        "   docs/customer-file.md         everything that a customer file can say\n"
        "   devstack/customers/           the two files of this demo"
    )


if __name__ == "__main__":
    main()
