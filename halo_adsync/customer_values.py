"""The kinds of values that a customer file holds, each with the sentence that says how it should look."""

import re
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field

from halo_adsync.plan.templates import ExpressionError, compile_expression

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""The only hosts that may be reached without TLS: this machine."""

_QUIET = re.compile(
    r"^(?:(?:mon|tue|wed|thu|fri|sat|sun)(?:-(?:mon|tue|wed|thu|fri|sat|sun))? )?"
    r"(?:[01]\d|2[0-3]):[0-5]\d-(?:[01]\d|2[0-3]):[0-5]\d$"
)
_SERVER = re.compile(r"^(?:\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})$")
_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"https", "http"} or not parts.hostname or parts.username:
        raise ValueError("must be an address such as https://contoso.halopsa.com, without user or password")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError(
            "must begin with https:// (http:// is accepted for this machine's own addresses only)"
        )
    return value.rstrip("/")


def _server(value: str) -> str:
    match = _SERVER.match(value)
    if not match or not 0 < int(match[1]) < 65536:  # noqa: PLR2004 - TCP's range of ports
        raise ValueError("must be host:port, for example dc01.corp.contoso.com:636")
    return value


def _dn(value: str) -> str:
    if not re.match(r"^\s*[A-Za-z][A-Za-z0-9.-]*\s*=", value):
        raise ValueError('must be a distinguished name, for example "OU=People,DC=corp,DC=contoso,DC=com"')
    return value.strip()


def _filter(value: str) -> str:
    text = value.strip()
    if text and not (text.startswith("(") and text.endswith(")")):
        raise ValueError("must be an LDAP filter in parentheses, for example (mail=*)")
    return text


def _expression(value: str) -> str:
    try:
        compile_expression(value)
    except ExpressionError as error:
        raise ValueError(str(error)) from None
    return value


def _cron(value: str) -> str:
    try:
        next(CronSim(value, _ANY_TIME))
    except (CronSimError, StopIteration):
        raise ValueError('must be a cron expression with five fields, for example "*/15 * * * *"') from None
    return value


def _timezone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("must be a time zone's name, for example Europe/London")
    return value


def _quiet(value: str) -> str:
    if not _QUIET.match(value):
        raise ValueError('must be a span such as "mon-fri 09:00-11:00" or "22:00-06:00"')
    return value


Url = Annotated[str, AfterValidator(_url)]
Server = Annotated[str, AfterValidator(_server)]
Dn = Annotated[str, AfterValidator(_dn)]
Filter = Annotated[str, AfterValidator(_filter)]
Source = Annotated[str, AfterValidator(_expression)]
Cron = Annotated[str, AfterValidator(_cron)]
Timezone = Annotated[str, AfterValidator(_timezone)]
Quiet = Annotated[str, AfterValidator(_quiet)]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")]
SecretName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,127}$")]
"""A name in Key Vault: letters, digits and dashes, at most 127 (Microsoft, Key Vault naming)."""
Name = Annotated[str, Field(min_length=1, max_length=255)]
Count = Annotated[int, Field(ge=0)]
Percent = Annotated[float, Field(ge=0, le=100)]
