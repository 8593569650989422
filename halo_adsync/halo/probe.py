"""`halo probe`: settles on a live instance what no public source says about Halo's API. It only reads.

Every question stands for itself: what cannot be asked, because Halo refuses or does not answer, is a finding
too. No finding holds a person's data.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from halo_adsync.errors import HaloRefused, HaloUnavailable
from halo_adsync.halo.client import HaloApi
from halo_adsync.halo.codec import (
    DN_FIELD,
    EMAIL_FIELD,
    GUID_FIELD,
    LOGIN_FIELD,
    USERS,
    Record,
    exact_search,
    is_general,
    plain_text,
    record_id,
)
from halo_adsync.halo.pages import INACTIVE_TOO, page_parameters, record_count, records
from halo_adsync.halo.tickets import ACTIONS, PRIVATE_NOTE, TICKETS

_WISHED = (GUID_FIELD, LOGIN_FIELD, DN_FIELD)
_SEARCHED = (EMAIL_FIELD, LOGIN_FIELD, GUID_FIELD)
_LARGE_PAGE = 1000
_TICKETS = 5
"""How many tickets' actions are looked at."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one question was answered with on this instance, and what follows from it."""

    question: str
    answer: str
    meaning: str


type Question = Callable[[HaloApi], Iterator[Finding]]


def probe(api: HaloApi) -> list[Finding]:
    """Ask every question; about 20 requests, none of which writes.

    Raises:
        HaloRefused, HaloUnavailable: signing in failed.
        BudgetSpent: no request may be sent for longer than this run waits.
    """
    api.sign_in()
    findings: list[Finding] = []
    for question, ask in _QUESTIONS.items():
        try:
            findings += ask(api)
        except (HaloRefused, HaloUnavailable) as error:
            findings.append(Finding(question, str(error), "not settled on this instance"))
    return findings


def _authority(api: HaloApi) -> Iterator[Finding]:
    said = api.auth_info()
    named = [name for name in ("auth_url", "tenant_id") if plain_text(said.get(name))]
    yield Finding(
        "Does /authinfo say where to sign in?",
        f"it names {' and '.join(named)}" if named else "it names nothing",
        "halo.auth_url and halo.tenant can be left out" if named else "halo.auth_url has to be set",
    )


def _version(api: HaloApi) -> Iterator[Finding]:
    body = api.get("/InstanceInfo")
    found = {k: plain_text(v) for k, v in body.items() if "version" in k} if isinstance(body, dict) else {}
    yield Finding(
        "Which version is it?",
        ", ".join(f"{name} {value}" for name, value in sorted(found.items())) or "/InstanceInfo does not say",
        "to be named when something is reported",
    )


def _lists(api: HaloApi) -> Iterator[Finding]:
    body, rows = _users(api)
    carried = frozenset[str]().union(*rows)
    lacking = [name for name in _WISHED if name not in carried]
    yield Finding(
        "Does the list of users carry the stamp, the login and the DN?",
        f"it lacks {', '.join(lacking)}" if lacking else "it carries all of them",
        "each user is fetched singly when one of these is needed" if lacking else "lists suffice",
    )
    total = record_count(body)
    capped = "" if total is None or total > len(rows) else " (there are no more)"
    yield Finding(
        f"How long is a page when {_LARGE_PAGE} records are asked for?",
        f"{len(rows)} of {'an unknown number' if total is None else total}{capped}",
        "a full read of the users takes that many records a request",
    )


def _inactive(api: HaloApi) -> Iterator[Finding]:
    everybody = record_count(api.get("/Users", {**INACTIVE_TOO, **page_parameters(1, 1)}))
    active = record_count(api.get("/Users", page_parameters(1, 1)))
    works = everybody is not None and active is not None and everybody > active
    yield Finding(
        "Are inactive users shown when they are asked for?",
        f"{everybody} users with them, {active} without",
        "returning leavers are found" if works else "unclear: there may be no inactive user to show",
    )


