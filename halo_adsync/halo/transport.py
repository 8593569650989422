"""One HTTP request at a time: budget, time-outs, waiting out a 429, trying again what may be tried again."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests import exceptions
from urllib3.exceptions import NewConnectionError

from halo_adsync import __version__
from halo_adsync.errors import BudgetSpent, HaloRefused
from halo_adsync.events import Event, note
from halo_adsync.halo.budget import Budget, Pulse
from halo_adsync.halo.discretion import keep_queries_out_of_logs
from halo_adsync.model import Meter

TIME_OUTS = (10.0, 60.0)
"""Seconds to connect, and between two parts of an answer."""
BACK_OFF = (0.5, 1.0, 2.0)
"""Seconds before each further try of a request that may be repeated; jitter comes on top."""
REFUSALS = 8
"""How many 429 in a row are waited out."""
SHORTEST_WAIT, LONGEST_WAIT = 5.0, 60.0
"""Seconds to wait after a 429 that does not say how long."""
LONGEST_ASKED = 86_400.0
"""Seconds after which a 429 is forgotten, however long it asked to wait."""
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_RANDOM = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of any status."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def ok(self) -> bool:
        """Tell whether the request succeeded."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the range of success (RFC 9110)


class NoReplyError(Exception):
    """No answer came back; `sent` tells whether the request may have reached the other side."""

    def __init__(self, why: str, *, sent: bool) -> None:
        super().__init__(why)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Message:
    """A request. Its address and bodies never appear in a repr: they hold secrets and personal data."""

    method: str
    url: str = field(repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    json: Any = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    writes: bool = False
    repeatable: bool = True
    """Whether it does no harm twice: tried again after a dropped connection or a server's error."""


class Transport:
    """Sends messages to one instance, within its budget."""

    def __init__(
        self,
        *,
        headers: Mapping[str, str],
        budget: Budget,
        meter: Meter,
        pulse: Pulse,
        use_proxies: bool,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            headers: static headers for every request.
            budget: what may be sent, and the only place where anything waits.
            meter: where requests are counted.
            pulse: called before each request and while waiting.
            use_proxies: whether the environment's proxy settings count; never for loopback.
        """
        self._budget = budget
        self._meter = meter
        self._pulse = pulse
        keep_queries_out_of_logs()
        self._session = requests.Session()
        self._session.trust_env = use_proxies
        self._session.headers.update({"User-Agent": user_agent(), "Accept": "application/json", **headers})

    def send(self, message: Message) -> Reply:
        """Send a message and return the answer, whatever its status but 429.

        Raises:
            NoReplyError: no answer came, after a few tries where trying is harmless.
            HaloRefused: the server's certificate is not trusted.
            BudgetSpent: the budget is used up, here or as Halo sees it.
        """
        for seconds in BACK_OFF:
            try:
                reply = self._within_budget(message)
            except NoReplyError as error:
                if error.sent and not message.repeatable:
                    raise
            else:
                if reply.status < _SERVER_ERROR or not message.repeatable:
                    return reply
            self._budget.pause(seconds * _RANDOM.uniform(1.0, 2.0), self._pulse)
        return self._within_budget(message)

    def close(self) -> None:
        """Close the connections and give back what is left of the budget; safe to call twice."""
        self._session.close()
        self._budget.close()

    def _within_budget(self, message: Message) -> Reply:
        """Send once; a 429 was not carried out, so it is waited out and sent again."""
        until = self._budget.now()
        for refusals in range(REFUSALS):
            self._budget.spend(self._pulse)
            self._pulse()  # last of all, because the budget may have had to be waited for
            self._meter.halo_requests += 1
            self._meter.halo_writes += message.writes
            reply = self._exchange(message)
            if reply.status != _TOO_MANY_REQUESTS:
                return reply
            now = self._budget.now()
            until = now + timedelta(seconds=wait_seconds(reply.headers.get("Retry-After"), now, refusals))
            self._budget.blocked(until)
            instance, seconds = urlsplit(message.url).netloc.lower(), (until - now).total_seconds()
            note(Event.THROTTLED, instance=instance, seconds=f"{seconds:.0f}")
        raise BudgetSpent(until)

    def _exchange(self, message: Message) -> Reply:
        try:
            response = self._session.request(
                message.method,
                message.url,
                params=dict(message.query),
                data=None if message.form is None else dict(message.form),
                json=message.json,
                auth=_authorisation(message.token),
                timeout=TIME_OUTS,
                # A redirection could carry the token, the secret or a person's data to another host.
                allow_redirects=False,
            )
        except exceptions.RequestException as error:
            # `from None`: what requests says holds the address, with personal data in its query.
            raise _failure(error) from None
        return Reply(response.status_code, response.headers, response.content)


def user_agent() -> str:
    """Return the name and version that this product goes by."""
    return f"HaloAdSync/{__version__}"


def wait_seconds(retry_after: str | None, now: datetime, refusals: int) -> float:
    """Return how long to wait after a 429.

    Args:
        retry_after: the header (RFC 9110, 10.2.3: seconds or a date), where one came.
        now: the time (UTC).
        refusals: how many 429 came in a row before this one.
    """
    if retry_after is not None:
        if retry_after.strip().isdecimal():
            return min(float(retry_after), LONGEST_ASKED)
        try:
            asked = (parsedate_to_datetime(retry_after) - now).total_seconds()
            return min(max(asked, 0.0), LONGEST_ASKED)
        except (TypeError, ValueError, OverflowError):
            pass  # neither seconds nor a date with its zone: as good as no header
    longest = min(SHORTEST_WAIT * 2.0 ** (refusals + 1), LONGEST_WAIT)
    return _RANDOM.uniform(longest / 2, longest)


def _authorisation(token: str | None) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Return what signs a request. Without any, requests would look for a password in a .netrc file."""

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if token is not None:
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    return sign


def _failure(error: exceptions.RequestException) -> NoReplyError | HaloRefused:
    if isinstance(error, exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return HaloRefused(
            "Halo's certificate is not trusted on this machine, or names another host; check halo.url and the"
            " certificate's issuer."
        )
    if isinstance(error, exceptions.ConnectTimeout) or _never_connected(error):
        return NoReplyError("no connection could be made", sent=False)
    if isinstance(error, exceptions.Timeout):
        return NoReplyError(f"no answer within {TIME_OUTS[1]:g} seconds", sent=True)
    return NoReplyError("the connection broke before an answer", sent=True)


def _never_connected(error: exceptions.RequestException) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)
