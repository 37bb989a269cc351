"""What exporters of OpenTelemetry send of traces: spans and the statements of databases.

Source: OpenTelemetry Protocol 1.x, `opentelemetry/proto/trace/v1/trace.proto`; OTLP/HTTP for the
JSON mapping (trace ids as hex digits there); semantic conventions for database clients, of 2025
(`db.query.text`, `db.system.name`) and before (`db.statement`, `db.system`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from premortem.observe.otlp import PairJson, ResourceJson, attributes_of, each_nested
from premortem.observe.protobuf import fields, nested


class Span(Struct, frozen=True, kw_only=True):
    """One step that the target took for a request."""

    trace_id: str
    """32 hex digits."""
    name: str
    attributes: Mapping[str, str] = {}

    @property
    def statement(self) -> str:
        """What it asked of a database; empty: it asked nothing of one."""
        given = self.attributes
        return given.get("db.query.text") or given.get("db.statement") or ""

    @property
    def system(self) -> str:
        """Of which database system."""
        return self.attributes.get("db.system.name") or self.attributes.get("db.system") or ""


def from_protobuf(body: bytes) -> Iterator[Span]:
    """The spans in an ExportTraceServiceRequest. Raises ValueError for what is none."""
    for resource_spans in each_nested(body, 1):
        for scope_spans in each_nested(resource_spans, 2):
            for span in each_nested(scope_spans, 2):
                yield _span(span)


def _span(message: bytes) -> Span:
    name, trace_id = "", ""
    for number, _, value in fields(message):
        if number == 1:
            trace_id = nested(value).hex()
        elif number == 5:
            name = nested(value).decode()
    return Span(trace_id=trace_id, name=name, attributes=attributes_of(message, 9))


class _SpanJson(Struct, rename="camel"):
    name: str = ""
    trace_id: str = ""
    attributes: Sequence[PairJson] = ()


class _ScopeJson(Struct):
    spans: Sequence[_SpanJson] = ()


class _ResourceSpansJson(Struct, rename="camel"):
    resource: ResourceJson = msgspec.field(default_factory=ResourceJson)
    scope_spans: Sequence[_ScopeJson] = ()


class _RequestJson(Struct, rename="camel"):
    resource_spans: Sequence[_ResourceSpansJson] = ()


def from_json(body: bytes) -> Iterator[Span]:
    """The spans in an ExportTraceServiceRequest as JSON. Raises ValueError for what is none."""
    try:
        request = msgspec.json.decode(body, type=_RequestJson)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None
    for resource_spans in request.resource_spans:
        for scope in resource_spans.scope_spans:
            for span in scope.spans:
                yield Span(
                    trace_id=span.trace_id.lower(),
                    name=span.name,
                    attributes={pair.key: pair.value.text for pair in span.attributes},
                )


_LITERALS = re.compile(r"'(?:[^']|'')*'|(?<![\w$:%@.])-?\d+(?:\.\d+)?\b")
_LISTS = re.compile(r"\(\s*\?(?:\s*,\s*\?)+\s*\)")
_PLACEHOLDERS = re.compile(r"\$\d+|%\(\w+\)s|%s|(?<![:\w]):\w+|@\w+")
STATEMENT_CHARACTERS_MAX = 500


def plain_statement(statement: str) -> str:
    """STATEMENT without its values, so that equal ones are equal: `select * from t where id = ?`"""
    text = _PLACEHOLDERS.sub("?", _LITERALS.sub("?", statement))
    return _LISTS.sub("(?)", " ".join(text.split()))[:STATEMENT_CHARACTERS_MAX]
