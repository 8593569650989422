"""Diff: which fields have to be written so that Halo holds what it should."""

from collections.abc import Mapping

from halo_adsync.customer import FieldRule
from halo_adsync.plan.types import FieldChange


def diff_new(desired: Mapping[str, str]) -> dict[str, FieldChange]:
    """Return the fields of a record to create: everything that has a value."""
    return {name: FieldChange(None, value) for name, value in desired.items() if value}


def diff(
    desired: Mapping[str, str], current: Mapping[str, str], rules: Mapping[str, FieldRule]
) -> dict[str, FieldChange]:
    """Return the fields of an existing record that differ, and that their rules let us write."""
    return {
        name: FieldChange(current.get(name, ""), value)
        for name, value in desired.items()
        if value != current.get(name, "") and _may_write(rules[name], value, current.get(name, ""))
    }


def _may_write(rule: FieldRule, value: str, before: str) -> bool:
    if rule.mode == "on_create" or (rule.mode == "fill_blank" and before):
        return False
    return bool(value) or rule.blank == "clear"
