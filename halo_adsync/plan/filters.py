"""The filters of templates, each bounded in time and memory.

Several values are one text to every filter but `first`, `last`, `join`, `length`, `regex_search`,
`regex_replace`, `phone` and `lookup`, which take them one by one.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, SupportsIndex, overload
from zoneinfo import ZoneInfo

import phonenumbers
import re2
from jinja2 import pass_context
from jinja2.runtime import Context

from halo_adsync.model import AttributeValue

MAX_RESULT = 10_000
"""The most characters that a template makes."""
MAX_VALUES = 1_000_000
"""The most characters that a template's attributes hold together, each counted as often as it is used."""
MAX_TEXT = 30_000
"""The most characters that one of the filters written here takes."""
MAX_COSTLY = 10
"""How often one template may use the filters that take some time."""
MAX_PHONES = 50
COSTLY = frozenset({"regex_replace", "regex_search", "phone", "date", "split"})
SHARED = "of the customer"
"""Where a template's context holds what its filters share; no name in a template has blanks."""

_PATTERN_MEMORY = 128 * 1024
"""Bytes for a compiled pattern: bounds how many states it has, and so the time for each character."""
REFERENCE = re.compile(r"\\(\d)")
"""A group of the match, in what stands instead of it."""


class FilterError(ValueError):
    """A filter that cannot do its work; the text says why, without any value in it."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What all templates of a customer share."""

    lookups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The customer's lookup tables by name; their keys are folded (`folded`)."""
    phone_region: str = ""
    """The country that a telephone number without one is in: ISO 3166-1, two letters; empty for none."""


class Several(tuple[str, ...]):
    """Several values, which are one text to everything that wants one: filters, `~` and the result."""

    __slots__ = ()

    def __str__(self) -> str:
        return join(self)

    @overload
    def __getitem__(self, key: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, key: slice) -> "Several": ...
    def __getitem__(self, key: SupportsIndex | slice) -> "str | Several":
        part = super().__getitem__(key)
        return part if isinstance(part, str) else Several(part)


def size(value: AttributeValue) -> int:
    """Return how many characters a value has."""
    return len(value) if isinstance(value, str) else sum(map(len, value))


def folded(key: str) -> str:
    """Return a lookup table's key in the form in which keys are compared."""
    return key.strip().casefold()


def join(value: AttributeValue, separator: Any = ", ") -> str:
    """Return several values as one text."""
    if not value or isinstance(value, str):
        return str(value or "")
    between = str(separator)
    if size(value) + len(between) * len(value) > MAX_VALUES:
        raise FilterError("the joined text would be too long")
    return between.join(value)


def _first(value: AttributeValue) -> str:
    return (value if isinstance(value, str) else value[0]) if value else ""


def _last(value: AttributeValue) -> str:
    return (value if isinstance(value, str) else value[-1]) if value else ""


def _replace(value: Any, old: Any, new: Any) -> str:
    text, wanted, instead = str(value), str(old), str(new)
    if not wanted:
        return text
    enough = MAX_RESULT // len(instead) + 1 if instead else -1
    return text.replace(wanted, instead, enough)[:MAX_RESULT]


def _split(value: Any, separator: Any) -> Several:
    """Return the parts of a text between separators, without the blanks around them."""
    (text,) = _texts(str(value)) or ("",)
    return Several(part.strip() for part in text.split(str(separator))) if text else Several()


def _regex_search(value: Any, pattern: str, group: int = 0) -> str:
    """Return the first match (or one of its groups) in the first value that has one; else nothing."""
    compiled = compiled_pattern(pattern)
    for text in _texts(value):
        if found := compiled.search(text):
            return str(found[group] or "")
    return ""


def _regex_replace(value: Any, pattern: str, instead: str) -> AttributeValue:
    """Return each value with every match replaced; a backslash and a digit in `instead` are a group."""
    compiled = compiled_pattern(pattern)
    return _like(value, [_replaced(compiled, text, instead) for text in _texts(value)])


