"""Explaining: one person in four steps, found, in scope, matched, changes; and writing just that person."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from halo_adsync.asking import account_request
from halo_adsync.customer import Customer
from halo_adsync.errors import BadRequest, NotFound
from halo_adsync.model import Link, Meter, Person
from halo_adsync.plan.scope import Scoping
from halo_adsync.plan.types import SITE, Change, Kind, Record
from halo_adsync.services import Services
from halo_adsync.state.customer_state import CustomerState
from halo_adsync.state.runs import Run
from halo_adsync.sync import Sync


@dataclass(frozen=True, slots=True)
class Account:
    """An account that a person's name, address, DN or GUID led to."""

    person: Person
    outside: str | None
    """Why the account is not in scope, as far as the OUs, groups and its state tell."""
    netbios: str = ""
    """The NetBIOS name of its domain."""


@dataclass(frozen=True, slots=True)
class Step:
    """One of the four steps."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a run for one person says of that person; without steps where the run came to nothing."""

    run: Run
    steps: tuple[Step, ...]
    changes: tuple[Change, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the run with `steps` and `changes`, as `--json` and the HTTP API show it."""
        return {
            **self.run.summary(),
            "steps": [asdict(step) for step in self.steps],
            "changes": [change.as_json() for change in self.changes],
        }


def find_account(services: Services, customer: Customer, key: str, meter: Meter) -> Account:
    """Find the one account that is meant, in scope or not.

    Args:
        services: where directories are opened.
        customer: whose directories.
        key: an objectGUID, a DN, a logon name, a UPN or a mail address.
        meter: counts the searches.

    Raises:
        NotFound: no directory has such an account.
        BadRequest: several have, or the key is empty.
        IncompleteRead, DirectoryRefused: a directory did not answer.
    """
    if not key.strip() or any("\ud800" <= character <= "\udfff" for character in key):
        raise BadRequest("Name a person by GUID, DN, logon name, UPN or mail address, in valid text.")
    found: list[Account] = []
    anchors = services.store(meter).of(customer.key).known().anchors
    for block in customer.directories:
        with services.open_directory(block, meter) as directory:
            read = directory.read(account_request(customer, block, key, anchors), lambda _: None)
        scoping = Scoping(customer, read, services.now())
        found += [Account(person, scoping.why_not(person), read.netbios) for person in read.people]
    if not found:
        raise NotFound(
            f'No account in the directories of {customer.id} goes by "{key}", be it as GUID, DN, logon'
            " name, UPN or mail. Check the spelling; computers are not people."
        )
    if len(found) > 1:
        names = "; ".join(account.person.dn for account in found[:10])
        raise BadRequest(f'{len(found)} accounts go by "{key}": give the DN of one of them ({names}).')
    return found[0]


def explain(sync: Sync, services: Services, customer: str, key: str, actor: str) -> Explanation:
    """Make a dry run for one person, here and now, and say what it made of that person.

    The run's status says how far it came: it is still open where it has to wait for Halo's budget and went to
    the queue, and `skipped` where another run was going on.

    Raises:
        NotFound, BadRequest, IncompleteRead, DirectoryRefused: as `find_account`; no run came about.
    """
    store = services.store(Meter())
    found = store.customer(customer)
    account = find_account(services, found, key, Meter())
    request = sync.new_run(found.id, "full", "HTTP", actor, dry_run=True, person=account.person.guid)
    return explained(sync.run(request), account, store.of(found.key))


def explained(run: Run, account: Account, state: CustomerState) -> Explanation:
    """Say what a run made of the person that it was for."""
    changes = tuple(line.change for line in state.outcomes(run))
    link = state.links().get(account.person.guid)
    is_over = not run.message and not run.status.is_open
    agent = state.agent_links().get(account.person.guid)
    said = (*steps(account, link, changes), *agent_steps(account, agent, changes)) if is_over else ()
    return Explanation(run, said, changes)


def steps(account: Account, link: Link | None, changes: Sequence[Change]) -> tuple[Step, ...]:
    """Say what the plan makes of one person, from its lines of a plan for that person alone."""
    own = _own(account, changes, Record.USER)
    found = Step("Found", f"{account.person.dn} ({account.person.guid})")
    outside = account.outside
    if outside is None and own is None and link is None:
        outside = "it does not match scope.filter"
    if outside is not None and (own is None or own.kind in {Kind.SKIPPED, Kind.HELD}):
        last = Step("Changes", own.reason if own else "none")
        return found, Step("In scope", f"no: {outside}"), Step("Matched", _matched(own, link)), last
    return (
        found,
        Step("In scope", _placed(own)),
        Step("Matched", _matched(own, link)),
        Step("Changes", _changes(own)),
    )


def _placed(own: Change | None) -> str:
    if own is None or not own.placed_by:
        return "yes"
    site = own.fields.get(SITE)
    return f"yes; placed{f' in {site.after}' if site else ''} by {own.placed_by}"


def agent_steps(account: Account, link: Link | None, changes: Sequence[Change]) -> tuple[Step, ...]:
    """Say what the plan makes of a person as an agent; nothing of somebody who is none."""
    own = _own(account, changes, Record.AGENT)
    if own is None and link is None:
        return ()
    return (Step("Agent", f"Halo agent {link.user}; {_changes(own)}" if link else _changes(own)),)


def _own(account: Account, changes: Sequence[Change], record: Record) -> Change | None:
    """Return the line about one of somebody's records."""
    own = (change for change in changes if change.guid == account.person.guid and change.record is record)
    return next(own, None)


def _matched(own: Change | None, link: Link | None) -> str:
    if link is not None:
        return f"Halo user {link.user}, by an earlier link"
    if own is not None and own.kind is Kind.CONFLICT:
        return f"conflict: {own.reason}"
    if own is not None and own.adopts:
        return own.reason
    return "nobody in Halo"


def _changes(own: Change | None) -> str:
    if own is None or (own.kind is Kind.UNCHANGED and not own.adopts):
        return "none: Halo holds what it should"
    return f"{own.kind.value}: {own.reason}"
