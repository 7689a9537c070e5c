"""OpenTelemetry: FastAPI's own spans of requests and one for each leg, once the OTEL_ variables say where they go.

Spans leave the machine, so what they may carry is a list: no account, no order, no address, no message of an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from opentelemetry import trace

from ordo_cli import log
from ordo_cli.domain.legs import Leg, Submission
from ordo_cli.domain.seams import NoMeter

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
CARRIED = frozenset(
    {
        "code.function.name",
        "error.type",
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "network.protocol.version",
        "ordo.attempt",
        "ordo.broker",
        "ordo.purpose",
        "ordo.state",
        "url.scheme",
    }
)
PATIENCE = 2.0  # seconds for one export: a collector that is down may not keep a server from stopping
MICRO = 1_000  # nanoseconds


class Spans(NoMeter):
    """A meter that makes a span of each leg, under the span of the request that it came by."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider, self._tracer = provider, provider.get_tracer("ordo")

    def close(self) -> None:
        """Hand over what is left, if whoever collects it answers."""
        self._provider.shutdown()

    def leg(self, leg: Leg, began: datetime, ended: datetime) -> None:
        span = self._tracer.start_span(
            "leg",
            kind=trace.SpanKind.CLIENT,
            start_time=_nanoseconds(began),
            attributes={
                "ordo.broker": leg.broker,
                "ordo.state": leg.state,
                "ordo.purpose": leg.purpose,
                "ordo.attempt": leg.attempt,
            },
        )
        if leg.submission is Submission.UNKNOWN:
            span.set_status(trace.StatusCode.ERROR)
        span.end(_nanoseconds(ended))


def spans(environ: Mapping[str, str]) -> Spans | None:
    """Spans that go where the OTEL_ variables say, or None when they say nothing or the extra is not installed."""
    if not any(environ.get(name) for name in ENDPOINTS) or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        log.get(__name__).warning("no_spans", why="the extra is not installed: pip install 'ordo-cli[otel]'")
        return None
    timeout = None if "OTEL_EXPORTER_OTLP_TIMEOUT" in environ else PATIENCE
    provider = providing(OTLPSpanExporter(timeout=timeout))
    trace.set_tracer_provider(provider)
    return Spans(provider)


def providing(exporter: SpanExporter, *, at_once: bool = False) -> TracerProvider:
    """A provider whose spans go to this exporter, without what may not leave."""
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "ordo"}))
    kind = SimpleSpanProcessor if at_once else BatchSpanProcessor
    provider.add_span_processor(kind(_only_carried(exporter)))
    return provider


def _only_carried(exporter: SpanExporter) -> SpanExporter:
    from opentelemetry.sdk.trace.export import SpanExporter

    class OnlyCarried(SpanExporter):
        """Hands on what the list names, and nothing else."""

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return exporter.export([_bare(span) for span in spans])

        def shutdown(self) -> None:
            exporter.shutdown()

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return exporter.force_flush(timeout_millis)

    return OnlyCarried()


def _bare(span: ReadableSpan) -> ReadableSpan:
    """The span without events, which hold messages of errors, and without attributes that are not on the list."""
    from opentelemetry.sdk.trace import ReadableSpan

    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={name: value for name, value in (span.attributes or {}).items() if name in CARRIED},
        links=span.links,
        kind=span.kind,
        status=trace.Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _nanoseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000) * MICRO
