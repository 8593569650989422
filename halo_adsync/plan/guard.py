"""Guard: the limits that a plan must not break without a person's consent.

A guard is a pure function that returns every violation it finds. `judge` asks them all, so that whoever
has to decide sees everything at once. More changes never break fewer limits, and a limit of 0 allows none.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from halo_adsync.customer import Customer, Limits
from halo_adsync.customer_values import NAMES_OF_PEOPLE
from halo_adsync.model import HaloClientId, HaloSiteId, Link, ObjectGuid, Place
from halo_adsync.plan.types import Change, Kind, Plan, Record, Violation

HUNDRED = 100.0


@dataclass(frozen=True, slots=True)
class Ground:
    """What a plan is judged against: how things stood before it."""

    links: Mapping[ObjectGuid, Link] = field(default_factory=dict)
    """Every link; the active ones are the populations of the customer, of its clients and of its sites."""
    places: Mapping[str, Place] = field(default_factory=dict)
    read: Mapping[str, int] = field(default_factory=dict)
    """How many people's accounts each directory answered with, by the directory's id."""
    before: Mapping[str, int] | None = None
    """The same at the last complete run; None before a customer's first one."""

    def active(self) -> Iterator[Link]:
        """Yield the links of the people who are active in Halo."""
        return (link for link in self.links.values() if link.active)


type Guard = Callable[[Customer, Plan, Ground], Iterable[Violation]]


def judge(customer: Customer, plan: Plan, ground: Ground) -> tuple[Violation, ...]:
    """Return every violation of every guard, in the order of the guards."""
    return tuple(violation for guard in GUARDS for violation in guard(customer, plan, ground))


def minds_everybody(customer: Customer, plan: Plan) -> bool:
    """Tell whether a plan's verdict may hang on how many people there are besides those it is about.

    It does not where nobody leaves a site, nor where so few do that every limit allows them in any case.
    """
    limits = customer.limits
    if _number(plan, Kind.CREATE) > limits.create:
        return True
    leaving = _number(plan, Kind.DEACTIVATE) + _number(plan, Kind.MOVE)
    strict = not (limits.deactivate.percent and limits.deactivate.count and limits.site_percent)
    return leaving > (0 if strict else limits.deactivate.always)


def safe_lines(customer: Customer, plan: Plan, ground: Ground) -> int:
    """Return how many lines of the plan's work may be applied without consent, from the first on.

    With `limits.blocked: deactivations` a plan that breaks no limit but by its deactivations, which stand
    last, does the rest; otherwise a plan that breaks a limit does nothing.
    """
    work = plan.work()
    if not judge(customer, plan, ground):
        return len(work)
    harmless = replace(plan, changes=tuple(c for c in plan.changes if c.kind is not Kind.DEACTIVATE))
    if customer.limits.blocked == "all" or judge(customer, harmless, ground):
        return 0
    return next((number for number, change in enumerate(work) if change.kind is Kind.DEACTIVATE), len(work))


def _directories(customer: Customer, _: Plan, ground: Ground) -> Iterator[Violation]:
    limits = customer.limits
    for directory, before in sorted((ground.before or {}).items()):
        now = ground.read.get(directory)
        lost = 0 if now is None else before - now
        if now == 0 and before:
            yield Violation(
                "directory.empty",
                0,
                HUNDRED,
                before,
                before,
                f"directory {directory} showed nobody at all, and {before} at the last complete run. Look at"
                " the account's rights and at scope in the customer file. If it is right, approve the run.",
            )
        elif lost > _allowed(before, limits.shrink_percent, limits):
            share = _percent(lost, before)
            yield Violation(
                "directory.shrink",
                limits.shrink_percent,
                share,
                lost,
                before,
                f"directory {directory} showed {lost} of {before} people less than at the last complete run"
                f" ({share:g} %; limits.shrink_percent allows {limits.shrink_percent:g} %). If it is right,"
                " approve the run, or raise the limit.",
            )


def _creations(customer: Customer, plan: Plan, ground: Ground) -> Iterator[Violation]:
    count, limit = _number(plan, Kind.CREATE), customer.limits.create
    if ground.before is not None and count > limit:
        yield Violation(
            "create",
            limit,
            count,
            count,
            sum(1 for _ in ground.active()),
            f"{count} people would be created (limits.create allows {limit} after the first run). If they are"
            " new, approve the run, or raise the limit; if Halo has them already, correct match or fields.",
        )


def _deactivations(customer: Customer, plan: Plan, ground: Ground) -> Iterator[Violation]:
    population = sum(1 for _ in ground.active())
    yield from _leaving("deactivate", "of the customer", _number(plan, Kind.DEACTIVATE), population, customer)


def _clients(customer: Customer, plan: Plan, ground: Ground) -> Iterator[Violation]:
    population = Counter(link.client for link in ground.active())
    if len(population) < 2:  # noqa: PLR2004 - one client is the whole customer, which has its own guard
        return
    leaving = Counter(base.client for base, client, _ in _departures(plan, ground) if client != base.client)
    for client, count in sorted(leaving.items()):
        name = f"of client {_client_name(ground, client)}"
        yield from _leaving("client", name, count, population[client], customer)


