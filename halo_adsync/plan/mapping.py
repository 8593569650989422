"""Mapping: what Halo should hold of a person, from the directory's attributes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from halo_adsync.customer import Customer, FieldRule
from halo_adsync.model import AttributeValue, Person
from halo_adsync.plan.templates import LOOKED_UP, Expression, ExpressionError, compile_expression

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
    custom: str = ""
    """What `canonical` knows of custom fields, as a text that is another when it knows something else."""


class Mapper:
    """The field mapping of a customer, compiled once.

    Args:
        customer: whose mapping.
        target: what Halo can store.
        why_unknown: why something that would have to be looked up is not known of somebody. A field that
            reads it stays as it is: blank would mean that there is nothing.
    """

    def __init__(self, customer: Customer, target: Target, why_unknown: str = "") -> None:
        self._target, self._why_unknown = target, why_unknown
        self._shared = customer.shared()
        self._compiled: tuple[tuple[str, FieldRule, Expression], ...] = tuple(
            (name, rule, compile_expression(rule.source)) for name, rule in sorted(customer.fields.items())
        )
        self._looked_up = {name: one.built_in & LOOKED_UP for name, _, one in self._compiled}

    def using(self, names: frozenset[str]) -> frozenset[str]:
        """Return the fields whose expressions read any of these built-in names."""
        return frozenset(field for field, _, expression in self._compiled if expression.built_in & names)

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
        for name, rule, expression in self._compiled:
            if not self._looked_up[name] <= facts.keys():
                notes.append(f"{name} is left as it is: {self._why_unknown}")
                continue
            try:
                value = expression(values, self._shared)
                fields[name], note = self._fitted(name, rule, value) if value else ("", "")
            except ExpressionError as error:
                note = f"{name} is left as it is: {error}"
            except ValueError:
                note = f"{name} is left as it is: Halo cannot store a value of this form there"
            if note:
                notes.append(note)
        return Desired(fields, tuple(notes))

    def _fitted(self, name: str, rule: FieldRule, value: str) -> tuple[str, str]:
        """Return a value as Halo can store it, and what was cut.

        Raises:
            ExpressionError: it is too long, and the rule says that it is not to be cut.
            ValueError: the field does not take a value of this form.
        """
        value = self._target.canonical(name, value)
        width = self._target.widths.get(name.lower())
        short = cut(value, width)
        if short == value:
            return value, ""
        if rule.too_long == "refuse":
            raise ExpressionError(f"the value is longer than the {width} characters that Halo stores")
        return short, f"{name} is cut to the {width} characters that Halo stores"


def values_of(
    person: Person, netbios: str, facts: Mapping[str, AttributeValue] = NO_FACTS
) -> Mapping[str, AttributeValue]:
    """Return what an expression may read: the account's attributes, and the built-in names."""
    return {**person.attributes, **facts, "netbios": netbios, "guid": person.guid, "dn": person.dn}


def cut(text: str, width: int | None) -> str:
    """Cut a text to at most `width` UTF-16 units, never through a character."""
    if width is None or 2 * len(text) <= width:  # no character takes more than two units
        return text
    encoded = text.encode("utf-16-le", "surrogatepass")
    if len(encoded) <= 2 * width:
        return text
    return encoded[: 2 * width].decode("utf-16-le", "ignore").rstrip()
