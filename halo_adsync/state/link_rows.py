"""Rows of links: the pure codec between a link and Table Storage, made for reading very many of them.

What Microsoft's client spends on a row goes by the number of its properties, so that all of a link stands in
one (measured: 15 microseconds a row, and 60 with a property for each value). The user's id stands beside it
as well, for the service to look links up by.
"""

import json
from dataclasses import replace

from halo_adsync.model import HaloUserId, Link, ObjectGuid
from halo_adsync.packed import Packed, opened
from halo_adsync.state.rows import TEXT_CHUNK, pack_text, to_json, unpack_text
from halo_adsync.state.shapes import build, reads
from halo_adsync.state.table import Row

SELECT = ("data",)
"""The property that is enough to read a link by, unless it `goes_on`."""
OF_USERS, OF_AGENTS = "link|", "agent|"
"""How the keys begin."""

_HEAD = (int, int, int, bool, str)


def link_key(guid: str) -> str:
    """Return the key of a link's row."""
    return f"{OF_USERS}{guid}"


def agent_row(customer: str, link: Link) -> Row:
    """Write a link to an agent."""
    return replace(link_row(customer, link), key=f"{OF_AGENTS}{link.guid}")


def link_row(customer: str, link: Link) -> Row:
    """Write a link: a line of JSON with everything but the fields, then a line with these."""
    head = to_json([link.user, link.client, link.site, link.active, link.dn])
    text = f"{head}\n{to_json(opened(link.fields))}"
    return Row(customer, link_key(link.guid), {"user": int(link.user)} | pack_text("data", text))


def goes_on(row: Row) -> bool:
    """Tell whether a row that was read with `SELECT` has more than that."""
    return len(str(row.values.get("data", ""))) == TEXT_CHUNK


@reads
def link_of(row: Row) -> Link:
    """Read a link."""
    head, _, text = unpack_text("data", row.values).partition("\n")
    user, client, site, active, dn = known = json.loads(head)[: len(_HEAD)]
    fields = json.loads(text)
    are_texts = type(fields) is dict and set(map(type, fields.values())) <= {str}
    if not are_texts or tuple(map(type, known)) != _HEAD:
        raise ValueError("another type")
    return Link(_guid_in(row.key), user, client, site, active, dn, Packed(text))


@reads
def linked_of(row: Row) -> tuple[ObjectGuid, HaloUserId]:
    """Read from a link which account it ties to which Halo id."""
    return _guid_in(row.key), HaloUserId(build(int, row.values["user"]))


def _guid_in(key: str) -> ObjectGuid:
    return ObjectGuid(key.rpartition("|")[2])
