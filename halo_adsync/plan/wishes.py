"""Wishes: what the customer's mapping makes of each person, worked out when somebody asks. Pure.

What a mapping may say of somebody's manager are the values that the manager's own record in Halo is to have.
These rest on nobody's manager, so everybody's can be worked out in any order.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from halo_adsync.customer import MANAGER_FACTS, Customer
from halo_adsync.model import AttributeValue, DirectoryRead, ObjectGuid, Person
from halo_adsync.plan.facts import Facts
from halo_adsync.plan.managers import Chief, Managers, circle_warnings
from halo_adsync.plan.mapping import Desired, Mapper, Target
from halo_adsync.plan.templates import MANAGER
from halo_adsync.plan.wanted import Option

type _Known = Mapping[str, AttributeValue]


@dataclass(slots=True, eq=False)
class Subject:
    """One account, and what should become of it in Halo."""

    person: Person
    outside: str | None
    """Why it is not to be in Halo now; None where it is."""
    options: tuple[Option, ...]
    netbios: str
    """The NetBIOS name of the account's domain."""
    wishes: "Wishes" = field(repr=False)
    _desired: Desired | None = field(default=None, repr=False)

    @property
    def desired(self) -> Desired:
        """The fields that the record should have."""
        if self._desired is None:
            self._desired = self.wishes.of(self)
        return self._desired

    def forget(self) -> None:
        """Free the memory; the fields are worked out anew if somebody asks once more."""
        self._desired = None

    @property
    def name(self) -> str:
        """The name that the person should have in Halo; empty where the mapping gives none."""
        return self.desired.fields.get("name", "")


class Wishes:
    """The mapping of a customer, and all that it may read.

    Args:
        customer: whose mapping.
        target: what Halo can store.
        reads: the directories.
        facts: what else is known of people.
        subjects: everybody, by GUID; may be filled later.
    """

    def __init__(
        self,
        customer: Customer,
        target: Target,
        reads: Sequence[DirectoryRead],
        facts: Facts,
        subjects: Mapping[ObjectGuid, Subject],
    ) -> None:
        self._mapper = Mapper(customer, target, facts.why_unknown)
        self._facts, self._subjects = facts, subjects
        self._resting = self._mapper.using(MANAGER)
        self._managers = Managers(reads) if self._resting else None
        self._needed = {
            source for fact, source in MANAGER_FACTS.items() if self._mapper.using(frozenset({fact}))
        }
        self._told: dict[ObjectGuid | None, _Known | None] = {}

    def of(self, subject: Subject) -> Desired:
        """Return the fields that a person's record should have; what cannot be told is left as it is."""
        person, known = subject.person, self._facts.of(subject.person.guid)
        if not self._is_managed(subject):
            return self._mapper.desire(person, subject.netbios, known)
        manager = self._of_manager(subject)
        if manager is not None:
            return self._mapper.desire(person, subject.netbios, {**known, **manager})
        return self._left_as_they_are(self._mapper.desire(person, subject.netbios, known))

    def inputs(self, subject: Subject) -> tuple[Any, ...]:
        """Return all that `of` rests on, but for the customer's file and what Halo can store."""
        person = subject.person
        manager = self._of_manager(subject) if self._is_managed(subject) else ""
        about = (person.guid, person.dn, subject.netbios, person.attributes)
        return *about, self._facts.of(person.guid), manager

    def circles(self) -> Iterator[str]:
        """Yield a sentence for each circle of managers, where the mapping asks for managers."""
        if self._managers is not None:
            names = {guid: one.person.dn for guid, one in self._subjects.items() if one.outside is None}
            yield from circle_warnings(self._managers.circles(names), names)

    def _is_managed(self, subject: Subject) -> bool:
        managers = self._managers
        return managers is not None and subject.outside is None and managers.has(subject.person.guid)

    def _of_manager(self, subject: Subject) -> _Known | None:
        """Return what is known of somebody's manager; None where that one is not in scope, or not read."""
        manager = self._managers.of(subject.person.guid) if self._managers else None
        if manager not in self._told:
            self._told[manager] = self._telling(self._subjects.get(manager) if manager else None)
        return self._told[manager]

    def _telling(self, chief: Subject | None) -> _Known | None:
        if chief is None or chief.outside is not None:
            return None
        person = chief.person
        fields = self._mapper.desire(person, chief.netbios, self._facts.of(person.guid)).fields
        return Chief(person.dn, fields).facts() if self._needed <= fields.keys() else None

    def _left_as_they_are(self, desired: Desired) -> Desired:
        fields = {name: value for name, value in desired.fields.items() if name not in self._resting}
        names = " and ".join(sorted(self._resting))
        note = f"left as it is: {names}, for the manager is not in scope, or not read"
        return Desired(fields, (*desired.notes, note))
