"""Expressions over directory attributes: an attribute's name, or a sandboxed Jinja template.

Bounds hold a template to a short text in, a short text out and no loops or variables, so that a customer's
file cannot tie a worker up (Jinja's sandbox alone bounds neither time nor memory).
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

from jinja2 import Template, TemplateError, TemplateRuntimeError, Undefined, nodes
from jinja2.lexer import Lexer, Token
from jinja2.sandbox import ImmutableSandboxedEnvironment

from halo_adsync.model import AttributeValue
from halo_adsync.plan.filter_checks import check_use, tables_of
from halo_adsync.plan.filters import (
    COSTLY,
    FILTERS,
    MAX_COSTLY,
    MAX_RESULT,
    MAX_VALUES,
    SHARED,
    FilterError,
    Several,
    Shared,
    join,
    size,
)

__all__ = ["BUILT_IN", "MAX_RESULT", "Expression", "ExpressionError", "compile_expression", "is_template"]

MAX_SOURCE = 2_000
MAX_DEPTH = 50
"""The deepest nesting; what compiling costs grows with its third power."""
MANAGER_DN = "manager_dn"
MANAGER = frozenset({MANAGER_DN, "manager_name", "manager_email", "manager_login"})
"""Names for what the record of somebody's manager is to hold."""
MANAGER_AGENT = "manager_agent_id"
"""The id of the Halo agent that somebody's manager is: for the mapping of agents only."""
ENTRA_ID = "entra_id"
LOOKED_UP = frozenset({ENTRA_ID})
"""Names for what is known of people from elsewhere: the object id in Entra."""
AGENT_ID = "agent_id"
"""The id of the Halo agent that somebody is as well."""
USERS_ONLY = LOOKED_UP | {AGENT_ID}
"""Names that only the fields of users may read."""
BUILT_IN = frozenset({"netbios", "guid", "dn", MANAGER_AGENT}) | MANAGER | USERS_ONLY
"""Names that a template may use besides attributes: the domain's NetBIOS name, the account's GUID and DN,
what is known of the manager, and what is known from elsewhere."""

NOTHING_SHARED = Shared()

_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
_ALLOWED: frozenset[type[nodes.Node]] = frozenset({
    nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Tuple, nodes.List,
    nodes.If, nodes.CondExpr, nodes.Filter, nodes.Keyword, nodes.Test, nodes.Compare, nodes.Operand,
    nodes.And, nodes.Or, nodes.Not, nodes.Concat, nodes.Add, nodes.Sub, nodes.Div, nodes.FloorDiv, nodes.Neg,
    nodes.Pos, nodes.Getitem, nodes.Slice,
})  # fmt: skip
"""What a template is made of. Nothing here repeats, remembers, calls, or makes more of a value than it is."""
_JINJAS = ("default", "length", "lower", "upper", "title", "capitalize", "trim")
_FILTERS = (*_JINJAS, *FILTERS)


class ExpressionError(ValueError):
    """An expression that cannot be used; the text says why, without any value in it."""


class _Blank(Undefined):
    """An attribute without a value: empty everywhere, so that `{{ a or b }}` and `{{ a[0] ~ b }}` work."""

    __slots__ = ()

    def __getitem__(self, _key: Any) -> str:  # type: ignore[override]  # Jinja's own always raises
        return ""

    def __add__(self, other: Any) -> Any:
        return other

    __radd__ = __add__


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, in which values have parts by number only, and nothing is multiplied."""

    intercepted_binops = frozenset({"*", "**", "%"})
    """Operators that could make much of little. `_ALLOWED` has none of them; this is a second lock."""

    def call_binop(self, _context: Any, operator: str, _left: Any, _right: Any) -> Any:
        """Refuse an operator."""
        raise TemplateRuntimeError(f"templates may not use {operator}")

    @cached_property
    def lexer(self) -> Lexer:
        """The lexer, which leaves patterns as they are written."""
        return _Lexer(self)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return a part of a text or of several values. A name as key would lead to Python's methods."""
        if not isinstance(argument, int):
            raise TemplateRuntimeError("a value has parts by number only")
        return super().getitem(obj, argument)


class _Lexer(Lexer):
    """Jinja's lexer, to which a backslash is an ordinary character unless it has to be more.

    So a pattern can be written as patterns are; Jinja itself would take what says "a word's edge" for a
    control character.
    """

    def wrap(
        self, stream: Iterable[tuple[int, str, str]], name: str | None = None, filename: str | None = None
    ) -> Iterator[Token]:
        """Keep backslashes in texts that do not belong to an escape."""
        kept = (
            (line, kind, _ESCAPE.sub(_doubled, text) if kind == "string" else text)
            for line, kind, text in stream
        )
        return super().wrap(kept, name, filename)


