"""The kinds of values that a customer file holds, each with the sentence that says how it should look."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field, StringConstraints

from halo_adsync.directory.dn import canonical_dn, parse_dn
from halo_adsync.directory.filters import checked_filter
from halo_adsync.errors import ConfigurationError
from halo_adsync.loopback import is_loopback, is_protected
from halo_adsync.plan.filters import compiled_pattern, folded, is_region
from halo_adsync.plan.templates import ExpressionError, compile_expression

RELAY_CLOUDS = (
    ".servicebus.windows.net",
    ".servicebus.usgovcloudapi.net",
    ".servicebus.chinacloudapi.cn",
)
"""What the hosts of Relay namespaces end in: Azure's own first, then the sovereign clouds."""

MAX_PATTERN = 500
"""The most characters of a pattern."""

_QUIET = re.compile(
    r"(?:(?:mon|tue|wed|thu|fri|sat|sun)(?:-(?:mon|tue|wed|thu|fri|sat|sun))? )?"
    r"(?:[01]\d|2[0-3]):[0-5]\d-(?:[01]\d|2[0-3]):[0-5]\d"
)
_SERVER = re.compile(r"(?:\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_RELAY_NAME = re.compile(r"[A-Za-z0-9-]{1,60}")
_CRON_FIELDS = 5
_GUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)
_TURNS = re.compile(r"(?<=[0-9])(?=[A-Za-z])|(?<=[A-Za-z])(?=[0-9])")
LONG_RUN, TURNS = 16, 3
"""A run of so many characters that turns so often from letters to digits, or back, is no word."""
_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)


NAMES_OF_PEOPLE = ("login", "samaccountname", "emailaddress")
"""The fields of Halo's users by whose values a file or a command may name somebody, besides GUID and DN."""


def called(values: Iterable[str]) -> set[str]:
    """Return what somebody with these values may be called by, in lower case: without the domain as well."""
    folded = {value.strip().casefold() for value in values}
    return {*folded, *(name.rpartition("\\")[2] for name in folded)} - {""}


def is_same_dn(one: str, other: str) -> bool:
    """Tell whether two texts are one distinguished name; False where either is none."""
    try:
        return canonical_dn(one) == canonical_dn(other)
    except ValueError:
        return False


def without_blanks(text: str) -> str:
    """Return a text without case and blanks, as aliases are compared."""
    return "".join(text.casefold().split())


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:  # its text would repeat the address, and whatever secret stands in it
        usable = False
    if not usable or parts.scheme not in {"https", "http"} or re.search(r"[@?#\s]", value):
        raise ValueError(
            "must be an address such as https://contoso.halopsa.com, without user, password or query"
        )
    if not is_protected(value):
        raise ValueError(
            "must begin with https:// (http:// is accepted for this machine's own addresses only)"
        )
    return value.rstrip("/")


def _secret_name(value: str) -> str:
    """Refuse what is a secret and not its name: Halo's hold GUIDs, others letters and digits at random."""
    runs = value.split("-")
    jumble = any(len(run) >= LONG_RUN and len(_TURNS.findall(run)) >= TURNS for run in runs)
    if jumble or _GUID.search(value):
        raise ValueError(
            "looks like a secret and not like a secret's name: put the value into Key Vault (or SECRET_... in"
            " the environment), and here a name in words, such as contoso-halo"
        )
    return value


def _server(value: str) -> str:
    match = _SERVER.fullmatch(value)
    if not match or not 0 < int(match[1]) < 65536:  # noqa: PLR2004 - TCP's range of ports
        raise ValueError("must be host:port, for example dc01.corp.contoso.com:636")
    return value


def _namespace(value: str) -> str:
    """Check a Relay namespace: whatever host it led to would be sent the app's token."""
    name, dot, cloud = value.partition(".")
    is_here = _SERVER.fullmatch(value) is not None and is_loopback(value.rpartition(":")[0].strip("[]"))
    if not is_here and not (_RELAY_NAME.fullmatch(name) and (not dot or f".{cloud}" in RELAY_CLOUDS)):
        raise ValueError(
            "must be the name of a Relay namespace, for example msp-relay: letters, digits and dashes. In a"
            f" sovereign cloud it is the whole host, which ends in one of {', '.join(RELAY_CLOUDS[1:])}"
        )
    return value


def _dn(value: str) -> str:
    try:
        steps = parse_dn(value)
    except ValueError:
        steps = ()
    if not steps:
        raise ValueError('must be a distinguished name, for example "OU=People,DC=corp,DC=contoso,DC=com"')
    return value.strip()


