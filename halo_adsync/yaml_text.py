"""YAML as people mean it: 1.2's core schema (`off` and `09:30` are text), unique keys, line numbers."""

import re
from collections.abc import Sequence
from typing import Any, cast

import yaml

from halo_adsync.errors import ConfigurationError

MAX_CHARACTERS = 256 * 1024


_BOOL = r"^(?:true|True|TRUE|false|False|FALSE)$"
_NULL = r"^(?:~|null|Null|NULL|)$"
_INT = r"^[-+]?[0-9]+$"
_FLOAT = r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"
_PLAIN_VALUES: Sequence[tuple[str, str, Sequence[str]]] = (
    ("bool", _BOOL, "tTfF"),
    ("null", _NULL, ["~", "n", "N", ""]),
    ("int", _INT, "-+0123456789"),
    ("float", _FLOAT, "-+.0123456789"),
)
"""What is not text: tag, pattern and the characters that it may begin with (YAML 1.2.2, section 10.3.2)."""
_NO_TEXT = re.compile("[\x85\u2028\u2029]")
"""Line breaks of YAML 1.1 that are none in JSON."""
_NO_TAGS = "tags are not supported; put a text that begins with ! in quotes."


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with YAML 1.2's idea of what is not text, without aliases and tags."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own class attribute, emptied of YAML 1.1

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigurationError(f"line {line}: a key must be a plain value, not a list or a block.")
            if key.value in seen:
                raise ConfigurationError(
                    f"line {line}: the key {key.value!r} stands twice (first in line {seen[key.value]});"
                    " keep one of them."
                )
            seen[key.value] = line
        return cast("dict[Any, Any]", super().construct_mapping(node, deep=deep))

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML's stubs leave it out
        line = (event.start_mark.line if event.start_mark else 0) + 1
        if isinstance(event, yaml.AliasEvent):
            raise ConfigurationError(f"line {line}: aliases (*name) are not supported; write the value out.")
        if getattr(event, "tag", None) is not None:
            raise ConfigurationError(f"line {line}: {_NO_TAGS}")
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which also quotes what only YAML 1.2 takes for a number."""


for _tag, _pattern, _first in _PLAIN_VALUES:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


def _text(_loader: yaml.Loader, node: yaml.ScalarNode) -> str:
    r"""Return a text with JSON's pairs of escapes (`\ud83d\ude42`) made into the character they mean.

    Characters that may not stand in a text of YAML may not come in by an escape either: what is read here is
    written as plain JSON elsewhere, and has to be read again.
    """
    text = str(node.value).encode("utf-16", "surrogatepass").decode("utf-16")
    if _NO_TEXT.search(text) or yaml.reader.Reader.NON_PRINTABLE.search(text):
        raise ValueError("a control character, or none at all")
    return text


_Loader.add_constructor("tag:yaml.org,2002:str", _text)
# Decimal, whatever zeros it begins with: to PyYAML these would mean octal.
_Loader.add_constructor("tag:yaml.org,2002:int", lambda _loader, node: int(node.value))


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
        if "tag" in problem:  # PyYAML's words would repeat the tag, which may be a password
            raise ConfigurationError(f"{place}{_NO_TAGS}") from None
        raise ConfigurationError(f"{place}this is not valid YAML ({problem}).") from None
    except yaml.YAMLError:
        raise ConfigurationError("The text holds characters that YAML does not allow.") from None


class Lines:
    """The lines of one text, which `load` has accepted."""

    def __init__(self, text: str) -> None:
        self._lines: dict[tuple[str | int, ...], int] = {}
        self._note((), yaml.compose(text, Loader=_Loader))

    def of(self, path: Sequence[str | int]) -> int:
        """Return the line (from 1) at which `path` stands, or that of its nearest parent that is there."""
        prefixes = (tuple(path[:length]) for length in range(len(path), 0, -1))
        return next((self._lines[prefix] for prefix in prefixes if prefix in self._lines), 1)

    def _note(self, path: tuple[str | int, ...], node: yaml.Node | None) -> None:
        if isinstance(node, yaml.MappingNode):
            steps = [(key.value, key, value) for key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            steps = [(index, value, value) for index, value in enumerate(node.value)]
        else:
            return
        for step, beginning, value in steps:
            self._lines[*path, step] = beginning.start_mark.line + 1
            self._note((*path, step), value)


def dump(data: Any) -> str:
    """Write plain data as YAML, keys in the order given."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
