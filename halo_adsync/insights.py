"""Application Insights: where spans and numbers go, if the app has one.

Through Microsoft's exporter alone. Nothing is instrumented by itself, because what libraries tell of their
requests holds keys, DNs and addresses; and logs go their own way, by the Functions host. See
docs/adr/0015-spans-and-numbers-beside-the-hosts-telemetry.md.
"""

import os

from azure.core.credentials import TokenCredential
from azure.monitor.opentelemetry.exporter import AzureMonitorMetricExporter, AzureMonitorTraceExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from halo_adsync import __version__
from halo_adsync.errors import ConfigurationError
from halo_adsync.telemetry import NAME, Telemetry

OWN_CALLS = (
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
    "APPLICATIONINSIGHTS_OPENTELEMETRY_RESOURCE_METRIC_DISABLED",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
)
"""What the exporter would send to Microsoft about itself, and fetch from there, unless these are set."""


def connect(connection_string: str, credential: TokenCredential | None, site: str) -> Telemetry:
    """Send spans and numbers to Application Insights, in the background, until the process ends.

    Spans leave within five seconds and numbers once a minute. What cannot be sent is dropped: nothing is
    put on the disk.

    Args:
        connection_string: the resource's.
        credential: signs in there; None where its key, which the connection string holds, is enough.
        site: the name under which the Functions host tells of the same app; empty elsewhere.

    Raises:
        ConfigurationError: it is no connection string of Application Insights.
    """
    for name in OWN_CALLS:
        os.environ.setdefault(name, "true")
    to = {"connection_string": connection_string, "credential": credential, "disable_offline_storage": True}
    try:
        spans, numbers = AzureMonitorTraceExporter(**to), AzureMonitorMetricExporter(**to)
    except ValueError:
        raise ConfigurationError(
            "APPLICATIONINSIGHTS_CONNECTION_STRING is no connection string of Application Insights: copy it"
            " anew, or remove it."
        ) from None
    resource = Resource({SERVICE_NAME: site or "halo-adsync", SERVICE_VERSION: __version__})
    # Few spans, all of them wanted: the Functions host marks what calls us as not sampled.
    tracers = TracerProvider(sampler=ALWAYS_ON, resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(spans))
    meters = MeterProvider([PeriodicExportingMetricReader(numbers)], resource=resource)
    return Telemetry(tracers.get_tracer(NAME, __version__), meters.get_meter(NAME, __version__))
