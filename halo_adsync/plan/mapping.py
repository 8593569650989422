"""Mapping: what Halo should hold of a person, from the directory's attributes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from halo_adsync.customer import Customer
from halo_adsync.model import AttributeValue, Person
from halo_adsync.plan.templates import Expression, ExpressionError, compile_expression

NO_FACTS: Mapping[str, AttributeValue] = {}


@dataclass(frozen=True, slots=True)
class Desired:
    """The fields that a person's record should have; a field whose template failed is not among them."""

    fields: Mapping[str, str] = field(repr=False)
    notes: tuple[str, ...] = ()
    """What was cut or left out, and why: sentences without values."""


@dataclass(frozen=True, slots=True)
class Target:
    """What Halo can store in its fields."""

    widths: Mapping[str, int] = field(default_factory=dict)
    """The greatest length by lower-case field name, in UTF-16 units as the database counts."""
    canonical: Callable[[str, str], str] = lambda _field, text: text
    """The form in which a field's value will be read back; raises ValueError for what it cannot hold."""


class Mapper:
    """The field mapping of a customer, compiled once."""

    def __init__(self, customer: Customer, target: Target) -> None:
        self._target = target
        self._compiled: tuple[tuple[str, Expression], ...] = tuple(
            (name, compile_expression(rule.source)) for name, rule in sorted(customer.fields.items())
        )

    def using(self, names: frozenset[str]) -> frozenset[str]:
        """Return the fields whose expressions read any of these built-in names."""
        return frozenset(field for field, expression in self._compiled if expression.built_in & names)

    def desire(self, person: Person, netbios: str, facts: Mapping[str, AttributeValue] = NO_FACTS) -> Desired:
        """Work out every mapped field for one person.

        Args:
            person: the account.
            netbios: the NetBIOS name of its domain.
            facts: what else is known of it, by the built-in names of templates.
        """
        values = values_of(person, netbios, facts)
        fields: dict[str, str] = {}
        notes: list[str] = []
        for name, expression in self._compiled:
            try:
                value = expression(values)
                value = self._target.canonical(name, value) if value else ""
            except ExpressionError as error:
                notes.append(f"{name} is left as it is: {error}")
                continue
            except ValueError:
                notes.append(f"{name} is left as it is: Halo cannot store a value of this form there")
                continue
            fields[name] = cut(value, self._target.widths.get(name.lower()))
            if fields[name] != value:
                notes.append(
                    f"{name} is cut to the {self._target.widths[name.lower()]} characters that Halo stores"
                )
        return Desired(fields, tuple(notes))


def values_of(
    person: Person, netbios: str, facts: Mapping[str, AttributeValue] = NO_FACTS
) -> Mapping[str, AttributeValue]:
    """Return what an expression may read: the account's attributes, and the built-in names."""
    return {**person.attributes, **facts, "netbios": netbios, "guid": person.guid, "dn": person.dn}


def cut(text: str, width: int | None) -> str:
    """Cut a text to at most `width` UTF-16 units, never through a character."""
    encoded = text.encode("utf-16-le", "surrogatepass")
    if width is None or len(encoded) <= 2 * width:
        return text
    return encoded[: 2 * width].decode("utf-16-le", "ignore").rstrip()
