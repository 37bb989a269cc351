"""Fields and schemas of two profiles as one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from premortem.domain.histogram import Bins, added, as_bins, bin_of, quantiles
from premortem.domain.traffic import VALUES_MAX, Document, Field, Numbers
from premortem.learn.shapes import Shape
from premortem.learn.values import QUANTILES, closed_set, wider_format

DEPTH_MAX = 40
SHARES = tuple(step / (QUANTILES - 1) for step in range(QUANTILES))


class Side:
    """The fields of one side of one profile, and how many messages could have held them."""

    def __init__(self, fields: Sequence[Field], *, count: int, whole: int) -> None:
        self.fields = {str(field.place): field for field in fields}
        self._count = count
        self._whole = whole
        """Messages whose headers and body were recorded."""

    def parents(self, field: Field) -> int:
        """Messages, objects or items that FIELD's place could have been in."""
        if field.place.part in ("path", "query"):
            return self._count
        tokens = field.place.tokens
        if field.place.part != "body" or not tokens:
            return self._whole
        if tokens[-1] == "*":
            own = self.fields.get(str(field.place))
            return own.seen if own is not None else 0
        above = self.fields.get(str(field.place).rpartition("/")[0])
        return above.types.get("object", 0) if above is not None else 0


def merge_fields(a: Side, b: Side, *, values_max: int = VALUES_MAX) -> tuple[Field, ...]:
    """The fields of both; counts add up, ranges and sets are united."""
    merged = []
    for key in dict.fromkeys((*a.fields, *b.fields)):
        first, second = a.fields.get(key), b.fields.get(key)
        one = first if first is not None else b.fields[key]
        seen = sum(f.seen for f in (first, second) if f is not None)
        presence = min(1.0, seen / max(1, a.parents(one) + b.parents(one)))
        if first is not None and second is not None:
            merged.append(_merge(first, second, presence, values_max))
        else:
            merged.append(_alone(one, presence))
    order = ("path", "query", "header", "cookie", "body")
    # a body's fields stay in their order: what is around comes before what is in it
    return tuple(
        sorted(
            merged,
            key=lambda f: (
                order.index(f.place.part),
                f.place.name if f.place.part != "body" else "",
            ),
        )
    )


def _alone(field: Field, presence: float) -> Field:
    return replace(field, presence=presence)


def _merge(a: Field, b: Field, presence: float, values_max: int) -> Field:
    types = Counter(a.types) + Counter(b.types)
    values = Counter(dict(a.values)) + Counter(dict(b.values))
    complete = len(a.values) == a.distinct and len(b.values) == b.distinct
    form = _format(a, b)
    low, high = _lengths(a, b)
    redacted = a.redacted or b.redacted
    ranked = sorted(values.items(), key=lambda pair: (-pair[1], pair[0]))
    closed = complete and not redacted and not form
    return Field(
        place=a.place,
        seen=a.seen + b.seen,
        presence=presence,
        types=dict(sorted(types.items())),
        format=form,
        length_min=low,
        length_max=high,
        numbers=_numbers(a, b),
        values=tuple(ranked[:values_max]),
        distinct=len(values) if complete else max(a.distinct, b.distinct, len(values)),
        enumeration=closed and closed_set(list(values.values()), types),
        redacted=redacted,
    )


def _texts(field: Field) -> bool:
    return bool(field.types.get("string")) and field.length_max > 0


def _format(a: Field, b: Field) -> str:
    if not _texts(a) or not _texts(b):
        return a.format if _texts(a) else b.format
    return wider_format(a.format, b.format)


def _lengths(a: Field, b: Field) -> tuple[int, int]:
    measured = [f for f in (a, b) if f.types.get("string") or f.types.get("array")]
    if not measured:
        return 0, 0
    return min(f.length_min for f in measured), max(f.length_max for f in measured)


def _numbers(a: Field, b: Field) -> Numbers | None:
    if a.numbers is None or b.numbers is None:
        return a.numbers or b.numbers
    bins = added((_bins(a, a.numbers), _bins(b, b.numbers)))
    integral = a.numbers.integral and b.numbers.integral
    low = min(a.numbers.quantiles[0], b.numbers.quantiles[0])
    high = max(a.numbers.quantiles[-1], b.numbers.quantiles[-1])
    points = [min(high, max(low, q)) for q in quantiles(bins, SHARES, integral=integral)]
    points[0], points[-1] = low, high
    return Numbers(
        quantiles=tuple(points),
        integral=integral,
        decimals=max(a.numbers.decimals, b.numbers.decimals),
        bins=bins,
    )


