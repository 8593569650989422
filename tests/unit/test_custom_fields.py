"""Custom fields: how Halo describes them, which of a mapping's are there, and what each takes."""

from typing import Any

import pytest

from halo_adsync.errors import ConfigurationError
from halo_adsync.halo.codec import WIDTHS, canonical_text
from halo_adsync.halo.custom_fields import decode_fields
from halo_adsync.model import CustomField
from halo_adsync.plan.custom import resolved, with_custom
from halo_adsync.plan.mapping import Desired, Mapper, Target
from tests.support.plan import customer, person

STAFF = CustomField("CFStaffNumber", width=8)
SHIRT = CustomField("CFShirt", "choice", choices={"Small": "1", "Large": "2"})
STARTED = CustomField("CFStarted", "date")
AIDER = CustomField("CFFirstAider", "flag")
KEYS = CustomField("CFKeys", "other")
THERE = (STAFF, SHIRT, STARTED, AIDER, KEYS)


def info(name: str = "CFRoom", **more: Any) -> dict[str, Any]:
    """Return one entry of `/FieldInfo`, its names in lower case as the client makes them."""
    return {"id": 1, "name": name, "type": 0, "usage": 2, "characterlimit": 0, "characterlimittype": 0} | more


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (info(), CustomField("CFRoom")),
        (info(characterlimit=20), CustomField("CFRoom", width=20)),
        (info(characterlimit=20, characterlimittype=2), CustomField("CFRoom")),
        (info(type=99, characterlimit=None), CustomField("CFRoom")),
        (info(type=None), CustomField("CFRoom")),
        (info(type=2), CustomField("CFRoom", "choice")),
        (
            info(type=2, values=[{"id": 1, "name": "A "}, {"name": "no id"}]),
            CustomField("CFRoom", "choice", choices={"A": "1"}),
        ),
        (info(type=3), CustomField("CFRoom", "other")),
        (info(type=4), CustomField("CFRoom", "date")),
        (info(type=6), CustomField("CFRoom", "flag")),
        (info(type=7), CustomField("CFRoom", "other")),
    ],
)
def test_what_halo_tells_of_a_field_is_read(row: dict[str, Any], field: CustomField) -> None:
    """Type, length and choices; what is not known, or not told, restricts nothing."""
    assert decode_fields([row]) == (field,)


def test_other_fields_and_names_that_stand_twice_are_not_described() -> None:
    """Which records a field belongs to is not told for certain: of two of one name nothing is believed."""
    rows = [info(type=7), info("cfroom", type=2), info("Summary"), info("CFDesk", type=6)]
    assert decode_fields(rows) == (CustomField("CFDesk", "flag"), CustomField("cfroom"))


def test_an_unknown_name_is_an_error_that_names_the_nearest() -> None:
    """A misspelt custom field would be dropped by Halo in silence; all of them are told at once."""
    with pytest.raises(ConfigurationError) as caught:
        resolved({"CFStafNumber", "CFKeys", "CFNothingLikeIt", "CFShirt"}, THERE)
    assert list(caught.value.problems) == [
        "fields.CFKeys: a table or several choices, which one text cannot fill.",
        "fields.CFNothingLikeIt: Halo has no such custom field.",
        "fields.CFStafNumber: Halo has no such custom field; is CFStaffNumber meant?",
    ]


def test_an_account_that_sees_no_fields_is_no_error() -> None:
    """Whether the account may read them is not ours to say: nothing is known, and nothing is checked."""
    assert resolved({"CFRoom"}, ()) == {"cfroom": None}
    assert with_custom(Target(), {"cfroom": None}).canonical("CFRoom", "x") == "x"


def desire(name: str, value: str, **rule: str) -> Desired:
    """Map one value into one custom field, whose name may be spelled in any case."""
    known = resolved({name}, THERE)
    who = customer(fields={"name": "cn", name: {"from": "extensionAttribute1", **rule}})
    mapper = Mapper(who, with_custom(Target(WIDTHS, canonical_text), known))
    return mapper.desire(person(1, extensionattribute1=value), "CORP")


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("CFStaffNumber", "12345678", "12345678"),
        ("cfSTAFFnumber", "12345678", "12345678"),
        ("CFStaffNumber", "123456789", "12345678"),
        ("CFShirt", "large", "2"),
        ("CFShirt", "1", "1"),
        ("CFStarted", "2027-03-31", "2027-03-31T00:00:00"),
        ("CFStarted", "2027-03-31T23:00:00Z", "2027-03-31T23:00:00"),
        ("CFFirstAider", "TRUE", "true"),
        ("CFFirstAider", "", ""),
    ],
)
def test_a_value_is_brought_into_the_form_of_its_field(name: str, value: str, wanted: str) -> None:
    """Choices by name or id, dates, ticks, and texts up to their length, which is Halo's own."""
    assert desire(name, value).fields[name] == wanted


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("CFShirt", "Medium", {}),
        ("CFStarted", "last spring", {}),
        ("CFFirstAider", "yes", {}),
        ("CFStaffNumber", "123456789", {"too_long": "refuse"}),
    ],
)
def test_a_value_that_the_field_does_not_take_leaves_it_as_it_is(
    name: str, value: str, rule: dict[str, str]
) -> None:
    """The note names the field and not the value, and the person's other fields go on."""
    desired = desire(name, value, **rule)
    assert name not in desired.fields
    assert desired.notes[0].startswith(f"{name} is left as it is")
    assert value not in desired.notes[0]
