"""Halo's lists: several envelopes, and pages that may be short, repeated, unordered or missing.

Halo pages only when `pageinate` (so spelled) and `page_no` are both sent, caps the page size on its own, and
hides inactive records unless asked. A list counts as read when as many distinct records were seen as
`record_count` says; what falls short is an error, never a result.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from halo_adsync.errors import HaloUnavailable
from halo_adsync.halo.codec import Record, identity, number_in

PAGE_SIZE = 100
"""Current servers give no more, whatever is asked for."""
ROUNDS = 2

type Parameters = Mapping[str, str]
type Fetch = Callable[[Parameters], Any]
"""Gets one answer, parsed, for the given query parameters."""

INACTIVE_TOO: Parameters = {"includeactive": "true", "includeinactive": "true"}


def page_parameters(number: int, size: int = PAGE_SIZE) -> dict[str, str]:
    """Return the query parameters of one page, counted from 1."""
    return {"pageinate": "true", "page_no": str(number), "page_size": str(size), "order": "id"}


def records(body: Any, key: str) -> list[Record]:
    """Return the records of a list in whatever envelope it came.

    Args:
        body: the parsed answer.
        key: the key that the list usually stands under.

    Raises:
        HaloUnavailable: there is no telling where the list is.
    """
    rows = body
    if isinstance(body, dict):
        lists = [value for value in body.values() if isinstance(value, list)]
        rows = body.get(key, lists[0] if len(lists) == 1 else None)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise HaloUnavailable(f"Halo's answer holds no list of {key} that could be read.")
    return rows


def record_count(body: Any) -> int | None:
    """Return how many records a list has on all its pages, where it says so."""
    return number_in(body.get("record_count")) if isinstance(body, dict) else None


def how_many(body: Any, key: str) -> int:
    """Return how many records a list has: what it says, but never fewer than it shows.

    Raises:
        HaloUnavailable: there is no telling where the list is.
    """
    return max(len(records(body, key)), record_count(body) or 0)


@dataclass
class _Round:
    """One walk over the pages of a list."""

    seen: set[Any] = field(default_factory=set)
    count: int | None = None
    slid: bool = False
    """The count fell on the way: records went, later pages moved up, and some may have been stepped over."""

    def note(self, rows: list[Record], count: int | None) -> bool:
        """Take in a page and tell whether there is reason to ask for the next."""
        self.slid |= count is not None and self.count is not None and count < self.count
        self.count = count
        before = len(self.seen)
        self.seen.update(map(identity, rows))
        return len(self.seen) > before and (count is None or len(self.seen) < count)


def read_all(fetch: Fetch, key: str, parameters: Parameters) -> Iterator[Record]:
    """Yield every record of a list, each once.

    Args:
        fetch: gets one page.
        key: the key that the list usually stands under.
        parameters: the query besides paging.

    Raises:
        HaloUnavailable: the records that arrived are fewer than Halo says there are. The caller has to drop
            what was yielded before.
    """
    seen: set[Any] = set()
    for _ in range(ROUNDS):
        walk = _Round()
        number, more = 0, True
        while more:
            number += 1
            body = fetch({**parameters, **page_parameters(number)})
            rows = records(body, key)
            more = walk.note(rows, record_count(body))
            for row in rows:
                if (who := identity(row)) not in seen:
                    seen.add(who)
                    yield row
        if not walk.slid and len(seen) >= (walk.count or 0):
            return
    if len(seen) < (walk.count or 0):
        raise HaloUnavailable(
            f"Halo says it has {walk.count} {key} but listed {len(seen)}; nothing is concluded from that."
        )