def _filter(value: str) -> str:
    try:
        checked_filter(value)
    except ConfigurationError:  # its text would repeat the value
        raise ValueError("must be an LDAP filter in parentheses, for example (mail=*)") from None
    return value.strip()


def _expression(value: str) -> str:
    try:
        compile_expression(value)
    except ExpressionError as error:
        raise ValueError(str(error)) from None
    return value


def _aliases(value: Mapping[str, str]) -> Mapping[str, str]:
    known: dict[str, str] = {}
    for alias, name in value.items():
        if known.setdefault(without_blanks(alias), name) != name:
            raise ValueError("two aliases differ in case and blanks only, but not in what they stand for")
    return value


def site_pattern(value: str) -> Any:
    """Compile the pattern of a placement rule. Case does not matter, as in the directory itself.

    Raises:
        ValueError: it is none that RE2 takes.
    """
    return compiled_pattern(f"(?i){value}")


def _site_pattern(value: str) -> str:
    if len(value) > MAX_PATTERN:
        raise ValueError(f"has {len(value)} characters; a pattern has at most {MAX_PATTERN}")
    if site_pattern(value).groupindex.keys() - {"site"}:
        raise ValueError("has a named group that means nothing: the one that may be there is (?P<site>...)")
    return value


def _cron(value: str) -> str:
    try:
        usable = len(value.split()) == _CRON_FIELDS and next(CronSim(value, _ANY_TIME))
    except (CronSimError, StopIteration):
        usable = False
    if not usable:
        raise ValueError('must be a cron expression with five fields, for example "*/15 * * * *"')
    return value


def _timezone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("must be a time zone's name, for example Europe/London")
    return value


def _lookup_table(table: Mapping[str, str]) -> Mapping[str, str]:
    if len({folded(key) for key in table}) < len(table):
        raise ValueError("two keys differ in case only, and a lookup takes them for one")
    return table


def _region(value: str) -> str:
    if value and not is_region(value):
        raise ValueError("must be a country's two letters (ISO 3166-1), for example GB")
    return value.upper()


def _quiet(value: str) -> str:
    if not _QUIET.fullmatch(value):
        raise ValueError('must be a span such as "mon-fri 09:00-11:00" or "22:00-06:00"')
    return value


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
Url = Annotated[str, AfterValidator(_url)]
Server = Annotated[str, AfterValidator(_server)]
Namespace = Annotated[str, AfterValidator(_namespace)]
Dn = Annotated[str, AfterValidator(_dn)]
Filter = Annotated[str, AfterValidator(_filter)]
Source = Annotated[str, AfterValidator(_expression)]
Aliases = Annotated[Mapping[Name, Name], AfterValidator(_aliases)]
SitePattern = Annotated[str, AfterValidator(_site_pattern)]
Cron = Annotated[str, AfterValidator(_cron)]
Timezone = Annotated[str, AfterValidator(_timezone)]
Quiet = Annotated[str, AfterValidator(_quiet)]
LookupTable = Annotated[Mapping[str, str], AfterValidator(_lookup_table)]
Region = Annotated[str, AfterValidator(_region)]
IDENTIFIER = r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"
"""An id: of a customer, or of one of its directories."""
_TABLE_NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"
_KEY_VAULT_NAME = r"^[A-Za-z0-9-]{1,127}$"
_HYBRID_CONNECTION = r"^[A-Za-z0-9-]{1,260}$"
PATTERNS: Mapping[str, str] = {
    IDENTIFIER: "must be made of a to z, 0 to 9 and dashes, 63 at most, with no dash at either end",
    _TABLE_NAME: "must begin with a letter, and be made of letters, digits, dashes and underscores",
    _KEY_VAULT_NAME: "must be a secret's name, made of letters, digits and dashes; never the secret itself",
    _HYBRID_CONNECTION: "must be made of letters, digits and dashes, as the Hybrid Connection Manager has it",
}
"""What the patterns of the file mean, in words."""
Identifier = Annotated[str, Field(pattern=IDENTIFIER)]
TableName = Annotated[str, Field(pattern=_TABLE_NAME)]
SecretName = Annotated[str, Field(pattern=_KEY_VAULT_NAME), AfterValidator(_secret_name)]
"""A name in Key Vault: letters, digits and dashes, at most 127 (Microsoft, Key Vault naming)."""
HybridConnectionName = Annotated[str, Field(pattern=_HYBRID_CONNECTION)]
"""The name of a hybrid connection, or of a rule: what the Hybrid Connection Manager takes."""
Count = Annotated[int, Field(ge=0)]
Percent = Annotated[float, Field(ge=0, le=100)]
