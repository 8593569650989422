"""Make: one line for everybody, with a reason. The second half of a plan, when Halo's side is known."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from halo_adsync.customer import Customer
from halo_adsync.model import HaloUser, HaloUserId, Link, ObjectGuid, Place
from halo_adsync.plan.diff import diff, diff_new
from halo_adsync.plan.match import STAMP, Match, Newcomer, match
from halo_adsync.plan.order import in_order
from halo_adsync.plan.placement import Option, WantedClient
from halo_adsync.plan.policy import allow
from halo_adsync.plan.survey import Subject, Survey
from halo_adsync.plan.types import STRUCTURE, Change, FieldChange, Kind, Plan, people


@dataclass(frozen=True, slots=True)
class HaloSide:
    """What is known of Halo when the plan is made."""

    links: Mapping[ObjectGuid, Link] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    """The clients and sites that exist, by key."""
    users: Mapping[HaloUserId, HaloUser] = field(default_factory=dict)
    """Halo's users, where they were read: candidates for matching, and the truth for `reconcile`."""
    complete: bool = False
    """Whether `users` are all users of the mapped clients, so that a linked user not among them is gone."""


def make_plan(customer: Customer, survey: Survey, halo: HaloSide, mode: str) -> Plan:
    """Decide for everybody, and assert that nobody was decided twice or forgotten."""
    matches = match_people(customer, survey, halo)
    lines = [allow(_decide(customer, subject, halo, matches), customer.policy) for subject in survey.subjects]
    seen = {subject.person.guid for subject in survey.subjects}
    lines += [_absent(link) for guid, link in sorted(halo.links.items()) if guid not in seen]
    unchanged = [line for line in lines if line.kind is Kind.UNCHANGED and not line.adopts]
    changes = [line for line in lines if line.kind is not Kind.UNCHANGED or line.adopts]
    plan = Plan(
        customer.id,
        mode,
        customer.settings_digest(),
        in_order([*_structure(survey, halo, changes), *changes]),
        len(unchanged),
        (*survey.warnings, *_two_masters(halo, lines)),
    )
    population = len(seen | halo.links.keys())
    if people(plan.counts()) != population:
        raise AssertionError(f"{population} people went into the plan, {people(plan.counts())} came out")
    return plan


def match_people(customer: Customer, survey: Survey, halo: HaloSide) -> dict[ObjectGuid, Match]:
    """Match everybody in scope who has no link against the users that no link covers."""
    newcomers = [
        Newcomer(subject.person.guid, {key: value for key, value in subject.desired.fields.items() if value})
        for subject in survey.newcomers(halo.links)
        if subject.desired.fields.get("name")
    ]
    taken = {link.user for link in halo.links.values()}
    return match(newcomers, (user for user in halo.users.values() if user.id not in taken), customer.match)


def _decide(
    customer: Customer, subject: Subject, halo: HaloSide, matches: Mapping[ObjectGuid, Match]
) -> Change:
    link = halo.links.get(subject.person.guid)
    if subject.outside is not None:
        return _outside(subject, link)
    if not subject.desired.fields.get("name"):
        reason = "no name: the mapping of name gave nothing, and Halo takes nobody without one"
        return _line(Kind.SKIPPED, subject, reason, link)
    option = _where(subject, halo)
    if option is None:
        return _line(Kind.SKIPPED, subject, "no rule says which site: add one, or a default_site", link)
    if link is not None:
        return _linked(customer, subject, link, option, halo)
    found = matches.get(subject.person.guid, Match())
    if found.conflict:
        return _line(Kind.CONFLICT, subject, found.conflict, None)
    if found.user is not None:
        return _adopted(customer, subject, found.user, found.rung, option, halo)
    fields = {**diff_new(subject.desired.fields), "site": FieldChange(None, _site_name(option, halo))}
    return _line(Kind.CREATE, subject, f"new in the directory; placed by {option.rule}", None, option, fields)


def _linked(customer: Customer, subject: Subject, link: Link, option: Option, halo: HaloSide) -> Change:
    user = halo.users.get(link.user)
    if user is not None:
        link = replace(_link_to(subject, user), fields={**link.fields, **user.fields})
    elif halo.complete:
        reason = f"Halo user {link.user} is not among the users of the mapped clients: moved, merged or deleted there"
        return _line(Kind.CONFLICT, subject, reason, link)
    fields = diff(subject.desired.fields, link.fields, customer.fields)
    return _existing(subject, link, option, fields, halo, "changed in the directory")


def _adopted(
    customer: Customer, subject: Subject, user: HaloUser, rung: str, option: Option, halo: HaloSide
) -> Change:
    fields = diff(subject.desired.fields, user.fields, customer.fields)
    if user.guid is None:
        fields[STAMP] = FieldChange("", subject.person.guid)
    why = f"adopts Halo user {user.id}, who was there already, by {rung}"
    return replace(_existing(subject, _link_to(subject, user), option, fields, halo, why), adopts=True)


