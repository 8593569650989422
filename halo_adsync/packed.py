"""Packed: a mapping of texts that is kept as one text until somebody looks. Pure.

Very many people's fields are only compared, each person's once. As text they take a third of the memory.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, eq=False)
class Packed(Mapping[str, str]):
    """Texts by their names, as a JSON object. Each look reads it all: who looks twice has it `opened`."""

    text: str = field(repr=False)

    def __getitem__(self, name: str) -> str:
        """Return one value."""
        return self.read()[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self.read())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.read())

    def __str__(self) -> str:
        """Return the text."""
        return self.text

    def read(self) -> dict[str, str]:
        """Return all of it."""
        texts: dict[str, str] = json.loads(self.text)
        return texts


def pack(texts: Mapping[str, str]) -> Packed:
    """Pack a mapping."""
    return Packed(json.dumps(dict(texts), ensure_ascii=False, separators=(",", ":")))


def opened(texts: Mapping[str, str]) -> dict[str, str]:
    """Return a mapping as a `dict`: of a packed one, by reading it once and not once for each name."""
    return texts.read() if isinstance(texts, Packed) else dict(texts)
