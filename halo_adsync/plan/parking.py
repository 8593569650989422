"""Parking: what Halo refuses is sent again ever more rarely, until something about it changes.

The first refusal is followed by the next run, those after it by 6, 12 and 24 hours, and then by a day each.
Somebody whose record is parked is held, for everybody to see, and never stops the others.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from halo_adsync.model import Parked
from halo_adsync.plan.types import SITE, WRITES, Change, Kind

LONGEST_WORDS = 500
"""Characters that are kept of Halo's words."""
HOURS = (0, 6, 12, 24)
"""How long a record waits after its first refusal, its second, and so on; the last counts for all after."""
LONGEST = timedelta(hours=HOURS[-1])


def backoff(failures: int) -> timedelta:
    """Return how long to wait after so many failures in a row, 1 or more."""
    return timedelta(hours=HOURS[min(failures, len(HOURS)) - 1])


def key_of(change: Change) -> str:
    """Return under which key a line's record is parked."""
    return f"{change.record.value}|{change.guid}"


def digest_of(change: Change) -> str:
    """Return a digest over what a line writes to Halo, whatever stands there now."""
    written = {name: field.after for name, field in change.fields.items() if name != SITE}
    text = json.dumps([change.kind, change.user, change.place, change.hands_to, written], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def refused(change: Change, before: Parked | None, said: str, now: datetime) -> Parked:
    """Return what is kept of a record that Halo has just refused.

    Args:
        change: what was to be done.
        before: what was kept of it.
        said: Halo's words.
        now: the time, UTC.
    """
    digest = digest_of(change)
    failures = before.failures + 1 if before is not None and before.digest == digest else 1
    until = now + backoff(failures)
    return Parked(key_of(change), digest, failures, until.isoformat(timespec="seconds"), said[:LONGEST_WORDS])


def waiting(parked: Mapping[str, Parked], now: datetime) -> dict[str, Parked]:
    """Return the records whose time has not come yet; after one refusal it has, whatever the clock says.

    A time further off than any wait was written by a clock that was wrong, and counts as come.
    """
    return {
        key: one
        for key, one in parked.items()
        if one.failures > 1 and now < datetime.fromisoformat(one.until) <= now + LONGEST
    }


def park(change: Change, parked: Mapping[str, Parked]) -> Change:
    """Return the line, or a held one in its stead where its record is parked and nothing about it changed."""
    one = parked.get(key_of(change))
    if one is None or change.kind not in WRITES or one.digest != digest_of(change):
        return change
    until = datetime.fromisoformat(one.until).astimezone(UTC)
    times = "once" if one.failures == 1 else f"{one.failures} times in a row"
    reason = f"refused {times}, tried again from {until:%Y-%m-%d %H:%M} UTC: {one.said}; {change.reason}"
    return replace(change, kind=Kind.HELD, reason=reason, place="", adopts=False)


def over(parked: Mapping[str, Parked], changes: Iterable[Change]) -> Iterator[str]:
    """Yield the keys of the records that a plan for everybody neither writes nor holds: they need nothing."""
    alive = {key_of(change) for change in changes if change.is_work or change.kind is Kind.HELD}
    yield from sorted(parked.keys() - alive)
