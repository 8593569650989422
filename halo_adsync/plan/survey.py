"""Survey: what the directories ask for, before anything of Halo is known. The first half of a plan."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from halo_adsync.customer import Customer
from halo_adsync.model import NEW_FOOTING, DirectoryRead, Footing, Link, ObjectGuid
from halo_adsync.plan.facts import NOTHING_MORE, Facts
from halo_adsync.plan.mapping import Target
from halo_adsync.plan.names import MirrorNames
from halo_adsync.plan.placement import Placing
from halo_adsync.plan.scope import Scoping
from halo_adsync.plan.wanted import WantedSite
from halo_adsync.plan.wishes import Subject, Wishes


@dataclass(frozen=True, slots=True)
class Survey:
    """Everybody that the directories hold, with what the customer's file makes of each."""

    subjects: tuple[Subject, ...]
    warnings: tuple[str, ...]

    def wanted_sites(self) -> Iterator[WantedSite]:
        """Yield every site that a person in scope may come to stand in; one that many share, once."""
        seen = set[int]()
        for subject in self.subjects:
            if subject.outside is None:
                for site in (option.site for option in subject.options):
                    if id(site) not in seen:
                        seen.add(id(site))
                        yield site

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
    subjects: dict[ObjectGuid, Subject] = {}
    wishes = Wishes(customer, target, reads, facts, subjects)
    names = MirrorNames(customer, reads, footing)
    for read in reads:
        scoping, placing = Scoping(customer, read, now), Placing(customer, read, names, footing)
        for person in read.people:
            outside = scoping.why_not(person)
            options = tuple(placing.options(person)) if outside is None else ()
            subjects.setdefault(person.guid, Subject(person, outside, options, read.netbios, wishes))
    staying = _staying(customer, reads, subjects, footing)
    warnings = (*_warnings(customer), *staying, *facts.warnings, *wishes.circles())
    return Survey(tuple(subjects[guid] for guid in sorted(subjects)), warnings)


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
