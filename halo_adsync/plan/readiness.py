"""Readiness: who would not be signed in to Halo automatically, and why. Pure, like the plan.

There are two ways: Windows Authentication finds a user by `login`; Entra signs in whoever it knows.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from halo_adsync.customer import Customer
from halo_adsync.customer_login import PRINCIPAL_NAME
from halo_adsync.model import DirectoryRead, EntraAccount, ObjectGuid, Person
from halo_adsync.plan.facts import NOTHING_MORE, Facts
from halo_adsync.plan.scope import Scoping
from halo_adsync.plan.survey import Survey
from halo_adsync.plan.wishes import Subject

LOGIN = "login"
"""The Halo field that Windows Authentication compares with the name that it presents."""
RESERVED = frozenset({
    "alt", "arpa", "corp", "example", "home", "internal", "intranet", "invalid", "lan", "local",
    "localdomain", "localhost", "mail", "onion", "private", "test",
})  # fmt: skip
"""Top-level domains that nobody can own, so that Entra verifies none below them: RFC 2606, 6761, 6762, 7686
and 9476, what ICANN keeps out of the root (corp, home, mail, internal), and what networks call themselves."""
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Reason(StrEnum):
    """Why somebody would not be signed in automatically."""

    NO_LOGIN = "no_login"
    DUPLICATE_LOGIN = "duplicate_login"
    DISABLED = "disabled"
    UPN_NOT_ROUTABLE = "upn_not_routable"
    NOT_IN_ENTRA = "not_in_entra"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that stands between a person and being signed in."""

    reason: Reason
    text: str


@dataclass(frozen=True, slots=True)
class Unready:
    """Somebody who would not be signed in automatically, in at least one of the ways."""

    guid: ObjectGuid
    dn: str
    name: str = field(repr=False)
    obstacles: tuple[Obstacle, ...]


@dataclass(frozen=True, slots=True)
class Readiness:
    """Everybody in scope, whether their accounts are in use or not, as far as signing in goes."""

    customer: str
    people: int
    """How many people are in the OUs and groups of the scope."""
    unready: tuple[Unready, ...]
    warnings: tuple[str, ...] = ()

    @property
    def ready(self) -> int:
        """How many have nothing in their way."""
        return self.people - len(self.unready)

    def counts(self) -> dict[str, int]:
        """Return how many people each reason holds back; somebody may have several."""
        counted = Counter(obstacle.reason for one in self.unready for obstacle in one.obstacles)
        return {reason.value: counted[reason] for reason in Reason}

    def as_json(self) -> dict[str, Any]:
        """Return it as `readiness --json` shows it."""
        return {
            "customer": self.customer,
            "people": self.people,
            "ready": self.ready,
            "counts": self.counts(),
            "not_ready": [
                {
                    "guid": one.guid,
                    "dn": one.dn,
                    "name": one.name,
                    "reasons": [{"reason": o.reason.value, "text": o.text} for o in one.obstacles],
                }
                for one in self.unready
            ],
            "warnings": list(self.warnings),
        }


def judge(
    customer: Customer,
    reads: Sequence[DirectoryRead],
    now: datetime,
    found: Survey,
    facts: Facts = NOTHING_MORE,
) -> Readiness:
    """Say of everybody in scope what stands in the way of being signed in.

    Args:
        customer: whose rules.
        reads: one complete read of each directory, with everybody's principal name.
        now: the time that expiry is judged by, UTC.
        found: the survey of these reads.
        facts: what Entra has of people.
    """
    unused = _unused(customer, reads, now)
    subjects = [s for s in found.subjects if s.outside is None or s.person.guid in unused]
    shared = _sharing(subject for subject in subjects if subject.outside is None)
    unready = []
    for subject in subjects:
        obstacles = tuple(_obstacles(subject, shared, facts))
        if obstacles:
            person = subject.person
            unready.append(Unready(person.guid, person.dn, subject.name, obstacles))
    unready.sort(key=lambda one: one.dn.casefold())
    return Readiness(customer.id, len(subjects), tuple(unready), facts.warnings)


