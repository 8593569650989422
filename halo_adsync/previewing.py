"""Previewing: an expression tried on somebody real, and on everybody in scope. Reads only."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from halo_adsync.asking import read_request
from halo_adsync.customer import Customer
from halo_adsync.customer_file import parse, plain
from halo_adsync.errors import BadRequest, ConfigurationError
from halo_adsync.explaining import Account, find_account
from halo_adsync.looking_up import facts_of
from halo_adsync.model import AttributeValue, Link, Meter, ObjectGuid, Person
from halo_adsync.plan.custom import with_custom
from halo_adsync.plan.diff import diff
from halo_adsync.plan.facts import NOTHING_MORE, Facts
from halo_adsync.plan.mapping import Desired, Mapper, Target
from halo_adsync.plan.survey import survey
from halo_adsync.plan.templates import LOOKED_UP, MANAGER, compile_expression
from halo_adsync.plan.wishes import Subject
from halo_adsync.services import Services

NO_FIELD = "CFPreview"
"""What an expression is mapped to that is meant for no field: a name that Halo is never asked about."""
EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Example:
    """One person whose value would change; `before` is None for somebody whom Halo does not have yet."""

    name: str
    dn: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Effect:
    """What mapping the field with the expression would do to the people in scope, each counted once."""

    in_scope: int
    change: int
    """Linked people whose value would become another."""
    new: int
    """People without a link who would get a value when they are created or adopted."""
    left: int
    """People whose value cannot be made or stored: the field would be left as it is."""
    unknown: int
    """Linked people who would get a value, and of whom it is not known what Halo holds."""
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What an expression makes."""

    customer: str
    expression: str
    field: str | None
    person: Person | None
    outside: str | None
    """Why the person is not in scope."""
    value: str | None
    """What it makes of the person; None without a person, or where it fails."""
    attributes: Mapping[str, AttributeValue]
    """What the person has in the attributes that the expression reads; empty where nothing."""
    notes: tuple[str, ...]
    effect: Effect | None

    def as_json(self) -> dict[str, Any]:
        """Return it as `--json` and the HTTP API show it."""
        person = self.person
        return {
            "customer": self.customer,
            "expression": self.expression,
            "field": self.field,
            "person": person and {"guid": person.guid, "dn": person.dn, "outside": self.outside},
            "value": self.value,
            "attributes": dict(self.attributes),
            "empty": [name for name, value in self.attributes.items() if not value],
            "notes": list(self.notes),
            "effect": self.effect and asdict(self.effect),
        }


def preview(
    services: Services,
    customer: Customer,
    expression: str,
    *,
    person: str | None,
    field: str | None,
    halo_fields: Collection[str],
) -> Preview:
    """Try an expression on a person, or as the mapping of a field on everybody in scope, or both.

    Halo is asked only where the field is not mapped yet and people are linked: what it holds there is not
    known otherwise. What is known of custom fields is what the last plan learnt.

    Args:
        services: where directories are opened, and state is kept.
        customer: whose directories and rules.
        expression: an attribute's name or a template; it may read what the file does not read yet.
        person: a GUID, DN, logon name, UPN or mail address.
        field: Halo's name of the field.
        halo_fields: which fields there are, besides custom ones.

    Raises:
        BadRequest: the expression or the field cannot be used, or there is neither person nor field.
        NotFound: no directory has such an account.
        IncompleteRead, DirectoryRefused: a directory did not answer.
        HaloRefused, HaloUnavailable, BudgetSpent: Halo had to be asked and did not answer.
    """
    if person is None and field is None:
        raise BadRequest("Name a person to try the expression on, or the field that it is meant for.")
    name = _spelled(customer, field)
    trial = _trial(customer, expression, name, halo_fields)
    state = services.store(Meter()).of(customer.key)
    target = with_custom(services.target, state.custom_fields())
    account = None if person is None else find_account(services, trial, person, Meter())
    subjects: Sequence[Subject] = ()
    used = compile_expression(expression).built_in
    facts = facts_of(services, trial, lambda: None) if used & LOOKED_UP else NOTHING_MORE
    facts = replace(facts, agents=state.agent_links())
    if field is not None or used & MANAGER:
        subjects = _everybody(services, trial, target, facts)
    desired = (
        None
        if account is None
        else _desired(account, subjects, Mapper(trial, target, facts.why_unknown), facts)
    )
    return Preview(
        customer=customer.id,
        expression=expression,
        field=None if field is None else name,
        person=None if account is None else account.person,
        outside=None if account is None else account.outside,
        value=None if desired is None else desired.fields.get(name),
        attributes=_read(account, expression),
        notes=() if desired is None else tuple(note for note in desired.notes if name in note),
        effect=None if field is None else _effect(services, customer, trial, subjects, name),
    )


