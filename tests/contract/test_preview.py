"""Trying an expression before it is written into the file: on one person, and on everybody in scope."""

from collections.abc import Iterator

import pytest

from devstack.directory import Directory
from devstack.halo import SimulatedHalo
from devstack.memory import MemoryTable
from halo_adsync.bootstrap import HALO_FIELDS
from halo_adsync.errors import BadRequest, NotFound
from halo_adsync.model import Meter
from halo_adsync.previewing import Preview, preview
from tests.contract.halo_desk import Time
from tests.contract.sync_stage import CUSTOMER, HEADCOUNT, Stage, company


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    """The company's directory."""
    with company() as running:
        yield running


@pytest.fixture
def stage(directory: Directory) -> Iterator[Stage]:
    """A customer of whom nobody is in Halo yet."""
    time = Time()
    with SimulatedHalo(clock=time.seconds) as halo:
        yield Stage(directory, halo, MemoryTable(Meter()), time)


def tried(stage: Stage, expression: str, person: str | None = None, field: str | None = None) -> Preview:
    """Try an expression on the stage."""
    customer = stage.builder.store().customer(CUSTOMER)
    services = stage.builder.services()
    return preview(services, customer, expression, person=person, field=field, halo_fields=HALO_FIELDS)


def test_a_person_shows_the_value_and_what_it_is_made_of(stage: Stage) -> None:
    """What the file does not read is read all the same; an empty one is named; Halo is not asked."""
    shown = tried(stage, "{{ title or (userPrincipalName ~ netbios) | upper }}", "p01")
    assert shown.value is not None
    assert shown.value.endswith("CORP")
    assert shown.attributes.keys() == {"title", "userprincipalname"}
    assert shown.as_json()["empty"] == [name for name, value in shown.attributes.items() if not value]
    assert "title" in shown.as_json()["empty"]
    assert (shown.outside, shown.effect) == (None, None)
    assert shown.person is not None
    assert shown.person.dn.endswith("OU=Leeds,OU=People,DC=corp,DC=example")
    assert stage.halo.requests == []


def test_a_person_out_of_scope_is_shown_with_the_reason(stage: Stage) -> None:
    """Whoever has an account can be looked at; a value that cannot be made is none, with a note."""
    shown = tried(stage, "{{ sAMAccountName | date('%Y') }}", "gone")
    assert shown.outside is not None
    assert shown.value is None
    assert "date wants" in shown.notes[0]


def test_before_anybody_is_linked_all_are_new(stage: Stage) -> None:
    """Who would get a value is counted, and Halo, which knows nobody, is not asked."""
    effect = tried(stage, "sAMAccountName", field="initials").effect
    assert effect is not None
    assert (effect.in_scope, effect.new, effect.change, effect.unknown) == (HEADCOUNT, HEADCOUNT, 0, 0)
    assert len(effect.examples) == 5
    assert stage.halo.requests == []


def test_a_mapped_field_is_compared_with_what_the_links_say(stage: Stage) -> None:
    """The count is that of the run that follows once the file says so, without a request to Halo."""
    stage.run()
    stage.halo.forget_requests()
    same = tried(stage, "{{ displayName or cn }}", field="NAME").effect
    other = tried(stage, "{{ 'x' if sAMAccountName == 'p01' else (displayName or cn) }}", field="name").effect
    assert same is not None
    assert other is not None
    assert (same.change, same.new, same.examples) == (0, 0, ())
    (example,) = other.examples
    assert (other.change, example.after, example.before) == (1, "x", 'Zoë "1" O\'Neil 🦊')
    assert stage.halo.requests == []


def test_a_field_that_is_not_mapped_is_read_from_halo(stage: Stage) -> None:
    """The links do not know what Halo holds there; nothing is written, nor kept."""
    stage.run()
    kept = stage.rows()
    own = next(user for user in stage.halo.people if user["login"].endswith("p01"))
    own["initials"] = "p01"
    stage.halo.forget_requests()
    effect = tried(stage, "sAMAccountName", field="initials").effect
    assert effect is not None
    assert (effect.change, effect.unknown) == (HEADCOUNT - 1, 0)
    assert {request.method for request in stage.halo.requests if "/api/" in request.path.lower()} == {"GET"}
    assert stage.rows() == kept


def test_what_lists_leave_out_is_counted_as_not_known(stage: Stage) -> None:
    """Nobody is asked for one by one: a custom field of linked people is not known before the first plan."""
    stage.run()
    stage.halo.forget_requests()
    effect = tried(stage, "sAMAccountName", field="CFStaffNumber").effect
    assert effect is not None
    assert (effect.unknown, effect.change) == (HEADCOUNT, 0)
    assert stage.halo.requests == []


def test_what_is_not_clear_is_refused_with_the_reason(stage: Stage) -> None:
    """Neither person nor field, a field that is the sync's own or is not there, a template that is none."""
    with pytest.raises(BadRequest, match="Name a person"):
        tried(stage, "cn")
    with pytest.raises(BadRequest, match=r"fields\.site_id.*the sync itself decides"):
        tried(stage, "cn", field="site_id")
    with pytest.raises(BadRequest, match="no such field"):
        tried(stage, "cn", field="colour")
    with pytest.raises(BadRequest, match="not a valid template"):
        tried(stage, "{{ cn | regex_search('(') }}", "p01")
    with pytest.raises(BadRequest, match='lookup table "offices"'):
        tried(stage, "{{ cn | lookup('offices') }}", "p01")
    with pytest.raises(NotFound, match="nobody-here"):
        tried(stage, "cn", "nobody-here")
