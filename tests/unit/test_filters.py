"""The filters of templates: what each makes, what is refused when a file is applied, and their bounds."""

import tracemalloc
from contextlib import suppress
from time import process_time

import pytest

from halo_adsync.model import AttributeValue
from halo_adsync.plan.filters import FILTERS, MAX_TEXT, Shared
from halo_adsync.plan.templates import ExpressionError, compile_expression

SHARED = Shared({"offices": {"lds": "Leeds", "yrk": "York"}}, "GB")
ADA: dict[str, AttributeValue] = {
    "displayname": "Lovelace, Ada",
    "telephonenumber": "(0113) 496 0000",
    "othertelephone": ("+44 113 496 0001", "ask at the desk"),
    "c": "FR",
    "l": " LDS ",
    "memberof": ("CN=Staff,DC=x", "CN=Team-Ops,DC=x", "CN=Team-Web,DC=x"),
    "accountexpires": "2027-03-31T23:30:00Z",
    "sites": ("yrk", "nowhere", "LDS"),
    "description": "Room 12b, floor 3",
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        (r"{{ (displayName | split(','))[1] }}", "Ada"),
        (r"{{ displayName | split(',') | last }}", "Ada"),
        (r"{{ missing | split(',') | first }}|", "|"),
        (r"{{ displayName | split(',') | join('/') }}", "Lovelace/Ada"),
        (r"{{ description | regex_search('\d+') }}", "12"),
        (r"{{ description | regex_search('\\d+') }}", "12"),
        (r"{{ description | regex_search('Room (\w+)', 1) }}", "12b"),
        (r"{{ description | regex_search('\bfloor (\d)', group=1) }}", "3"),
        (r"{{ description | regex_search('Flat (\w+)', 1) }}|", "|"),
        (r"{{ missing | regex_search('x*') }}|", "|"),
        (r"{{ memberOf | regex_search('CN=Team-(\w+)', 1) }}", "Ops"),
        (r"{{ displayName | regex_replace('^(\w+), (\w+)$', '\2 \1') }}", "Ada Lovelace"),
        (r"{{ displayName | regex_replace('(?i)L', '[\0]') }}", "[L]ove[l]ace, Ada"),
        (r"{{ memberOf | regex_replace(',DC=x$', '') | last }}", "CN=Team-Web"),
        (r"{{ telephoneNumber | phone }}", "+441134960000"),
        (r"{{ telephoneNumber | phone('GB') }}", "+441134960000"),
        (r"{{ telephoneNumber | phone(region='gb') }}", "+441134960000"),
        (r"{{ '01 44 27 00 00' | phone(c) }}", "+33144270000"),
        (r"{{ '0113 496 0000 ext. 12' | phone }}", "+441134960000 x12"),
        (r"{{ 'ask at the desk' | phone }}", "ask at the desk"),
        (r"{{ 'ask at the desk' | phone(invalid='blank') }}|", "|"),
        (r"{{ otherTelephone | phone(invalid='blank') | join }}", "+441134960001"),
        (r"{{ otherTelephone | phone }}", "+441134960001, ask at the desk"),
        (r"{{ missing | phone }}|", "|"),
        (r"{{ accountExpires | date('%d/%m/%Y') }}", "31/03/2027"),
        (r"{{ accountExpires | date('%-d %B %Y, %H:%M', 'Europe/London') }}", "1 April 2027, 00:30"),
        (r"{{ '2027-03-31' | date('%d.%m.%y', 'America/New_York') }}", "31.03.27"),
        (r"{{ missing | date('%Y') }}|", "|"),
        (r"{{ l | lookup('offices') }}", "Leeds"),
        (r"{{ displayName | lookup('offices') }}|", "|"),
        (r"{{ displayName | lookup('offices', 'Head office') }}", "Head office"),
        (r"{{ missing | lookup(table='offices', default=c) }}", "FR"),
        (r"{{ sites | lookup('offices') }}", "York, Leeds"),
        (r"{{ 'a\\b' ~ '\n' ~ 'c\u2013' }}", "a\\b\nc\u2013"),
    ],
)
def test_a_filter_makes_what_its_documentation_says(source: str, value: str) -> None:
    """Every filter over one value, several and none, with the backslashes of patterns as they are written."""
    assert compile_expression(source)(ADA, SHARED) == value


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (r"{{ sn | regex_search(title) }}", "written out"),
        (r"{{ sn | regex_search('(') }}", "pattern cannot be used"),
        (r"{{ sn | regex_search('a(?=b)') }}", "pattern cannot be used"),
        (r"{{ sn | regex_search('((((a{1,100}){1,100}){1,100}){1,100})') }}", "pattern cannot be used"),
        (r"{{ sn | regex_search('(a)', 2) }}", "0 to 1"),
        (r"{{ sn | regex_search('(a)', group=sn) }}", "0 to 1"),
        (r"{{ sn | regex_search('a', -1) }}", "0 to 0"),
        (r"{{ sn | regex_search }}", "takes: pattern"),
        (r"{{ sn | regex_search('a', 0, 0) }}", "takes: pattern"),
        (r"{{ sn | regex_replace('a', sn) }}", "written out"),
        (r"{{ sn | regex_replace('a', '\1') }}", "uses more"),
        (r"{{ sn | phone('Britain') }}", "two letters"),
        (r"{{ sn | phone('GB', 'drop') }}", "keep"),
        (r"{{ sn | date }}", "takes: form"),
        (r"{{ sn | date(title) }}", "written out"),
        (r"{{ sn | date('%99999999d') }}", "a form knows"),
        (r"{{ sn | date('%') }}", "a form knows"),
        (r"{{ sn | date('%d', 'Leeds') }}", "time zone"),
        (r"{{ sn | lookup }}", "takes: table"),
        (r"{{ sn | lookup(title) }}", "written out"),
        (r"{{ sn | split('') }}", "written out"),
        ("{{ sn" + " | phone" * 11 + " }}", "at most 10 times"),
    ],
)
def test_a_wrong_use_is_refused_when_the_file_is_applied(source: str, says: str) -> None:
    """Patterns, forms, zones and names of tables are literals that were checked before they meet anybody."""
    with pytest.raises(ExpressionError, match="template") as caught:
        compile_expression(source)
    assert says in str(caught.value)


