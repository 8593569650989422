"""Notifying: people are told that runs do not go well, once a cause, and that they do so again.

What they were told of is kept, so that the next run with the same trouble is silent. What could not be told
is tried again by the next run. A notice never makes a run fail, and never names a person.
"""

import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from halo_adsync.customer import Customer
from halo_adsync.errors import HaloAdSyncError, HaloRefused, RecordRejected, RowUnreadable
from halo_adsync.events import Event, note
from halo_adsync.notify import Message
from halo_adsync.notifying_tickets import note_on_ticket, open_ticket
from halo_adsync.services import Services
from halo_adsync.state.customer_state import CustomerState
from halo_adsync.state.lease import Lease
from halo_adsync.state.notices import MODES, Trouble, Troubles
from halo_adsync.state.runs import Run, Status

WEBHOOK, TICKET = "webhook", "ticket"
LIMITS_SHOWN = 10
_NUMBER = re.compile(r"\d+")
_NAME = re.compile(r"\b(CN|UID)=(?:\\.|[^,\\])+", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s'\"(<:;,]+@(?=[\w-]+\.)")


@dataclass(frozen=True, slots=True)
class Notifier:
    """Tells people how one run ended.

    Args:
        services: how they are told.
        customer: whose run; the file says whom to tell, and of what.
        run: the run as it ended. Dry runs and runs for one person tell nothing.
        state: where it is kept what people were told.
        lease: the run's.
    """

    services: Services
    customer: Customer
    run: Run
    state: CustomerState
    lease: Lease

    def tell(self, known: Troubles | None = None) -> None:
        """Tell people, where they are to know, and keep what they know then.

        Args:
            known: what they were told before; None looks it up.

        Raises:
            LeaseLost, StateUnavailable: as every write of a run.
        """
        notify, run = self.customer.notify, self.run
        if notify is None or run.dry_run or run.person:
            return
        if known is None:
            known = self._looked_up()
        if run.status is Status.OK:
            after = self._went_well(known, every="ok" in notify.on)
        elif run.status.value in notify.on:
            after = self._went_wrong(known)
        else:
            return
        if after != known:
            self.state.keep_troubles(after, self.lease)

    def _went_wrong(self, known: Troubles) -> Troubles:
        run, cause = self.run, cause_of(self.run)
        kind = Status.FAILED if run.message else run.status
        trouble = known.get(cause, Trouble(run.id, run.mode, kind))
        news = bad_news(self.customer, run)
        for way, send in self._ways(trouble, news):
            if way not in trouble.told and self._reached(way, send):
                trouble = replace(trouble, told=(*trouble.told, way))
        return {**known, cause: trouble}

    def _went_well(self, known: Troubles, *, every: bool) -> Troubles:
        parked = any(one.kind is Status.PARTIAL for one in known.values()) and bool(self.state.parked())
        over = {cause: one for cause, one in known.items() if is_over(one, self.run, parked=parked)}
        left = self._over_by_ticket(self._over_by_webhook(over, every=every))
        return {cause: one for cause, one in known.items() if cause not in over} | {
            cause: one for cause, one in left.items() if one.told
        }

    def _over_by_webhook(self, over: Troubles, *, every: bool) -> Troubles:
        """Tell the webhook what is over; return that without this way, unless it has to be tried again."""
        if self._has_webhook():
            to_tell = {cause: one for cause, one in over.items() if WEBHOOK in one.told}
            news = good_news(self.customer, self.run, to_tell)
            wanted = to_tell or (every and self.run.settled)
            if wanted and not self._reached(WEBHOOK, partial(self._call, news)):
                return over
        return {cause: _without(one, WEBHOOK) for cause, one in over.items()}

    def _over_by_ticket(self, over: Troubles) -> Troubles:
        """Note on tickets what is over; return that without this way, unless it has to be tried again."""
        return {
            cause: one if self._not_noted(cause, one) else _without(one, TICKET)
            for cause, one in over.items()
        }

    def _not_noted(self, cause: str, trouble: Trouble) -> bool:
        notify = self.customer.notify
        if notify is None or notify.ticket is None or TICKET not in trouble.told:
            return False
        news = trouble, good_news(self.customer, self.run, {cause: trouble})
        send = partial(note_on_ticket, self.services, self.customer, notify.ticket, news, self.lease.pulse)
        # A note that Halo does not want is not worth four requests in every run from now on.
        return not self._reached(TICKET, send, in_vain=(HaloRefused, RecordRejected))

    def _ways(self, trouble: Trouble, news: Message) -> Iterator[tuple[str, Callable[[], object]]]:
        """Yield how people are to be told of a trouble: tickets are for what keeps a plan from being done."""
        notify = self.customer.notify
        if self._has_webhook():
            yield WEBHOOK, partial(self._call, news)
        if notify and notify.ticket and self.run.status in {Status.BLOCKED, Status.FAILED}:
            ticket = notify.ticket, (trouble, news)
            yield TICKET, partial(open_ticket, self.services, self.customer, *ticket, self.lease.pulse)

    def _has_webhook(self) -> bool:
        return self.customer.notify is not None and self.customer.notify.webhook is not None

    def _call(self, message: Message) -> None:
        self.services.call_webhook(self.customer, message)

    def _reached(
        self, way: str, send: Callable[[], object], in_vain: tuple[type[HaloAdSyncError], ...] = ()
    ) -> bool:
        """Send a notice, and tell whether that is done with; what went wrong is logged.

        Args:
            way: how it is sent.
            send: sends it.
            in_vain: errors after which it is not tried again.
        """
        self.lease.pulse()
        try:
            send()
        except HaloAdSyncError as error:
            note(
                Event.NOT_TOLD,
                logging.ERROR,
                customer=self.run.customer,
                run=self.run.id,
                way=way,
                problem=str(error),
            )
            return isinstance(error, in_vain)
        return True

    def _looked_up(self) -> Troubles:
        try:
            return self.state.troubles()
        except RowUnreadable:  # to tell once more is better than never again
            return {}


def _without(trouble: Trouble, way: str) -> Trouble:
    return replace(trouble, told=tuple(one for one in trouble.told if one != way))


def cause_of(run: Run) -> str:
    """Return the same for runs that went wrong in the same way, whatever the numbers."""
    if run.message:
        said = _NUMBER.sub("#", run.message.replace(run.id, ""))
        return f"failed {run.cause} {hashlib.sha256(said.encode()).hexdigest()[:16]}"
    if run.status is Status.BLOCKED:
        return f"blocked {' '.join(sorted({violation.rule for violation in run.violations}))}"
    return "partial"


def is_over(trouble: Trouble, run: Run, *, parked: bool) -> bool:
    """Tell whether a run that went well shows that a trouble is over.

    What kept a run from going on is over when any run gets through. A plan that was blocked, and records
    that failed, may be none of a lighter run's business; and records that are parked were not tried again.

    Args:
        trouble: what people were told of.
        run: the run that went well.
        parked: whether records that Halo refused wait to be tried again.
    """
    if trouble.kind is Status.FAILED:
        return True
    if trouble.kind is Status.PARTIAL and parked:
        return False
    return MODES.index(run.mode) >= MODES.index(trouble.mode)


def bad_news(customer: Customer, run: Run) -> Message:
    """Return what people are told of a run that did not go well."""
    return _message(customer, run, run.status.value, _reasons(run))


def good_news(customer: Customer, run: Run, over: Troubles) -> Message:
    """Return what people are told of a run that went well: that it ended a trouble, or what it changed."""
    since = min((trouble.run for trouble in over.values()), default="")
    if since:
        return _message(customer, run, "all is well again", [f"What was told of run {since} is over."])
    return _message(customer, run, "ok", [])


def _reasons(run: Run) -> Iterator[str]:
    if run.message:
        yield run.message
    violations = run.violations if run.status is Status.BLOCKED else ()
    yield from (violation.message for violation in violations[:LIMITS_SHOWN])
    if len(violations) > LIMITS_SHOWN:
        yield f"And {len(violations) - LIMITS_SHOWN} limits more."
    failed = run.counts["failed"] + run.agents["failed"] + run.others_failed
    if failed:
        yield f"{failed} of {run.total} changes failed; the others are written."


def _message(customer: Customer, run: Run, what: str, said: Iterable[str]) -> Message:
    counts = ", ".join(f"{number} {bucket}" for bucket, number in run.counts.items() if number)
    lines = [
        *(without_people(line) for line in said),
        f"Run {run.id} ({run.mode}): {counts or 'no change'}.",
        run.next_step() or f"See halo-adsync run {run.customer} {run.id}",
    ]
    return Message(f"Halo AD Sync, {customer.name} ({customer.id}): {what}", tuple(lines))


def without_people(text: str) -> str:
    """Cut what may be somebody's name or address out of a sentence, which may name a record by its DN."""
    return _ADDRESS.sub("…@", _NAME.sub(r"\1=…", text))
