"""Which properties Azure's resource types have, as far as infra/ uses them: `shapes.json` and its making.

The compiler knows this from Microsoft's published types (the repository Azure/bicep-types-az). To have it
without the compiler, the names, what is required and the values of enumerations are kept for each object that
our files write. After adding a resource or an object that was not written before, with a clone of that:

    python -m tests.infra.shapes PATH-OF-THE-CLONE
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tree_sitter import Node

from tests.infra.bicep import FILES, literal, properties, read, text

KEPT = Path(__file__).with_name("shapes.json")
_REQUIRED, _READ_ONLY = 1, 2
_OF_BICEP = frozenset({"parent", "scope", "dependsOn"})
"""What stands beside the properties of any resource."""

type Shape = dict[str, Any]


@dataclass
class Types:
    """Microsoft's types of one resource provider and version."""

    items: list[Any]

    def at(self, reference: Mapping[str, str]) -> dict[str, Any]:
        """Return the type that a reference names."""
        found: dict[str, Any] = self.items[int(reference["$ref"].rpartition("/")[2])]
        return found


@dataclass
class Maker:
    """Makes shapes from a clone of the types."""

    clone: str
    shapes: dict[str, Shape] = field(default_factory=dict)

    def make(self) -> dict[str, Shape]:
        """Return the shape of every object that our files write, by type and path."""
        for path in FILES:
            for found in read(path).of("resource").values():
                if found.body is None or found.is_existing:
                    continue
                types, body = self._resource(found.source)
                self._note(types, body, found.body, found.source)
        return self.shapes

    def _git(self, *arguments: str) -> str:
        command = ["git", "-C", self.clone, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def _resource(self, source: str) -> tuple[Types, dict[str, Any]]:
        kind, _, version = source.partition("@")
        part = f"/{kind.split('/')[0]}/{version}/types.json".lower()
        for name in self._git("ls-tree", "-r", "--name-only", "HEAD", "generated").split():
            if name.lower().endswith(part):
                types = Types(json.loads(self._git("show", f"HEAD:{name}")))
                for item in types.items:
                    if item["$type"] == "ResourceType" and item["name"].lower() == source.lower():
                        return types, types.at(item["body"])
        raise SystemExit(f"Microsoft's types do not have {source}.")

    def _note(self, types: Types, kind: dict[str, Any], node: Node, path: str) -> None:
        """Note the shape of an object and of those in it."""
        if kind["$type"] == "DiscriminatedObjectType":
            kind, path = _variant(types, kind, node), _variant_path(path, node)
        if kind["$type"] != "ObjectType":
            return
        known = kind["properties"]
        shape = self.shapes.setdefault(path, {})
        shape["names"] = sorted(name for name, part in known.items() if not part["flags"] & _READ_ONLY)
        shape["required"] = sorted(name for name, part in known.items() if part["flags"] & _REQUIRED)
        shape["open"] = bool(kind.get("additionalProperties"))
        for name, value in properties(node).items():
            if name not in known or name in _OF_BICEP:
                continue
            inner = types.at(known[name]["type"])
            values = _values(types, inner)
            if values:
                shape.setdefault("values", {})[name] = values
            for found in _objects(types, inner, value, f"{path}.{name}"):
                self._note(types, *found)


def _variant(types: Types, kind: dict[str, Any], node: Node) -> dict[str, Any]:
    chosen = literal(properties(node)[kind["discriminator"]])
    element = types.at(kind["elements"][chosen])
    return {**element, "properties": kind["baseProperties"] | element["properties"]}


def _variant_path(path: str, node: Node) -> str:
    """Return the path of an object whose name says which of several types it has."""
    name = properties(node).get("name")
    return f"{path}:{literal(name)}" if name is not None else path


def _values(types: Types, kind: dict[str, Any]) -> list[str]:
    """Return the values of an enumeration; none where any text will do."""
    if kind["$type"] != "UnionType":
        return []
    parts = [types.at(element) for element in kind["elements"]]
    return sorted(part["value"] for part in parts if part["$type"] == "StringLiteralType")


def _objects(
    types: Types, kind: dict[str, Any], node: Node, path: str
) -> Iterator[tuple[dict[str, Any], Node, str]]:
    """Yield the objects that an expression may come to, each with its type and path."""
    for value in branches(node):
        if value.type == "array" and kind["$type"] == "ArrayType":
            for item in value.named_children:
                yield from _objects(types, types.at(kind["itemType"]), item, f"{path}[]")
        elif value.type == "object":
            yield kind, value, path


def branches(node: Node) -> Iterator[Node]:
    """Yield what an expression may come to: both sides of a condition."""
    if node.type == "ternary_expression":
        for side in ("consequence", "alternative"):
            below = node.child_by_field_name(side)
            if below is not None:
                yield from branches(below)
    else:
        yield node


@cache
def shapes() -> dict[str, Shape]:
    """Return the kept shapes."""
    found: dict[str, Shape] = json.loads(KEPT.read_text("utf-8"))
    return found


def wrong(node: Node, path: str) -> Iterator[tuple[Node, str]]:
    """Yield what is wrong with an object and those in it, each with the place.

    Args:
        node: the object.
        path: its type and where it stands in that, such as `Microsoft.Web/sites@2024-04-01.properties`.
    """
    path = variant if (variant := _variant_path(path, node)) in shapes() else path
    shape = shapes().get(path)
    if shape is None:
        yield node, f"{path} is not among the shapes: make them anew (tests/infra/shapes.py)"
        return
    given = properties(node)
    for name in sorted(set(shape["required"]) - given.keys() - _OF_BICEP):
        yield node, f"{path} needs {name}"
    for name, value in given.items():
        if name in _OF_BICEP:
            continue
        if name not in shape["names"] and not shape["open"]:
            yield value, f"{path} has no property {name}"
        if allowed := shape.get("values", {}).get(name):
            texts = [found for found in branches(value) if found.type == "string" and "${" not in text(found)]
            for found in texts:
                if literal(found) not in allowed:
                    yield found, f"{path}.{name} is one of {', '.join(allowed)}"
        if name in shape["names"]:
            yield from _below(value, f"{path}.{name}")


def _below(node: Node, path: str) -> Iterator[tuple[Node, str]]:
    for value in branches(node):
        if value.type == "object" and value.named_children:
            yield from wrong(value, path)
        elif value.type == "array":
            for item in value.named_children:
                yield from _below(item, f"{path}[]")


if __name__ == "__main__":
    KEPT.write_text(json.dumps(Maker(sys.argv[1]).make(), indent=1, sort_keys=True) + "\n")
