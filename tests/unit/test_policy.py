"""Policies: what each lets through, and what becomes of the rest."""

import pytest

from halo_adsync.plan.policy import ALLOWED, allow
from halo_adsync.plan.types import BUCKETS, STRUCTURE, WRITES, Change, FieldChange, Kind
from tests.support.plan import guid

LETS = {
    "create_only": {Kind.CREATE},
    "upsert_only": {Kind.CREATE, Kind.UPDATE, Kind.MOVE, Kind.REACTIVATE},
    "full": set(WRITES),
}


def change(kind: Kind) -> Change:
    """Return a line of this kind, that adopts somebody into a place."""
    fields = {"title": FieldChange("a", "b")}
    return Change(kind, guid(1), "CN=Ada", "because", place="site:x", fields=fields, adopts=True)


@pytest.mark.parametrize("policy", list(ALLOWED))
@pytest.mark.parametrize("kind", WRITES)
def test_a_policy_lets_through_its_writes_and_holds_the_others(policy: str, kind: Kind) -> None:
    """A held line says which policy holds what, and is no work: no write, no link, no place."""
    given = change(kind)
    got = allow(given, policy)
    if kind in LETS[policy]:
        assert got is given
        return
    assert got.kind is Kind.HELD
    assert not got.is_work
    assert not got.place
    assert policy in got.reason
    assert kind.value in got.reason
    assert "because" in got.reason


@pytest.mark.parametrize("kind", [*(set(BUCKETS) - set(WRITES)), *STRUCTURE])
def test_what_writes_nobody_is_not_a_policys_business(kind: Kind) -> None:
    """An adoption that changes nothing, a conflict, a skip, a site: every policy leaves them as they are."""
    assert all(allow(change(kind), policy) == change(kind) for policy in ALLOWED)
