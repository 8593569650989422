"""Whole plans: first contact, people who come, change, leave and return, and what stays untouched."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from halo_adsync.errors import ConfigurationError
from halo_adsync.halo.codec import WIDTHS, canonical_text
from halo_adsync.model import HaloSiteId, Place
from halo_adsync.plan.make import blanks_to_verify
from halo_adsync.plan.mapping import Target
from halo_adsync.plan.match import STAMP
from halo_adsync.plan.select import only
from halo_adsync.plan.types import SITE, FieldChange, Kind, Record
from tests.support.plan import (
    CLIENT,
    NOW,
    customer,
    guid,
    line_of,
    link,
    ou,
    ou_guid,
    person,
    placed,
    plan,
    side,
    tree,
    user,
)

TARGET = Target(WIDTHS, canonical_text)
FIELDS = {"name": "{{ displayName or cn }}", "emailaddress": "mail", "login": "sAMAccountName"}


def test_every_line_of_somebody_in_scope_names_the_rule_that_placed_them() -> None:
    """In the plan for who changes, and in the plan for one person for who does not."""
    there = user(7, stamp=1, login="u1", name="Person 1")
    made = plan(customer(fields=FIELDS), side(there, link(1, 7)), [person(1), person(2)])
    lines = [*made.changes, *only(made, guid(1)).changes]
    assert {line.placed_by for line in lines if line.guid in {guid(1), guid(2)}} == {"the default site"}
    assert only(made, guid(1)).counts()["unchanged"] + only(made, guid(1)).counts()["update"] == 1
    assert line_of(made, 2).as_json()["placed_by"] == "the default site"


def test_two_people_without_or_with_the_same_mail_are_both_created() -> None:
    """An address is no identity: who has none, or shares one, is as new as everybody else."""
    people = [person(1), person(2), person(3, mail="desk@x"), person(4, mail="desk@x")]
    made = plan(customer(), side(), people)
    assert made.counts()["create"] == 4
    assert "emailaddress" not in line_of(made, 1).fields
    assert line_of(made, 3).fields["emailaddress"] == line_of(made, 4).fields["emailaddress"]


def test_an_adoption_stamps_links_and_changes_only_what_differs() -> None:
    """First contact is a line of its own kind: it names the rung, keeps equal fields and sets the stamp."""
    there = user(7, login="U1", emailaddress="old@x", name="Person 1", title="")
    made = plan(customer(fields=FIELDS), side(there), [person(1, mail="new@x")])
    line = line_of(made, 1)
    assert (line.kind, line.adopts, line.user) == (Kind.UPDATE, True, 7)
    assert "login" in line.reason
    assert line.fields == {
        "emailaddress": FieldChange("old@x", "new@x"),
        "login": FieldChange("U1", "u1"),
        STAMP: FieldChange("", guid(1)),
    }


def test_an_inactive_match_is_reactivated_not_created_again() -> None:
    """Who comes back finds the old record, by link or at first contact."""
    there = user(7, login="u1", active=False)
    made = plan(
        customer(fields=FIELDS),
        side(there, link(2, 8, active=False, name="Person 2")),
        [person(1), person(2)],
    )
    assert [line_of(made, number).kind for number in (1, 2)] == [Kind.REACTIVATE, Kind.REACTIVATE]
    assert line_of(made, 1).adopts
    assert made.counts()["create"] == 0


def test_who_is_disabled_or_expired_before_first_contact_is_not_created() -> None:
    """They are skipped with the reason, and a user of the same login is left alone."""
    people = [
        replace(person(1), enabled=False),
        replace(person(2), expires=NOW - timedelta(days=1)),
        replace(person(3), expires=NOW + timedelta(days=1)),
    ]
    made = plan(customer(fields=FIELDS), side(user(7, login="u1")), people)
    assert [line_of(made, number).kind for number in (1, 2, 3)] == [Kind.SKIPPED, Kind.SKIPPED, Kind.CREATE]
    assert "disabled" in line_of(made, 1).reason
    assert "2026-11-22" in line_of(made, 2).reason


def test_a_leaver_is_held_while_active_and_skipped_once_switched_off() -> None:
    """Out of scope or out of sight, an active user waits for a person; an inactive one needs nobody."""
    people = [replace(person(1), enabled=False), replace(person(2), enabled=False)]
    known = [link(1, 7), link(2, 8, active=False), link(3, 9), link(4, 10, active=False), link(5, 11)]
    switched_off = replace(user(11), active=False)
    made = plan(customer(), side(*known, switched_off), people)
    kinds = {number: line_of(made, number).kind for number in range(1, 6)}
    assert kinds == {1: Kind.HELD, 2: Kind.SKIPPED, 3: Kind.HELD, 4: Kind.SKIPPED, 5: Kind.SKIPPED}
    assert not made.work()


def test_a_linked_person_without_a_name_keeps_the_one_in_halo() -> None:
    """An empty name stops neither the other fields nor a move, and is never written, not even to clear it."""
    fields = {"name": {"from": "displayName", "blank": "clear"}, "title": "title"}
    who = customer(fields=fields)
    known = link(1, 7, name="Ada", title="Maid")
    made = plan(who, side(known), [person(1, displayname="", title="Engineer")])
    assert line_of(made, 1).fields == {"title": FieldChange("Maid", "Engineer")}
    assert line_of(made, 1).name == "Ada"
    new = plan(who, side(), [person(1, displayname="")])
    assert line_of(new, 1).kind is Kind.SKIPPED


@pytest.mark.parametrize("name", ["x" * 300, "🙂" * 300, "ab " * 100, "x" * 254 + "🙂🙂"])
def test_a_name_of_300_characters_is_cut_once_and_stays_as_it_is(name: str) -> None:
    """Halo stores 255 UTF-16 units; what it reads back is no change on the next run."""
    who = customer(fields={"name": "displayName"})
    first = line_of(plan(who, side(), [person(1, displayname=name)], target=TARGET), 1)
    stored = canonical_text("name", first.fields["name"].after)
    assert len(stored.encode("utf-16-le")) <= 2 * 255
    assert name.startswith(stored)
    assert "cut to the 255" in first.reason
    again = plan(who, side(link(1, 7, name=stored)), [person(1, displayname=name)], target=TARGET)
    assert again.unchanged == 1
    assert not again.changes


def test_a_user_who_is_not_in_halo_any_more_is_a_conflict_only_where_all_were_read() -> None:
    """Without having seen every user nothing is concluded from one that was not seen."""
    known, people = link(1, 7, name="Person 1"), [person(1)]
    who = customer(fields={"name": "displayName"})
    assert line_of(plan(who, side(known, complete=True), people), 1).kind is Kind.CONFLICT
    assert plan(who, side(known), people).unchanged == 1


def test_what_halo_was_seen_to_hold_counts_for_more_than_the_link() -> None:
    """Drift is repaired: a field, the site and the state are compared with the user that was read."""
    sites = [Place("site:name:york@x", CLIENT, HaloSiteId(102), "York")]
    known = link(1, 7, name="Person 1")
    who = customer(fields={"name": "displayName"})
    made = plan(who, side(known, user(7, stamp=1, name="Typed over", site=102), *sites), [person(1)])
    line = line_of(made, 1)
    assert line.kind is Kind.MOVE
    assert line.fields == {"name": FieldChange("Typed over", "Person 1"), SITE: FieldChange("York", "Main")}


def test_places_are_created_once_before_the_people_who_need_them() -> None:
    """The client, then its site, then the people; nothing is made for people who are held or skipped."""
    who = placed({"mirror": ou("Schools"), "site_level": 2, "client_level": 1}, default_site=None)
    ous = tree("Schools/North/Park", "Schools/South/Hill")
    people = [person(1, "Schools/North/Park"), person(2, "Schools/North/Park")]
    people += [replace(person(3, "Schools/South/Hill"), enabled=False)]
    made = plan(who, side(), people, ous)
    assert [change.kind for change in made.changes] == [
        Kind.CREATE_CLIENT,
        Kind.CREATE_SITE,
        Kind.CREATE,
        Kind.CREATE,
        Kind.SKIPPED,
    ]
    client, site = made.changes[:2]
    assert (client.name, client.guid, client.dn) == ("North", ou_guid("Schools/North"), ou("Schools/North"))
    assert (site.name, site.guid, site.client) == ("Park", ou_guid("Schools/North/Park"), client.place)
    assert {change.place for change in made.changes[2:4]} == {site.place}


def test_a_site_that_is_named_by_its_id_is_never_created() -> None:
    """Its client is not there yet, so the site cannot be either: an error, not a nameless site."""
    rule = {"ou": ou("People"), "site": {"id": 5}, "client": {"name": "Fabrikam"}}
    with pytest.raises(ConfigurationError, match=r"site 5.*Fabrikam"):
        plan(placed(rule), side(), [person(1)])


def test_a_plan_for_one_person_holds_that_person_and_the_places_it_needs() -> None:
    """Nobody else's line is left in, and no place that only others need."""
    who = placed({"mirror": ou("People"), "site_level": 1})
    ous = tree("People/Leeds", "People/York")
    made = plan(who, side(), [person(1, "People/Leeds"), person(2, "People/York")], ous)
    own = only(made, guid(2))
    assert [(change.kind, change.name) for change in own.changes] == [
        (Kind.CREATE_SITE, "York"),
        (Kind.CREATE, "Person 2"),
    ]
    assert own.unchanged == 0
    assert only(made, guid(9)).changes == ()