def _replaced(compiled: Any, text: str, instead: str) -> str:
    parts, at, length = [], 0, 0
    for found in compiled.finditer(text):
        groups = ("", *found.groups(default=""))
        written = REFERENCE.sub(partial(_group, found[0], groups), instead)
        parts += [text[at : found.start()], written]
        at, length = found.end(), length + len(written)
        if length > MAX_TEXT:
            raise FilterError("regex_replace makes more than a template may")
    return "".join([*parts, text[at:]])


def _group(whole: str, groups: tuple[str, ...], reference: re.Match[str]) -> str:
    number = int(reference[1])
    return groups[number] if number else whole


@pass_context
def _phone(context: Context, value: Any, region: Any = "", invalid: str = "keep") -> AttributeValue:
    """Return telephone numbers in E.164; what is no valid number stays as it is typed, or goes."""
    country = str(region or "").strip().upper() or _shared(context).phone_region
    texts = _texts(value)
    if len(texts) > MAX_PHONES:
        raise FilterError(f"phone takes at most {MAX_PHONES} numbers")
    numbers = (_e164(text, country) or (text if invalid == "keep" else "") for text in texts)
    return _like(value, [number for number in numbers if number])


def _e164(text: str, country: str) -> str:
    try:
        number = phonenumbers.parse(text, country or None)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(number):
        return ""
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return f"{written} x{number.extension}" if number.extension else written


def _date(value: Any, form: str, zone: str = "UTC") -> str:
    """Return an ISO 8601 time in another form, in a time zone; a date without a time is in none."""
    text = str(value).strip()
    if not text:
        return ""
    try:
        moment = datetime.fromisoformat(text)
        if "T" in text or " " in text or ":" in text:
            moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(ZoneInfo(zone))
        return moment.strftime(form)
    except (ValueError, OverflowError):
        raise FilterError("date wants a time in ISO 8601, which the value is not") from None


@pass_context
def _lookup(context: Context, value: Any, table: str, default: Any = "") -> AttributeValue:
    """Return what a table has for each value; the default where it has nothing for any."""
    rows = _shared(context).lookups[table]
    found = [rows[key] for key in map(folded, _texts(value)) if key in rows]
    return _like(value, found) if found else str(default)


def _shared(context: Context) -> Shared:
    shared = context.get(SHARED)
    return shared if isinstance(shared, Shared) else Shared()


def _texts(value: Any) -> tuple[str, ...]:
    """Return a filter's value one by one; nothing for what is blank."""
    texts = tuple(value) if isinstance(value, Several) else (str(value),) if str(value) else ()
    if size(texts) > MAX_TEXT:
        raise FilterError(f"a filter takes at most {MAX_TEXT} characters")
    return texts


def _like(value: Any, texts: Iterable[str]) -> AttributeValue:
    return Several(texts) if isinstance(value, Several) else next(iter(texts), "")


@lru_cache(maxsize=512)
def compiled_pattern(pattern: str) -> Any:
    """Compile a pattern of RE2, which takes time in proportion to the text whatever the pattern is.

    Raises:
        FilterError: it is none, or it is too large.
    """
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _PATTERN_MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        why = error.args[0] if error.args else ""
        text = why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)
        raise FilterError(f"a pattern cannot be used ({text})") from None


FILTERS: Mapping[str, Callable[..., Any]] = {
    "first": _first,
    "last": _last,
    "join": join,
    "replace": _replace,
    "split": _split,
    "regex_search": _regex_search,
    "regex_replace": _regex_replace,
    "phone": _phone,
    "date": _date,
    "lookup": _lookup,
}
"""The filters written here. Those of Jinja itself that templates may use are named in `templates.py`."""


def is_region(text: str) -> bool:
    """Tell whether telephone numbers of this country are known."""
    return text.upper() in phonenumbers.SUPPORTED_REGIONS
