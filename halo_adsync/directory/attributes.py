"""Attribute values in canonical form: text, and equal where they mean the same."""

import base64
from collections.abc import Callable, Sequence

from halo_adsync.directory.values import (
    datetime_from_filetime,
    datetime_from_generalized_time,
    guid_from_bytes,
    iso,
    sid_from_bytes,
)
from halo_adsync.model import AttributeValue

_GUIDS = frozenset({"objectguid"})
_SIDS = frozenset({"objectsid", "sidhistory", "tokengroups", "tokengroupsglobalanduniversal"})
_FILETIMES = frozenset(
    {"accountexpires", "badpasswordtime", "lastlogoff", "lastlogon", "lastlogontimestamp", "lockouttime"}
    | {"msds-userpasswordexpirytimecomputed", "pwdlastset"}
)
_GENERALIZED_TIMES = frozenset({"createtimestamp", "modifytimestamp", "whenchanged", "whencreated"})
# Bytes that can look like text by chance. Any other attribute is binary when its bytes are no UTF-8.
_BINARY = frozenset(
    {"auditingpolicy", "jpegphoto", "logonhours", "ms-ds-consistencyguid", "msexcharchiveguid"}
    | {"msexchmailboxguid", "ntsecuritydescriptor", "photo", "replpropertymetadata", "thumbnaillogo"}
    | {"thumbnailphoto", "usercertificate", "userpkcs12", "usersmimecertificate", "x500uniqueidentifier"}
)


def attribute_value(name: str, values: Sequence[bytes]) -> AttributeValue | None:
    """Bring an attribute's values into canonical form; None where nothing is left.

    GUIDs and security identifiers become text, times ISO 8601 in UTC (a FILETIME that means never is no
    value), binary values base64. Empty and blank values are dropped, several are sorted.

    Args:
        name: the attribute's lower-case name without options.
        values: as the server gave them.
    """
    convert = _CONVERTERS.get(name, bytes.decode)
    try:
        converted = [convert(value) for value in values]
    except ValueError:
        converted = [_base64(value) for value in values]
    texts = [text for text in converted if text and text.strip()]
    if len(texts) > 1:
        texts = sorted(set(texts))
    if not texts:
        return None
    return texts[0] if len(texts) == 1 else tuple(texts)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _filetime(value: bytes) -> str | None:
    moment = datetime_from_filetime(int(value))
    return iso(moment) if moment else None


def _generalized_time(value: bytes) -> str:
    return iso(datetime_from_generalized_time(value.decode()))


_CONVERTERS: dict[str, Callable[[bytes], str | None]] = {
    **dict.fromkeys(_GUIDS, guid_from_bytes),
    **dict.fromkeys(_SIDS, sid_from_bytes),
    **dict.fromkeys(_FILETIMES, _filetime),
    **dict.fromkeys(_GENERALIZED_TIMES, _generalized_time),
    **dict.fromkeys(_BINARY, _base64),
}
"""How a value becomes text; of any other attribute it is UTF-8."""
