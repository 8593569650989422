"""Decide: what becomes of one person, and why. One line each, in the weightiest bucket that applies."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from sys import intern

from halo_adsync.customer import Customer
from halo_adsync.model import HaloUser, Link, ObjectGuid
from halo_adsync.packed import opened
from halo_adsync.plan.diff import NewFields, diff
from halo_adsync.plan.leavers import verdict
from halo_adsync.plan.match import STAMP, Match
from halo_adsync.plan.side import HaloSide
from halo_adsync.plan.types import SITE, Change, FieldChange, Kind
from halo_adsync.plan.wanted import Option
from halo_adsync.plan.wishes import Subject

NAME = "name"
"""The one field that Halo takes nobody without."""
NO_NAME = "no name: the mapping of name gave nothing, and Halo takes nobody without one"
NO_PLACE = "no rule says which site: add one, or a default_site"
GONE = "not in the directory, or not in scope"


class Decider:
    """Decides for one customer, with what is known of Halo.

    Args:
        customer: whose rules.
        halo: Halo's side.
        matches: what the ladder found for the people who have no link.
        to_come: keys of the sites that the plan may create.
    """

    def __init__(
        self,
        customer: Customer,
        halo: HaloSide,
        matches: Mapping[ObjectGuid, Match],
        to_come: Collection[str] = (),
    ) -> None:
        self._customer, self._rules, self._halo, self._matches = customer, customer.fields, halo, matches
        self._sites = {*halo.places, *to_come}
        self.fingerprints: set[bytes] = set()
        """Of those who are as they should be."""
        self.recognised = 0
        """How many of them were told by their fingerprints alone."""

    def decide(self, subject: Subject) -> Change | None:
        """Return the line of somebody whom the directory holds; None for whom the fingerprint tells."""
        link = self._halo.links.get(subject.person.guid)
        if subject.outside is not None:
            return self._outside(subject, subject.outside, link)
        option = self._where(subject)
        if option is None:
            return _line(Kind.SKIPPED, subject, NO_PLACE, link)
        if link is not None:
            fingerprint = self._fingerprint(subject, link, option)
            if fingerprint and self._halo.fingerprints and fingerprint in self._halo.fingerprints.known:
                self.fingerprints.add(fingerprint)
                self.recognised += 1
                return None
            line = self._linked(subject, link, option)
            if line.kind is Kind.UNCHANGED:  # nothing is made of it: very many such lines are kept a while
                subject.forget()
                line = replace(line, base=None)
                if fingerprint:
                    self.fingerprints.add(fingerprint)
        elif not subject.desired.fields.get(NAME):
            line = _line(Kind.SKIPPED, subject, NO_NAME)
        else:
            line = self._newcomer(subject, option)
        return replace(line, placed_by=option.rule)

    def absent(self, link: Link) -> Change:
        """Return the line of somebody who is linked, and whom no directory read brought."""
        kind, reason, base = self._gone(link, None)
        name = link.fields.get(NAME, "")
        return Change(kind, link.guid, link.dn, reason, name, link.user, base=base)

    def _fingerprint(self, subject: Subject, link: Link, option: Option) -> bytes | None:
        """Return the fingerprint of somebody of whom nothing but wishes can ask for a change."""
        place = self._halo.places.get(option.site.key)
        stands = link.active and place is not None and place.site == link.site
        if not stands or self._halo.fingerprints is None or link.user in self._halo.users:
            return None
        return self._halo.fingerprints.of(subject, link)

    def _outside(self, subject: Subject, reason: str, link: Link | None) -> Change:
        if link is None:
            return _line(Kind.SKIPPED, subject, reason)
        kind, why, base = self._gone(link, reason)
        return replace(_line(kind, subject, why, link), base=base)

    def _gone(self, link: Link, proof: str | None) -> tuple[Kind, str, Link | None]:
        """Return what becomes of a linked person who is not to be in Halo; with the link where it changes."""
        user = self._halo.users.get(link.user)
        if user is None and self._halo.complete:
            where = "moved, merged or deleted there already"
            return Kind.SKIPPED, f"{proof or GONE}; Halo user {link.user} is {where}", None
        if not self._halo.is_active(link):
            return Kind.SKIPPED, proof or self._halo.departures.proofs.get(link.guid, GONE), None
        if user is not None and user.general:
            return Kind.HELD, f"Halo user {link.user} is a General User, which is never written", None
        kind, reason = verdict(link, proof, self._halo.departures, self._customer)
        return kind, reason, replace(link, active=True) if kind is Kind.DEACTIVATE else None

    def _where(self, subject: Subject) -> Option | None:
        """Return the best option whose site is there, or will be: else the next run would move people on."""
        return next((option for option in subject.options if option.site.key in self._sites), None)

    def _newcomer(self, subject: Subject, option: Option) -> Change:
        decision = self._halo.decisions.get(subject.person.guid)
        if decision is not None and decision.action == "ignore":
            return _line(Kind.SKIPPED, subject, f"set aside by {decision.actor} on {decision.made[:10]}")
        found = self._matches.get(subject.person.guid, Match())
        if found.conflict:
            return _line(Kind.CONFLICT, subject, found.conflict)
        if found.user is not None:
            return self._adopted(subject, found.user, found.rung, option)
        asked = f", as {decision.actor} decided" if decision else ""
        reason = intern(f"new in the directory{asked}; placed by {option.rule}")  # many share one
        fields = NewFields(subject.desired.fields, self._site_name(option))
        return replace(_line(Kind.CREATE, subject, reason), place=option.site.key, fields=fields)

    def _linked(self, subject: Subject, link: Link, option: Option) -> Change:
        user = self._halo.users.get(link.user)
        if user is not None:
            known = opened(link.fields) | opened(user.fields)
            link = Link(link.guid, user.id, user.client, user.site, user.active, subject.person.dn, known)
        elif self._halo.complete:
            reason = f"Halo user {link.user} is not among the mapped clients' users: moved, merged or deleted"
            return _line(Kind.CONFLICT, subject, reason, link)
        named = {name: value for name, value in subject.desired.fields.items() if value or name != NAME}
        fields = diff(named, opened(link.fields), self._rules)
        return self._existing(subject, link, option, fields, "changed in the directory")

    def _adopted(self, subject: Subject, user: HaloUser, rung: str, option: Option) -> Change:
        fields = diff(subject.desired.fields, user.fields, self._rules)
        if user.guid != subject.person.guid:
            fields[STAMP] = FieldChange(user.guid or "", subject.person.guid)
        why = f"adopts Halo user {user.id}, who was there already, by {rung}"
        line = self._existing(subject, _link_to(subject, user), option, fields, why, adopts=True)
        return replace(line, adopts=True)

    def _existing(
        self,
        subject: Subject,
        base: Link,
        option: Option,
        fields: dict[str, FieldChange],
        /,
        why: str,
        *,
        adopts: bool = False,
    ) -> Change:
        place = self._halo.places.get(option.site.key)
        moves = place is None or place.site != base.site
        if moves:
            fields = {**fields, SITE: FieldChange(self._name_of_site(base), self._site_name(option))}
            why += f"; now placed by {option.rule}"
        elif adopts:
            why += f"; placed by {option.rule}"
        if not base.active:
            kind, why = Kind.REACTIVATE, f"{why}; inactive in Halo, but in scope in the directory"
        elif moves:
            kind = Kind.MOVE
        else:
            kind = Kind.UPDATE if fields else Kind.UNCHANGED
        line = _line(kind, subject, why, base)
        return replace(line, place=option.site.key if moves else "", fields=fields, base=base)

    def _site_name(self, option: Option) -> str:
        place = self._halo.places.get(option.site.key)
        return place.name if place else option.site.name

    def _name_of_site(self, link: Link) -> str:
        places = self._halo.places.values()
        return next((place.name for place in places if place.site == link.site), f"site {link.site}")


def _link_to(subject: Subject, user: HaloUser) -> Link:
    known = {name: user.fields[name] for name in subject.desired.fields if name in user.fields}
    return Link(subject.person.guid, user.id, user.client, user.site, user.active, subject.person.dn, known)


def _line(kind: Kind, subject: Subject, reason: str, link: Link | None = None) -> Change:
    if subject.desired.notes:
        reason = "; ".join([reason, *subject.desired.notes])
    name = subject.name or (link.fields.get(NAME, "") if link else "")
    return Change(kind, subject.person.guid, subject.person.dn, reason, name, link.user if link else None)
