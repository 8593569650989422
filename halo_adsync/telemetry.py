"""Telemetry: what a run looks like from outside, as a span for each phase, and as numbers.

Made with OpenTelemetry's API alone: where nobody has set up where to (`insights.py`), nothing is kept and
nothing is sent. Each span and number says in ids whose it is and of which run. None holds a name, a DN, an
address or the text of an error.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from opentelemetry import context, metrics, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from halo_adsync.model import Meter

NAME = "halo_adsync"
CUSTOMER, RUN, MODE, STATUS, KIND, WRITES = (
    f"{NAME}.{name}" for name in ("customer", "run", "mode", "status", "kind", "writes")
)
"""The attributes of spans and numbers; `error.type` is OpenTelemetry's own."""


class Telemetry:
    """Where spans and numbers go.

    Args:
        tracer: makes the spans; by default whoever is set up for the whole process, and usually nobody.
        meter: takes the numbers; by default the same.
    """

    def __init__(self, tracer: trace.Tracer | None = None, meter: metrics.Meter | None = None) -> None:
        self.tracer = tracer or trace.get_tracer(NAME)
        meter = meter or metrics.get_meter(NAME)
        self.runs = meter.create_counter(f"{NAME}.runs", "{run}", "Runs that came to an end, by status")
        self.people = meter.create_counter(
            f"{NAME}.people", "{person}", "People of runs that came to an end, by what became of each"
        )
        self.entries = meter.create_counter(f"{NAME}.directory.entries", "{entry}", "Entries read by LDAP")
        self.requests = meter.create_counter(f"{NAME}.halo.requests", "{request}", "Requests to Halo")
        self.waits = meter.create_histogram(f"{NAME}.halo.wait", "s", "Waits for Halo's request budget")
        self._lag = meter.create_gauge(f"{NAME}.lag", "h", "Time since the last good run")

    def lags(self, customer: str, hours: int) -> None:
        """Take note of how long ago a customer was last in step."""
        self._lag.set(hours, {CUSTOMER: customer})

    @contextmanager
    def slice(self, customer: str, run: str, meter: Meter) -> Iterator[None]:
        """Follow one slice of a run; what it counts on its meter is told at its end, however it ends."""
        ids = {CUSTOMER: customer, RUN: run}
        with _span(self, "run", ids) as span:
            token = _FOLLOWED.set(_Followed(self, span, ids))
            try:
                yield
            finally:
                _FOLLOWED.reset(token)
                self.entries.add(meter.ldap_entries, ids)
                self.requests.add(meter.halo_requests - meter.halo_writes, {**ids, WRITES: False})
                self.requests.add(meter.halo_writes, {**ids, WRITES: True})


@dataclass(frozen=True, slots=True)
class _Followed:
    """The slice that is worked on."""

    telemetry: Telemetry
    span: trace.Span
    ids: Mapping[str, str]


_FOLLOWED: ContextVar[_Followed | None] = ContextVar("followed", default=None)


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Follow one phase of the slice that is worked on; as a decorator, a function that is one."""
    followed = _FOLLOWED.get()
    if followed is None:
        yield
        return
    with _span(followed.telemetry, name, followed.ids):
        yield


def waited(seconds: float) -> None:
    """Take note that the slice that is worked on waited for Halo's budget."""
    if followed := _FOLLOWED.get():
        followed.telemetry.waits.record(seconds, followed.ids)


def ended(mode: str, status: str, counts: Mapping[str, int]) -> None:
    """Take note of how the run that is worked on ended.

    Args:
        mode: the run's, as it turned out.
        status: the run's.
        counts: how many people ended in which bucket.
    """
    if followed := _FOLLOWED.get():
        about = {MODE: mode, STATUS: status}
        many = {f"{NAME}.people.{kind}": number for kind, number in counts.items() if number}
        followed.span.set_attributes({**about, **many})
        if status == "failed":
            followed.span.set_status(trace.StatusCode.ERROR)
        followed.telemetry.runs.add(1, {**followed.ids, **about})
        for kind, number in counts.items():
            if number:
                followed.telemetry.people.add(number, {**followed.ids, **about, KIND: kind})


@contextmanager
def continued(trace_parent: str | None) -> Iterator[None]:
    """Let what is followed belong to what called us.

    Args:
        trace_parent: the caller's trace and span, as the W3C's recommendation "Trace Context" writes them.
    """
    parent = TraceContextTextMapPropagator().extract({"traceparent": trace_parent or ""})
    token = context.attach(parent)
    try:
        yield
    finally:
        context.detach(token)


@contextmanager
def _span(telemetry: Telemetry, name: str, ids: Mapping[str, str]) -> Iterator[trace.Span]:
    """Make a span. Of an error it tells the class alone: its text and its traceback may name somebody."""
    start = telemetry.tracer.start_as_current_span
    with start(name, attributes=ids, record_exception=False, set_status_on_exception=False) as span:
        try:
            yield span
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(trace.StatusCode.ERROR)
            raise
