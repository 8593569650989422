"""The little of ASN.1 BER that LDAP messages use (X.690; RFC 4511, section 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BOOLEAN, INTEGER, OCTETS, ENUMERATED, SEQUENCE, SET = 0x01, 0x02, 0x04, 0x0A, 0x30, 0x31
# In a length's first byte: the number of bytes of the length follows, not the length itself.
_LONG_FORM = 0x80
_HEAD_BYTES = 2

type Element = tuple[int, bytes]
"""A tag and its contents."""


class BerError(ValueError):
    """The bytes are not BER as LDAP writes it."""


def element(tag: int, *contents: bytes) -> bytes:
    """Encode an element from its encoded contents."""
    body = b"".join(contents)
    if len(body) < _LONG_FORM:
        return bytes((tag, len(body))) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes((tag, _LONG_FORM | len(length))) + length + body


def integer(value: int, tag: int = INTEGER) -> bytes:
    """Encode an integer, or an enumerated value with its tag."""
    return element(tag, value.to_bytes(value.bit_length() // 8 + 1, signed=True))


def octets(value: bytes | str, tag: int = OCTETS) -> bytes:
    """Encode an octet string; text goes as UTF-8."""
    return element(tag, value.encode() if isinstance(value, str) else value)


def number(contents: bytes) -> int:
    """Decode the contents of an integer or an enumerated value."""
    return int.from_bytes(contents, signed=True)


def elements(contents: bytes) -> list[Element]:
    """Decode a sequence's contents into its elements.

    Raises:
        BerError: an element is cut off.
    """
    found, at = [], 0
    while at < len(contents):
        if at + 2 > len(contents):
            raise BerError("an element is cut off")
        tag, length, at = contents[at], contents[at + 1], at + 2
        if length & _LONG_FORM:
            size = length & ~_LONG_FORM
            length, at = int.from_bytes(contents[at : at + size]), at + size
        if at + length > len(contents):
            raise BerError("an element is cut off")
        found.append((tag, contents[at : at + length]))
        at += length
    return found


def read_message(receive: Callable[[int], bytes]) -> bytes | None:
    """Read one LDAP message and return its contents, or None at the end of the stream.

    Args:
        receive: returns exactly as many bytes as asked for, or fewer at the end of the stream.

    Raises:
        BerError: something else than an LDAP message came.
    """
    head = receive(2)
    if len(head) < _HEAD_BYTES:
        return None
    if head[0] != SEQUENCE:
        raise BerError("the message is not a sequence")
    length = head[1]
    if length & _LONG_FORM:
        length = int.from_bytes(receive(length & ~_LONG_FORM))
    body = receive(length)
    return body if len(body) == length else None
