"""A Prometheus server asked for a value of this moment.

Source: Prometheus, "HTTP API", instant queries; others (Thanos, Mimir, VictoriaMetrics) answer
alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from premortem.observe.tracking import Point, Unseen


class _Data(Struct, frozen=True):
    resultType: str = ""  # noqa: N815 - as it is sent
    result: Any = ()


class _Answer(Struct, frozen=True):
    status: str
    data: _Data = _Data()
    error: str = ""


class _Series(Struct, frozen=True):
    value: tuple[float, str]
    metric: Mapping[str, str] = {}


def query_url(base: str, query: str) -> str:
    """Where the server at BASE answers QUERY."""
    return f"{base.rstrip('/')}/api/v1/query?{urlencode({'query': query})}"


def points(body: bytes) -> list[Point]:
    """What an answer says: one value for each series. Raises Unseen."""
    try:
        answer = msgspec.json.decode(body, type=_Answer)
        if answer.status != "success":
            raise Unseen(f"the query failed: {answer.error[:200] or answer.status}")
        if answer.data.resultType == "scalar":
            _, text = msgspec.convert(answer.data.result, tuple[float, str])
            return [Point(series=(), value=float(text))]
        if answer.data.resultType != "vector":
            raise Unseen(f"the query gives a {answer.data.resultType}, not values of one moment")
        return [
            Point(series=tuple(sorted(one.metric.items())), value=float(one.value[1]))
            for one in msgspec.convert(answer.data.result, list[_Series])
        ]
    except (msgspec.DecodeError, ValueError) as error:  # a ValidationError is a DecodeError, too
        raise Unseen(f"the answer is not that of a Prometheus server: {error}") from None
