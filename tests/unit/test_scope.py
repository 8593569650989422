"""Scope: nested inclusion and exclusion, several directories, and the order of reasons."""

from dataclasses import replace
from datetime import timedelta

import pytest

from halo_adsync.plan.scope import Scoping
from tests.support.plan import NOW, customer, guid, ou, person, read, tree

OUS = tree("People/Leeds/Contractors", "People/Service Accounts", "Other")


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("People", True),
        ("People/Leeds/Contractors", True),
        ("People/Service Accounts", False),
        ("Other", False),
        ("", False),
        ("Nowhere", False),
    ],
)
def test_an_ou_brings_what_is_below_it_but_for_what_is_carved_out(path: str, inside: bool) -> None:
    """Exclusion is stronger than inclusion; what stands in an unknown container is in no OU in scope."""
    who = customer(scope={"include": [ou("People")], "exclude": [ou("People/Service Accounts")]})
    scoping = Scoping(who, read(who, OUS, []), NOW)
    assert (scoping.why_not(person(1, path)) is None) == inside


def test_without_include_everybody_is_in_scope() -> None:
    """A file that names no OU means the whole directory."""
    who = customer(scope={"exclude": [ou("Other")]})
    scoping = Scoping(who, read(who, OUS, []), NOW)
    assert scoping.why_not(person(1, "People")) is None
    assert scoping.why_not(person(1, "Other")) is not None


def test_an_include_of_another_directory_brings_nobody_in_here() -> None:
    """With two directories, an OU of one does not put all of the other in scope."""
    who = customer(scope={"include": ["OU=People,DC=elsewhere"]})
    assert Scoping(who, read(who, OUS, []), NOW).why_not(person(1)) is not None


def test_one_of_several_groups_is_enough() -> None:
    """Groups in scope add up, and an empty group brings nobody."""
    who = customer(scope={"groups": ["CN=A,DC=x", "CN=B,DC=x", "CN=C,DC=x"]})
    members = {"CN=A,DC=x": frozenset({guid(1)}), "CN=B,DC=x": frozenset({guid(2)}), "CN=C,DC=x": frozenset()}
    scoping = Scoping(who, read(who, OUS, [], members), NOW)
    assert [scoping.why_not(person(number)) is None for number in (1, 2, 3)] == [True, True, False]


def test_expiry_counts_from_its_moment() -> None:
    """An account is out of scope from the second in which it expires, and says the day."""
    scoping = Scoping(customer(), read(customer(), OUS, []), NOW)
    assert scoping.why_not(replace(person(1), expires=NOW + timedelta(seconds=1))) is None
    assert scoping.why_not(replace(person(1), expires=NOW)) == "the account expired on 2026-11-23"


def test_the_place_is_the_first_reason() -> None:
    """Somebody disabled in an OU that nobody asked for is out of scope, not a leaver for being disabled."""
    who = customer(scope={"include": [ou("People")]})
    scoping = Scoping(who, read(who, OUS, []), NOW)
    assert scoping.why_not(replace(person(1, "Other"), enabled=False)) == "in no OU that is in scope"
