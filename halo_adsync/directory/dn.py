"""Distinguished names as text (RFC 4514): taking them apart, putting them together, comparing them."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from halo_adsync.model import DistinguishedName, ObjectGuid

type Ava = tuple[str, str]
"""One attribute type and its value, both as plain text: nothing is escaped."""
type Rdn = tuple[Ava, ...]
"""One step of a name; more than one pair only where the name uses `+`."""

_PAIR = re.compile(
    r"""
    \s* (?P<type> [A-Za-z][A-Za-z0-9-]* | (?:[Oo][Ii][Dd]\.)?[0-9]+(?:\.[0-9]+)* ) [ ]* = [ ]*
    (?: "(?P<quoted> (?: \\. | [^"\\] )* )"
      | \#(?P<ber> (?:[0-9A-Fa-f]{2})+ )
      | (?P<plain> (?: \\[0-9A-Fa-f]{2} | \\[ "\#+,;<=>\\] | [^"+,;<>\\] )*? )
    )
    [ ]* (?P<separator> [,+] | \Z )
    """,
    re.VERBOSE | re.DOTALL,
)
_EXTENDED = re.compile(
    r"<GUID=([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})>;(?:<SID=[^>]*>;)?(.*)", re.DOTALL
)
_ESCAPE = re.compile(rb"\\([0-9A-Fa-f]{2}|.)", re.DOTALL)
_TO_ESCAPE = re.compile(r'^[ #]|[ ]\Z|["+,;<=>\\\x00]')
# Universal tags of the ASN.1 string types and how they are encoded (X.680, X.690); names use no other type.
_BER_STRINGS = {0x04: "utf-8", 0x0C: "utf-8", 0x13: "ascii", 0x16: "ascii", 0x1E: "utf-16-be"}
_BER_SHORT_LENGTH = 0x7F
_LONGEST_SHOWN = 500


def parse_dn(dn: str) -> tuple[Rdn, ...]:
    r"""Take a name apart, the object's own step first.

    Understands escapes (`\,` and `\2C`), values in quotes (RFC 2253, section 4) and BER values (`#0C0141`).

    Raises:
        ValueError: the text is no distinguished name; the message says where it stops being one.
    """
    rdns: list[Rdn] = []
    pairs: list[Ava] = []
    for match in _pairs(dn):
        pairs.append((_type(match), _value(match)))
        if match["separator"] != "+":
            rdns.append(tuple(pairs))
            pairs = []
    return tuple(rdns)


def extended_dn(text: str) -> tuple[ObjectGuid | None, DistinguishedName]:
    """Take an extended name apart: the object's GUID, and its plain name (Microsoft: MS-ADTS, 3.1.1.3.4.1.5).

    A name that is plain already has no GUID.
    """
    match = _EXTENDED.fullmatch(text)
    if match is None:
        return None, DistinguishedName(text)
    return ObjectGuid(match[1].lower()), DistinguishedName(match[2])


def format_dn(rdns: Iterable[Rdn]) -> DistinguishedName:
    """Put a name together, escaping what RFC 4514 (section 2.4) wants escaped."""
    steps = ("+".join(f"{kind}={escape_dn_value(value)}" for kind, value in rdn) for rdn in rdns)
    return DistinguishedName(",".join(steps))


def escape_dn_value(value: str) -> str:
    """Escape a value for use in a distinguished name."""
    return _TO_ESCAPE.sub(lambda match: "\\00" if match[0] == "\0" else f"\\{match[0]}", value)


def canonical_dn(dn: str) -> str:
    """Return the form in which two spellings of one name are equal: for comparing, not for asking a server.

    Case, escaping, blanks around separators and the order of the pairs in one step make no difference.

    Raises:
        ValueError: as `parse_dn`.
    """
    return format_dn(tuple(sorted((kind, _folded(value)) for kind, value in rdn)) for rdn in parse_dn(dn))


def parent_dn(dn: str) -> DistinguishedName:
    """Return the name of the object above, spelled as in `dn`; empty where there is none.

    Raises:
        ValueError: the first step is no step of a distinguished name.
    """
    for match in _pairs(dn):
        if match["separator"] != "+":
            return DistinguishedName(dn[match.end() :].lstrip(" "))
    return DistinguishedName("")


def shown(text: str) -> str:
    """Return a name as an error shows it, which may come from anywhere: the beginning of a very long one."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _pairs(dn: str) -> Iterator[re.Match[str]]:
    at = 0
    separator = "," if dn.strip() else ""
    while separator:
        match = _PAIR.match(dn, at)
        if match is None:
            raise ValueError(f"'{shown(dn)}' is not a distinguished name from its character {at + 1} on.")
        yield match
        at, separator = match.end(), match["separator"]


def _type(match: re.Match[str]) -> str:
    return match["type"].lower().removeprefix("oid.")


def _value(match: re.Match[str]) -> str:
    try:
        if match["ber"] is not None:
            return _ber_string(bytes.fromhex(match["ber"]))
        text = match["quoted"] if match["quoted"] is not None else match["plain"]
        raw = text.encode()  # which half a character is not text enough for
        return _ESCAPE.sub(_unescaped, raw).decode() if b"\\" in raw else text
    except ValueError:
        raise ValueError(f"A value in the distinguished name '{shown(match.string)}' is not text.") from None


def _unescaped(match: re.Match[bytes]) -> bytes:
    return match[1] if len(match[1]) == 1 else bytes.fromhex(match[1].decode())


def _ber_string(encoded: bytes) -> str:
    tag, length, content = encoded[0], encoded[1:2], encoded[2:]
    if tag not in _BER_STRINGS or length != bytes([len(content)]) or len(content) > _BER_SHORT_LENGTH:
        raise ValueError
    return content.decode(_BER_STRINGS[tag])


def _folded(value: str) -> str:
    # Canonical caseless matching (Unicode standard, D145).
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", value.strip(" ")).casefold())