def _doubled(found: re.Match[str]) -> str:
    return found[0] if found[1][0] in "\\'\"nrt" or len(found[1]) > 1 else f"\\{found[0]}"


def _shown(value: AttributeValue) -> AttributeValue:
    return value if isinstance(value, str) else Several(value)


def _environment() -> _Environment:
    environment = _Environment(undefined=_Blank, autoescape=False)
    kept = {name: environment.filters[name] for name in _JINJAS}
    environment.filters.clear()
    environment.filters.update(kept, **FILTERS)
    environment.globals.clear()
    environment.finalize = lambda value: "" if value is None else value
    return environment


_ENVIRONMENT = _environment()


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled expression; `attributes` are the lower-case attribute names that it reads."""

    source: str
    attributes: frozenset[str]
    _names: Mapping[str, int]
    """How often the template uses each name, as it is spelled there."""
    _render: Any
    tables: frozenset[str] = frozenset()
    """The lookup tables that the template uses."""

    @property
    def built_in(self) -> frozenset[str]:
        """The names of `BUILT_IN` that it reads."""
        return BUILT_IN.intersection(name.lower() for name in self._names)

    def __call__(self, values: Mapping[str, AttributeValue], shared: Shared = NOTHING_SHARED) -> str:
        """Evaluate over `values` (by lower-case name) and return the trimmed text.

        Args:
            values: attributes and built-in names.
            shared: what the customer's file gives to all of its templates.

        Raises:
            ExpressionError: the template failed on these values.
        """
        if self._render is None:
            value = values.get(self.source.lower(), "")
            return join(value).strip()
        found = {name: _shown(values[name.lower()]) for name in self._names if name.lower() in values}
        if sum(size(value) * self._names[name] for name, value in found.items()) > MAX_VALUES:
            raise ExpressionError(
                f"its attributes hold more than the {MAX_VALUES} characters a template takes"
            )
        try:
            text = str(self._render({**found, SHARED: shared}))
        except FilterError as error:
            raise ExpressionError(f"the template failed: {error}") from None
        except Exception as error:  # noqa: BLE001 - Jinja lets whatever a filter raises through
            # Without its cause, whose text may hold a person's data.
            raise ExpressionError(f"the template failed ({type(error).__name__})") from None
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
        if not _ATTRIBUTE.fullmatch(source) and source.lower() not in BUILT_IN:
            raise ExpressionError("neither an attribute name nor a template; a template has {{ }}")
        return Expression(source, frozenset({source.lower()}) - BUILT_IN, {source: 1}, None)
    if len(source) > MAX_SOURCE:
        raise ExpressionError(f"a template has at most {MAX_SOURCE} characters, this one {len(source)}")
    try:
        tree = _ENVIRONMENT.parse(source)
        _refuse_others(tree)
        _check_filters(tree)
        render = partial(_render, _ENVIRONMENT.from_string(source))
    except TemplateError as error:
        raise ExpressionError(f"not a valid template: {error.message}") from None
    except FilterError as error:
        raise ExpressionError(f"not a valid template: {error}") from None
    except SyntaxError:  # of the Python code that Jinja makes, such as a part of a number
        raise ExpressionError("not a valid template: it takes a part of what has none") from None
    except RecursionError:
        raise ExpressionError("not a valid template: it is nested too deeply") from None
    names = Counter(node.name for node in tree.find_all(nodes.Name))
    return Expression(
        source, frozenset(name.lower() for name in names) - BUILT_IN, names, render, tables_of(tree)
    )


def _render(template: Template, values: Mapping[str, Any]) -> str:
    """Do what Jinja's own `render` does, without copying the values: most of a short template is that."""
    return "".join(template.root_render_func(template.new_context(values, shared=True)))  # type: ignore[arg-type]


def _refuse_others(parent: nodes.Node, depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        raise ExpressionError("not a valid template: it is nested too deeply")
    for node in parent.iter_child_nodes():
        if type(node) not in _ALLOWED or not _is_known(node):
            name = f" {node.name}" if isinstance(node, nodes.Filter | nodes.Test) else ""
            raise ExpressionError(
                f"templates may not use {type(node).__name__.lower()}{name} (line {node.lineno}): attributes,"
                f" literals, `~`, `or`, `if`, comparisons, slices and the filters {', '.join(_FILTERS)} are"
                " there"
            )
        _refuse_others(node, depth + 1)


def _check_filters(tree: nodes.Template) -> None:
    used = list(tree.find_all(nodes.Filter))
    if sum(node.name in COSTLY for node in used) > MAX_COSTLY:
        names = ", ".join(sorted(COSTLY))
        raise FilterError(f"a template uses {names} at most {MAX_COSTLY} times altogether")
    for node in used:
        check_use(node)


def _is_known(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Filter):
        return node.name in _ENVIRONMENT.filters
    return not isinstance(node, nodes.Test) or node.name in _ENVIRONMENT.tests
