"""Halo's REST API as GET and POST of parsed JSON: signed in, and with every failure as one of our errors.

In what is answered, the names of all fields are in lower case: Halo takes them without regard to case.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from halo_adsync.errors import Doubtful, HaloRefused, HaloUnavailable
from halo_adsync.halo.budget import Budget, Pulse, no_pulse
from halo_adsync.halo.codec import parse
from halo_adsync.halo.config import HaloConfig
from halo_adsync.halo.hiding import Hiding
from halo_adsync.halo.signin import SignIn
from halo_adsync.halo.statuses import failure
from halo_adsync.halo.transport import Message, NoReplyError, Reply, Transport
from halo_adsync.loopback import is_loopback
from halo_adsync.model import Meter

__all__ = ["HaloApi", "HaloConfig"]

_UNAUTHORISED = 401
_NOT_FOUND = 404


class HaloApi:
    """One instance's API. Nothing is sent before the first request; not for use by two threads at a time."""

    def __init__(self, config: HaloConfig, *, meter: Meter, budget: Budget, pulse: Pulse = no_pulse) -> None:
        self.config = config
        self._meter = meter
        self._transport = Transport(
            headers=config.headers,
            budget=budget,
            meter=meter,
            pulse=pulse,
            use_proxies=not is_loopback(urlsplit(config.url).hostname or ""),
        )
        self._hiding = Hiding([config.client_secret, *config.headers.values()])
        self._sign_in = SignIn(config, self._transport, budget, self._hiding)

    def get(self, path: str, query: Mapping[str, str] | None = None, *, missing_ok: bool = False) -> Any:
        """Return the parsed answer to a GET.

        Args:
            path: below `/api`, such as `/Users`.
            query: the query parameters, not yet encoded.
            missing_ok: return None where Halo answers that there is no such thing (404).

        Raises:
            HaloRefused: Halo says no to the sign-in or to this request.
            HaloUnavailable: no answer, a server's error or an unreadable answer, a few times in a row.
            BudgetSpent: no request may be sent for longer than this run waits.
        """
        what = f"GET {path}"
        for _ in range(2):  # a body that broke off on the way is asked for once more
            reply = self.ask(path, query)
            if missing_ok and reply.status == _NOT_FOUND:
                return None
            if not reply.ok:
                raise failure(reply.status, reply.body, self._hiding, what=what)
            try:
                return parse(reply.body)
            except ValueError:
                continue
        raise HaloUnavailable(f"{what} was answered with something that is no JSON; check halo.url.")

    def ask(self, path: str, query: Mapping[str, str] | None = None) -> Reply:
        """Return the raw answer to a GET, whatever its status; raises as `get` does when none came."""
        message = Message("GET", f"{self.config.url}/api{path}", query=query or {})
        try:
            return self._signed(message)
        except NoReplyError as error:
            raise HaloUnavailable(f"GET {path}: {error}; check halo.url and the network.") from None

    def post(self, path: str, elements: Sequence[Mapping[str, Any]], hide: Collection[str] = ()) -> Any:
        """Return the parsed answer to a POST of an array; sent once, but again after a 401 or a 429.

        Args:
            path: below `/api`, such as `/Users`.
            elements: the array.
            hide: values that must not stand in an error, though Halo may quote them.

        Raises:
            RecordRejected: Halo does not want these records (some of them may be stored all the same).
            Doubtful: no clear answer: the records may be stored or not.
            HaloRefused: Halo says no to the sign-in or to writing.
            HaloUnavailable: nothing was sent.
            BudgetSpent: as for `get`.
        """
        what = f"POST {path}"
        message = Message(
            "POST", f"{self.config.url}/api{path}", json=list(elements), writes=True, repeatable=False
        )
        writes = self._meter.halo_writes
        try:
            reply = self._signed(message)
        except NoReplyError as error:
            if not error.sent:
                self._meter.halo_writes = writes
            text = f"{what}: {error}"
            raise (
                Doubtful(f"{text}.") if error.sent else HaloUnavailable(f"{text}; nothing was sent.")
            ) from None
        if not reply.ok:
            refusal = failure(reply.status, reply.body, self._hiding, what=what, write=True, hide=hide)
            if isinstance(refusal, HaloRefused):
                self._meter.halo_writes = writes  # it was no write after all
            raise refusal
        try:
            return self._hiding.strike_all(parse(reply.body))
        except ValueError:
            raise Doubtful(
                f"{what} was answered with {reply.status} and something that is no JSON."
            ) from None

    def sign_in(self) -> None:
        """Fetch a token now; raises as `get` does."""
        self._sign_in.renew()

    def auth_info(self) -> dict[str, Any]:
        """Return what the instance says about signing in to it; raises as `get` does when no answer came."""
        return self._sign_in.auth_info()

    def close(self) -> None:
        """Close the connections and give back what is left of the budget; safe to call twice."""
        self._transport.close()

    def _signed(self, message: Message) -> Reply:
        """Send with a token; a token that is refused is replaced once."""
        reply = self._transport.send(replace(message, token=self._sign_in.token()))
        if reply.status == _UNAUTHORISED:
            reply = self._transport.send(replace(message, token=self._sign_in.renew()))
        return reply
