"""Fuzzing what is written by hand: customer files, and the templates, patterns and filters in them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from halo_adsync.customer import Customer
from halo_adsync.customer_file import export, parse
from halo_adsync.customer_values import _site_pattern
from halo_adsync.errors import ConfigurationError
from halo_adsync.halo.codec import FIELDS
from halo_adsync.model import AttributeValue
from halo_adsync.plan.filters import Shared
from halo_adsync.plan.templates import MAX_RESULT, ExpressionError, compile_expression
from halo_adsync.yaml_text import dump, load
from tests.support.fuzzing import SECRET, Decoder, Fuzz
from tests.support.hostile import DEEP, TEXTS, broken_text, mutated

FILE = (Path(__file__).parents[1] / "unit" / "data" / "contoso.yaml").read_text("utf-8")
WHOLE = load(FILE)
SECRETS_HERE = json.loads(json.dumps(WHOLE).replace('{"secret":', f'{{"secret": "{SECRET} !", "x":'))
"""The same file, by somebody who wrote the secrets themselves where their names belong."""
PIECES = TEXTS | st.sampled_from(
    ["&a", "*a", "!!python/object:os.system", "<<: *x", "? [a]", "- ", ": ", "{", "]", "|", "\t", "---\n",
     "'", "secret", "{{ cn }}", "null", "~", "0x1f", "1e999", ".inf", "9" * 5_000, "\x85", "#"]
)  # fmt: skip


def written(data: Any) -> str:
    """Write data as a file: YAML where that is possible, which it is not for every text."""
    try:
        return dump(data)
    except (ValueError, UnicodeError):
        return json.dumps(data)


AS_DATA = mutated(WHOLE, WHOLE, SECRETS_HERE)
FILES = AS_DATA.map(written) | AS_DATA.map(json.dumps) | broken_text([FILE], PIECES)


def check_customer(_: str, customer: Customer) -> None:
    """What was accepted can be kept and read again as the same."""
    assert parse(export(customer)) == customer


SOURCES = broken_text(
    ["{{ displayName or cn }}", "{{ netbios }}\\{{ sAMAccountName }}", "cn",
     "{{ sn | upper | replace('a', cn) }}",
     "{% if mail %}{{ mail.split('@') | first }}{% endif %}", "{{ cn | regex_replace('(.)', '\\\\1\\\\1') }}",
     "{{ (cn ~ sn)[:3] }}", "{{ phone(telephoneNumber) }}", "{{ pwdLastSet | date('%Y') }}"],
    TEXTS | st.sampled_from(
        ["{{", "}}", "{%", "for x in y", " | ", "[", "'", "**", "__class__", "((" * 90, "cn"]
    ),
)  # fmt: skip
ATTRIBUTES: dict[str, AttributeValue] = {
    "cn": SECRET,
    "sn": "Smith",
    "mail": "ada@contoso.example",
    "displayname": ("a", "b"),
    "netbios": "CORP",
    "samaccountname": "ada" * 3_000,
    "telephonenumber": "0113 496 0000",
    "pwdlastset": "2026-11-23T12:00:00Z",
}
SHARED = Shared({"t": {"a": "b"}}, "GB")


def shown(source: str) -> str:
    """Compile a template and show somebody through it."""
    return compile_expression(source)(ATTRIBUTES, SHARED)


def check_text(_: str, text: str) -> None:
    """No template makes more than is allowed."""
    assert len(text) <= MAX_RESULT


PATTERNS = broken_text(
    ["^(?P<site>[A-Z]+)-\\d+$", "(a|b)*c{2,3}", "[^x]+?", "(?i)leeds"],
    TEXTS | st.sampled_from(["(?P<x>", "(", "[", "*", "{1000}", "\\", "(?=a)", "\\1", "(.+)+", "a" * 600]),
)


LONG_KEYS = json.dumps({**WHOLE, "fields": {"x" * 1_000: {"y" * 1_000: 1}}})
DECODERS = (
    Decoder("customer file", FILES, lambda text: parse(text, halo_fields=FIELDS), Customer,
            ConfigurationError, check_customer,
            known=("[" * DEEP, "{a: " * DEEP, LONG_KEYS, f"halo: {{ client_secret: {SECRET} }}",
                   f"halo: !{SECRET} x", f"halo: *{SECRET}")),
    Decoder("customer file: patterns", PATTERNS, _site_pattern, str, ValueError),
    Decoder("customer file: templates", SOURCES, shown, str, ExpressionError,
            check_text),
)  # fmt: skip


@pytest.mark.parametrize("decoder", DECODERS, ids=str)
def test_whatever_is_written_is_read_or_refused(decoder: Decoder, fuzz: Fuzz) -> None:
    """A value of its type or the declared error, whose sentence tells no secret."""
    fuzz.hold(decoder)