def _sites(customer: Customer, plan: Plan, ground: Ground) -> Iterator[Violation]:
    limits = customer.limits
    population = Counter(link.site for link in ground.active())
    leaving = Counter(base.site for base, _, site in _departures(plan, ground) if site != base.site)
    for site, count in sorted(leaving.items()):
        if count > _allowed(population[site], limits.site_percent, limits):
            share = _percent(count, population[site])
            yield Violation(
                "site.percent",
                limits.site_percent,
                share,
                count,
                population[site],
                f"site {_site_name(ground, site)} would lose {count} of its {population[site]} people"
                f" ({share:g} %; limits.site_percent allows {limits.site_percent:g} %), by deactivation or by"
                " a move. If it is right, approve the run, or raise the limit.",
            )


def _agents(_: Customer, plan: Plan, __: Ground) -> Iterator[Violation]:
    counts = plan.agent_counts()
    going = counts[Kind.DEACTIVATE.value]
    if going and not any(counts[kind.value] for kind in _STAYING):
        yield Violation(
            "agents.all",
            0,
            HUNDRED,
            going,
            going,
            f"every agent, {going} in number, would be disabled: nobody could work on tickets. Look at"
            " agents.groups and agents.ous in the customer file. If it is right, approve the run.",
        )


def _own_account(customer: Customer, plan: Plan, _: Ground) -> Iterator[Violation]:
    ours = {directory.bind.user.casefold() for directory in customer.directories}
    ours |= {name.rpartition("\\")[2] for name in ours}
    names = {name.partition("@")[0] for name in ours if "=" not in name}
    for change in plan.changes:
        if change.kind is not Kind.DEACTIVATE or change.base is None:
            continue
        held = {change.base.fields.get(name, "").casefold() for name in NAMES_OF_PEOPLE}
        logins = {name.rpartition("\\")[2] for name in held}
        if change.dn.casefold() in ours or (held & ours) or (logins & names):
            yield Violation(
                "own_account",
                0,
                1,
                1,
                1,
                f"the account that the sync itself reads with is among the leavers ({change.dn}): the next"
                " run could not sign in. Name it in leavers.keep, or approve the run.",
            )


_STAYING = (Kind.UNCHANGED, Kind.UPDATE, Kind.CREATE, Kind.REACTIVATE, Kind.HELD)
GUARDS: tuple[Guard, ...] = (
    _directories,
    _creations,
    _deactivations,
    _clients,
    _sites,
    _agents,
    _own_account,
)
"""The guards that every run is judged by."""


def _leaving(rule: str, whose: str, count: int, population: int, customer: Customer) -> Iterator[Violation]:
    """Judge how many people a customer or one of its clients loses: by share and by number."""
    limits, limit = customer.limits, customer.limits.deactivate
    what = "deactivated" if rule == "deactivate" else "deactivated or moved away"
    share = _percent(count, population)
    if count > _allowed(population, limit.percent, limits):
        yield Violation(
            f"{rule}.percent",
            limit.percent,
            share,
            count,
            population,
            f"{count} of the {population} people {whose} would be {what} ({share:g} %;"
            f" limits.deactivate.percent allows {limit.percent:g} %). If it is right, approve the run, or"
            " raise the limit.",
        )
    if count > limit.count and (count > limit.always or not limit.count):
        yield Violation(
            f"{rule}.count",
            limit.count,
            count,
            count,
            population,
            f"{count} people {whose} would be {what} (limits.deactivate.count allows {limit.count}). If it is"
            " right, approve the run, or raise the limit.",
        )


def _allowed(population: int, percent: float, limits: Limits) -> float:
    """Return how many of a population a percentage allows: the first few in any case, but at 0 nobody."""
    return max(limits.deactivate.always, population * percent / HUNDRED) if percent else 0


def _departures(plan: Plan, ground: Ground) -> Iterator[tuple[Link, HaloClientId | None, HaloSiteId | None]]:
    """Yield the link of everybody whom a site loses, with the client and site that they stand in then."""
    for change in plan.changes:
        if change.base is None or change.adopts or change.record is not Record.USER:
            continue
        link = ground.links.get(ObjectGuid(change.guid))
        if link is None or not link.active:
            continue
        if change.kind is Kind.DEACTIVATE:
            yield link, None, None
        elif change.kind is Kind.MOVE:
            place = ground.places.get(change.place)
            yield (
                link,
                (place.client if place else _client_to_come(plan, ground, change)),
                (place.site if place else None),
            )


def _client_to_come(plan: Plan, ground: Ground, change: Change) -> HaloClientId | None:
    """Return the client of a site that the plan creates; None where that is created as well."""
    site = next((line for line in plan.changes if line.place == change.place and line.client), None)
    client = ground.places.get(site.client) if site else None
    return client.client if client else None


def _number(plan: Plan, kind: Kind) -> int:
    return sum(1 for change in plan.changes if change.kind is kind and change.record is Record.USER)


def _percent(count: int, population: int) -> float:
    return round(HUNDRED * count / population, 1) if population else HUNDRED


def _client_name(ground: Ground, client: HaloClientId) -> str:
    found = (place.name for place in ground.places.values() if place.site is None and place.client == client)
    return next((f'"{name}"' for name in found), str(client))


def _site_name(ground: Ground, site: HaloSiteId) -> str:
    found = (place.name for place in ground.places.values() if place.site == site)
    return next((f'"{name}"' for name in found), str(site))
