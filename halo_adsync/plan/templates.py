"""Expressions over directory attributes: an attribute's name, or a sandboxed Jinja template.

Bounds hold a template to a short text in, a short text out and no loops, so that a customer's file cannot
tie a worker up (Jinja's sandbox alone bounds neither time nor memory).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError, Undefined, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from halo_adsync.model import AttributeValue

MAX_SOURCE = 2_000
MAX_RESULT = 10_000
BUILT_IN = frozenset({"netbios", "guid", "dn"})
"""Names that a template may use besides attributes: the domain's NetBIOS name, the account's GUID and DN."""

_ATTRIBUTE = re.compile(r"^[A-Za-z][A-Za-z0-9-]{0,127}$")
_COSTLY: tuple[type[nodes.Node], ...] = (
    nodes.For, nodes.Macro, nodes.CallBlock, nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends,
    nodes.Block, nodes.Mul, nodes.Mod, nodes.Pow, nodes.Call, nodes.Getattr,
)  # fmt: skip
_FILTERS = (
    "default",
    "first",
    "last",
    "join",
    "length",
    "lower",
    "upper",
    "title",
    "capitalize",
    "replace",
    "trim",
)


class ExpressionError(ValueError):
    """An expression that cannot be used; the text says why, without any value in it."""


class _Several(tuple[str, ...]):
    """Several values, which are one text to everything that wants one: filters, `~` and the result."""

    __slots__ = ()

    def __str__(self) -> str:
        return _join(self)


class _Blank(Undefined):
    """An attribute without a value: empty everywhere, so that `{{ a or b }}` and `{{ a | lower }}` work."""

    __slots__ = ()


def _shown(value: AttributeValue) -> AttributeValue:
    return value if isinstance(value, str) else _Several(value)


def _first(value: AttributeValue) -> str:
    return (value if isinstance(value, str) else value[0]) if value else ""


def _last(value: AttributeValue) -> str:
    return (value if isinstance(value, str) else value[-1]) if value else ""


def _join(value: AttributeValue, separator: str = ", ") -> str:
    return (value if isinstance(value, str) else separator.join(value)) if value else ""


def _replace(value: Any, old: str, new: str) -> str:
    return str(value).replace(old, new)[:MAX_RESULT] if old else str(value)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=_Blank, autoescape=False)
    kept = {name: environment.filters[name] for name in _FILTERS}
    environment.filters.clear()
    environment.filters.update(kept)
    environment.filters.update(first=_first, last=_last, join=_join, replace=_replace)
    environment.globals.clear()
    return environment


_ENVIRONMENT = _environment()


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled expression; `attributes` are the lower-case attribute names that it reads."""

    source: str
    attributes: frozenset[str]
    _names: tuple[str, ...]
    _render: Any

    def __call__(self, values: Mapping[str, AttributeValue]) -> str:
        """Evaluate over `values` (by lower-case name) and return the trimmed text.

        Raises:
            ExpressionError: the template failed on these values.
        """
        if self._render is None:
            value = values.get(self.source.lower(), "")
            return _join(value).strip()
        try:
            found = {name: _shown(values[name.lower()]) for name in self._names if name.lower() in values}
            text = str(self._render(found))
        except Exception as error:  # Jinja lets whatever a filter raises through
            raise ExpressionError(f"the template failed ({type(error).__name__})") from error
        if len(text) > MAX_RESULT:
            raise ExpressionError(f"the template made {len(text)} characters; {MAX_RESULT} are the most")
        return text.strip()


def is_template(source: str) -> bool:
    """Tell a template from a plain attribute name."""
    return "{{" in source or "{%" in source


@lru_cache(maxsize=4096)
def compile_expression(source: str) -> Expression:
    """Compile an attribute name or a template.

    Raises:
        ExpressionError: it is neither, or uses what templates may not use.
    """
    if not is_template(source):
        if not _ATTRIBUTE.match(source):
            raise ExpressionError(
                f"{source!r} is neither an attribute name nor a template; a template has {{{{ }}}}"
            )
        return Expression(source, frozenset({source.lower()}), (source,), None)
    if len(source) > MAX_SOURCE:
        raise ExpressionError(f"a template has at most {MAX_SOURCE} characters, this one {len(source)}")
    try:
        tree = _ENVIRONMENT.parse(source)
        _refuse_costly(tree)
        render = _ENVIRONMENT.from_string(source).render
    except TemplateError as error:
        raise ExpressionError(f"not a valid template: {error}") from error
    except RecursionError:
        raise ExpressionError("not a valid template: it is nested too deeply") from None
    names = tuple(sorted(meta.find_undeclared_variables(tree)))
    return Expression(source, frozenset(name.lower() for name in names) - BUILT_IN, names, render)


def _refuse_costly(tree: nodes.Template) -> None:
    for node in tree.find_all(_COSTLY):
        raise ExpressionError(
            f"templates may not use {type(node).__name__.lower()} (line {node.lineno}): attributes, literals,"
            f" `~`, `or`, `if`, comparisons, slices and the filters {', '.join(_FILTERS)} are there"
        )