def test_two_masters_are_a_warning_with_their_number() -> None:
    """Users that Halo's own integration manages too are counted, not refused."""
    elsewhere = [user(number, managed_elsewhere=True) for number in (7, 8)]
    made = plan(customer(), side(*elsewhere, link(1, 7, name="Person 7")), [person(1)])
    assert [warning[:18] for warning in made.warnings] == ["1 of these users a"]


def test_the_digest_follows_the_work_and_nothing_else() -> None:
    """A reviewer approves what will be written: a new field changes it, a skipped person does not."""
    made = plan(customer(), side(), [person(1)])
    assert made.digest() != plan(customer(), side(), [person(1, title="x")]).digest()
    skipped = replace(person(2), enabled=False)
    assert made.digest() == plan(customer(), side(), [person(1), skipped]).digest()


def test_blanks_are_verified_where_only_a_link_says_that_they_are_blank() -> None:
    """Somebody may have typed into Halo since: who was not read is looked at before `fill_blank` writes."""
    who = customer(fields={"name": "displayName", "title": {"from": "title", "mode": "fill_blank"}})
    linked = [link(number, 10 + number, name=f"Person {number}", title="") for number in (1, 2, 3)]
    seen = replace(user(12, stamp=2, title=""), fields={"name": "Person 2", "title": ""})
    halo = side(*linked, seen)
    made = plan(who, halo, [person(1, title="x"), person(2, title="x"), person(3), person(4, title="x")])
    assert blanks_to_verify(who, made, halo) == (11,)


