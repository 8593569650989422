"""Search entries as ldap3's own decoder reads them, to hold ours against."""

from collections.abc import Mapping, Sequence
from typing import Any

from ldap3.operation import search
from ldap3.utils import asn1

# The stubs leave ldap3's functions untyped.
_ASN1: Any = asn1
_SEARCH: Any = search

type Folded = dict[str, list[bytes]]


def folded(attributes: Mapping[str, Sequence[bytes] | None]) -> Folded:
    """Return attributes by lower-case name: to ldap3 case is no difference, and no values are None."""
    return {name.lower(): list(values or ()) for name, values in attributes.items()}


def as_ldap3_reads(message: bytes) -> tuple[int, bytes, Folded]:
    """Return the number, the raw name and the raw attributes of a message with an entry."""
    decoded = _ASN1.decode_message_fast(message)
    entry = _SEARCH.search_result_entry_response_to_dict_fast(decoded["payload"], None, None, False)
    return decoded["messageID"], entry["raw_dn"], folded(entry["raw_attributes"])
