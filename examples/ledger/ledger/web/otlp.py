"""Spans as OTLP in JSON, to an address or into a file.

Source: opentelemetry-proto, trace/v1 and its JSON mapping (ids in hexadecimal, 64-bit numbers as
text).
"""

from __future__ import annotations

import json
import logging
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

LOG = logging.getLogger(__name__)
TIMEOUT_S = 5


class OtlpJson(SpanExporter):
    """Posts each batch to `address` and appends it to `path`, whichever is named."""

    def __init__(self, *, address: str, path: str) -> None:
        self._address = address
        self._path = Path(path) if path else None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send one batch; what cannot be sent is lost, and said once per batch."""
        text = json.dumps(_batch(spans), separators=(",", ":"))
        try:
            if self._path is not None:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(text + "\n")
            if self._address:
                self._post(text.encode())
        except OSError as error:
            LOG.warning("%d spans are lost: %s", len(spans), error)
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def _post(self, body: bytes) -> None:
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self._address, data=body, headers=headers)
        urllib.request.urlopen(request, timeout=TIMEOUT_S).close()


def _batch(spans: Sequence[ReadableSpan]) -> dict[str, Any]:
    resource = spans[0].resource.attributes if spans else {}
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes(resource)},
                "scopeSpans": [{"scope": {"name": "ledger"}, "spans": [_span(s) for s in spans]}],
            }
        ]
    }


def _span(span: ReadableSpan) -> dict[str, Any]:
    context = span.context
    assert context is not None
    shown: dict[str, Any] = {
        "traceId": f"{context.trace_id:032x}",
        "spanId": f"{context.span_id:016x}",
        "name": span.name,
        "kind": span.kind.value + 1,  # OTLP counts from 1; 0 means unspecified
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time),
        "attributes": _attributes(span.attributes or {}),
        "status": {} if span.status.is_unset else {"code": span.status.status_code.value},
    }
    if span.parent is not None:
        shown["parentSpanId"] = f"{span.parent.span_id:016x}"
    return shown


def _attributes(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": str(value)}
