"""W3C trace context in, spans out: OpenTelemetry when an address or a file is named, else nothing.

OTEL_EXPORTER_OTLP_ENDPOINT (or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, the whole address) gets
OTLP/HTTP in JSON; LEDGER_TRACES names a file that gets the same, one line per batch, as the
collector's file exporter writes it. Without either, OpenTelemetry is not even imported.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from opentelemetry.trace import Span

TRACE_PARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


class Trail(Protocol):
    """One request on its way."""

    trace_id: str
    trace_parent: str
    """What goes on to whom the ledger calls, and back to who called it."""

    def end(self, name: str, attributes: Mapping[str, Any], *, failed: bool) -> None:
        """The request is answered."""


class Tracing(Protocol):
    """Where spans go."""

    def begin(self, trace_parent: str) -> Trail:
        """A request came in; `trace_parent` is its header, or empty."""

    def paying_out(self, trace_parent: str) -> AbstractContextManager[str]:
        """A call of the bank: gives the header that it carries."""

    def close(self) -> None:
        """Send what waits."""


class Footprint:
    """A trail that only knows its name, for the log."""

    def __init__(self, trace_parent: str) -> None:
        match = TRACE_PARENT.fullmatch(trace_parent)
        self.trace_id = match[1] if match else secrets.token_hex(16)
        flags = match[3] if match else "00"
        self.trace_parent = f"00-{self.trace_id}-{secrets.token_hex(8)}-{flags}"

    def end(self, name: str, attributes: Mapping[str, Any], *, failed: bool) -> None:
        """Nobody wants to know."""


class NoTracing:
    """Trace ids are read and passed on; no span is made."""

    def begin(self, trace_parent: str) -> Trail:
        """Its trace goes on."""
        return Footprint(trace_parent)

    def paying_out(self, trace_parent: str) -> AbstractContextManager[str]:
        """The header as it is."""
        return nullcontext(trace_parent)

    def close(self) -> None:
        """Nothing waits."""


class SpanTrail:
    """A trail that is a span."""

    def __init__(self, span: Span) -> None:
        self._span = span
        context = span.get_span_context()
        assert context is not None
        self.trace_id = f"{context.trace_id:032x}"
        flags = f"{int(context.trace_flags):02x}"
        self.trace_parent = f"00-{self.trace_id}-{context.span_id:016x}-{flags}"

    def end(self, name: str, attributes: Mapping[str, Any], *, failed: bool) -> None:
        """Name the span by its route, which is known only now."""
        from opentelemetry.trace import StatusCode

        self._span.update_name(name)
        self._span.set_attributes(attributes)
        if failed:
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


class OpenTelemetry:
    """Spans to an address, a file, or both."""

    def __init__(self, *, address: str, path: str) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        from ledger.web.otlp import OtlpJson

        provider = TracerProvider(resource=Resource.create({"service.name": "ledger"}))
        provider.add_span_processor(BatchSpanProcessor(OtlpJson(address=address, path=path)))
        self._provider = provider
        self._tracer = provider.get_tracer("ledger")

    def begin(self, trace_parent: str) -> Trail:
        """A server span, child of the caller's."""
        from opentelemetry.trace import SpanKind

        return SpanTrail(self._start("request", trace_parent, SpanKind.SERVER))

    @contextmanager
    def paying_out(self, trace_parent: str) -> Iterator[str]:
        """A client span around the call."""
        from opentelemetry.trace import SpanKind

        span = self._start("bank.pay_out", trace_parent, SpanKind.CLIENT)
        try:
            yield SpanTrail(span).trace_parent
        finally:
            span.end()

    def close(self) -> None:
        """Send what waits."""
        self._provider.shutdown()

    def _start(self, name: str, trace_parent: str, kind: Any) -> Span:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        context = TraceContextTextMapPropagator().extract({"traceparent": trace_parent})
        return self._tracer.start_span(name, context=context, kind=kind)


def tracing_from(environment: Mapping[str, str]) -> Tracing:
    """What the environment asks for. Raises ImportError without opentelemetry-sdk, if anything."""
    base = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").rstrip("/")
    address = environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
    address = address or (f"{base}/v1/traces" if base else "")
    path = environment.get("LEDGER_TRACES", "")
    if not address and not path:
        return NoTracing()
    return OpenTelemetry(address=address, path=path)
