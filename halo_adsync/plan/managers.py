"""Managers: who manages whom, and what a mapping may say of somebody's manager.

A manager's values are those that the manager's own record in Halo is to have.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from halo_adsync.customer import MANAGER_FACTS
from halo_adsync.model import DirectoryRead, ObjectGuid
from halo_adsync.plan.templates import MANAGER_DN

SHOWN = 10
"""How many circles a plan names."""


@dataclass(frozen=True, slots=True)
class Chief:
    """Somebody who may be a manager: the DN, and the fields that the record in Halo is to have."""

    dn: str
    fields: Mapping[str, str] = field(repr=False)

    def facts(self) -> dict[str, str]:
        """Return what a mapping may say of this manager."""
        told = {fact: self.fields.get(source, "") for fact, source in MANAGER_FACTS.items()}
        return {MANAGER_DN: self.dn, **told}


class Managers:
    """Who manages whom, among everybody whom the directories brought."""

    def __init__(self, reads: Sequence[DirectoryRead]) -> None:
        names = {name: guid for read in reads for name, guid in read.names.items()}
        self._of = {guid: names.get(manager) for read in reads for guid, manager in read.managers.items()}

    def has(self, guid: ObjectGuid) -> bool:
        """Tell whether the directory names a manager of this account, read or not."""
        return guid in self._of

    def of(self, guid: ObjectGuid) -> ObjectGuid | None:
        """Return the manager's account; None where there is none, or it was not read."""
        return self._of.get(guid)

    def circles(self, among: Iterable[ObjectGuid]) -> Iterator[tuple[ObjectGuid, ...]]:
        """Yield every circle of people who manage one another, each once, in a stable order."""
        settled: set[ObjectGuid] = set()
        inside = set(among)
        for start in sorted(inside):
            path: dict[ObjectGuid, None] = {}
            here: ObjectGuid | None = start
            while here in inside and here not in path and here not in settled:
                path[here] = None
                here = self._of.get(here)
            if here in path:
                steps = list(path)
                yield tuple(steps[steps.index(here) :])
            settled.update(path)


def circle_warnings(
    circles: Iterable[tuple[ObjectGuid, ...]], names: Mapping[ObjectGuid, str]
) -> Iterator[str]:
    """Yield a sentence for each circle, and for those that are too many to name.

    Args:
        circles: GUIDs, each managed by the next, the last by the first.
        names: what the plan calls each account.
    """
    found = list(circles)
    for circle in found[:SHOWN]:
        if len(circle) == 1:
            yield f"{names[circle[0]]} is named as their own manager in the directory; correct it there."
        else:
            steps = " -> ".join(names[guid] for guid in (*circle, circle[0]))
            yield f"Managers in a circle, each managed by the next: {steps}; correct it in the directory."
    if len(found) > SHOWN:
        yield f"There are {len(found) - SHOWN} more circles of managers."
