"""Shapes: builds the domain's frozen data from what was kept of it, and checks every value on the way. Pure.

`build` is the counterpart of `dataclasses.asdict`. What was not kept stands at its default, and what the
class does not know is passed over: a row of another version is read as far as that is safe. `reads` turns
whatever is wrong with a row into one sentence.
"""

import dataclasses
import zlib
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import Enum
from functools import cache, wraps
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from halo_adsync.errors import RowUnreadable
from halo_adsync.state.table import Row

type Builder = Callable[[Any], Any]

_BROKEN = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)
_LONGEST_KEY = 100


def build(kind: Any, data: Any) -> Any:
    """Return what JSON holds as a value of a type: a frozen dataclass, a mapping, a tuple, a text, ...

    Raises:
        ValueError: it holds something else.
    """
    return _builder(kind)(data)


def reads[Given: (Row, Sequence[Row]), Result](read: Callable[[Given], Result]) -> Callable[[Given], Result]:
    """Make a reader of a row, or of the rows that hold one thing, say what cannot be read.

    Raises, in the reader's place:
        RowUnreadable: whatever is wrong with the row.
    """

    @wraps(read)
    def guarded(given: Given) -> Result:
        try:
            return read(given)
        except (*_BROKEN, zlib.error):
            row = given if isinstance(given, Row) else given[0]
            # Without its cause, whose text may hold a person's data.
            raise unreadable(row.partition, row.key) from None

    return guarded


def unreadable(partition: str, key: str) -> RowUnreadable:
    """Return the error of a row that cannot be read."""
    shown = key if len(key) <= _LONGEST_KEY else f"{key[:_LONGEST_KEY]}..."
    return RowUnreadable(
        f"The row '{shown}' of the partition '{partition[:_LONGEST_KEY]}' in the app's table cannot be read:"
        " another version wrote it, or somebody changed it. Go back to that version, or delete the row; what"
        " it held is learnt anew, but for what a person decided."
    )


def moment(text: str) -> datetime:
    """Return a time that was kept as ISO 8601.

    Raises:
        ValueError: it is none, or its zone is missing.
    """
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without its zone")
    return time


@cache
def _builder(kind: Any) -> Builder:
    kind = getattr(kind, "__supertype__", kind)  # a NewType is its base while running
    origin, arguments = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind)
    if origin in {Union, UnionType}:
        return _either(tuple(map(_builder, arguments)))
    if origin is tuple:
        return _tuple(arguments)
    if origin is not None and origin is not Literal:
        return _mapping(*map(_builder, arguments))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    return _plain(kind, arguments)


def _dataclass(kind: Any) -> Builder:
    hints = get_type_hints(kind)
    builders = {one.name: _builder(hints[one.name]) for one in dataclasses.fields(kind)}

    def made(data: Any) -> Any:
        return kind(**{name: builders[name](value) for name, value in data.items() if name in builders})

    return made


def _either(builders: tuple[Builder, ...]) -> Builder:
    def made(data: Any) -> Any:
        for one in builders:
            try:
                return one(data)
            except _BROKEN:
                continue
        raise ValueError("none of the types that may stand here")

    return made


def _tuple(arguments: tuple[Any, ...]) -> Builder:
    if arguments[-1] is Ellipsis:
        inner = _builder(arguments[0])
        return lambda data: tuple(inner(value) for value in _listed(data))
    builders = tuple(map(_builder, arguments))
    return lambda data: tuple(one(value) for one, value in zip(builders, _listed(data), strict=True))


def _mapping(key: Builder, inner: Builder) -> Builder:
    return lambda data: {key(name): inner(value) for name, value in data.items()}


def _listed(data: Any) -> Sequence[Any]:
    if not isinstance(data, list | tuple):
        raise ValueError("no list")  # noqa: TRY004 - it is the row that is wrong
    return data


def _plain(kind: Any, allowed: tuple[Any, ...]) -> Builder:
    """Return what takes a value as it is, if it is of a plain type or one of those that are allowed."""
    kinds = (int, float) if kind is float else kind

    def made(data: Any) -> Any:
        fits = data in allowed if allowed else isinstance(data, kinds)
        if not fits or (isinstance(data, bool) and kind is not bool):
            raise ValueError("another type")
        return data

    return made
