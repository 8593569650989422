"""Packed: a mapping of texts that is kept as one text until somebody looks. Pure.

Very many people's fields are only compared, each person's once. As text they take a third of the memory.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, eq=False)
class Packed(Mapping[str, str]):
    """Texts by their names, as a JSON object; who looks more than once makes a `dict` of it."""

    text: str = field(repr=False)

    def __getitem__(self, name: str) -> str:
        """Return one value."""
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self._read())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._read())

    def __str__(self) -> str:
        """Return the text."""
        return self.text

    def _read(self) -> dict[str, str]:
        read: dict[str, str] = json.loads(self.text)
        return read


def packed(texts: Mapping[str, str]) -> Packed:
    """Pack a mapping."""
    return Packed(json.dumps(dict(texts), ensure_ascii=False, separators=(",", ":")))