def _filters(api: HaloApi) -> Iterator[Finding]:
    _, rows = _users(api)
    for name in _SEARCHED:
        known = next((row for row in rows if not is_general(row) and plain_text(row.get(name))), None)
        question = f"Does advanced_search know {name}?"
        if known is None:
            yield Finding(question, "no listed user has a value there", "not settled on this instance")
            continue
        hits, misses = _search(api, name, plain_text(known[name])), _search(api, name, str(uuid4()))
        works = record_id(known) in map(record_id, hits) and not misses
        yield Finding(
            question,
            f"{len(hits)} hits for a value that exists, {len(misses)} for one that does not",
            "single users are looked up with it"
            if works
            else "it is ignored: users are read in full instead",
        )


def _envelopes(api: HaloApi) -> Iterator[Finding]:
    for path in ("/Agent", "/Team"):
        body = api.get(path)
        lists = [k for k, v in body.items() if isinstance(v, list)] if isinstance(body, dict) else []
        shape = f"an object with a list in {', '.join(lists)}" if lists else "a bare array"
        yield Finding(f"How does {path} answer?", shape, "any of the known shapes is read")


def _limits(api: HaloApi) -> Iterator[Finding]:
    headers = api.ask("/Users", page_parameters(1, 1)).headers
    said = sorted(name for name in headers if "ratelimit" in name.lower().replace("-", ""))
    yield Finding(
        "Do answers tell how much of the rate limit is left?",
        ", ".join(f"{name}: {headers[name]}" for name in said) or "no header does",
        "halo.budget can be set after it" if said else "halo.budget stays a matter of experience",
    )


def _reports(api: HaloApi) -> Iterator[Finding]:
    status = api.ask("/Report", page_parameters(1, 1)).status
    allowed = 200 <= status < 300  # noqa: PLR2004 - the range of success (RFC 9110)
    yield Finding(
        "May this application read reports?",
        f"GET /Report was answered with {status}",
        "reading all users by one report may be possible" if allowed else "users are read by lists only",
    )


def _notes(api: HaloApi) -> Iterator[Finding]:
    tickets = records(api.get("/Tickets", page_parameters(1, _TICKETS)), TICKETS)[:_TICKETS]
    notes = set()
    for ticket in tickets:
        query = {"ticket_id": plain_text(record_id(ticket)), "excludesys": "true"}
        rows = records(api.get("/Actions", query), ACTIONS)
        notes |= {_outcome(row) for row in rows if row.get("hiddenfromuser") is True}
    ours = _outcome(PRIVATE_NOTE)
    yield Finding(
        "How is a private note on a ticket called?",
        ", ".join(sorted(notes)) or f"none stands on {len(tickets)} tickets",
        f"the end of a trouble is noted as {ours}, as it is called here"
        if ours in notes
        else f"not settled: the end of a trouble is noted as {ours}",
    )


def _outcome(action: Record) -> str:
    return f"{plain_text(action.get('outcome'))} ({plain_text(action.get('outcome_id'))})"


_QUESTIONS: dict[str, Question] = {
    "Does /authinfo say where to sign in?": _authority,
    "Which version is it?": _version,
    "What does the list of users carry?": _lists,
    "Are inactive users shown when they are asked for?": _inactive,
    "Which fields does advanced_search know?": _filters,
    "How do /Agent and /Team answer?": _envelopes,
    "Do answers tell how much of the rate limit is left?": _limits,
    "May this application read reports?": _reports,
    "How is a private note on a ticket called?": _notes,
}


def _users(api: HaloApi) -> tuple[Any, list[Record]]:
    body = api.get("/Users", {**INACTIVE_TOO, **page_parameters(1, _LARGE_PAGE)})
    return body, records(body, USERS)


def _search(api: HaloApi, name: str, value: str) -> list[Record]:
    query = {**INACTIVE_TOO, **page_parameters(1), "advanced_search": exact_search(name, value)}
    return records(api.get("/Users", query), USERS)
