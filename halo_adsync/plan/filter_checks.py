"""How a template uses its filters, checked when a file is applied, before it meets anybody."""

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import available_timezones

from jinja2 import nodes

from halo_adsync.plan.filters import FILTERS, REFERENCE, FilterError, compiled_pattern, is_region

_TIME_DIRECTIVES = "aAbBdeHIjmMpSuUVwyYGZ%"
_DIRECTIVE = re.compile(r"%(-?.?)", re.DOTALL)


def check_use(node: nodes.Filter) -> None:
    """Check how a template uses one of the filters written here.

    Raises:
        FilterError: an argument is missing, too many, or not what the filter takes.
    """
    function = FILTERS.get(node.name)
    if function is None:
        return
    unbound = [None] * (2 if function in {FILTERS["phone"], FILTERS["lookup"]} else 1)
    keywords = {str(keyword.key): keyword.value for keyword in node.kwargs}
    try:
        given = inspect.signature(function).bind(*unbound, *node.args, **keywords).arguments
    except TypeError:
        names = [name for name in inspect.signature(function).parameters if name not in {"context", "value"}]
        raise FilterError(f"the filter {node.name} takes: {', '.join(names) or 'nothing'}") from None
    if check := _CHECKS.get(node.name):
        check({name: _literal(value) for name, value in given.items() if isinstance(value, nodes.Node)})


def tables_of(tree: nodes.Node) -> frozenset[str]:
    """Return the names of the lookup tables that a checked template uses."""
    uses = (node for node in tree.find_all(nodes.Filter) if node.name == "lookup")
    named = [
        [*node.args[:1], *(keyword.value for keyword in node.kwargs if keyword.key == "table")]
        for node in uses
    ]
    return frozenset(str(_literal(nodes_[0])) for nodes_ in named)


class _Computed:
    """Stands for an argument that is no literal."""


def _literal(node: nodes.Node) -> Any:
    if isinstance(node, nodes.Neg) and isinstance(node.node, nodes.Const):
        return -node.node.value
    return node.value if isinstance(node, nodes.Const) else _Computed


def _text(given: Mapping[str, Any], name: str, what: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise FilterError(f"{what} must be written out, in quotes")
    return value


def _check_pattern(given: Mapping[str, Any]) -> Any:
    return compiled_pattern(_text(given, "pattern", "a pattern"))


def _check_search(given: Mapping[str, Any]) -> None:
    groups, group = _check_pattern(given).groups, given.get("group", 0)
    if not isinstance(group, int) or not 0 <= group <= groups:
        raise FilterError(f"regex_search: the group must be a number, 0 to {groups} for this pattern")


def _check_replace(given: Mapping[str, Any]) -> None:
    groups, instead = _check_pattern(given).groups, given.get("instead")
    if not isinstance(instead, str):
        raise FilterError("regex_replace: what stands instead must be written out, in quotes")
    if any(int(number) > groups for number in REFERENCE.findall(instead)):
        raise FilterError(
            f"regex_replace: the pattern has {groups} groups, and what stands instead uses more"
        )


def _check_phone(given: Mapping[str, Any]) -> None:
    region = given.get("region", "")
    if region is not _Computed and region and not is_region(str(region)):
        raise FilterError("phone: the region must be a country's two letters, such as GB")
    if given.get("invalid", "keep") not in {"keep", "blank"}:
        raise FilterError("phone: invalid must be 'keep' or 'blank'")


def _check_date(given: Mapping[str, Any]) -> None:
    for directive in _DIRECTIVE.findall(_text(given, "form", "a date's form")):
        if directive.removeprefix("-") not in set(_TIME_DIRECTIVES):
            raise FilterError(
                f"date: a form knows % before one of {_TIME_DIRECTIVES} only, and %- before a d"
            )
    if given.get("zone", "UTC") not in available_timezones():
        raise FilterError("date: the zone must be a time zone's name, such as 'Europe/London'")


def _check_lookup(given: Mapping[str, Any]) -> None:
    _text(given, "table", "a lookup table's name")


def _check_split(given: Mapping[str, Any]) -> None:
    _text(given, "separator", "a separator")


_CHECKS: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    "regex_search": _check_search,
    "regex_replace": _check_replace,
    "phone": _check_phone,
    "date": _check_date,
    "lookup": _check_lookup,
    "split": _check_split,
}
