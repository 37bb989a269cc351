"""Spans of our own work, where OpenTelemetry is installed and set up; elsewhere nothing.

The endpoint is OpenTelemetry's own setting (OTEL_EXPORTER_OTLP_ENDPOINT) or a provider that the
program around us has set: a library does not choose where its spans go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

TRACER = "premortem"
Attributes = Mapping[str, str | int | float | bool]
Tell = Callable[[Attributes], None]
"""Adds attributes to a span that is going on."""


@contextmanager
def span(name: str, attributes: Attributes, *, provider: Any = None) -> Iterator[Tell]:
    """NAME as the current span while the block runs, with ATTRIBUTES that are not empty.

    PROVIDER: an OpenTelemetry tracer provider; None: the one that the program has set. An error
    that leaves the block is recorded.
    """
    try:
        from opentelemetry import trace
    except ImportError:
        yield lambda _more: None
        return
    tracer = trace.get_tracer(TRACER, tracer_provider=provider)
    with tracer.start_as_current_span(name, attributes=_said(attributes)) as going:
        yield lambda more: going.set_attributes(_said(more))


def _said(attributes: Attributes) -> dict[str, str | int | float | bool]:
    return {key: value for key, value in attributes.items() if value not in ("", None)}
