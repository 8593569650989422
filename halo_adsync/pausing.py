"""Pausing: a run in which too much fails is stopped, and its customer's schedule rests for a while.

Where Halo refuses so many records, something is wrong with more than these, and going on would only make
noise. The schedule rests for 6 hours, then 12, then a day each; it is worked out from the runs, so nothing
else has to be kept. A run that goes well, whoever asked for it, ends the rest.
"""

from collections.abc import Iterable
from datetime import datetime

from halo_adsync.errors import TooManyFailures
from halo_adsync.plan.parking import LONGEST, backoff
from halo_adsync.state.runs import Run, Status

PERCENT = 40
"""How much of what a run tries may fail, in per cent."""
ALWAYS = 3
"""So many failures stop no run."""
SAMPLE = 50
"""A longer run is not judged by fewer lines than these."""
LOOK_BACK = 50
"""How many of the latest runs are looked through for the last one that says how things are."""


def check_failures(run: Run) -> None:
    """Stop a run in which too much fails.

    Raises:
        TooManyFailures: with the numbers.
    """
    failed = run.counts["failed"] + run.agents["failed"] + run.others_failed
    tried = max(run.settled, min(run.total, SAMPLE))
    if failed > ALWAYS and 100 * failed > PERCENT * tried:
        raise TooManyFailures(
            f"Stopped: {failed} of {run.settled} changes failed, which is more than {PERCENT} per cent"
            f"{_left(run)}. See why with `halo-adsync run {run.customer} {run.id}`."
        )


def _left(run: Run) -> str:
    left = run.total - run.settled
    return f"; {left} were not tried" if left else ""


def rest(run: Run, earlier: Iterable[Run], now: datetime) -> tuple[int, str]:
    """Return which such run in a row this one is, and until when the schedule rests (ISO 8601, UTC).

    Args:
        run: the run that was stopped.
        earlier: the latest runs, newest first; the run itself may be among them.
        now: the time, UTC.
    """
    last = next((one for one in earlier if one.id != run.id and _says(one)), None)
    strikes = last.strikes + 1 if last else 1
    until = now + backoff(strikes + 1)  # as a record's, but that no next run is tried at once
    return strikes, until.isoformat(timespec="seconds")


def resting_until(runs: Iterable[Run], now: datetime) -> datetime | None:
    """Return until when a customer's schedule rests; None where it does not.

    Args:
        runs: the latest runs, newest first.
        now: the time, UTC.
    """
    last = next((run for run in runs if _says(run)), None)
    if last is None or not last.paused_until:
        return None
    until = datetime.fromisoformat(last.paused_until)
    return until if now < until <= now + LONGEST else None  # later, a clock was wrong


def _says(run: Run) -> bool:
    """Tell whether a run has got through its plan for everybody, or was stopped for its failures."""
    stopped = run.status is Status.PARTIAL and run.strikes > 0 and not run.dry_run and not run.person
    return run.got_through or stopped