def test_a_plan_for_one_person_leaves_other_clients_out() -> None:
    """Of two clients to create, only the person's own is in the plan for that person."""
    who = placed({"mirror": ou("S"), "site_level": 2, "client_level": 1})
    made = plan(who, side(), [person(1, "S/A/X"), person(2, "S/B/X")], tree("S/A/X", "S/B/X"))
    own = only(made, guid(1))
    assert [(change.kind, change.name) for change in own.changes] == [
        (Kind.CREATE_CLIENT, "A"),
        (Kind.CREATE_SITE, "X"),
        (Kind.CREATE, "Person 1"),
    ]


def test_why_a_client_is_created_is_said() -> None:
    """One that mirrors an OU and one that the file names have reasons of their own."""
    rules: list[dict[str, Any]] = [
        {"mirror": ou("S"), "site_level": 2, "client_level": 1},
        {"ou": ou("F"), "site": {"name": "HQ"}, "client": {"name": "Fabrikam"}},
    ]
    made = plan(placed(*rules), side(), [person(1, "S/A/X"), person(2, "F")], tree("S/A/X", "F"))
    reasons = {change.name: change.reason for change in made.changes if change.kind is Kind.CREATE_CLIENT}
    assert "mirrors an OU" in reasons["A"]
    assert "customer file" in reasons["Fabrikam"]


def test_other_records_of_a_person_are_not_counted_among_people() -> None:
    """Everybody is in one bucket, however many records in Halo the plan speaks of."""
    made = plan(customer(), side(), [person(1)])
    agent = replace(line_of(made, 1), record=Record.AGENT)
    assert replace(made, changes=(*made.changes, agent)).counts() == made.counts()
    assert (agent.as_json()["record"], line_of(made, 1).as_json()["record"]) == ("agent", "user")