def _bins(field: Field, numbers: Numbers) -> Bins:
    """The histogram; of a profile from before there were any, one drawn from its quantiles."""
    if numbers.bins:
        return numbers.bins
    counted = field.types.get("integer", 0) + field.types.get("number", 0)
    each = max(1, round(counted / len(numbers.quantiles)))
    drawn: Counter[int] = Counter()
    for point in numbers.quantiles:
        drawn[bin_of(point)] += each
    return as_bins(drawn)


def merge_schemas(fields: Sequence[Field], a: Document, b: Document, *, answer: bool) -> Document:
    """The schema that messages of both satisfy; FIELDS: of both, merged.

    Counts decide what is required and what may be null, as in learning. What fields do not
    tell (maps, files) comes from the schemas A and B.
    """
    body = [field for field in fields if field.place.part == "body"]
    if not body:
        return a or b
    made = _shape(body).schema(answer=answer)
    for document in (a, b):
        if document:
            made = _overlaid(made, json.loads(document), 0)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(schema | made, ensure_ascii=False)


def _shape(fields: Sequence[Field]) -> Shape:
    """FIELDS as the accumulator that they came from, as far as a schema needs it."""
    root = Shape(distinct_max=1)
    for field in fields:
        shape = root
        for name in field.place.tokens:
            if name == "*":
                shape.item = shape.item or Shape(distinct_max=1)
                shape = shape.item
            else:
                shape = shape.members.setdefault(name, Shape(distinct_max=1))
        shape.objects = field.types.get("object", 0)
        shape.arrays = field.types.get("array", 0)
        shape.scalars.types = Counter(
            {k: n for k, n in field.types.items() if k not in ("object", "array")}
        )
    return root


def _overlaid(made: dict[str, Any], old: Any, depth: int) -> dict[str, Any]:
    """MADE with the maps and files that OLD knows of."""
    if not isinstance(old, Mapping) or depth > DEPTH_MAX:
        return made
    made = dict(made)
    if "contentMediaType" in old:
        made["contentMediaType"] = old["contentMediaType"]
    if "additionalProperties" in old or "additionalProperties" in made:
        inner = [s["additionalProperties"] for s in (made, old) if "additionalProperties" in s]
        inner += [p for s in (made, old) for p in s.get("properties", {}).values()]
        joined = inner[0]
        for schema in inner[1:]:
            joined = join(joined, schema)
        made.pop("properties", None)
        made.pop("required", None)
        return made | {"additionalProperties": joined}
    for key, schema in made.get("properties", {}).items():
        if key in old.get("properties", {}):
            made["properties"] = made["properties"] | {
                key: _overlaid(schema, old["properties"][key], depth + 1)
            }
    if "items" in made and "items" in old:
        made["items"] = _overlaid(made["items"], old["items"], depth + 1)
    return made


def join(a: Any, b: Any) -> dict[str, Any]:
    """The learned schema that allows what A or B allows; empty: anything."""
    if not isinstance(a, Mapping) or not isinstance(b, Mapping) or not a or not b:
        return {}
    types = {*_types(a), *_types(b)}
    if "number" in types:
        types.discard("integer")
    made: dict[str, Any] = {"type": sorted(types) if len(types) > 1 else next(iter(types), "null")}
    mine, other = a.get("properties", {}), b.get("properties", {})
    if "additionalProperties" in a or "additionalProperties" in b:
        inner = [s["additionalProperties"] for s in (a, b) if "additionalProperties" in s]
        inner += [*mine.values(), *other.values()]
        joined: dict[str, Any] = inner[0]
        for schema in inner[1:]:
            joined = join(joined, schema)
        return made | {"additionalProperties": joined}
    if mine or other:
        made["properties"] = {
            key: join(mine[key], other[key])
            if key in mine and key in other
            else mine.get(key, other.get(key))
            for key in dict.fromkeys((*mine, *other))
        }
        both = sorted({*a.get("required", ())} & {*b.get("required", ())})
        if both:
            made["required"] = both
    if "items" in a or "items" in b:
        made["items"] = (
            join(a["items"], b["items"])
            if "items" in a and "items" in b
            else a.get("items", b.get("items"))
        )
    return made


def _types(schema: Mapping[str, Any]) -> list[str]:
    declared = schema.get("type", [])
    return [declared] if isinstance(declared, str) else list(declared)
