"""Telemetry that is kept in memory, by OpenTelemetry's own SDK, as Application Insights would get it."""

from collections.abc import Mapping
from dataclasses import dataclass

from opentelemetry.sdk.metrics import Counter, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from halo_adsync.telemetry import Telemetry


@dataclass(frozen=True)
class Number:
    """One number of a metric."""

    name: str
    value: float
    about: Mapping[str, object]


class Followed:
    """What was told since it was last asked for."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        tracers = TracerProvider(sampler=ALWAYS_ON)
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self._numbers = InMemoryMetricReader({Counter: AggregationTemporality.DELTA})
        meters = MeterProvider([self._numbers])
        self.telemetry = Telemetry(tracers.get_tracer("tests"), meters.get_meter("tests"))

    def spans(self) -> tuple[ReadableSpan, ...]:
        """Return the spans that ended, in the order of their beginnings."""
        spans = self._spans.get_finished_spans()
        self._spans.clear()
        return tuple(sorted(spans, key=lambda span: span.start_time or 0))

    def numbers(self) -> list[Number]:
        """Return the numbers: of counters, what was added."""
        data = self._numbers.get_metrics_data()
        return [
            Number(metric.name, getattr(point, "value", getattr(point, "sum", 0)), point.attributes or {})
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        ]

    def everything(self) -> str:
        """Return all that was told, as text to look for words in."""
        return "\n".join([*(span.to_json() for span in self.spans()), *map(repr, self.numbers())])


def tree(spans: tuple[ReadableSpan, ...]) -> list[str]:
    """Return the names of spans, each below its parent's and indented by two more blanks."""
    depths: dict[int, int] = {}
    lines = []
    for span in spans:
        depth = depths.get(span.parent.span_id, -1) + 1 if span.parent else 0
        if span.context:
            depths[span.context.span_id] = depth
        lines.append("  " * depth + span.name)
    return lines
