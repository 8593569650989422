"""Mapping: what Halo should hold of a person, from the directory's attributes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from halo_adsync.customer import Customer, FieldRule
from halo_adsync.model import Person
from halo_adsync.plan.templates import Expression, ExpressionError, compile_expression


@dataclass(frozen=True, slots=True)
class Desired:
    """The fields that a person's record should have; a field whose template failed is not among them."""

    fields: Mapping[str, str] = field(repr=False)
    notes: tuple[str, ...] = ()
    """What was cut or left out, and why: sentences without values."""


class Mapper:
    """The field mapping of a customer, compiled once.

    Args:
        customer: whose mapping.
        widths: the greatest number of characters that Halo stores, by field name; longer values are cut.
    """

    def __init__(self, customer: Customer, widths: Mapping[str, int]) -> None:
        self.rules: Mapping[str, FieldRule] = customer.fields
        self._widths = widths
        self._compiled: tuple[tuple[str, Expression], ...] = tuple(
            (name, compile_expression(rule.source)) for name, rule in sorted(customer.fields.items())
        )

    def desire(self, person: Person, netbios: str) -> Desired:
        """Work out every mapped field for one person."""
        values = {**person.attributes, "netbios": netbios, "guid": person.guid, "dn": person.dn}
        fields: dict[str, str] = {}
        notes: list[str] = []
        for name, expression in self._compiled:
            try:
                value = expression(values)
            except ExpressionError as error:
                notes.append(f"{name} is left as it is: {error}")
                continue
            width = self._widths.get(name.lower())
            if width is not None and len(value) > width:
                notes.append(f"{name} is cut from {len(value)} to {width} characters")
                value = value[:width].rstrip()
            fields[name] = value
        return Desired(fields, tuple(notes))
