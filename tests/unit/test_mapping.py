"""Mapping: from attributes to the fields that Halo should hold, in the form in which it answers them."""

from collections.abc import Mapping

import pytest

from halo_adsync.halo.codec import WIDTHS, canonical_text
from halo_adsync.plan.mapping import Desired, Mapper, Target, cut
from tests.support.plan import customer, guid, line_of, person, plan, side

TARGET = Target(WIDTHS, canonical_text)
ENTRA = {"entra": {"tenant": "t", "client_id": "c", "certificate": {"secret": "s"}}}


def desire(fields: Mapping[str, object], **attributes: str | tuple[str, ...]) -> Desired:
    """Map one person by these fields, with `name` from displayName."""
    who = customer(fields={"name": "displayName", **fields})
    return Mapper(who, TARGET).desire(person(1, **attributes), "CORP")


def test_the_defaults_map_what_a_directory_has() -> None:
    """Nine fields, blanks where the directory has nothing, and the login as Windows presents it."""
    desired = Mapper(customer(), TARGET).desire(person(1, givenname="Ada", mail="a@x"), "CORP")
    assert {name: value for name, value in desired.fields.items() if value} == {
        "name": "Person 1",
        "firstname": "Ada",
        "emailaddress": "a@x",
        "login": "CORP\\u1",
    }
    assert desired.fields["title"] == ""
    assert desired.notes == ()


def test_built_in_names_stand_beside_the_attributes() -> None:
    """A template may use the domain's NetBIOS name, the account's GUID and its DN."""
    desired = desire({"notes": "{{ netbios }}|{{ guid }}|{{ dn }}"})
    assert desired.fields["notes"] == f"CORP|{guid(1)}|{person(1).dn}"


@pytest.mark.parametrize(
    ("field", "value", "desired"),
    [
        ("title", "  Engineer \n", "Engineer"),
        ("title", "   ", ""),
        ("isserviceaccount", "TRUE", "true"),
        ("isserviceaccount", "false", "false"),
        ("isserviceaccount", "", ""),
    ],
)
def test_values_are_in_the_form_that_halo_answers(field: str, value: str, desired: str) -> None:
    """What is compared later is canonical on both sides: no phantom changes."""
    assert desire({field: "extensionAttribute1"}, extensionattribute1=value).fields[field] == desired


def test_what_halo_cannot_hold_is_left_out_with_a_note_and_without_the_value() -> None:
    """One field's trouble stops neither the other fields nor the person."""
    fields = {"isserviceaccount": "employeeType", "title": "{{ title / 2 }}", "department": "department"}
    desired = desire(fields, employeetype="hunter2", title="hunter2", department="IT")
    assert desired.fields == {"name": "Person 1", "department": "IT"}
    assert [note.split(" is left")[0] for note in desired.notes] == ["isserviceaccount", "title"]
    assert "hunter2" not in "".join(desired.notes)


def test_a_value_is_cut_to_the_width_whatever_the_fields_spelling() -> None:
    """Halo takes field names without regard to case, so their widths go by lower case."""
    desired = desire({"FirstName": "givenName"}, givenname="x" * 300)
    assert len(desired.fields["FirstName"]) == 200
    assert desired.notes == ("FirstName is cut to the 200 characters that Halo stores",)


def test_a_value_that_is_too_long_is_refused_where_the_rule_says_so() -> None:
    """`too_long: refuse` leaves the field as it is, with a note that names it; what fits is taken."""
    rule = {"from": "givenName", "too_long": "refuse"}
    refused = desire({"firstname": rule}, givenname="x" * 201)
    assert "firstname" not in refused.fields
    assert refused.notes == (
        "firstname is left as it is: the value is longer than the 200 characters that Halo stores",
    )
    assert desire({"firstname": rule}, givenname="x" * 200).fields["firstname"] == "x" * 200


def test_a_template_that_fails_leaves_out_that_field_of_that_person_only() -> None:
    """The plan's line names the field, and its other fields are written; everybody else is as ever."""
    who = customer(fields={"name": "displayName", "other1": "{{ st | date('%Y') }}", "title": "title"})
    people = [person(1, st="hunter2", title="Boss"), person(2, st="2027-01-01", title="Clerk")]
    made = plan(who, side(), people)
    first, second = line_of(made, 1), line_of(made, 2)
    assert first.name == "Person 1"
    assert {name: change.after for name, change in first.fields.items() if name != "site"} == {
        "name": "Person 1",
        "title": "Boss",
    }
    assert "other1 is left as it is: the template failed: date wants" in first.reason
    assert "hunter2" not in first.reason
    assert second.fields["other1"].after == "2027"
    assert made.counts()["create"] == 2


def test_tables_and_the_region_come_from_the_customers_file() -> None:
    """`lookup` and `phone` read what the file of the customer at hand says, in any case."""
    fields = {"name": "cn", "other1": "{{ l | lookup('offices') }}", "phonenumber": "{{ pager | phone }}"}
    for office, region, number in (("Leeds", "GB", "+441134960000"), ("Lille", "FR", "0113 496 0000")):
        who = customer(fields=fields, lookups={"offices": {"L1": office}}, phone_region=region)
        desired = Mapper(who, TARGET).desire(person(1, l="l1", pager="0113 496 0000"), "CORP").fields
        assert (desired["other1"], desired["phonenumber"]) == (office, number)


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "abc"),
        ("🙂🙂", 3, "🙂"),
        ("🙂🙂", 1, ""),
        ("ab cd", 3, "ab"),
        ("Zoë", 2, "Zo"),
        ("anything", None, "anything"),
    ],
)
def test_a_cut_keeps_whole_characters(text: str, width: int | None, short: str) -> None:
    """The width counts UTF-16 units, as the database does; half an emoji or a blank at the end is dropped."""
    assert cut(text, width) == short


def test_personal_data_is_in_no_repr() -> None:
    """What a person's record should hold does not appear when the object is logged."""
    assert "Person 1" not in repr(desire({}))


def test_a_field_that_reads_what_is_not_known_is_left_as_it_is() -> None:
    """Not to know is not to know that there is nothing: the field is not desired, and a note says why."""
    fields = {"name": "displayName", "azureoid": "entra_id", "other1": "{{ entra_id or 'nobody' }}"}
    mapper = Mapper(customer(fields=fields, login=ENTRA), TARGET, "it was a dark night")
    unknown = mapper.desire(person(1), "CORP")
    assert unknown.fields.keys() == {"name"}
    assert unknown.notes == tuple(
        f"{name} is left as it is: it was a dark night" for name in ("azureoid", "other1")
    )
    known = mapper.desire(person(1), "CORP", {"entra_id": "oid"})
    assert (known.fields["azureoid"], known.fields["other1"], known.notes) == ("oid", "oid", ())
