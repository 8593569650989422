"""The law that every decoder of outside input is held to, and the counting of what it was given.

Whatever comes in, the decoder gives a value of its declared type, or raises its declared error, whose text is
a sentence of fair length that repeats no secret. Nothing else may come out.
"""

import os
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.support.hostile import shaken
from tests.support.shapes import is_of

SECRET = "Gr4ve-hunter2"
"""Stands where a secret or somebody's data would, and must be in no error."""
LONGEST_SENTENCE = 1_000
"""Characters of one problem's sentence."""
SOAK = int(os.environ.get("SOAK") or 0)
"""0 for the short share; else which million inputs to take: the same number draws the same ones."""
SHARE = 200
"""Inputs for each decoder in the short share."""
ROUND = 10_000
"""Inputs for each decoder that are drawn together in a soak: Hypothesis remembers them, so not too many."""
SHAKEN = 9
"""How many more inputs are made of each that is drawn, by a small change that costs next to nothing."""
LONGEST_SHOWN = 2_000
MILLION = 1_000_000


def always_right(_given: Any, _value: Any) -> None:
    """Hold a value to no further law."""


@dataclass(frozen=True)
class Decoder:
    """One way into the product.

    Attributes:
        name: what is decoded, for people.
        inputs: what it is given.
        decode: reads one input.
        kind: the type of what comes out.
        errors: what may be raised in its place.
        law: asserts what has to hold of an input and its value besides.
        known: inputs that once broke it, or would break an easy mistake: they are always among those given.
    """

    name: str
    inputs: st.SearchStrategy[Any]
    decode: Callable[[Any], Any]
    kind: Any
    errors: type[Exception] | tuple[type[Exception], ...] = ()
    law: Callable[[Any, Any], None] = always_right
    known: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


@dataclass
class Tally:
    """What became of the inputs of one decoder."""

    values: int = 0
    errors: int = 0
    slowest: float = 0.0
    """Milliseconds of processor time for one input, for people; nothing is judged by it."""
    seconds: float = 0.0


@dataclass
class Fuzz:
    """Holds decoders to the law, and counts."""

    decoders: int = 1
    """How many share the million of a soak."""
    tallies: dict[str, Tally] = field(default_factory=dict)

    def hold(self, decoder: Decoder) -> None:
        """Give a decoder its share of inputs."""
        tally = self.tallies.setdefault(decoder.name, Tally())
        begun = time.perf_counter()
        try:
            for known in decoder.known:
                hold_once(decoder, known, tally)
            for number, count in self._rounds():
                _run(decoder, tally, number, count)
        finally:
            tally.seconds += time.perf_counter() - begun

    def _rounds(self) -> Iterator[tuple[int | None, int]]:
        """Yield the seed and the size of each round."""
        if not SOAK:
            yield None, SHARE
            return
        wanted = -(-MILLION // self.decoders)
        for number, first in enumerate(range(0, wanted, ROUND)):
            yield SOAK * MILLION + number, min(ROUND, wanted - first)


def _run(decoder: Decoder, tally: Tally, number: int | None, count: int) -> None:
    def law(given_input: Any, chance: int) -> None:
        hold_once(decoder, given_input, tally)
        random = Random(chance)
        for _ in range(SHAKEN):
            changed = shaken(given_input, random)
            try:
                hold_once(decoder, changed, tally)
            except BaseException as error:
                error.add_note(f"The input was changed to {repr(changed)[:LONGEST_SHOWN]}")
                raise

    fuzzed = settings(
        max_examples=max(1, count // (1 + SHAKEN)),
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )(given(decoder.inputs, st.integers(0, 2**32 - 1))(law))
    (fuzzed if number is None else seed(number)(fuzzed))()


def hold_once(decoder: Decoder, given_input: Any, tally: Tally) -> None:
    """Give a decoder one input, and hold what comes out to the law."""
    begun = time.process_time()
    try:
        value = decoder.decode(given_input)
    except decoder.errors as error:
        tally.errors += 1
        check_sentence(error)
    else:
        tally.values += 1
        assert is_of(value, decoder.kind), f"{value!r} is no {decoder.kind}"
        assert decoder.law(given_input, value) is None, "a law asserts, it returns nothing"  # type: ignore[func-returns-value]
    tally.slowest = max(tally.slowest, 1_000 * (time.process_time() - begun))


def check_token(_: object, token: str) -> None:
    """Hold a token to what can be sent in a header, whole."""
    assert token.isascii()
    assert token.isprintable()
    assert token == token.strip()


def check_sentence(error: Exception) -> None:
    """Hold an error to its form: it says something, in fair length, and no cause of it tells a secret."""
    problems = getattr(error, "problems", (str(error),))
    assert problems
    for problem in problems:
        assert problem.strip(), "an error without a sentence"
        assert len(problem) <= LONGEST_SENTENCE, f"a sentence of {len(problem)} characters"
    told = "".join(traceback.format_exception(error))
    assert SECRET not in told, "a secret in an error"