def why_not_routable(principal: str) -> str | None:
    """Return why Entra cannot have this principal name for its own; None where it can.

    A domain that cannot be verified is replaced by one of Entra's (`...onmicrosoft.com`), and people do not
    know their own names any more.
    """
    name, at, suffix = principal.rpartition("@")
    if not at or not name or not suffix:
        return "the account has no user principal name with a domain"
    labels = suffix.rstrip(".").lower().split(".")
    if len(labels) < 2:  # noqa: PLR2004 - a name below a top-level domain
        return f"the domain of the user principal name, {suffix}, has no dot: Entra cannot verify it"
    if labels[-1] in RESERVED:
        return f"the domain of the user principal name, {suffix}, ends in .{labels[-1]}: nobody can own it"
    # An international name is compared in the form that the name service knows (RFC 5891).
    if labels[-1].isdecimal() or not all(_LABEL.fullmatch(_ascii(label)) for label in labels):
        return f"the domain of the user principal name, {suffix}, is no name of the internet"
    return None


def _ascii(label: str) -> str:
    try:
        return label.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def _unused(customer: Customer, reads: Sequence[DirectoryRead], now: datetime) -> frozenset[ObjectGuid]:
    """Return who would be in scope but for an account that is disabled or has expired."""
    found: set[ObjectGuid] = set()
    for read in reads:
        scoping = Scoping(customer, read, now)
        for person in read.people:
            if scoping.why_not(person) and not scoping.why_not(replace(person, enabled=True, expires=None)):
                found.add(person.guid)
    return frozenset(found)


def _login(subject: Subject) -> str:
    """Return what the mapping gives for the field, which a file may spell in any case."""
    return next((value for name, value in subject.desired.fields.items() if name.casefold() == LOGIN), "")


def _sharing(subjects: Iterable[Subject]) -> Mapping[str, Sequence[Person]]:
    """Return who has which login, without regard to case."""
    sharing: defaultdict[str, list[Person]] = defaultdict(list)
    for subject in subjects:
        sharing[_login(subject).casefold()].append(subject.person)
    return sharing


def _obstacles(subject: Subject, shared: Mapping[str, Sequence[Person]], facts: Facts) -> Iterator[Obstacle]:
    if subject.outside is not None:
        yield Obstacle(Reason.DISABLED, subject.outside)
        return
    person, login = subject.person, _login(subject)
    if not login:
        yield Obstacle(Reason.NO_LOGIN, _why_no_login(subject))
    elif others := [other for other in shared[login.casefold()] if other.guid != person.guid]:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        yield Obstacle(Reason.DUPLICATE_LOGIN, f"{others[0].dn}{more} has the same login")
    account = (facts.entra or {}).get(person.guid)
    if why := why_not_routable(_principal(person)) or (account and _replaced(account)):
        yield Obstacle(Reason.UPN_NOT_ROUTABLE, why)
    if facts.entra is None:
        return
    if account is None:
        yield Obstacle(Reason.NOT_IN_ENTRA, "Entra has no account that belongs to this one")
    elif not account.enabled:
        yield Obstacle(Reason.DISABLED, "the account in Entra is disabled")


def _replaced(account: EntraAccount) -> str | None:
    if account.principal.casefold().endswith(".onmicrosoft.com"):
        return "Entra has the account under a name of its own, below onmicrosoft.com"
    return None


def _principal(person: Person) -> str:
    value = person.attributes.get(PRINCIPAL_NAME, "")
    return value if isinstance(value, str) else value[0]


def _why_no_login(subject: Subject) -> str:
    notes = [note for note in subject.desired.notes if note.casefold().startswith(f"{LOGIN} ")]
    return notes[0] if notes else "the mapping gives no login"
