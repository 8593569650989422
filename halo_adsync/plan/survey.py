"""Survey: what the directories ask for, before anything of Halo is known. The first half of a plan."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from halo_adsync.customer import MANAGER_FACTS, Customer
from halo_adsync.model import NEW_FOOTING, DirectoryRead, Footing, Link, ObjectGuid, Person
from halo_adsync.plan.facts import NOTHING_MORE, Facts
from halo_adsync.plan.managers import Chief, Managers, circle_warnings
from halo_adsync.plan.mapping import Desired, Mapper, Target
from halo_adsync.plan.names import MirrorNames
from halo_adsync.plan.placement import Placing
from halo_adsync.plan.scope import Scoping
from halo_adsync.plan.templates import MANAGER
from halo_adsync.plan.wanted import Option, WantedSite


@dataclass(frozen=True, slots=True)
class Subject:
    """One account, and what should become of it in Halo."""

    person: Person
    outside: str | None
    """Why it is not to be in Halo now; None where it is."""
    desired: Desired
    options: tuple[Option, ...]
    netbios: str = ""
    """The NetBIOS name of the account's domain."""

    @property
    def name(self) -> str:
        """The name that the person should have in Halo; empty where the mapping gives none."""
        return self.desired.fields.get("name", "")


@dataclass(frozen=True, slots=True)
class Survey:
    """Everybody that the directories hold, with what the customer's file makes of each."""

    subjects: tuple[Subject, ...]
    warnings: tuple[str, ...]

    def wanted_sites(self) -> Iterator[WantedSite]:
        """Yield every site that a person in scope may come to stand in."""
        for subject in self.subjects:
            if subject.outside is None:
                yield from (option.site for option in subject.options)

    def newcomers(self, links: Mapping[ObjectGuid, Link]) -> tuple[Subject, ...]:
        """Return the people in scope who have no link yet."""
        return tuple(s for s in self.subjects if s.outside is None and s.person.guid not in links)


def survey(
    customer: Customer,
    reads: Sequence[DirectoryRead],
    now: datetime,
    target: Target,
    footing: Footing = NEW_FOOTING,
    *,
    facts: Facts = NOTHING_MORE,
) -> Survey:
    """Apply scope, placement and mapping to everybody who was read.

    Args:
        customer: whose rules.
        reads: one complete read of each directory.
        now: the time that expiry is judged by, UTC.
        target: what Halo can store.
        footing: from where moved OUs are counted.
        facts: what else is known of people.
    """
    mapper = Mapper(customer, target, facts.why_unknown)
    subjects: dict[ObjectGuid, Subject] = {}
    names = MirrorNames(customer, reads, footing)
    for read in reads:
        scoping, placing = Scoping(customer, read, now), Placing(customer, read, names, footing)
        for person in read.people:
            outside = scoping.why_not(person)
            desired = mapper.desire(person, read.netbios, facts.of(person.guid))
            options = tuple(placing.options(person)) if outside is None else ()
            subjects.setdefault(person.guid, Subject(person, outside, desired, options, read.netbios))
    warnings = [*_warnings(customer), *_staying(customer, reads, subjects, footing), *facts.warnings]
    if mapper.using(MANAGER):
        managers = Managers(reads)
        warnings += _circles(subjects, managers)
        netbios = {read.directory: read.netbios for read in reads}
        subjects = _with_managers(subjects, managers, mapper, netbios, facts)
    ordered = sorted(subjects.values(), key=lambda subject: subject.person.guid)
    return Survey(tuple(ordered), tuple(warnings))


def _with_managers(
    subjects: Mapping[ObjectGuid, Subject],
    managers: Managers,
    mapper: Mapper,
    netbios: Mapping[str, str],
    facts: Facts,
) -> dict[ObjectGuid, Subject]:
    """Return everybody with the fields that rest on their managers; what cannot be told is left as it is."""
    resting = mapper.using(MANAGER)
    needed = {source for fact, source in MANAGER_FACTS.items() if mapper.using(frozenset({fact}))}
    inside = {guid: subject for guid, subject in subjects.items() if subject.outside is None}
    chiefs = {
        guid: Chief(subject.person.dn, subject.desired.fields)
        for guid, subject in inside.items()
        if needed <= subject.desired.fields.keys()
    }
    completed = dict(subjects)
    for guid, subject in inside.items():
        if not managers.has(guid):
            continue
        manager = managers.of(guid)
        chief = chiefs.get(manager) if manager else None
        if chief is not None:
            person = subject.person
            known = {**facts.of(guid), **chief.facts()}
            desired = mapper.desire(person, netbios[person.directory], known)
        else:
            desired = _left_as_they_are(subject.desired, resting)
        completed[guid] = replace(subject, desired=desired)
    return completed


def _left_as_they_are(desired: Desired, resting: frozenset[str]) -> Desired:
    fields = {name: value for name, value in desired.fields.items() if name not in resting}
    names = " and ".join(sorted(resting))
    note = f"left as it is: {names}, for the manager is not in scope, or not read"
    return Desired(fields, (*desired.notes, note))


def _circles(subjects: Mapping[ObjectGuid, Subject], managers: Managers) -> Iterator[str]:
    names = {guid: subject.person.dn for guid, subject in subjects.items() if subject.outside is None}
    return circle_warnings(managers.circles(names), names)


def _staying(
    customer: Customer,
    reads: Sequence[DirectoryRead],
    subjects: Mapping[ObjectGuid, Subject],
    footing: Footing,
) -> Iterator[str]:
    """Say who would stand elsewhere by the tree as it is now."""
    if not any(footing.kept.values()):
        return
    names = MirrorNames(customer, reads, NEW_FOOTING)
    moved = set[ObjectGuid]().union(*footing.kept.values())
    people, ous = 0, dict[str, None]()
    for read in reads:
        anew = Placing(customer, read, names)
        for person in read.people:
            subject = subjects[person.guid]
            now = [option.site.key for option in anew.options(person)] if subject.outside is None else []
            if now and now != [option.site.key for option in subject.options]:
                people += 1
                ous |= dict.fromkeys(ou.dn for ou in read.tree.ancestry(person.parent) if ou.guid in moved)
    if people:
        listed = "; ".join(sorted(ous)[:5]) + ("; ..." if len(ous) > 5 else "")  # noqa: PLR2004 - enough
        yield (
            f"{people} people keep their places though an OU above them was moved ({listed}). With moved:"
            " follow in the placement rule they go where the OU is now."
        )


def _warnings(customer: Customer) -> Iterator[str]:
    for directory in customer.directories:
        if directory.tls == "none":
            yield (
                f"Directory {directory.id} is read without encryption (tls: none): its password and"
                " everybody's data cross the network in clear. Use tls: ldaps or starttls."
            )
