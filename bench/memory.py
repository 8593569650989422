"""What a person costs in memory while a read is kept, and what it would cost if nothing were shared."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from typing import TYPE_CHECKING
from uuid import UUID

from bench.people import ATTRIBUTES, organisation
from bench.report import table
from halo_adsync.directory.entry import GUID, IDENTITY, RawEntry, parent_dn
from halo_adsync.directory.people import PersonCodec
from halo_adsync.model import ObjectGuid, Person

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bench.report import Figures

_KEPT = frozenset(ATTRIBUTES) - IDENTITY
_USUAL = (
    *("cn", "department", "displayName", "givenName", "mail"),
    *("mobile", "sAMAccountName", "sn", "telephoneNumber", "title"),
)


def measure(sizes: Sequence[int], _rounds: int, _cache: Path) -> Figures:
    """Measure the largest of the sizes."""
    count = max(sizes)
    print(f"memory: {count:,} people", file=sys.stderr)
    kept = (
        (f"the {len(_USUAL)} attributes of a usual file", frozenset(_USUAL)),
        (f"{len(_KEPT)} attributes", _KEPT),
    )
    rows = [
        {
            "kept": label,
            "shared": _bytes_each(count, names, shared=True),
            "unshared": _bytes_each(count, names, shared=False),
        }
        for label, names in kept
    ]
    return {"people": count, "rows": rows}


def text(figures: Figures) -> str:
    """Return the section's text."""
    rows = [[row["kept"], f"{row['shared']:,.0f}", f"{row['unshared']:,.0f}"] for row in figures["rows"]]
    head = ["kept of everybody", "bytes a person", "bytes, if nothing were shared"]
    return f"{figures['people']:,} people, as `tracemalloc` counts.\n\n{table(head, rows)}"


def _bytes_each(count: int, names: frozenset[str], *, shared: bool) -> float:
    gc.collect()
    tracemalloc.start()
    people = list(_people(count, {name.lower() for name in names}, shared=shared))
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / len(people)


def _people(count: int, wanted: set[str], *, shared: bool) -> Iterator[Person]:
    """Yield people as a read makes them; what the codec remembered is gone when the last one was made."""
    codec = PersonCodec("bench", wanted)
    parents: dict[str, ObjectGuid] = {}
    for number, (dn, attributes) in enumerate(organisation(count)):
        if "sAMAccountName" not in attributes:
            continue
        values = {name.lower(): tuple(value.encode() for value in them) for name, them in attributes.items()}
        entry = RawEntry.received(dn, {**values, GUID.lower(): (UUID(int=number).bytes,)})
        parent = parents.setdefault(parent_dn(dn), ObjectGuid(str(UUID(int=len(parents)))))
        yield (codec if shared else PersonCodec("bench", wanted)).person(entry, parent)
