"""LDAP search filters as text (RFC 4515): escaping values, and reading what a customer's file holds."""

import re

from halo_adsync.directory.dn import shown
from halo_adsync.errors import ConfigurationError

_DEEPEST = 50
_ATTRIBUTE = r"(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*)(?:;[A-Za-z0-9-]+)*"
_RULE = r"[A-Za-z0-9][A-Za-z0-9.-]*"
_VALUE = r"(?:[^()*\\\x00]|\\[0-9A-Fa-f]{2})+"
_ITEM = re.compile(
    rf"(?:{_ATTRIBUTE}(?:[~<>]=|(?::dn)?(?::{_RULE})?:=){_VALUE}"
    rf"|(?::dn)?:{_RULE}:={_VALUE}"
    rf"|{_ATTRIBUTE}=(?:\*|(?:\*?{_VALUE})(?:\*{_VALUE})*\*?))(?=\))"
)
_NAMED = re.compile(r"\(\s*([A-Za-z][A-Za-z0-9-]*)[;A-Za-z0-9.:-]*\s*[~<>]?=")
_OPERATOR = re.compile(r"\s*([&|!])")
_BLANK = re.compile(r"\s*")
_PLAIN = re.compile(rb"[^!-~]|[()*\\]")


def escape_filter_value(value: str | bytes) -> str:
    r"""Escape a value so that it stays one value, whatever it holds.

    Every byte but plain visible ASCII is written as `\xx`, blanks too: LDAP libraries trim those.
    """
    raw = value.encode() if isinstance(value, str) else value
    return _PLAIN.sub(lambda match: b"\\%02x" % match[0][0], raw).decode()


def both(first: str, second: str) -> str:
    """Combine two filters by AND; an empty second one changes nothing."""
    return f"(&{first}{second})" if second else first


def checked_filter(text: str) -> str:
    """Return a customer's filter without the blanks between its parts, once its syntax is right.

    Raises:
        ConfigurationError: it is no filter; the sentence says where.
    """
    text = text.strip()
    if not text:
        return ""
    only, at = _filter(text, 1, 0) if text.startswith("(") else ("", 0)
    if at != len(text):
        raise _wrong(text, at, "one filter in parentheses; join several as (&(...)(...))")
    return only


def attributes_of(text: str) -> frozenset[str]:
    """Return the names of the attributes that a filter asks about, without options."""
    return frozenset(match[1] for match in _NAMED.finditer(text))


def _filters(text: str, at: int, depth: int) -> tuple[list[str], int]:
    """Read filters as long as there are any; return them and where they end."""
    if depth > _DEEPEST:
        raise _wrong(text, at, f"at most {_DEEPEST} levels of parentheses")
    found: list[str] = []
    while text.startswith("(", at):
        one, at = _filter(text, at + 1, depth)
        found.append(one)
        at = _skip_blanks(text, at)
    return found, at


def _filter(text: str, at: int, depth: int) -> tuple[str, int]:
    """Read what stands after an opening parenthesis, and the closing one."""
    if operator := _OPERATOR.match(text, at):
        parts, at = _filters(text, _skip_blanks(text, operator.end()), depth + 1)
        if not parts or (operator[1] == "!" and len(parts) != 1):
            raise _wrong(
                text, at, f"{'one filter' if operator[1] == '!' else 'a filter'} after {operator[1]}"
            )
        content = operator[1] + "".join(parts)
    elif item := _ITEM.match(text, at):
        content, at = item[0], item.end()
    else:
        raise _wrong(text, at, r"attribute=value, with ( ) * \ in the value written as \28 \29 \2a \5c")
    if not text.startswith(")", at):
        raise _wrong(text, at, "a closing parenthesis")
    return f"({content})", at + 1


def _skip_blanks(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at


def _wrong(text: str, at: int, expected: str) -> ConfigurationError:
    return ConfigurationError(
        f"The LDAP filter '{shown(text)}' of the customer file is wrong at character {at + 1}: expected"
        f" {expected}."
    )