@pytest.mark.parametrize("source", ["{{ description | date('%Y') }}", "{{ '9999-99-99' | date('%Y') }}"])
def test_what_a_filter_cannot_take_is_said_without_the_value(source: str) -> None:
    """The plan says which filter failed and why, and nothing of what the attribute holds."""
    with pytest.raises(ExpressionError, match="ISO 8601") as caught:
        compile_expression(source)(ADA)
    assert "Room" not in str(caught.value)


@pytest.mark.parametrize(
    "pattern",
    ["(x+x+)+y", "(a|aa)*$", "(.*)*z", "(.{0,50}){0,3}z", "(?:(?:x|y|.)*)*q", r"(\\w+\\s?)*!"],
)
def test_no_pattern_ties_a_worker_up(pattern: str) -> None:
    """What makes a backtracking engine run for years takes RE2 a moment, ten times over the longest text."""
    source = "{{ " + " ~ ".join([f"(x | regex_search('{pattern}'))"] * 10) + " }}"
    begun = process_time()
    compile_expression(source)({"x": "x" * MAX_TEXT})
    assert process_time() - begun < 5


@pytest.mark.parametrize(
    "source",
    [
        "{{ x" + " | regex_replace('.', 'xxxxxxxxxx')" * 10 + " }}",
        "{{ x" + " | regex_replace('', 'yy')" * 10 + " }}",
        "{{ x" + " | split('x') | join('xxxxx')" * 10 + " }}",
        "{{ many" + " | phone" * 10 + " }}",
        "{{ x" + " | phone" * 10 + " }}",
        "{{ many | lookup('offices', x) ~ (many | join(x)) }}",
    ],
)
@pytest.mark.parametrize("length", [100, MAX_TEXT, 10 * MAX_TEXT])
def test_filters_are_bounded_in_time_and_memory(source: str, length: int) -> None:
    """Growing, splitting and long lists end in a short text or in an error, soon."""
    values: dict[str, AttributeValue] = {"x": "x" * length, "many": ("0113 496 0000",) * (length // 50)}
    tracemalloc.start()
    begun = process_time()
    with suppress(ExpressionError):
        compile_expression(source)(values, SHARED)
    taken, (_, peak) = process_time() - begun, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 5
    assert peak < 50_000_000


def test_tables_are_those_of_the_customer_at_hand() -> None:
    """One compiled template, shared by all customers of a process, reads each one's own table."""
    expression = compile_expression("{{ l | lookup('offices') }}")
    assert expression.tables == {"offices"}
    assert expression(ADA, SHARED) == "Leeds"
    assert expression(ADA, Shared({"offices": {"lds": "Lodz"}})) == "Lodz"


def test_a_template_cannot_reach_what_its_filters_share() -> None:
    """The tables stand in the context under a name that no template can spell, and no filter leads there."""
    for source in ("{{ of the customer }}", "{{ self['of the customer'] }}", "{{ 'of the customer' }}"):
        try:
            assert "Leeds" not in compile_expression(source)(ADA, SHARED)
        except ExpressionError:
            continue
    assert "attr" not in FILTERS
