"""Whether a value is what its type says, all the way down: an annotation alone holds nothing back."""

import dataclasses
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, Literal, TypeAliasType, Union, get_args, get_origin, get_type_hints


def is_of(value: Any, kind: Any) -> bool:
    """Tell whether a value is of a type: a class, a dataclass with its fields, a union, a mapping, ..."""
    if isinstance(kind, TypeAliasType):
        return is_of(value, kind.__value__)
    kind = getattr(kind, "__supertype__", kind)  # a NewType is its base while running
    if kind is Any or kind is None:
        return kind is Any or value is None
    if get_origin(kind) is None:
        return _is_instance(value, kind)
    return _fits(value, get_origin(kind), get_args(kind))


def _fits(value: Any, origin: Any, arguments: tuple[Any, ...]) -> bool:
    """Tell whether a value is of a type with arguments, such as a union or a list of something."""
    if origin in {Union, UnionType}:
        return any(is_of(value, one) for one in arguments)
    if origin is Literal:
        return value in arguments
    return isinstance(value, origin) and _holds(value, origin, arguments)


def _is_instance(value: Any, kind: Any) -> bool:
    """Tell whether a value is of a class, and the fields of a dataclass are of their types."""
    if kind in {int, float}:
        return isinstance(value, int | kind) and not isinstance(value, bool)
    if not isinstance(value, kind):
        return False
    if not dataclasses.is_dataclass(kind):
        return True
    hints = get_type_hints(kind)
    return all(is_of(getattr(value, one.name), hints[one.name]) for one in dataclasses.fields(kind))


def _holds(value: Any, origin: Any, arguments: tuple[Any, ...]) -> bool:
    """Tell whether everything in a collection is of the types that it is declared with."""
    if issubclass(origin, Mapping):
        key, inner = arguments
        return all(is_of(name, key) and is_of(one, inner) for name, one in value.items())
    if issubclass(origin, tuple) and Ellipsis not in arguments:
        return len(value) == len(arguments) and all(map(is_of, value, arguments))
    return not issubclass(origin, Iterable) or all(is_of(one, arguments[0]) for one in value)