def _spelled(customer: Customer, field: str | None) -> str:
    """Return the field as the file spells it, which may be in any case."""
    if field is None:
        return NO_FIELD
    return next((name for name in customer.fields if name.casefold() == field.casefold()), field)


def _trial(customer: Customer, expression: str, name: str, halo_fields: Collection[str]) -> Customer:
    """Return the customer with the expression as the mapping of the field; modes and the like stay."""
    rules = {
        known: rule.model_dump(by_alias=True, exclude_unset=True) for known, rule in customer.fields.items()
    }
    rules[name] = {**rules.get(name, {}), "from": expression}
    try:
        return parse(json.dumps({**plain(customer), "fields": rules}), halo_fields=halo_fields)
    except ConfigurationError as error:
        raise BadRequest([problem.partition(", ")[2] or problem for problem in error.problems]) from None


def _everybody(services: Services, trial: Customer, target: Target, facts: Facts) -> Sequence[Subject]:
    anchors = services.store(Meter()).of(trial.key).known().anchors
    reads = []
    for block in trial.directories:
        told = partial(services.progress, f"Reading {block.id}", total=None)
        with services.open_directory(block, Meter()) as directory:
            reads.append(directory.read(read_request(trial, block, anchors), told))
    return survey(trial, reads, services.now(), target, facts=facts).subjects


def _desired(account: Account, subjects: Sequence[Subject], mapper: Mapper, facts: Facts) -> Desired:
    guid = account.person.guid
    for subject in subjects:
        if subject.person.guid == guid:
            return subject.desired
    return mapper.desire(account.person, account.netbios, facts.of(guid))


def _read(account: Account | None, expression: str) -> dict[str, AttributeValue]:
    read = sorted(compile_expression(expression).attributes)
    return {name: account.person.attributes.get(name, "") if account else "" for name in read}


def _effect(
    services: Services, customer: Customer, trial: Customer, subjects: Sequence[Subject], name: str
) -> Effect:
    inside = [subject for subject in subjects if subject.outside is None]
    links = services.store(Meter()).of(customer.key).links()
    held = _held(
        services, customer, trial, [links[s.person.guid] for s in inside if s.person.guid in links], name
    )
    counts = dict.fromkeys(("change", "new", "left", "unknown"), 0)
    examples: list[Example] = []
    for subject in inside:
        guid, value = subject.person.guid, subject.desired.fields.get(name)
        before = held.get(guid)
        if value is None:
            counts["left"] += 1
            continue
        if guid in links and before is None:
            counts["unknown"] += bool(value)
            continue
        if not diff({name: value}, {name: before or ""}, trial.fields):
            continue
        counts["new" if before is None else "change"] += 1
        if len(examples) < EXAMPLES:
            examples.append(Example(subject.name, subject.person.dn, before, value))
    return Effect(len(inside), **counts, examples=tuple(examples))


def _held(
    services: Services, customer: Customer, trial: Customer, links: Sequence[Link], name: str
) -> dict[ObjectGuid, str]:
    """Return what Halo holds in the field, where that is known or can be read from its lists."""
    if name in customer.fields:
        return {link.guid: link.fields.get(name, "") for link in links}
    if not links or name in trial.custom_fields():
        return {}
    with services.open_halo(trial, Meter(), lambda: None) as halo:
        users = {
            user.id: user for client in sorted({link.client for link in links}) for user in halo.users(client)
        }
    known = {link.guid: users[link.user].fields.get(name) for link in links if link.user in users}
    return {guid: value for guid, value in known.items() if value is not None}
