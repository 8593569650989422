"""The diff: what is written for each mode and each kind of blank."""

import pytest

from halo_adsync.customer import FieldRule
from halo_adsync.plan.diff import NewFields, diff, diff_new
from halo_adsync.plan.types import SITE, FieldChange


def rule(mode: str = "always", blank: str = "keep") -> FieldRule:
    """Return a field's rule."""
    return FieldRule.model_validate({"from": "x", "mode": mode, "blank": blank})


@pytest.mark.parametrize(
    ("mode", "blank", "before", "after", "written"),
    [
        ("always", "keep", "a", "b", True),
        ("always", "keep", "a", "a", False),
        ("always", "keep", "", "b", True),
        ("always", "keep", "a", "", False),
        ("always", "clear", "a", "", True),
        ("always", "clear", "", "", False),
        ("always", "keep", "a", "A", True),
        ("on_create", "keep", "a", "b", False),
        ("on_create", "keep", "", "b", False),
        ("on_create", "clear", "a", "", False),
        ("fill_blank", "keep", "a", "b", False),
        ("fill_blank", "keep", "", "b", True),
        ("fill_blank", "clear", "a", "", False),
    ],
)
def test_the_rule_decides_what_is_written(
    mode: str, blank: str, before: str, after: str, *, written: bool
) -> None:
    """Only what differs and what its rule lets through is sent, with the value before."""
    expected = {"title": FieldChange(before, after)} if written else {}
    assert diff({"title": after}, {"title": before}, {"title": rule(mode, blank)}) == expected


def test_what_halo_was_never_seen_to_hold_is_blank() -> None:
    """A field that was mapped since the link was made is compared with nothing."""
    assert diff({"title": "a"}, {}, {"title": rule()}) == {"title": FieldChange("", "a")}
    assert diff({"title": ""}, {}, {"title": rule(blank="clear")}) == {}


def test_what_is_not_mapped_or_failed_is_left_alone() -> None:
    """A field whose template failed is not among the desired ones, and is not cleared for that."""
    assert diff({}, {"title": "a", "notes": "typed"}, {"title": rule(blank="clear")}) == {}


def test_a_new_record_gets_everything_that_has_a_value() -> None:
    """Modes make no difference to a record that is not there yet, and blanks are not sent."""
    assert diff_new({"title": "a", "notes": ""}) == {"title": FieldChange(None, "a")}


def test_the_fields_of_somebody_new_are_those_with_a_value_and_the_site() -> None:
    """They are made when somebody looks, and are a mapping like any other; `site` is always the place's."""
    fields = NewFields({"title": "a", "notes": "", SITE: "mapped"}, "Leeds")
    assert dict(fields) == {"title": FieldChange(None, "a"), SITE: FieldChange(None, "Leeds")}
    assert fields == dict(fields)
    assert (len(fields), list(fields)) == (2, ["title", SITE])
    assert "notes" not in fields
    assert fields.get("notes") is None
    assert NewFields({}, "") == {SITE: FieldChange(None, "")}
