"""YAML as people mean it: 1.2's core schema (`off` and `09:30` are text), unique keys, line numbers."""

import re
from collections.abc import Sequence
from typing import Any, cast

import yaml

from halo_adsync.errors import ConfigurationError

MAX_CHARACTERS = 256 * 1024


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with YAML 1.2's idea of what is not text."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own class attribute, emptied of YAML 1.1

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if key.value in seen:
                raise ConfigurationError(
                    f"line {key.start_mark.line + 1}: the key {key.value!r} stands twice (first in line"
                    f" {seen[key.value]}); keep one of them."
                )
            seen[str(key.value)] = key.start_mark.line + 1
        return cast("dict[Any, Any]", super().construct_mapping(node, deep=deep))

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            line = self.line + 1
            raise ConfigurationError(f"line {line}: aliases (*name) are not supported; write the value out.")
        return super().compose_node(parent, index)


for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


def load(text: str) -> Any:
    """Parse one YAML (or JSON) document into plain data.

    Raises:
        ConfigurationError: the text is no YAML, too long, or holds a duplicate key; with the line.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConfigurationError(f"The text is {len(text)} characters long; {MAX_CHARACTERS} are the most.")
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - _Loader is a SafeLoader
    except (yaml.MarkedYAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or "nested too deeply or not a value"
        raise ConfigurationError(f"{place}this is not valid YAML ({problem}).") from None
    except yaml.YAMLError:
        raise ConfigurationError("The text holds characters that YAML does not allow.") from None


def line_of(text: str, path: Sequence[str | int]) -> int:
    """Return the line (from 1) at which `path` stands, or that of its nearest parent that is there."""
    node = yaml.compose(text, Loader=_Loader)
    line = 1
    for step in path:
        found = _child(node, step)
        if found is None:
            break
        line, node = found
    return line


def _child(node: yaml.Node | None, step: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        value = node.value[step]
        return value.start_mark.line + 1, value
    return None


def dump(data: Any) -> str:
    """Write plain data as YAML, keys in the order given."""
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)
