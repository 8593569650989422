"""The answer to a search as it comes over the wire: cut into messages, entries decoded (RFC 4511; X.690).

ldap3 decodes an entry into nested lists and dictionaries that nobody needs. This decodes it once, into
what is needed, and refuses whatever is not BER as LDAP restricts it (RFC 4511, 5.1).
"""

from collections.abc import Callable, Iterator
from functools import lru_cache

LARGEST_MESSAGE = 1 << 26
"""Bytes in one message, at most. Active Directory keeps an object below 10 MiB."""

_INTEGER, _OCTETS, _SEQUENCE, _SET = 0x02, 0x04, 0x30, 0x31
_SEARCH_ENTRY, _CONTROLS = 0x64, 0xA0
# ldap3 looks at no more of a tag: what it would take for an entry has to be one here, or nobody counts it.
_TAG_NUMBER = 0x1F
# In a length's first byte: the number of bytes of the length follows, not the length itself.
_LONG_FORM = 0x80
_LENGTH_BYTES = 4
_ID_BYTES = 4

type Attributes = dict[str, list[bytes]]
"""Values by attribute description, both as the server gave them."""


class DamagedAnswerError(ValueError):
    """The bytes are no LDAP message; the text says why, in words that carry none of them."""


def messages(receive: Callable[[], bytes]) -> Iterator[bytes]:
    """Cut a stream into messages; ends where the stream ends.

    Args:
        receive: returns the next bytes, as many as there are; none at the end of the stream.

    Raises:
        DamagedAnswerError: what follows is no message, or one too large to be meant.
    """
    data, at = b"", 0
    while True:
        end = _message_end(data, at)
        if end is not None and end <= len(data):
            yield data[at:end]
            at = end
            continue
        parts, missing = [data[at:]], (end or len(data) + 1) - len(data)
        while missing > 0:
            part = receive()
            if not part:
                return
            parts.append(part)
            missing -= len(part)
        data, at = b"".join(parts), 0


def search_entry(message: bytes) -> tuple[int, str, Attributes] | None:
    """Decode a message with a SearchResultEntry: its number, the entry's name and its attributes.

    Controls that come with an entry are passed over. None where the message holds something else.

    Raises:
        DamagedAnswerError: the message holds an entry that is not encoded as it must be.
    """
    try:
        at, end = _contents(message, 0, _SEQUENCE)
        at, stop = _contents(message, at, _INTEGER)
        if not 0 < stop - at <= _ID_BYTES:
            raise DamagedAnswerError("a message's number has a length that it cannot have")
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
    except IndexError:
        raise DamagedAnswerError("an entry is cut off") from None
    except UnicodeDecodeError:
        raise DamagedAnswerError("a name is no text") from None


def _attributes(message: bytes, at: int, end: int) -> Attributes:
    """Decode the attributes of an entry.

    Lengths are read in place, because this is where the time goes. An element need not be held against its
    bounds at once: whatever leaves them makes its parent end where it must not.
    """
    attributes: Attributes = {}
    while at < end:
        tag, length, at = message[at], message[at + 1], at + 2
        if length >= _LONG_FORM:
            length, at = _long_length(message, at, length)
        stop = at + length
        kind, length, at = message[at], message[at + 1], at + 2
        if length >= _LONG_FORM:
            length, at = _long_length(message, at, length)
        name = _text(message[at : at + length])
        at += length
        if tag != _SEQUENCE or kind != _OCTETS or name in attributes:
            raise DamagedAnswerError("an attribute is not what it must be, or comes twice")
        at, values_end = _contents(message, at, _SET)
        if values_end != stop:
            raise DamagedAnswerError("an attribute is longer or shorter than its values")
        attributes[name] = _values(message, at, stop)
        at = stop
    if at != end:
        raise DamagedAnswerError("an attribute is longer than its entry")
    return attributes


def _values(message: bytes, at: int, end: int) -> list[bytes]:
    values = []
    while at < end:
        kind, length, at = message[at], message[at + 1], at + 2
        if length >= _LONG_FORM:
            length, at = _long_length(message, at, length)
        if kind != _OCTETS:
            raise DamagedAnswerError("a value is no octet string")
        values.append(message[at : at + length])
        at += length
    if at != end:
        raise DamagedAnswerError("a value is longer than its attribute")
    return values


def _message_end(data: bytes, at: int) -> int | None:
    """Return where the message ends that begins here; None where its length has not come yet."""
    try:
        start, end = _contents(data, at, _SEQUENCE)
    except IndexError:
        return None
    if end - start > LARGEST_MESSAGE:
        raise DamagedAnswerError(f"a message claims to be larger than {LARGEST_MESSAGE >> 20} MiB")
    return end


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


@lru_cache(4096)
def _text(description: bytes) -> str:
    """Return an attribute's description; every entry has the same few."""
    return description.decode("ascii")
