"""YAML as people mean it: 1.2's plain values, unique keys, no aliases or tags, and lines in every message."""

import json
import time

import pytest

from halo_adsync.errors import ConfigurationError
from halo_adsync.yaml_text import Lines, dump, load


def problem(text: str) -> str:
    """Return what is wrong with a text."""
    with pytest.raises(ConfigurationError) as caught:
        load(text)
    return str(caught.value)


@pytest.mark.parametrize(
    "word", ["off", "on", "no", "yes", "y", "n", "09:00", "12:30:45", "2026-01-31", "1_000"]
)
def test_what_yaml_1_1_turns_into_something_else_is_text(word: str) -> None:
    """Words, times and dates stay the text that stands there."""
    assert load(f"key: {word}") == {"key": word}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("08", 8),
        ("0123", 123),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("2.5E-1", 0.25),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_what_yaml_1_2_takes_for_a_value_is_one(text: str, value: object) -> None:
    """Numbers are decimal whatever zeros they begin with; true, false and null are themselves."""
    loaded = load(f"key: {text}")["key"]
    assert loaded == value
    assert type(loaded) is type(value)


@pytest.mark.parametrize("text", ['"\\ud83d\\ude42"', '{"\\ud83d\\ude42": 1}'])
def test_jsons_pairs_of_escapes_are_one_character(text: str) -> None:
    """Writers of JSON that keep to ASCII write an emoji as two escapes."""
    assert load(text) == json.loads(text)


@pytest.mark.parametrize("escape", ["\\ud83d", "\\0", "\\e", "\\uFFFE", "\\x7f", "\\u2028", "\\N"])
def test_what_is_no_character_of_a_text_is_refused(escape: str) -> None:
    """Half a character, a control or a number that is none cannot be stored and read again."""
    assert problem(f'a: "{escape}"')


def test_json_is_yaml() -> None:
    """Whatever JSON says, it says here."""
    text = '{"a": [1, -2.5, 1e3, true, null, "off", "Zo\\u00eb \\"x\\""], "b": {"c": {}}}'
    assert load(text) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: 2\na: 3", 3),
        ("top:\n  x: 1\n  y: 2\n  x: 3", 4),
        ('{"a": 1,\n"a": 2}', 2),
        ("1: a\n'1': b", 2),
    ],
)
def test_a_key_that_stands_twice_is_refused(text: str, line: int) -> None:
    """At any depth, with the lines of both."""
    told = problem(text)
    assert told.startswith(f"line {line}: ")
    assert "twice" in told


@pytest.mark.parametrize("text", ["? [a]\n: b", "? {a: 1}\n: 2", "{[a, b]: c}"])
def test_a_key_that_is_no_plain_value_is_refused(text: str) -> None:
    """Lists and blocks cannot be keys, and the sentence says where one is."""
    assert problem(text).startswith("line 1")


@pytest.mark.parametrize(
    ("text", "line"), [("a: &x 1\nb: *x", 2), ("a: [\n  1,\n  *x\n]", 3), ("a: &a [*a]", 1)]
)
def test_an_alias_is_refused(text: str, line: int) -> None:
    """Aliases can make a short text huge; the line is that of the alias itself."""
    told = problem(text)
    assert told.startswith(f"line {line}: ")
    assert "aliases" in told


@pytest.mark.parametrize(
    "value",
    [
        "!hunter2",
        "!hunter2!x",
        "!!python/object:os.system x",
        "!!bool hunter2",
        "!!timestamp hunter2",
        "!!int ''",
    ],
)
def test_a_tag_is_refused_without_repeating_it(value: str) -> None:
    """A password may begin with an exclamation mark: the message tells to quote it and does not show it."""
    told = problem(f"id: a\npassword: {value}")
    assert told.startswith("line 2")
    assert "quotes" in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    "text", ["a: [1", "a: 'x", "a: b: c", "a: 1\n---\nb: 2", "a: \x01", "\ta: 1", "[" * 3_000, "{a: " * 3_000]
)
def test_what_is_no_yaml_is_a_sentence(text: str) -> None:
    """Broken, doubled, forbidden or very deep: always a configuration error, never another."""
    assert problem(text)


def test_size_and_depth_are_bounded_in_time() -> None:
    """The largest texts that are read at all are refused within seconds."""
    begun = time.monotonic()
    assert "characters long" in problem("x" * 300_000)
    assert "deep" in problem("[" * 250_000)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 1),
        (("b", "c"), 3),
        (("b", "d", 1), 6),
        (("b", "d", 1, "e"), 7),
        (("b", "missing"), 2),
        (("b", "d", 9), 4),
        ((), 1),
    ],
)
def test_the_line_of_a_place_is_found(path: tuple[str | int, ...], line: int) -> None:
    """A place that is not there stands where its nearest parent does."""
    assert Lines("a: 1\nb:\n  c: 2\n  d:\n  - 3\n  - x: 5\n    e: 4\n").of(path) == line


TEXTS = (
    "08", "1.5e3", "1e3", "+.5e1", "off", "09:00", "null", "~", "1_000", "0o17", "=", "<<", "2020-01-01",
    "1:30", "!x", "&x", "*x", "'", "-", "?", "%", "@", "`", "🙂", "", "# x", "a: b", " x ", "x\ny",
)  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_written_so_that_it_is_read_as_text(text: str) -> None:
    """What looks like a number, a word or a mark of YAML's is put in quotes."""
    assert load(dump({"key": text, text: ["x"]})) == {"key": text, text: ["x"]}
