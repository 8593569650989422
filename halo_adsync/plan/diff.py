"""Diff: which fields have to be written so that Halo holds what it should."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from halo_adsync.customer import FieldRule
from halo_adsync.plan.types import SITE, FieldChange


@dataclass(frozen=True, slots=True, eq=False)
class NewFields(Mapping[str, FieldChange]):
    """The fields of a record to create, made of what it should hold when somebody looks.

    A first import creates everybody, and as many objects for each as there are fields would take more memory
    than all else.
    """

    desired: Mapping[str, str] = field(repr=False)
    """What the record should hold; what has no value is not among the fields."""
    site: str
    """The name of the site to stand in."""

    def __getitem__(self, name: str) -> FieldChange:
        """Return what one field is to hold."""
        value = self.site if name == SITE else self.desired[name]
        if not value and name != SITE:
            raise KeyError(name)
        return FieldChange(None, value)

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the fields that have a value, the site's last."""
        yield from (name for name, value in self.desired.items() if value and name != SITE)
        yield SITE

    def __len__(self) -> int:
        """Return how many there are."""
        return sum(1 for _ in self)


def diff_new(desired: Mapping[str, str]) -> dict[str, FieldChange]:
    """Return the fields of a record to create that stands in no site: everything that has a value."""
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
