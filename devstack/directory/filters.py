"""Search filters (RFC 4511, section 4.5.1.7) as functions of an object, with Active Directory's matching."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devstack.directory import names
from devstack.directory.ber import BerError, elements

if TYPE_CHECKING:
    from collections.abc import Callable

    from devstack.directory.objects import Object
    from devstack.directory.tree import Tree

    type Predicate = Callable[[Object], bool]

BIT_AND, BIT_OR = "1.2.840.113556.1.4.803", "1.2.840.113556.1.4.804"
IN_CHAIN = "1.2.840.113556.1.4.1941"

_AND, _OR, _NOT, _EQUAL, _SUBSTRINGS, _AT_LEAST, _AT_MOST, _PRESENT, _APPROXIMATE, _EXTENSIBLE = (
    *range(0xA0, 0xA7),
    0x87,
    0xA8,
    0xA9,
)
_INITIAL, _ANY, _FINAL = 0x80, 0x81, 0x82
_NAME_ATTRIBUTES = frozenset(
    {"distinguishedname", "memberof", "member", "manager", "directreports", "objectcategory", "ncname"}
    | {"lastknownparent"}
)
_BINARY_ATTRIBUTES = frozenset({"objectguid", "objectsid", "parentguid"})
_SHORT_CATEGORIES = {"user": "person", "organizationalunit": "organizational-unit", "domaindns": "domain-dns"}


def compile_filter(tag: int, contents: bytes, tree: Tree) -> Predicate:
    """Turn an encoded filter into a function that says whether an object matches.

    A comparison with an attribute that an object does not have is false, and its negation therefore true, as
    in Active Directory.

    Raises:
        BerError: the filter is malformed or of an unknown kind.
    """
    if tag in (_AND, _OR):
        inner = [compile_filter(t, c, tree) for t, c in elements(contents)]
        combine = all if tag == _AND else any
        return lambda entry: combine(matches(entry) for matches in inner)
    if tag == _NOT:
        (negated,) = elements(contents)
        matches_inner = compile_filter(*negated, tree)
        return lambda entry: not matches_inner(entry)
    if tag == _PRESENT:
        attribute = contents.decode().lower()
        return lambda entry: attribute in entry.attributes
    if tag == _EXTENSIBLE:
        return _extensible(contents, tree)
    return _comparison(tag, contents, tree)


def _comparison(tag: int, contents: bytes, tree: Tree) -> Predicate:
    (_, raw_attribute), (_, assertion) = elements(contents)
    attribute = raw_attribute.decode().lower()
    if tag in (_EQUAL, _APPROXIMATE):
        return _equal(attribute, assertion, tree)
    if tag == _SUBSTRINGS:
        pieces = [(kind, _fold(piece)) for kind, piece in elements(assertion)]
        return lambda entry: any(_contains(_fold(value), pieces) for value in entry.get(attribute))
    if tag in (_AT_LEAST, _AT_MOST):
        return _ordering(attribute, assertion, 1 if tag == _AT_LEAST else -1)
    raise BerError(f"a filter of the unknown kind {tag:#x}")


def _equal(attribute: str, assertion: bytes, tree: Tree) -> Predicate:
    if attribute in _BINARY_ATTRIBUTES:
        return lambda entry: assertion in entry.get(attribute)
    if attribute in _NAME_ATTRIBUTES:
        wanted = names.key(_full_name(attribute, assertion.decode(errors="replace"), tree))
        return lambda entry: any(names.key(value.decode()) == wanted for value in entry.get(attribute))
    folded = _fold(assertion)
    return lambda entry: any(_fold(value) == folded for value in entry.get(attribute))


def _full_name(attribute: str, value: str, tree: Tree) -> str:
    """`objectCategory=person` is short for the name of the class's schema object."""
    if attribute == "objectcategory" and "=" not in value:
        category = _SHORT_CATEGORIES.get(value.lower(), value)
        return f"CN={category},CN=Schema,{tree.configuration_dn}"
    return value


def _contains(text: str, pieces: list[tuple[int, str]]) -> bool:
    at = 0
    for kind, piece in pieces:
        found = len(text) - len(piece) if kind == _FINAL else text.find(piece, at)
        fits = text.startswith(piece, found) and (kind != _INITIAL or found == 0)
        if found < at or not fits:
            return False
        at = found + len(piece)
    return True


def _ordering(attribute: str, assertion: bytes, direction: int) -> Predicate:
    try:
        bound = int(assertion)
    except ValueError:
        limit = _fold(assertion)
        return lambda entry: any(
            _fold(value) == limit or (_fold(value) > limit) == (direction > 0)
            for value in entry.get(attribute)
        )
    return lambda entry: any((_number(value) - bound) * direction >= 0 for value in entry.get(attribute))


def _extensible(contents: bytes, tree: Tree) -> Predicate:
    found = dict(elements(contents))
    rule, attribute = found.get(0x81, b"").decode(), found.get(0x82, b"").decode().lower()
    assertion = found.get(0x83, b"")
    if rule == BIT_AND:
        mask = _number(assertion)
        return lambda entry: any(_number(value) & mask == mask for value in entry.get(attribute))
    if rule == BIT_OR:
        mask = _number(assertion)
        return lambda entry: any(_number(value) & mask for value in entry.get(attribute))
    if rule == IN_CHAIN:
        wanted = names.key(assertion.decode(errors="replace"))
        return lambda entry: _reaches(entry, attribute, wanted, tree)
    if rule:
        raise BerError(f"the unknown matching rule {rule}")
    return _equal(attribute, assertion, tree)


def _reaches(entry: Object, attribute: str, wanted: names.Key, tree: Tree) -> bool:
    """Follow links (a group's members, a member's groups, a manager's managers) until the name is met."""
    waiting, seen = [entry], {entry.key}
    while waiting:
        for value in waiting.pop().get(attribute):
            link = names.key(value.decode())
            if link == wanted:
                return True
            if link not in seen and (further := tree.find(value.decode())):
                seen.add(link)
                waiting.append(further)
    return False


def _fold(value: bytes) -> str:
    return value.decode(errors="replace").casefold()


def _number(value: bytes) -> int:
    try:
        return int(value)
    except ValueError:
        return 0
