"""Properties: what is written to Halo and read back is the same."""

from hypothesis import given
from hypothesis import strategies as st

from halo_adsync.halo.codec import (
    FIELDS,
    WIDTHS,
    Kind,
    canonical_guid,
    canonical_text,
    decode_user,
    encode_user,
)
from halo_adsync.halo.hiding import Hiding
from halo_adsync.halo.port import UserWrite
from halo_adsync.halo.statuses import sentence
from halo_adsync.model import HaloClientId, HaloUserId, ObjectGuid

GUIDS = st.uuids().map(lambda value: ObjectGuid(str(value)))
CUSTOM = ("CFDesk", "CFRoom")


def values(field: str) -> st.SearchStrategy[str]:
    """Return canonical values of one field."""
    kind = FIELDS.get(field, Kind.TEXT)
    if kind is Kind.FLAG:
        return st.sampled_from(["true", "false"])
    if kind is Kind.NUMBER:
        return st.integers(-(2**31), 2**31 - 1).map(str)
    if kind is Kind.IDS:
        return st.sets(st.integers(1, 2**31 - 1)).map(lambda ids: ",".join(map(str, sorted(ids))))
    return st.text(max_size=WIDTHS.get(field, 300)).map(str.strip)


WRITES = st.builds(
    UserWrite,
    guid=GUIDS,
    user=st.integers(1, 2**31 - 1).map(HaloUserId),
    active=st.booleans(),
    fields=st.fixed_dictionaries({}, optional={name: values(name) for name in (*FIELDS, *CUSTOM)}),
)


@given(WRITES)
def test_what_is_encoded_is_decoded_to_the_same(write: UserWrite) -> None:
    """Reading the record that Halo would store gives back every value that was written."""
    user = decode_user(encode_user(write), write.fields.keys(), HaloClientId(1))
    assert user.fields == write.fields
    assert (user.id, user.active) == (write.user, write.active)


@given(st.data())
def test_canonical_text_is_stable(data: st.DataObject) -> None:
    """The canonical form of a canonical value is that value."""
    field = data.draw(st.sampled_from([*FIELDS, *CUSTOM]))
    value = data.draw(values(field))
    assert canonical_text(field, value) == value


@given(GUIDS, st.booleans(), st.booleans(), st.booleans())
def test_every_spelling_of_a_guid_is_one(guid: ObjectGuid, upper: bool, braces: bool, plain: bool) -> None:
    """Case, braces and hyphens make no difference."""
    text = guid.upper() if upper else guid
    text = text.replace("-", "") if plain else text
    assert canonical_guid(f"{{{text}}}" if braces else text) == guid


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_error_body_becomes_one_line(body: bytes) -> None:
    """Whatever a server sends as an error, there is a sentence, or none, and never a crash."""
    assert "\n" not in sentence(body, Hiding(()))
