"""Halo fails, at every phase of a run, once or for good."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from devstack.halo.messages import LoggedRequest
from tests.chaos.matrix import Matrix, some
from tests.chaos.world import CHANGES, FIRST, Company

type Places = dict[tuple[str, str], list[int]]

SIGN_IN, LOOK, SITES, PEOPLE, CHECK = "sign-in", "reading", "sites", "people", "tickets"
FAULTS: Mapping[str, Mapping[str, Any]] = {
    "hangs up, nothing stored": {"kind": "drop_before_commit"},
    "stores and hangs up": {"kind": "drop_after_commit"},
    "stores and answers 500": {"kind": "fail_after_commit", "status": 500},
    "stores a part, answers 500": {"kind": "partial", "status": 500, "elements": 1},
    "answers 401": {"kind": "status", "status": 401},
    "answers 403": {"kind": "status", "status": 403},
    "answers 429": {"kind": "status", "status": 429},
    "answers 429, Retry-After": {"kind": "status", "status": 429, "retry_after": 7},
    "answers 500": {"kind": "status", "status": 500},
    "answers 502 with HTML": {"kind": "status", "status": 502},
    "answers 503, Retry-After": {"kind": "status", "status": 503, "retry_after": 7},
    "answers half a JSON": {"kind": "malformed"},
    "answers in another order": {"kind": "reordered"},
    "an empty page": {"kind": "empty_page"},
    "a count too high": {"kind": "wrong_count", "difference": 1},
    "a count too low": {"kind": "wrong_count", "difference": -1},
}
RIDDEN_OUT = {
    "hangs up, nothing stored",
    "stores and hangs up",
    "stores and answers 500",
    "stores a part, answers 500",
    "answers 429",
    "answers 429, Retry-After",
    "answers 500",
    "answers 502 with HTML",
    "answers 503, Retry-After",
    "answers in another order",
}
"""What a run gets over by itself where it happens once."""
DAYS = {FIRST: (SIGN_IN, LOOK, SITES, PEOPLE), CHANGES: (SIGN_IN, LOOK, SITES, PEOPLE, CHECK)}
CASES = [(day, phase) for day, phases in DAYS.items() for phase in phases]
STRIKES = [(fault, how_often) for fault in FAULTS for how_often in ("once", "for good")]


@pytest.fixture(scope="module")
def places(company: Company) -> Places:
    """Return which requests of a run in good order are of which phase, by their number."""
    found: Places = {case: [] for case in CASES}
    for day in DAYS:
        world = company.begin(day)
        assert world.attempt() == "ok"
        for number, phase in enumerate(_phases(world.stage.halo.requests)):
            found[day, phase].append(number)
    assert all(found.values()), "there is a phase without a request"
    return found


@pytest.mark.parametrize("strike", STRIKES, ids=", ".join)
@pytest.mark.parametrize("case", CASES, ids=", ".join)
def test_halo_fails(
    company: Company, matrix: Matrix, places: Places, case: tuple[str, str], strike: tuple[str, str]
) -> None:
    """Nothing is lost, doubled or taken for a departure, and the run says how it ended."""
    (day, phase), (fault, how_often) = case, strike
    with matrix.case(f"Halo, {day}", ", ".join(strike), phase) as outcomes:
        for place in some(places[case]):
            world = company.begin(day)
            request = world.stage.request()
            times = 1 if how_often == "once" else None
            world.stage.halo.faults.add(**FAULTS[fault], after=place, times=times)
            outcome = world.attempt(request)
            outcomes[outcome] += 1
            if times and fault in RIDDEN_OUT:
                assert outcome == "ok"
            world.recover(request)


def _phases(requests: Sequence[LoggedRequest]) -> list[str]:
    phases: list[str] = []
    for request in requests:
        if not request.path.lower().startswith("/api/") or "authinfo" in request.path.lower():
            phases.append(SIGN_IN)
        elif request.method == "GET":
            phases.append(CHECK if {SITES, PEOPLE} & set(phases) else LOOK)
        else:
            phases.append(SITES if request.path.lower().startswith("/api/site") else PEOPLE)
    return phases
