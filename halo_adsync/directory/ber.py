"""The answer to a search as it comes over the wire: cut into messages, entries decoded (RFC 4511; X.690).

ldap3 decodes an entry into nested lists and dictionaries that nobody needs. This decodes it once, into
what is needed, and refuses whatever is not BER as LDAP restricts it (RFC 4511, 5.1).
"""

import struct
import sys
from collections.abc import Callable, Iterator

LARGEST_MESSAGE = 1 << 26
"""Bytes in one message, at most. Active Directory keeps an object below 10 MiB."""

_INTEGER, _OCTETS, _SEQUENCE, _SET = 0x02, 0x04, 0x30, 0x31
_SEARCH_ENTRY, _CONTROLS = 0x64, 0xA0
# ldap3 looks at no more of a tag: what it would take for an entry has to be one here, or nobody counts it.
_TAG_NUMBER = 0x1F
# In a length's first byte: the number of bytes of the length follows, not the length itself.
_LONG_FORM = 0x80
_LENGTH_BYTES = 4
# How Active Directory writes the length of whatever holds other elements.
_FOUR_BYTES = _LONG_FORM | _LENGTH_BYTES
_UINT32 = struct.Struct(">I").unpack_from
_NUMBER_BYTES = 4

# What comes before the only value of an attribute: the length of the values, the value's tag and length; by
# the number of bytes from there to the attribute's end. First as OpenLDAP writes it, then as Microsoft does.
_HEADS = {size: bytes((size - 1, _OCTETS, size - 3)) for size in range(3, _LONG_FORM)}
_LONG_HEADS = {
    size: bytes((_FOUR_BYTES, 0, 0, 0, size - 5, _OCTETS, size - 7)) for size in range(7, _LONG_FORM + 7)
}

_NO_HEADS: dict[int, bytes] = {}

type Attributes = dict[str, tuple[bytes, ...]]
"""Values as the server gave them, by attribute description in lower case (its case means nothing)."""


class DamagedAnswerError(ValueError):
    """The bytes are no LDAP message; the text says why, in words that carry none of them."""


class _Names(dict[bytes, str]):
    """Attribute descriptions by their encoding with the tag of the values behind it; empty where it is none.

    Every entry has the same few, so each is decoded once.
    """

    def __missing__(self, encoded: bytes) -> str:
        whole = encoded[0] == _OCTETS and len(encoded) == encoded[1] + 3 < _LONG_FORM + 3
        name = encoded[2:-1].decode("ascii").lower() if whole and encoded[-1] == _SET else ""
        if len(self) < _MOST_NAMES:
            self[encoded] = name
        return name


_NAMES = _Names()
_MOST_NAMES = 4096


def messages(receive: Callable[[], bytes]) -> Iterator[bytes]:
    """Cut a stream into messages; ends where the stream ends.

    Args:
        receive: returns the next bytes, as many as there are; none at the end of the stream.

    Raises:
        DamagedAnswerError: what follows is no message, or one too large to be meant.
    """
    data, at = b"", 0
    while True:
        try:
            start, end = _contents(data, at, _SEQUENCE)
        except IndexError:
            # Where it ends has not come yet.
            start = end = len(data) + 1
        if end <= len(data):
            yield data[at:end]
            at = end
            continue
        if end - start > LARGEST_MESSAGE:
            raise DamagedAnswerError(f"a message claims to be larger than {LARGEST_MESSAGE >> 20} MiB")
        wanted, arrived = end - at, bytearray(data[at:])
        while len(arrived) < wanted:
            part = receive()
            if not part:
                return
            arrived += part
        data, at = bytes(arrived), 0


