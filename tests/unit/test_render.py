"""The three views of a plan: for people, for programs and for spreadsheets."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import pytest

from halo_adsync.model import HaloUserId
from halo_adsync.plan.render import SHOWN, as_csv, as_json, as_text
from halo_adsync.plan.types import STRUCTURE, Change, FieldChange, Kind
from tests.support.plan import customer as contoso
from tests.support.plan import guid, person, plan, side, user


def change(number: int = 1, kind: Kind = Kind.UPDATE, **more: Any) -> Change:
    """Return a line of a plan."""
    dn = f"CN=Person {number},DC=x"
    return Change(
        kind, guid(number), dn, more.pop("reason", "because"), more.pop("name", f"Person {number}"), **more
    )


def summary(changes: Sequence[Change] = (), **more: Any) -> dict[str, Any]:
    """Return a run's summary with the right counts."""
    counts = {
        kind.value: sum(change.kind is kind for change in changes) for kind in Kind if kind not in STRUCTURE
    }
    usual = {"customer": "contoso", "run": "r1", "mode": "full", "warnings": [], "violations": []}
    return usual | {"counts": counts | {"failed": 0}} | more


def text(*changes: Change, **more: Any) -> str:
    """Return the text for people."""
    return as_text(summary(changes, **more), changes)


def test_json_holds_every_line_with_before_and_after() -> None:
    """The keys of the contract, the run's summary beside them, and text in its own script."""
    line = change(
        user=HaloUserId(7), fields={"name": FieldChange("Zoe", "Zoë 🙂"), "title": FieldChange(None, "x")}
    )
    written = as_json(summary([line]), [line])
    assert "Zoë 🙂" in written
    data = json.loads(written)
    assert data["run"] == "r1"
    (shown,) = data["changes"]
    assert (
        shown.items()
        >= {
            "kind": "update",
            "record": "user",
            "guid": guid(1),
            "dn": "CN=Person 1,DC=x",
            "halo_id": 7,
            "reason": "because",
            "fields": {"name": {"before": "Zoe", "after": "Zoë 🙂"}, "title": {"before": None, "after": "x"}},
        }.items()
    )


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\u00a0=", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
def test_no_cell_of_the_csv_begins_a_formula(start: str) -> None:
    """A directory's text cannot run in the spreadsheet of whoever looks at the plan, in any column."""
    evil = start + "cmd|' /C calc'!A0"
    line = change(name=evil, reason=evil, fields={"title": FieldChange(evil, evil)})
    _, row = csv.reader(io.StringIO(as_csv([line]), newline=""))
    assert [cell for cell in row if cell.startswith(start)] == []
    assert row.count("'" + evil) == 4


def test_the_csv_has_one_row_a_field() -> None:
    """A line without fields has one row; commas, quotes and line breaks stay inside their cells."""
    awkward = 'a, "b"\r\nc'
    lines = [
        change(1, Kind.SKIPPED),
        change(2, fields={"title": FieldChange("x", awkward), "name": FieldChange(None, "n")}),
    ]
    rows = list(csv.DictReader(io.StringIO(as_csv(lines), newline="")))
    assert [(row["guid"], row["field"], row["before"], row["after"]) for row in rows] == [
        (guid(1), "", "", ""),
        (guid(2), "title", "x", awkward),
        (guid(2), "name", "", "n"),
    ]


def test_the_text_says_what_who_why_and_each_value() -> None:
    """A heading a kind with its number, then each person with the reason and every field."""
    shown = text(
        change(1, user=HaloUserId(7), fields={"title": FieldChange("Maid", 'Chief "Engineer"')}),
        change(2, Kind.CREATE, fields={"name": FieldChange(None, "Bob")}),
    )
    assert "1 create, 1 update" in shown
    assert "People to update (1)\n  Person 1 [Halo user 7]  CN=Person 1,DC=x\n      because\n" in shown
    assert '      title: "Maid" -> "Chief \\"Engineer\\""\n' in shown
    assert '      name: "Bob"\n' in shown


def test_places_to_create_are_counted_apart_from_people() -> None:
    """The first line counts clients and sites together, and only those."""
    lines = [change(1, Kind.CREATE_CLIENT), change(2, Kind.CREATE_SITE), change(3, Kind.CREATE)]
    assert text(*lines).splitlines()[0].endswith(": 2 clients and sites to create, 1 create")
    assert text().splitlines()[0].endswith(": nobody is in scope")


def test_every_kind_of_line_has_its_heading() -> None:
    """No line of a plan is left out of the text because somebody forgot its kind."""
    shown = text(*(change(number, kind) for number, kind in enumerate(Kind)))
    assert all(f"Person {number}  CN" in shown for number, _ in enumerate(Kind))


def test_a_long_list_is_cut_short_unless_all_is_asked_for() -> None:
    """The rest is counted, and the way to see it is named."""
    lines = [change(number, Kind.CREATE) for number in range(SHOWN + 3)]
    assert "and 3 more" in text(*lines)
    everything = as_text(summary(lines), lines, everything=True)
    assert "more;" not in everything
    assert f"Person {SHOWN + 2} " in everything


def test_warnings_and_violations_stand_first() -> None:
    """Whoever reads only the beginning reads what matters."""
    violations = [{"rule": "create", "message": "too many"}]
    shown = text(change(), warnings=["no encryption"], violations=violations)
    assert (
        shown.index("Warning: no encryption")
        < shown.index("Limit create: too many")
        < shown.index("Person 1")
    )


@pytest.mark.parametrize("control", ["\x1b[31m", "\n", "\r", "\x07", "\x9b2J", "\u202e", "\u2028", "\x7f"])
def test_no_name_can_control_the_terminal(control: str) -> None:
    """A name in the directory cannot recolour, rewrite or reverse what an operator reads, nor add lines."""
    line = change(
        name=f"Ada{control}ok", reason=f"a{control}b", fields={"title": FieldChange(control, control)}
    )
    shown = text(line)
    assert control.strip("\n") not in shown or control == "\n"
    assert len(shown.splitlines()) == len(text(change(fields={"title": FieldChange("a", "b")})).splitlines())


def test_the_three_views_of_a_real_plan_agree() -> None:
    """The same people, in the same order, in all of them."""
    people = [person(number, mail=f"p{number}@x") for number in range(1, 5)]
    made = plan(contoso(), side(user(9, login="CORP\\u2")), people)
    data = json.loads(as_json(summary(made.changes), made.changes))
    guids = [line["guid"] for line in data["changes"]]
    rows = csv.DictReader(io.StringIO(as_csv(made.changes), newline=""))
    assert list(dict.fromkeys(row["guid"] for row in rows)) == guids
    shown = as_text(summary(made.changes), made.changes)
    assert all(line["dn"] in shown for line in data["changes"])
