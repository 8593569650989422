"""Reads Bicep files as far as the lint needs: what is declared, what is used, and the values in between."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
FILES = sorted(INFRA.rglob("*.bicep"))
_KINDS = {
    "parameter_declaration": "param",
    "variable_declaration": "var",
    "resource_declaration": "resource",
    "module_declaration": "module",
    "output_declaration": "output",
}


@dataclass(frozen=True)
class Declaration:
    """One declaration of a file: `kind` is param, var, resource, module or output.

    Attributes:
        source: the type and API version of a resource, the path of a module; else empty.
        value: the expression that it stands for, where there is one.
        decorators: their names, such as `description`.
    """

    kind: str
    name: str
    node: Node
    source: str = ""
    value: Node | None = None
    decorators: frozenset[str] = frozenset()

    @property
    def is_existing(self) -> bool:
        """Whether it is a resource that is only referred to."""
        return " existing " in text(self.node).partition("=")[0]

    @property
    def body(self) -> Node | None:
        """The object of a resource or module, without the condition or loop around it."""
        node = self.value
        while node is not None and node.type in {"if_statement", "for_statement"}:
            node = node.child_by_field_name("body") or node.named_children[-1]
        return node if node is not None and node.type == "object" else None


@dataclass(frozen=True)
class Bicep:
    """A file that was read."""

    path: Path
    root: Node
    declarations: tuple[Declaration, ...] = field(default=())

    def of(self, kind: str) -> dict[str, Declaration]:
        """Return the declarations of one kind, by name."""
        return {found.name: found for found in self.declarations if found.kind == kind}


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bicep.language()))


def read(path: Path) -> Bicep:
    """Read a file, whether it is right or not: `syntax_errors` tells."""
    root = _parser().parse(path.read_bytes()).root_node
    return Bicep(path, root, tuple(_declarations(root)))


def _declarations(root: Node) -> Iterator[Declaration]:
    decorators: frozenset[str] = frozenset()
    for node in root.named_children:
        if node.type == "decorators":
            decorators = frozenset(text(name) for name in walk(node, "identifier"))
        elif kind := _KINDS.get(node.type):
            name, *rest = node.named_children
            if kind in {"resource", "module"}:
                yield Declaration(kind, text(name), node, literal(rest[0]), rest[-1], decorators)
            else:
                values = [part for part in rest if part.type != "type"]
                yield Declaration(kind, text(name), node, "", values[-1] if values else None, decorators)
            decorators = frozenset()
        else:
            decorators = frozenset()


def syntax_errors(file: Bicep) -> list[str]:
    """Return where the grammar does not take a file."""
    return [
        f"{node.start_point.row + 1}: {text(node)[:60]}"
        for node in walk(file.root)
        if node.is_error or node.is_missing
    ]


def walk(node: Node | None, *types: str) -> Iterator[Node]:
    """Yield a node and all below it, of these types or of all."""
    if node is None:
        return
    if not types or node.type in types:
        yield node
    for child in node.children:
        yield from walk(child, *types)


def text(node: Node) -> str:
    """Return what a node spans."""
    return (node.text or b"").decode()


def literal(node: Node) -> str:
    """Return a string without its quotes, as it is written."""
    return text(node).strip("'")


def line(node: Node) -> int:
    """Return the line that a node begins in, counted from 1."""
    return node.start_point.row + 1


def properties(node: Node | None) -> Mapping[str, Node]:
    """Return the properties of an object, by name."""
    if node is None or node.type != "object":
        return {}
    pairs = [child for child in node.named_children if child.type == "object_property"]
    return {literal(pair.named_children[0]): pair.named_children[-1] for pair in pairs}


def dig(node: Node | None, *path: str) -> Node | None:
    """Return what stands at a path of properties; None where there is nothing."""
    for name in path:
        node = properties(node).get(name)
    return node


def chain(node: Node) -> list[str]:
    """Return `a.b.c` as its parts; empty for anything else."""
    if node.type == "identifier":
        return [text(node)]
    if node.type != "member_expression":
        return []
    target, name = node.child_by_field_name("object"), node.child_by_field_name("property")
    before = chain(target) if target is not None else []
    return [*before, text(name)] if before and name is not None else []