def search_entry(message: bytes) -> tuple[int, str, Attributes] | None:
    """Decode a message with a SearchResultEntry: its number, the entry's name and its attributes.

    Controls that come with an entry are passed over. None where the message holds something else.

    Raises:
        DamagedAnswerError: the message holds an entry that is not encoded as it must be.
    """
    try:
        at, end = _contents(message, 0, _SEQUENCE)
        size, at = message[at + 1], at + 2
        if message[at - 2] != _INTEGER or not 0 < size <= _NUMBER_BYTES:
            raise DamagedAnswerError("a message's number is none, or has a length that it cannot have")
        stop = at + size
        number = int.from_bytes(message[at:stop], signed=True)
        if message[stop] & _TAG_NUMBER != _SEARCH_ENTRY & _TAG_NUMBER:
            return None
        at, stop = _contents(message, stop, _SEARCH_ENTRY)
        if end != len(message) or (stop != end and _contents(message, stop, _CONTROLS)[1] != end):
            raise DamagedAnswerError("an entry does not fill its message")
        name_at, name_end = _contents(message, at, _OCTETS)
        at, end = _contents(message, name_end, _SEQUENCE)
        if end != stop:
            raise DamagedAnswerError("an entry is longer or shorter than its attributes")
        return number, message[name_at:name_end].decode(), _attributes(message, at, end)
    except (IndexError, struct.error):
        raise DamagedAnswerError("an entry is cut off") from None
    except UnicodeDecodeError:
        raise DamagedAnswerError("a name is no text") from None


def _attributes(message: bytes, at: int, end: int) -> Attributes:
    """Decode the attributes of an entry.

    An element need not be held against its bounds at once: whatever leaves them makes its parent end where
    it must not.
    """
    attributes: Attributes = {}
    while at < end:
        # Nearly all attributes have one short value: these are read in one go, for here the time goes.
        length = message[at + 1]
        if length < _LONG_FORM:
            body, heads, skip = at + 2, _HEADS, 3
            stop = body + length
        elif length == _FOUR_BYTES:
            body, heads, skip = at + 6, _LONG_HEADS, 7
            stop = body + _UINT32(message, at + 2)[0]
        else:
            body, heads, skip, stop = at, _NO_HEADS, 0, at
        values_at = body + 3 + message[body + 1]
        name = _NAMES[message[body:values_at]]
        head = heads.get(stop - values_at)
        if name and head and message.startswith(head, values_at) and message[at] == _SEQUENCE:
            values: tuple[bytes, ...] = (message[values_at + skip : stop],)
        else:
            name, values, stop = _attribute(message, at)
        if name in attributes:
            raise DamagedAnswerError("an attribute comes twice")
        attributes[name] = values
        at = stop
    if at != end:
        raise DamagedAnswerError("an attribute is longer than its entry")
    return attributes


def _attribute(message: bytes, at: int) -> tuple[str, tuple[bytes, ...], int]:
    """Decode one attribute, whatever it looks like: its description, its values and where it ends."""
    at, stop = _contents(message, at, _SEQUENCE)
    at, name_end = _contents(message, at, _OCTETS)
    name = sys.intern(message[at:name_end].decode("ascii").lower())
    at, end = _contents(message, name_end, _SET)
    if end != stop:
        raise DamagedAnswerError("an attribute is longer or shorter than its values")
    values = []
    while at < end:
        at, value_end = _contents(message, at, _OCTETS)
        values.append(message[at:value_end])
        at = value_end
    if at != end:
        raise DamagedAnswerError("a value is longer than its attribute")
    return name, tuple(values), stop


def _contents(data: bytes, at: int, tag: int) -> tuple[int, int]:
    """Return where the contents of an element begin and end.

    Raises:
        DamagedAnswerError: it has another tag, or a length that LDAP does not allow.
        IndexError: the data end before the contents begin.
    """
    if data[at] != tag:
        raise DamagedAnswerError(f"an element has the tag {data[at]:#04x} in place of {tag:#04x}")
    length, at = data[at + 1], at + 2
    if length >= _LONG_FORM:
        length, at = _long_length(data, at, length)
    return at, at + length


def _long_length(data: bytes, at: int, first: int) -> tuple[int, int]:
    """Return a length that follows its first byte, and where its contents begin.

    Of a length that is cut off the bytes that are there: less than it is, and beginning where nothing is yet.
    """
    size = first - _LONG_FORM
    if not 0 < size <= _LENGTH_BYTES:
        raise DamagedAnswerError("an element has an indefinite or an overlong length")
    end = at + size
    return int.from_bytes(data[at:end]), end