def _link_to(subject: Subject, user: HaloUser) -> Link:
    known = {name: user.fields[name] for name in subject.desired.fields if name in user.fields}
    return Link(subject.person.guid, user.id, user.client, user.site, user.active, subject.person.dn, known)


def _existing(
    subject: Subject, base: Link, option: Option, fields: dict[str, FieldChange], halo: HaloSide, why: str
) -> Change:
    """Write the line for somebody whom Halo has: one bucket, the weightiest that applies."""
    place = halo.places.get(option.site.key)
    moves = place is None or place.site != base.site
    if moves:
        before = next((p.name for p in halo.places.values() if p.site == base.site), f"site {base.site}")
        fields = {**fields, "site": FieldChange(before, _site_name(option, halo))}
        why += f"; now placed by {option.rule}"
    if not base.active:
        kind, why = Kind.REACTIVATE, f"{why}; inactive in Halo, but in scope in the directory"
    elif moves:
        kind = Kind.MOVE
    else:
        kind = Kind.UPDATE if fields else Kind.UNCHANGED
    return replace(_line(kind, subject, why, base, option if moves else None, fields), base=base)


def _outside(subject: Subject, link: Link | None) -> Change:
    if link is None or not link.active:
        return _line(Kind.SKIPPED, subject, subject.outside or "", link)
    return _line(
        Kind.HELD, subject, f"a leaver ({subject.outside}); leavers are left for a person to switch off", link
    )


def _absent(link: Link) -> Change:
    reason = "a leaver (not in the directory, or not in scope); leavers are left for a person to switch off"
    return Change(Kind.HELD, link.guid, link.dn, reason, link.fields.get("name", ""), link.user)


def _where(subject: Subject, halo: HaloSide) -> Option | None:
    return next((o for o in subject.options if o.site.create or o.site.key in halo.places), None)


def _site_name(option: Option, halo: HaloSide) -> str:
    place = halo.places.get(option.site.key)
    return place.name if place else option.site.name


def _line(
    kind: Kind,
    subject: Subject,
    reason: str,
    link: Link | None,
    option: Option | None = None,
    fields: Mapping[str, FieldChange] | None = None,
) -> Change:
    reason = "; ".join([reason, *subject.desired.notes])
    return Change(
        kind,
        subject.person.guid,
        subject.person.dn,
        reason,
        subject.label,
        link.user if link else None,
        option.site.key if option else "",
        fields=fields or {},
    )


def _structure(survey: Survey, halo: HaloSide, changes: Iterable[Change]) -> list[Change]:
    """Return the clients and sites that the people's lines need and Halo does not have."""
    needed = {change.place for change in changes if change.place and change.kind not in STRUCTURE}
    lines: dict[str, Change] = {}
    for site in survey.wanted_sites():
        if site.key not in needed or site.key in halo.places or site.key in lines:
            continue
        reason = "mirrors an OU that has people in scope" if site.guid else "people in scope are placed here"
        lines[site.key] = Change(
            Kind.CREATE_SITE,
            site.guid or "",
            site.dn,
            reason,
            site.name,
            place=site.key,
            client=site.client.key,
        )
        if site.client.key not in halo.places:
            lines[site.client.key] = _client_line(site.client)
    return list(lines.values())


def _client_line(client: WantedClient) -> Change:
    reason = (
        "mirrors an OU that has people in scope"
        if client.guid
        else "the customer file names it, and Halo has none"
    )
    return Change(Kind.CREATE_CLIENT, client.guid or "", client.dn, reason, client.name, place=client.key)


def blanks_to_verify(customer: Customer, plan: Plan, halo: HaloSide) -> tuple[HaloUserId, ...]:
    """Return the users whose blank fields the plan would fill on the word of a link alone.

    Somebody may have filled them in Halo since: only a look at the user tells.
    """
    fill_blank = {name for name, rule in customer.fields.items() if rule.mode == "fill_blank"}
    lines = (line for line in plan.changes if line.user is not None and fill_blank.intersection(line.fields))
    return tuple(line.user for line in lines if line.user is not None and line.user not in halo.users)


def _two_masters(halo: HaloSide, lines: Sequence[Change]) -> Iterable[str]:
    ours = {line.user for line in lines if line.user is not None}
    number = sum(1 for user in halo.users.values() if user.managed_elsewhere and user.id in ours)
    if number:
        yield (
            f"{number} of these users are also managed by Halo's own AD or Entra integration: two masters fight."
            " Switch that integration off in Halo."
        )
