"""Hiding: what Halo is told in confidence is struck out of what it says, before anybody can read it there.

Some servers, and gateways before them, repeat a request in their errors. What they say becomes a sentence in
a run, a row and a log, so the secrets of the request are taken out of it, in each form that they may have.
"""

import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

STRUCK = "(…)"
"""What stands where something was struck out."""
SHORTEST = 6
"""Characters. What is shorter is part of many words, and no secret."""

DEEPEST = 50
"""Levels of nesting; Halo's records have a few."""


class Hiding:
    """The secrets of one instance; tokens are added as they are fetched."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = {form for secret in secrets for form in _forms(secret.strip())}
        self._pattern = _pattern(self._forms)

    def add(self, secret: str) -> None:
        """Strike a further secret out from now on."""
        self._forms |= set(_forms(secret.strip()))
        self._pattern = _pattern(self._forms)

    def strike(self, text: str) -> str:
        """Return a text without the secrets, in whatever form and case they stand there."""
        return self._pattern.sub(STRUCK, text)

    def strike_all(self, answer: Any, deepest: int = DEEPEST) -> Any:
        """Do the same to every text of a parsed answer; what is nested too deeply is struck out whole."""
        if isinstance(answer, str):
            return self.strike(answer)
        if not isinstance(answer, list | dict):
            return answer
        if not deepest:
            return STRUCK
        if isinstance(answer, list):
            return [self.strike_all(item, deepest - 1) for item in answer]
        return {name: self.strike_all(value, deepest - 1) for name, value in answer.items()}


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret as it is, and as addresses, forms, pages and JSON write it."""
    if len(secret) < SHORTEST:
        return
    yield secret
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote_plus(secret)
    yield html.escape(secret)
    for ascii_only in (False, True):
        text = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield text
        yield text.replace("/", "\\/")


def _pattern(forms: Iterable[str]) -> re.Pattern[str]:
    """Return what finds any of these, the longest first; with none, what finds nothing."""
    ordered = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile("|".join(map(re.escape, ordered)) or r"(?!)", re.IGNORECASE)
