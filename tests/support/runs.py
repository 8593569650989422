"""Runs of a customer, made up: for what is worked out from them."""

from datetime import datetime
from typing import Any

from halo_adsync.model import CustomerId
from halo_adsync.state.runs import Run, Status, new_run_id


def at(text: str) -> datetime:
    """Return a time of 2026, in UTC."""
    return datetime.fromisoformat(f"2026-{text}+00:00")


def run(mode: str, requested: str | datetime, status: Status = Status.OK, **more: Any) -> Run:
    """Return a run that the schedule asked for."""
    when = at(requested) if isinstance(requested, str) else requested
    usual: dict[str, Any] = {"reason": "schedule", "actor": "timer", "dry_run": False}
    return Run(
        id=new_run_id(when),
        customer=CustomerId("contoso"),
        mode=mode,
        status=status,
        requested=when.isoformat(),
        **(usual | more),
    )


def never(*_: object) -> Any:
    """Fail: the schedule opens neither a directory nor Halo."""
    raise AssertionError("the schedule opened something")
