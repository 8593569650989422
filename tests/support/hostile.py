"""Hostile input: what nobody would send on purpose, and right input with some of it changed."""

import copy
import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from hypothesis import strategies as st

type Path = tuple[str | int, ...]

DEEP = 12_000
"""Levels of nesting that no parser follows to the end."""
WORDS = st.sampled_from([
    "", " ", "0", "-1", "1.5", "1e999", "9" * 5000, "true", "null", "\0", "\r\n", "\ud800", "\u202e",
    "é" * 80,
    "=cmd()", "<b>", "{{ x }}", "../..", "general user", "²", "١٢", "x" * 9000,
])  # fmt: skip
TEXTS = WORDS | st.text(st.characters(codec=None), max_size=12)
NUMBERS = (
    st.sampled_from([0, -1, 1, 2**31, 2**63, -(2**63), 10**400, 0.5, -0.0, 1e308, math.inf, math.nan])
    | st.integers(-5, 300)
    | st.floats()
)
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
"""Whatever Python's reader of JSON may give, numbers that are none among it."""
NESTED = st.sampled_from(
    [
        opening * depth + closing * depth
        for opening, closing in ("[]", ('{"a":', "}"))
        for depth in (900, DEEP)
    ]
)
"""JSON that is nested beyond reason, closed and all."""


def paths(value: Any, here: Path = ()) -> Iterator[Path]:
    """Yield the way to everything inside plain data, itself first."""
    yield here
    steps: Sequence[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        steps = list(value.items())
    elif isinstance(value, list):
        steps = list(enumerate(value))
    for step, inner in steps:
        yield from paths(inner, (*here, step))


def changed(value: Any, path: Path, to: Any) -> Any:
    """Return plain data with something else in one place."""
    if not path:
        return to
    step, *rest = path
    inner = changed(value[step], tuple(rest), to)
    if isinstance(value, dict):
        return {**value, step: inner}
    return [inner if number == step else other for number, other in enumerate(value)]


def without(value: Any, path: Path) -> Any:
    """Return plain data without what stands in one place."""
    *way, last = path
    around = copy.deepcopy(value)
    inner = around
    for step in way:
        inner = inner[step]
    del inner[last]
    return around


@st.composite
def mutated(draw: st.DrawFn, *right: Any, junk: st.SearchStrategy[Any] = JSON) -> Any:
    """Draw plain data that is right but in up to three places, where something is gone, other or doubled."""
    value = draw(st.sampled_from(right))
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(list(paths(value))))
        there = value
        for step in path:
            there = there[step]
        what = draw(st.sampled_from(["other", "other", "gone", "boxed", "doubled", "respelled"]))
        if what == "gone" and path:
            value = without(value, path)
        elif what == "boxed":
            value = changed(value, path, draw(st.sampled_from([[there], {"a": there}, [there, there]])))
        elif what == "doubled" and isinstance(there, list):
            value = changed(value, path, [*there, *there])
        elif what == "respelled" and isinstance(there, str | int | float):
            value = changed(value, path, _respelled(there))
        else:
            value = changed(value, path, draw(junk))
    return value


def _respelled(value: str | float) -> Any:
    """Return the same in another type, as some write it."""
    if isinstance(value, str):
        return int(value) if value.isdecimal() and len(value) < 20 else value.upper()
    return str(value)


@st.composite
def noisy(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Draw bytes of which some may be cut off, changed or put in."""
    data = draw(whole)
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(data)))
        junk = draw(st.binary(max_size=4))
        data = draw(
            st.sampled_from([data[:at], data[:at] + junk + data[at:], data[:at] + junk + data[at + 4 :]])
        )
    return data


def bodies(*right: Any) -> st.SearchStrategy[bytes]:
    """Return the bodies of answers: right ones changed as data or as bytes, and what is no JSON at all."""
    as_json = mutated(*right).map(lambda value: json.dumps(value).encode())
    broken = st.one_of(noisy(as_json), noisy(as_json), NESTED.map(str.encode), st.binary(max_size=60))
    return st.integers(0, 3).flatmap(lambda number: as_json if number else broken)


@st.composite
def broken_text(draw: st.DrawFn, right: Sequence[str], pieces: st.SearchStrategy[str] = TEXTS) -> str:
    """Draw a text of which something may be cut out, put in, repeated or exchanged."""
    text = draw(st.sampled_from(right))
    for _ in range(draw(st.integers(0, 2))):
        at, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        middle = draw(st.sampled_from(["", text[at:end] * 2, text[at:end].swapcase()]) | pieces)
        text = text[:at] + middle + text[end:]
    return text


PIECES = (
    "null", "true", "[]", "{}", '""', "-1", "0", "1e999", "1.5", "\\ud800", "\\u0000", "[[", "}", '",',
    ":", "é", "9" * 30, "\n", " ", "=", ",", "(", ")", "*", "\\", "'", "#", "{{", "}}", "%",
)  # fmt: skip
"""What is put into a text to change what it means."""


def shaken(value: Any, random: Random) -> Any:
    """Return a value of the same type with something changed: quick, where drawing anew is thorough."""
    match value:
        case bool():
            changed: Any = not value
        case int() | float():
            changed = random.choice([value + 1, value - 1, 0, -value])
        case str():
            changed = _spliced(value, random, random.choice(PIECES))
        case bytes():
            changed = _spliced(
                value, random, random.choice([random.choice(PIECES).encode(), random.randbytes(2)])
            )
        case dict() if value:
            name = random.choice(list(value))
            changed = {**value, name: shaken(value[name], random)}
        case list() | tuple() if value:
            at = random.randrange(len(value))
            changed = type(value)([*value[:at], shaken(value[at], random), *value[at + 1 :]])
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            name = random.choice(dataclasses.fields(value)).name
            changed = dataclasses.replace(value, **{name: shaken(getattr(value, name), random)})
        case _:
            changed = value
    return changed


def _spliced[Text: (str, bytes)](text: Text, random: Random, piece: Text) -> Text:
    """Return a text with a piece put in, exchanged for some of it, or some of it gone or doubled."""
    at = random.randint(0, len(text))
    end = min(len(text), at + random.randint(0, 12))
    begin, middle, rest = text[:at], text[at:end], text[end:]
    return random.choice(
        [begin + piece + middle + rest, begin + piece + rest, begin + rest, begin + middle + middle + rest]
    )
