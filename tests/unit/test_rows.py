"""The codec of rows: keys, long texts, and the form that stored things keep."""

import json

import pytest

from halo_adsync.model import DistinguishedName, HaloClientId, HaloSiteId, HaloUserId, Link, Place, RunId
from halo_adsync.plan.types import Change, FieldChange, Kind
from halo_adsync.state import link_rows, rows
from halo_adsync.state.table import FORBIDDEN_IN_KEYS, MAX_KEY_BYTES, payload_bytes
from tests.contract.storage import MIXED, a_change, a_link, guid, row, run_id


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", ""),
        ("contoso.halopsa.com:443", "contoso.halopsa.com:443"),
        ("a/b", "a~002Fb"),
        ("\\#?", "~005C~0023~003F"),
        ("~", "~007E"),
        ("a~002Fb", "a~007E002Fb"),
        ("\t\x7f\x85", "~0009~007F~0085"),
        ("50% 🦊 é|'\"", "50% 🦊 é|'\""),
    ],
)
def test_a_key_writes_out_what_the_service_refuses(text: str, key: str) -> None:
    """And the sign that it is written with; everything else stands as it is, to be read by people."""
    assert rows.encode_key(text) == key


def test_long_keys_stay_apart_and_short_enough() -> None:
    """Two long names that begin alike have different keys, each within the service's limit."""
    for letter in ("a", "/", "🦊", "\ud83e"):
        keys = {rows.encode_key(letter * length) for length in range(200, 320)}
        assert len(keys) == 120
        assert max(len(key.encode("utf-16-le", "surrogatepass")) for key in keys) < MAX_KEY_BYTES - 2 * len(
            "place|"
        )
        assert not any(FORBIDDEN_IN_KEYS.search(key) for key in keys)


def test_the_end_of_a_prefix_is_just_behind_it() -> None:
    """Everything that begins with the prefix lies before it, and nothing else does."""
    assert rows.after("link|") == "link}"
    keys = ["link", "link{", "link|", "link|a", "link|\U0010ffff", "link}", "linl"]
    assert [key for key in keys if "link|" <= key < rows.after("link|")] == keys[2:5]


@pytest.mark.parametrize("length", [0, 1, rows.TEXT_CHUNK, rows.TEXT_CHUNK + 1, 5 * rows.TEXT_CHUNK])
@pytest.mark.parametrize("letter", ["a", "🦊"])
def test_a_text_of_any_length_is_spread_and_put_together(length: int, letter: str) -> None:
    """Every property is within its limit, and an empty text is one, too."""
    values = rows.pack_text("data", letter * length)
    assert list(values) == ["data", *(f"data{index}" for index in range(1, len(values)))]
    assert max(len(str(value).encode("utf-16-le")) for value in values.values()) <= 64 * 1024
    assert rows.unpack_text("data", {**values, "status": "done"}) == letter * length


def test_a_missing_text_is_empty() -> None:
    """A row that lacks it reads as if it were empty."""
    assert rows.unpack_text("data", {"data1": "stray"}) == ""


def test_newer_runs_have_smaller_keys() -> None:
    """A listing begins with the newest, across days, years and the hour of midnight."""
    ids = [
        "20251231T235959Z-ffffffff",
        "20260101T000000Z-00000000",
        "20260101T000001Z-aaaaaaaa",
        "20260201T000000Z-00000000",
        "21000101T000000Z-00000000",
    ]
    keys = [rows.run_key(RunId(run)) for run in ids]
    assert sorted(keys, reverse=True) == keys
    assert all("run|" <= key < rows.after("run|") for key in keys)


def test_lines_sort_by_number() -> None:
    """Also beyond the numbers that have fewer digits."""
    keys = [rows.line_key(run_id(0), number) for number in (0, 9, 10, 99_999, 100_000, 1_000_000)]
    assert sorted(keys) == keys


def test_what_is_stored_today_is_read_tomorrow() -> None:
    """The stored form of a line: a plan may be approved a day, and an upgrade, after it was made."""
    stored = {
        "kind": "move",
        "guid": guid(0),
        "dn": "CN=A",
        "reason": "moved",
        "name": "A",
        "user": 7,
        "place": "site:name:leeds@client:id:12",
        "fields": {"site": ["Main", "Leeds"]},
        "base": {
            "guid": guid(0),
            "user": 7,
            "client": 12,
            "site": 34,
            "active": True,
            "dn": "CN=A",
            "fields": {"name": "A"},
        },
    }
    change = Change(
        Kind.MOVE,
        guid(0),
        "CN=A",
        "moved",
        name="A",
        user=HaloUserId(7),
        place="site:name:leeds@client:id:12",
        fields={"site": FieldChange("Main", "Leeds")},
        base=Link(
            guid(0),
            HaloUserId(7),
            HaloClientId(12),
            HaloSiteId(34),
            active=True,
            dn=DistinguishedName("CN=A"),
            fields={"name": "A"},
        ),
    )
    written = rows.line_row("contoso", run_id(0), 3, change)
    assert json.loads(rows.unpack_text("data", written.values)) == stored
    assert rows.change_of(row("line", data=json.dumps(stored))) == change


def test_personal_data_never_stand_in_keys() -> None:
    """Keys end up in logs of the service: people are in them by GUID only."""
    change = a_change(0, name="Zoë Secret", dn="CN=Zoë Secret")
    written = [
        rows.line_row("contoso", run_id(0), 0, change),
        link_rows.link_row("contoso", a_link(0, {"name": "Zoë Secret"})),
        *rows.note_rows("contoso", run_id(0), [change]),
    ]
    assert not any("Secret" in each.key for each in written)


def test_a_place_is_found_by_its_key_alone() -> None:
    """The name may change in Halo; the row is the same one."""
    place = Place(f"site:name:{MIXED}", HaloClientId(1), HaloSiteId(2), "Old")
    renamed = Place(f"site:name:{MIXED}", HaloClientId(1), HaloSiteId(2), "New")
    assert rows.place_row("c", place).key == rows.place_row("c", renamed).key
    assert rows.place_of(rows.place_row("c", renamed)) == renamed


def test_no_notes_need_no_rows_to_be_read() -> None:
    """A plan without notes has none."""
    assert rows.notes_of([]) == []


def test_the_size_of_a_row_on_the_wire_is_not_underestimated() -> None:
    """Text goes as ASCII with escapes, bytes as base64; 600 bytes of headers come on top."""
    values = {"data": MIXED * 500, "bytes": bytes(10_000), "number": 7, "yes": True, "share": 0.5}
    text = json.dumps({name: value for name, value in values.items() if not isinstance(value, bytes)})
    assert payload_bytes(row("k", **values)) > 600 + len(text) + 10_000 * 4 / 3
    assert payload_bytes(row("🦊" * 200)) > 600 + 200 * (12 + 12)
