"""Which field of an operation a question means, by the failure mode's own needs."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence

from premortem.agent.understanding.boundaries import fits
from premortem.agent.understanding.entries import Entry
from premortem.agent.understanding.inputs import InputField, resolved
from premortem.agent.understanding.preconditions import IDENTIFIERS, MOMENTS, PAGING, UNITS
from premortem.agent.understanding.said import Number, numbers
from premortem.agent.understanding.thesaurus import alike
from premortem.agent.understanding.words import STOPWORDS, stems
from premortem.domain.places import Place
from premortem.domain.template import parameter_names
from premortem.domain.traffic import OperationProfile

VALUE_MODES = frozenset(
    {"boundary", "missing_value", "wrong_type", "unknown_value", "unit_switch", "pagination_edge"}
    | {"time_edge", "injection", "mass_assignment", "over_total"}
)
"""Failure modes that are about one field's value."""
_NAMED_BESIDE = frozenset({"forbidden_transition", "unknown_reference", "concurrent_change"})
"""Failure modes that may be about a field, where the question names one."""
_ARTICLES = frozenset({"a", "an", "the"})
_MEASURES = frozenset(
    stems(
        "ms s sec secs seconds min mins minutes hours days kg g grams kilograms lb lbs cents eur "
        "usd m km cm mm pct percent celsius kwh kw mb kb gb bytes minor"
    )
)
"""What a field counts in, as the last word of its name: latency_ms."""
_LISTS = frozenset(
    stems("status state kind type currency method role locale language country category unit mode")
)
"""Words of fields that usually take one of a closed list."""


TELLING_MIN = 2
"""Numbers up to that are said of many things: one page, two people."""
BEYOND = 0.01
"""What share of a bound still lies right beyond it: 5,000.01, 50,001."""


def candidates(mode: str, entry: Entry, edges: Sequence[str]) -> list[InputField]:
    """The fields of ENTRY that MODE makes sense for; EDGES: the edge values asked for."""
    inputs = [f for f in entry.inputs if not f.schema.get("readOnly")]
    match mode:
        case "pagination_edge":
            return [f for f in inputs if f.place.part == "query" and set(f.stems) & PAGING]
        case "unit_switch":
            return [f for f in inputs if set(f.stems) & UNITS]
        case "time_edge":
            return [f for f in inputs if _is_moment(f)]
        case "unknown_value":
            return [f for f in inputs if _is_list(f)]
        case "over_total":
            return [f for f in inputs if f.types & {"number", "integer"} and not identifies(f)]
        case "injection":
            return [f for f in inputs if not f.types or "string" in f.types or "object" in f.types]
        case "mass_assignment":
            return [f for f in entry.inputs if f.place.part == "body"] + _answered(entry.operation)
        case "boundary":
            return [f for f in inputs if not edges or any(fits(e, f.types) for e in edges)]
        case "unknown_reference":
            return [f for f in inputs if identifies(f)] + _addresses(entry.operation)
        case _:
            return inputs


def field_named(
    mode: str,
    entry: Entry,
    said: Sequence[str],
    *,
    edges: Sequence[str] = (),
    near: Collection[int] = (),
) -> tuple[float, float, InputField] | None:
    """How fully and how near to NEAR a field is named by the stems SAID, and which.

    NEAR: positions of the words that speak of MODE. None: the question names none.
    """
    if mode not in VALUE_MODES and mode not in _NAMED_BESIDE:
        return None
    best: tuple[float, float, InputField] | None = None
    for field in candidates(mode, entry, edges):
        name = list(field.stems)
        if len(name) > 1 and name[-1] in _MEASURES:
            name.pop()
        if not name or (field.types == {"object"} and set(name) <= set(entry.head)):
            continue  # `prompt`, in which all about a prompt is wrapped up
        for length, position in _said(name, said):
            distance = min((abs(position - edge) for edge in near), default=0)
            if best is None or (length, -distance) > best[:2]:
                best = (length, -distance, field)
    sure = 0.5 if mode == "unknown_reference" else 1.0
    if best is not None and mode in _NAMED_BESIDE and best[0] < sure:
        return None
    return best


def field_unnamed(mode: str, entry: Entry, edges: Sequence[str], text: str) -> InputField | None:
    """The field that is meant when none is named; None: MODE is about none, or there is none."""
    if mode == "boundary":
        return bound_said(entry.inputs, text) or main_field(entry.inputs, edges)
    found = [f for f in candidates(mode, entry, edges) if f.place.part in ("query", "body")]
    if not found or mode not in VALUE_MODES:
        return None
    if mode == "pagination_edge":
        size = any(word in text for word in ("size", "per page", "limit", "single page", "at once"))
        wanted = {"limit", "size", "per", "first", "top"} if size else PAGING - {"limit", "size"}
        return next((f for f in found if set(f.stems) & wanted), found[0])
    if mode == "time_edge" and "end" in text:
        return next((f for f in found if {"end", "until", "to", "before"} & set(f.stems)), found[0])
    if mode in ("wrong_type", "missing_value"):
        return main_field(entry.inputs, edges)
    if mode == "mass_assignment":
        return None
    return next((f for f in found if not identifies(f)), None)


