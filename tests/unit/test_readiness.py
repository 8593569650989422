"""Readiness: who would not be signed in to Halo automatically, and each reason for it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from halo_adsync.customer import Customer
from halo_adsync.model import EntraAccount, Person
from halo_adsync.plan.facts import NOTHING_MORE, Facts
from halo_adsync.plan.readiness import Readiness, Reason, judge, why_not_routable
from halo_adsync.plan.survey import survey
from tests.support.plan import NOW, TARGET, customer, guid, ou, person, read, tree

LOGIN = "{{ netbios }}\\{{ sAMAccountName }}"


def judged(who: Customer, people: Iterable[Person], facts: Facts = NOTHING_MORE) -> Readiness:
    """Judge these people of a directory with the OUs People and Elsewhere."""
    reads = [read(who, tree("People", "Elsewhere"), people)]
    return judge(who, reads, NOW, survey(who, reads, NOW, TARGET), facts)


def ready(number: int, path: str = "People", **attributes: str) -> Person:
    """Return somebody with a principal name that Entra can verify."""
    return person(number, path, **{"userprincipalname": f"u{number}@corp.example.com", **attributes})


def reasons(found: Readiness) -> dict[str, list[Reason]]:
    """Return the reasons by GUID."""
    return {one.guid: [obstacle.reason for obstacle in one.obstacles] for one in found.unready}


def test_who_has_a_login_and_a_name_that_can_be_verified_is_ready() -> None:
    """Nothing is said of people with nothing in their way but that they are there."""
    found = judged(customer(), [ready(1), ready(2)])
    assert (found.people, found.ready, found.unready) == (2, 2, ())
    assert set(found.counts().values()) == {0}


def test_no_login_says_why() -> None:
    """A login that is not mapped, is blank, or cannot be made: each is no login, the last with the reason."""
    for source, why in (("pager", "gives no login"), ("{{ cn | date('%Y') }}", "date wants")):
        who = customer(fields={"name": "displayName", "login": source})
        found = judged(who, [ready(1, cn="x")])
        assert reasons(found) == {guid(1): [Reason.NO_LOGIN]}
        assert why in found.unready[0].obstacles[0].text
    assert judged(customer(fields={"name": "displayName"}), [ready(1)]).counts()["no_login"] == 1


def test_a_login_that_two_have_is_named_on_both_sides() -> None:
    """Case does not tell logins apart; people out of scope do not count; each names another one's DN."""
    who = customer(
        fields={"name": "displayName", "Login": "sAMAccountName"}, scope={"include": [ou("People")]}
    )
    people = [
        ready(1, samaccountname="Ada"),
        ready(2, samaccountname="ada"),
        ready(3, samaccountname="bob"),
        ready(4, "Elsewhere", samaccountname="bob"),
    ]
    found = judged(who, people)
    assert reasons(found) == {guid(1): [Reason.DUPLICATE_LOGIN], guid(2): [Reason.DUPLICATE_LOGIN]}
    assert [people[1].dn in one.obstacles[0].text for one in found.unready] == [True, False]


def test_many_with_one_login_are_counted() -> None:
    """The text names one of the others and the number of the rest."""
    who = customer(fields={"name": "displayName", "login": "{{ 'shared' }}"})
    found = judged(who, [ready(number) for number in range(1, 5)])
    assert all("and 2 more has the same login" in one.obstacles[0].text for one in found.unready)


def test_accounts_out_of_use_are_listed_and_people_out_of_scope_are_not() -> None:
    """Disabled and expired accounts of the scope are there with that reason alone; elsewhere nobody is."""
    who = customer(scope={"include": [ou("People")]})
    people = [
        replace(ready(1), enabled=False),
        replace(ready(2, userprincipalname=""), expires=NOW - timedelta(days=1)),
        replace(ready(3, "Elsewhere"), enabled=False),
        ready(4),
    ]
    found = judged(who, people)
    assert reasons(found) == {guid(1): [Reason.DISABLED], guid(2): [Reason.DISABLED]}
    assert [one.obstacles[0].text for one in found.unready] == [
        "the account is disabled",
        "the account expired on 2026-11-22",
    ]
    assert (found.people, found.ready) == (3, 1)


def test_a_disabled_account_takes_no_login_from_anybody() -> None:
    """Whose account is out of use does not make another's login a duplicate."""
    who = customer(fields={"name": "displayName", "login": "{{ 'x' }}"})
    found = judged(who, [ready(1), replace(ready(2), enabled=False)])
    assert reasons(found) == {guid(2): [Reason.DISABLED]}


@pytest.mark.parametrize(
    ("principal", "part"),
    [
        ("", "no user principal name"),
        ("ada", "no user principal name"),
        ("ada@", "no user principal name"),
        ("@corp.example.com", "no user principal name"),
        ("ada@corp", "corp, has no dot"),
        ("ada@CORP.Local", "ends in .local"),
        ("ada@corp.internal", "ends in .internal"),
        ("ada@corp.lan.", "ends in .lan"),
        ("ada@10.0.0.1", "no name of the internet"),
        ("ada@corp_x.com", "no name of the internet"),
        ("ada@corp..com", "no name of the internet"),
    ],
)
def test_a_principal_name_that_entra_cannot_verify(principal: str, part: str) -> None:
    """What is wrong with the domain is said; the name before it is nobody's business."""
    why = why_not_routable(principal)
    assert why is not None
    assert part in why
    assert "ada" not in why


@pytest.mark.parametrize("principal", ["ada@contoso.com", "a@b@x.co.uk", "ada@müller.de", "ada@LOCAL.org"])
def test_a_principal_name_that_entra_can_verify(principal: str) -> None:
    """Any domain that somebody can own will do, international ones and several signs before it included."""
    assert why_not_routable(principal) is None


def test_somebody_may_have_several_reasons() -> None:
    """All that stands in the way is told at once, and each reason is counted."""
    who = customer(fields={"name": "displayName", "login": "pager"})
    found = judged(who, [ready(1, userprincipalname="u1@corp.local")])
    assert reasons(found) == {guid(1): [Reason.NO_LOGIN, Reason.UPN_NOT_ROUTABLE]}
    counts: dict[str, Any] = found.as_json()["counts"]
    assert {reason: number for reason, number in counts.items() if number} == {
        "no_login": 1,
        "upn_not_routable": 1,
    }


def test_what_entra_has_is_judged_where_it_was_read() -> None:
    """Not there, disabled, or under another name: each is a reason; unread, Entra gives a warning only."""
    people = [ready(number) for number in range(1, 5)]
    accounts = {
        guid(1): EntraAccount("a", enabled=True, principal="u1@corp.example.com"),
        guid(2): EntraAccount("b", enabled=False, principal="u2@corp.example.com"),
        guid(3): EntraAccount("c", enabled=True, principal="u3@corp.OnMicrosoft.com"),
    }
    assert reasons(judged(customer(), people, Facts(accounts))) == {
        guid(2): [Reason.DISABLED],
        guid(3): [Reason.UPN_NOT_ROUTABLE],
        guid(4): [Reason.NOT_IN_ENTRA],
    }
    unread = judged(customer(), people, Facts(warnings=("Entra could not be read.",)))
    assert (unread.unready, unread.warnings) == ((), ("Entra could not be read.",))
