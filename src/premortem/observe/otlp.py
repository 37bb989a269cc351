"""What exporters of OpenTelemetry send: gauges and sums, as protobuf or as JSON.

Source: OpenTelemetry Protocol 1.x, `opentelemetry/proto/metrics/v1/metrics.proto` and
`common/v1/common.proto`; OTLP/HTTP for the JSON mapping (64-bit integers may be texts).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from premortem.observe.protobuf import double, fields, fixed64, nested, sfixed64, signed
from premortem.observe.tracking import Point

DELTA = 1
"""`AGGREGATION_TEMPORALITY_DELTA`."""
NO_VALUE = 1
"""`DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK`."""
_NANO = 1e-9


class Reported(Struct, frozen=True, kw_only=True):
    """One value that an exporter sent."""

    metric: str
    labels: Mapping[str, str]
    """Attributes of the value, and of the resource (the service) that it is about."""
    point: Point


class _Number(Struct, kw_only=True):
    """A NumberDataPoint."""

    labels: dict[str, str]
    value: float | None = None
    at_ns: int = 0
    since_ns: int = 0
    flags: int = 0

    def reported(
        self, metric: str, resource: Mapping[str, str], *, delta: bool
    ) -> Iterator[Reported]:
        """Itself, of METRIC and RESOURCE; nothing where it has no value."""
        if self.value is None or self.flags & NO_VALUE:
            return
        labels = {**resource, **self.labels}
        yield Reported(
            metric=metric,
            labels=labels,
            point=Point(
                series=tuple(sorted(labels.items())),
                value=self.value,
                at_s=self.at_ns * _NANO if self.at_ns else None,
                since_s=self.since_ns * _NANO if delta else None,
            ),
        )


def from_protobuf(body: bytes) -> Iterator[Reported]:
    """The values in an ExportMetricsServiceRequest. Raises ValueError for what is none."""
    for resource_metrics in each_nested(body, 1):
        resource: dict[str, str] = {}
        for message in each_nested(resource_metrics, 1):
            resource |= attributes_of(message, 1)
        for scope_metrics in each_nested(resource_metrics, 2):
            for metric in each_nested(scope_metrics, 2):
                yield from _metric(metric, resource)


def each_nested(message: bytes, number: int) -> Iterator[bytes]:
    """The messages that stand in the field NUMBER of MESSAGE."""
    return (nested(value) for found, _, value in fields(message) if found == number)


def _metric(message: bytes, resource: Mapping[str, str]) -> Iterator[Reported]:
    name = ""
    sums: list[tuple[bytes, bool]] = []
    for number, _, value in fields(message):
        if number == 1:
            name = nested(value).decode()
        elif number in (5, 7):
            sums.append((nested(value), number == 7))
    for data, is_sum in sums:
        delta = is_sum and any(
            number == 2 and signed(value) == DELTA for number, _, value in fields(data)
        )
        for point in each_nested(data, 1):
            yield from _number(point).reported(name, resource, delta=delta)


def _number(message: bytes) -> _Number:
    found = _Number(labels=attributes_of(message, 7))
    for number, _, value in fields(message):
        if number == 2:
            found.since_ns = fixed64(value)
        elif number == 3:
            found.at_ns = fixed64(value)
        elif number == 4:
            found.value = double(value)
        elif number == 6:
            found.value = float(sfixed64(value))
        elif number == 8:
            found.flags = signed(value)
    return found


def attributes_of(message: bytes, number: int) -> dict[str, str]:
    """The pairs in the field NUMBER of MESSAGE; a value that is no scalar is empty."""
    found: dict[str, str] = {}
    for pair in each_nested(message, number):
        key, text = "", ""
        for place, _, value in fields(pair):
            if place == 1:
                key = nested(value).decode()
            elif place == 2:
                text = _any_value(nested(value))
        found[key] = text
    return found


def _any_value(message: bytes) -> str:
    for number, _, value in fields(message):
        match number:
            case 1:
                return nested(value).decode()
            case 2:
                return _text(bool(value))
            case 3:
                return str(signed(value))
            case 4:
                return _text(double(value))
    return ""


def _text(value: str | bool | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_Integer = int | str
"""The JSON mapping of protobuf writes 64-bit integers as texts; some exporters do not."""


class _Any(Struct, rename="camel"):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: _Integer | None = None
    double_value: float | None = None

    @property
    def text(self) -> str:
        for value in (self.string_value, self.bool_value, self.int_value, self.double_value):
            if value is not None:
                return _text(value)
        return ""


class PairJson(Struct):
    """An attribute."""

    key: str
    value: _Any = msgspec.field(default_factory=_Any)


class _PointJson(Struct, rename="camel"):
    attributes: Sequence[PairJson] = ()
    start_time_unix_nano: _Integer = 0
    time_unix_nano: _Integer = 0
    as_double: float | str | None = None
    as_int: _Integer | None = None
    flags: int = 0


class _DataJson(Struct, rename="camel"):
    data_points: Sequence[_PointJson] = ()
    aggregation_temporality: _Integer = 0


class _MetricJson(Struct):
    name: str
    gauge: _DataJson | None = None
    sum: _DataJson | None = None


class _ScopeJson(Struct):
    metrics: Sequence[_MetricJson] = ()


class ResourceJson(Struct):
    """What values are about."""

    attributes: Sequence[PairJson] = ()


class _ResourceMetricsJson(Struct, rename="camel"):
    resource: ResourceJson = msgspec.field(default_factory=ResourceJson)
    scope_metrics: Sequence[_ScopeJson] = ()


class _RequestJson(Struct, rename="camel"):
    resource_metrics: Sequence[_ResourceMetricsJson] = ()


def from_json(body: bytes) -> Iterator[Reported]:
    """The values in an ExportMetricsServiceRequest as JSON. Raises ValueError for what is none."""
    try:
        request = msgspec.json.decode(body, type=_RequestJson)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None
    for resource_metrics in request.resource_metrics:
        resource = {pair.key: pair.value.text for pair in resource_metrics.resource.attributes}
        for scope in resource_metrics.scope_metrics:
            for metric in scope.metrics:
                for data in (metric.gauge, metric.sum):
                    if data is not None:
                        yield from _json_points(metric.name, data, resource)


def _json_points(name: str, data: _DataJson, resource: Mapping[str, str]) -> Iterator[Reported]:
    delta = str(data.aggregation_temporality) in ("1", "AGGREGATION_TEMPORALITY_DELTA")
    for each in data.data_points:
        value = each.as_double if each.as_int is None else each.as_int
        number = _Number(
            labels={pair.key: pair.value.text for pair in each.attributes},
            value=None if value is None else float(value),
            at_ns=int(each.time_unix_nano),
            since_ns=int(each.start_time_unix_nano),
            flags=each.flags,
        )
        yield from number.reported(name, resource, delta=delta)