def main_field(inputs: Sequence[InputField], wanted: Sequence[str]) -> InputField | None:
    """The field of INPUTS that is meant when none is named: numbers before texts."""
    fields = [
        f
        for f in inputs
        if f.place.part == "body"
        and not f.schema.get("readOnly")
        and "*" not in f.place.tokens
        and (not wanted or any(fits(boundary, f.types) for boundary in wanted))
        and not identifies(f)
    ]
    numeric = [f for f in fields if f.types & {"number", "integer"}]
    chosen = numeric or ([] if {"negative", "zero"} & set(wanted) else fields)
    return chosen[0] if chosen else None


def bound_said(inputs: Sequence[InputField], text: str) -> InputField | None:
    """The field of INPUTS at whose very edge a number of TEXT lies, or right beyond it; None: at
    none, or several. Numbers up to TELLING_MIN lie at many an edge."""
    said = [n for n in numbers(text) if abs(n.value) > TELLING_MIN]
    found = [f for f in inputs if any(_at_edge(n, f) for n in said)]
    return found[0] if len(found) == 1 else None


def _at_edge(number: Number, field: InputField) -> bool:
    schema, value = field.constraints, number.value
    names = {"characters": ("minLength", "maxLength"), "items": ("minItems", "maxItems")}
    low, high = names.get(number.unit, ("minimum", "maximum"))
    if number.unit == "" and not field.types & {"number", "integer"}:
        return False
    least, most = schema.get(low), schema.get(high)
    if isinstance(most, int | float) and most <= value <= most + max(1, most * BEYOND):
        return True
    return isinstance(least, int | float) and least - 1 <= value <= least


def main_required(inputs: Sequence[InputField]) -> InputField | None:
    """The field among those that a request cannot do without that is meant when none is named."""
    return main_field([f for f in inputs if f.required], ())


def takes(mode: str, field: InputField) -> int:
    """How well a text that stands in quotes goes with MODE for FIELD: 1 well, -1 badly, else 0.

    What should be a number or a date is of the wrong type; what should be on a list is unknown.
    """
    formed = bool({"format", "pattern"} & field.constraints.keys()) or _is_moment(field)
    formed = formed or bool(field.types & {"number", "integer", "boolean"})
    listed = _is_list(field) and not formed
    match mode:
        case "wrong_type":
            return 1 if formed else -1 if listed else 0
        case "unknown_value":
            return 1 if listed else -1 if formed else 0
    return 0


def identifies(field: InputField) -> bool:
    """Whether FIELD names a thing."""
    return bool(IDENTIFIERS & set(field.stems))


def _is_moment(field: InputField) -> bool:
    formatted = str(field.constraints.get("format", "")).startswith("date")
    return formatted or bool(set(field.stems) & MOMENTS)


def _is_list(field: InputField) -> bool:
    closed = any("enum" in part or "const" in part for part in _parts(field))
    return closed or bool(set(field.stems) & _LISTS)


def _parts(field: InputField) -> Iterator[dict[str, object]]:
    schema = resolved(field.schema, field.root)
    yield schema
    for key in ("anyOf", "oneOf", "allOf"):
        for part in schema.get(key, ()) if isinstance(schema.get(key), list) else ():
            yield resolved(part, field.root)


def _addresses(operation: OperationProfile) -> list[InputField]:
    names = parameter_names(operation.operation.template)
    return [InputField(place=Place(part="path", name=name)) for name in names]


def _answered(operation: OperationProfile) -> list[InputField]:
    """What its good answers hold at the top: fields that a client may try to set."""
    names: dict[str, None] = {}
    for answer in operation.answers:
        if not 200 <= answer.status < 300 or not answer.schema:
            continue
        root = json.loads(answer.schema)
        schema = resolved(root, root)
        properties = schema.get("properties")
        names.update(dict.fromkeys(properties if isinstance(properties, dict) else ()))
    return [InputField(place=Place(part="body", name=f"/{name}")) for name in names]


def _said(name: Sequence[str], said: Sequence[str]) -> Iterator[tuple[float, int]]:
    """How many of NAME's words stand in SAID in a row, and where; less for one of them."""
    span = len(name)
    for at in range(len(said) - span + 1):
        if list(said[at : at + span]) != list(name):
            continue
        after = said[at + span] if at + span < len(said) else ""
        if name[-1] in _ARTICLES and after not in STOPWORDS:
            continue  # `a project`: the article of what follows, though a field is called so, too
        # A field may be called `to` or `value`; one that says more is meant sooner.
        yield (float(span) if set(name) - STOPWORDS else 0.25), at
    if span > 1:
        # `customer` for customer_name, `name` for displayName: half a naming.
        for at, word in enumerate(said):
            if word in (name[0], name[-1]) and word not in STOPWORDS:
                yield 0.5, at
    elif name[0] not in STOPWORDS:
        means = alike(name[0])
        for at, word in enumerate(said):
            if word in means:
                yield 0.4, at
