"""Make: one line for everybody, with a reason. The second half of a plan, when Halo's side is known."""

from collections.abc import Iterable, Sequence

from halo_adsync.customer import Customer
from halo_adsync.errors import ConfigurationError
from halo_adsync.model import HaloUserId, ObjectGuid
from halo_adsync.plan.decide import Decider
from halo_adsync.plan.decisions import decided_matches
from halo_adsync.plan.match import STAMP, Match, Newcomer, match
from halo_adsync.plan.onboarding import tickets
from halo_adsync.plan.order import in_order
from halo_adsync.plan.parking import park
from halo_adsync.plan.places import may_make
from halo_adsync.plan.policy import allow
from halo_adsync.plan.renames import renames
from halo_adsync.plan.side import HaloSide
from halo_adsync.plan.survey import Survey
from halo_adsync.plan.types import Change, Kind, Plan, people
from halo_adsync.plan.wanted import WantedClient
from halo_adsync.plan.wishes import Subject


def make_plan(customer: Customer, survey: Survey, halo: HaloSide, mode: str) -> Plan:
    """Decide for everybody, and assert that nobody was decided twice or forgotten.

    Raises:
        ConfigurationError: the file names a site by its id in a client that is not there.
    """
    to_come = {site.key for site in survey.wanted_sites() if may_make(site, halo.places)}
    decider = Decider(customer, halo, match_people(customer, survey, halo), to_come)
    decided = [line for subject in survey.subjects if (line := decider.decide(subject))]
    seen = {subject.person.guid for subject in survey.subjects}
    decided += [decider.absent(link) for guid, link in sorted(halo.links.items()) if guid not in seen]
    lines = [park(allow(line, customer.policy), halo.parked) for line in decided]
    changes = [line for line in lines if line.kind is not Kind.UNCHANGED or line.adopts]
    renamed, kept_names = renames(survey.wanted_sites(), halo.places)
    opened, told = tickets(customer, survey.subjects, lines, halo, mode)
    plan = Plan(
        customer=customer.id,
        mode=mode,
        settings=customer.settings_digest(),
        changes=in_order([*_structure(survey, halo, changes), *renamed, *changes, *opened]),
        unchanged=len(lines) - len(changes) + decider.recognised,
        warnings=(*survey.warnings, *kept_names, *_two_masters(halo, lines), *told),
        rest=tuple(line for line in lines if line.kind is Kind.UNCHANGED and not line.adopts),
        fingerprints=frozenset(decider.fingerprints),
    )
    population = len(seen | halo.links.keys())
    if people(plan.counts()) != population:
        raise AssertionError(f"{population} people went into the plan, {people(plan.counts())} came out")
    return plan


def match_people(customer: Customer, survey: Survey, halo: HaloSide) -> dict[ObjectGuid, Match]:
    """Match everybody in scope who has no link, by what people decided and else by the ladder."""
    subjects = [s for s in survey.newcomers(halo.links) if s.desired.fields.get("name")]
    decided = decided_matches((subject.person.guid for subject in subjects), halo)
    newcomers = [
        Newcomer(subject.person.guid, _keys(subject, halo, ladder(customer)))
        for subject in subjects
        if subject.person.guid not in halo.decisions or _is_to_be_created(subject, halo)
    ]
    taken = halo.linked() | {found.user.id for found in decided.values() if found.user is not None}
    mapped = halo.mapped()  # whom people chose by hand was read wherever it stands
    users = (user for user in halo.users.values() if user.id not in taken and user.client in mapped)
    return decided | match(newcomers, users, ladder(customer))


def ladder(customer: Customer) -> tuple[str, ...]:
    """Return the rungs of a customer, our own stamp always first: who carries it was created by us."""
    return (STAMP, *(rung for rung in customer.match if rung != STAMP))


def _is_to_be_created(subject: Subject, halo: HaloSide) -> bool:
    decision = halo.decisions.get(subject.person.guid)
    return decision is not None and decision.action == "create"


def _keys(subject: Subject, halo: HaloSide, rungs: Sequence[str]) -> dict[str, str]:
    """Return what the ladder may find somebody by; nothing but the stamp where a person decided to create."""
    if _is_to_be_created(subject, halo):
        return {}
    fields = subject.desired.fields
    return {rung: value for rung in rungs if (value := fields.get(rung))}


def blanks_to_verify(customer: Customer, plan: Plan, halo: HaloSide) -> tuple[HaloUserId, ...]:
    """Return the users whose blank fields the plan would fill on the word of a link alone.

    Somebody may have filled them in Halo since: only a look at the user tells.
    """
    fill_blank = {name for name, rule in customer.fields.items() if rule.mode == "fill_blank"}
    lines = (line for line in plan.changes if line.user is not None and fill_blank.intersection(line.fields))
    return tuple(line.user for line in lines if line.user is not None and line.user not in halo.users)


def _structure(survey: Survey, halo: HaloSide, changes: Iterable[Change]) -> list[Change]:
    """Return the clients and sites that the people's lines need and Halo does not have."""
    needed = {change.place for change in changes if change.place} - halo.places.keys()
    lines: dict[str, Change] = {}
    for site in survey.wanted_sites():
        if not may_make(site, halo.places) or site.key not in needed or site.key in lines:
            continue
        if site.id is not None:
            raise ConfigurationError(
                f'placement.rules: site {site.id} is named by its id, but its client "{site.client.name}" is'
                " not in Halo, so it cannot be there; correct the client, or give the site's name."
            )
        reason = "mirrors an OU that has people in scope" if site.guid else "people in scope are placed here"
        lines[site.key] = Change(
            kind=Kind.CREATE_SITE,
            guid=site.guid or "",
            dn=site.dn,
            reason=reason,
            name=site.name,
            place=site.key,
            client=site.client.key,
        )
        if site.client.key not in halo.places:
            lines[site.client.key] = _client_line(site.client)
    return list(lines.values())


def _client_line(client: WantedClient) -> Change:
    named = "the customer file names it, and Halo has none"
    reason = "mirrors an OU that has people in scope" if client.guid else named
    return Change(
        Kind.CREATE_CLIENT, client.guid or "", client.dn, reason, name=client.name, place=client.key
    )


def _two_masters(halo: HaloSide, lines: Sequence[Change]) -> Iterable[str]:
    ours = {line.user for line in lines if line.user is not None}
    number = sum(1 for user in halo.users.values() if user.managed_elsewhere and user.id in ours)
    if number:
        yield (
            f"{number} of these users are also managed by Halo's own AD or Entra integration: two masters"
            " fight. Switch that integration off in Halo."
        )
