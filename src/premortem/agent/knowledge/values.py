"""Values that a field's rules accept or refuse, at their edges and beyond."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Literal

import jsonschema_rs
import msgspec
from msgspec import Struct

from premortem.agent.understanding.words import tokens
from premortem.domain.proposal import DtoField, DtoRule, FailureModeName
from premortem.generate.patterns import text_of_pattern

EMPTY_TOO = "empty"
"""The value of a `required` rule that refuses what is empty or zero as well."""
PATTERNS_MAX = 1_000
"""Patterns that are kept compiled."""
LENGTH_MAX = 20_000
"""Characters of the longest text that is made."""
NUMERIC = ("number", "integer")
_FORMAT_SAMPLES = {
    "uuid": (
        "5f0c1c9e-3a52-4c8e-9d41-7b1f0a2e6c11",
        r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    ),
    "date-time": ("2030-01-31T12:00:00Z", r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d.*)?"),
    "date": ("2030-01-31", r"\d{4}-\d\d-\d\d"),
    "email": ("someone@example.com", r"[^@\s]+@[^@\s]+"),
    "uri": ("https://example.com/1", r"[a-zA-Z][a-zA-Z0-9+.-]*:\S+"),
    "phone": ("+491234567", r"[+()\d\s-]{5,}"),
    "credit-card": ("4111111111111111", r"[\d -]{12,19}"),
}

Condition = Literal[
    "Zero",
    "Negative",
    "Null",
    "Missing",
    "Empty",
    "TooLong",
    "TooShort",
    "TooHigh",
    "TooLow",
    "Unknown",
    "Malformed",
    "WrongType",
    "TooPrecise",
    "Maximum",
    "Minimum",
    "Valid",
]
"""What is special about a value, as a method's name says it."""
_MODES: dict[str, FailureModeName] = {
    "Null": "missing_value",
    "Missing": "missing_value",
    "Empty": "missing_value",
    "WrongType": "wrong_type",
    "Malformed": "wrong_type",
    "Unknown": "unknown_value",
}


def mode_of_condition(condition: Condition) -> FailureModeName:
    """Which way of misuse CONDITION is."""
    return _MODES.get(condition, "boundary")


class EdgeValue(Struct, frozen=True, kw_only=True):
    """A value for one field, and what a correct service does with it."""

    field: str
    value: str
    """JSON text; of a field left out: empty."""
    condition: Condition
    accepted: bool
    rule: DtoRule | None = None
    """What refuses it."""

    @property
    def failure_mode(self) -> FailureModeName:
        """Which way of misuse it is."""
        return mode_of_condition(self.condition)


def breaking(field: DtoField, rule: DtoRule) -> EdgeValue | None:
    """The plainest value that breaks RULE of FIELD; None: none can be made for sure."""
    made = _breaking(field, rule)
    if made is None:
        return None
    value, condition = made
    text = "" if condition == "Missing" else json.dumps(value, ensure_ascii=False)
    return EdgeValue(field=field.name, value=text, condition=condition, accepted=False, rule=rule)


def _breaking(field: DtoField, rule: DtoRule) -> tuple[Any, Condition] | None:
    match rule.kind:
        case "required":
            return _left_out(field, rule)
        case "greater_than" | "minimum" | "less_than" | "maximum":
            return _beyond(field, rule)
        case "min_length" if field.type == "string" and int(rule.value) > 0:
            least = int(rule.value)
            return ("", "Empty") if least == 1 else ("x" * min(least - 1, LENGTH_MAX), "TooShort")
        case "max_length" if field.type == "string" and int(rule.value) < LENGTH_MAX:
            most = int(rule.value)
            # Well beyond: half as much again, so that an off-by-one in the message is no matter.
            return "x" * min(most + max(most // 2, 1), LENGTH_MAX), "TooLong"
        case "one_of" if field.type == "string":
            return "UNKNOWN" if "UNKNOWN" not in rule.value.split("|") else "?", "Unknown"
        case "format" if rule.value in _FORMAT_SAMPLES:
            return "not-a-" + rule.value, "Malformed"
        case "pattern":
            return _unmatched(rule.value)
        case "precision" if field.type in NUMERIC:
            scale = int(rule.value.split(",")[1])
            return float(f"1.{'0' * scale}1"), "TooPrecise"
    return None


def _left_out(field: DtoField, rule: DtoRule) -> tuple[Any, Condition] | None:
    if field.type in NUMERIC and field.declared_type and not field.nullable:
        own = any(r.kind in ("minimum", "greater_than") for r in field.rules)
        # Where a value cannot be null, zero is what a left-out one becomes.
        return None if own or not _fills_in_zero(field) else (0, "Zero")
    if rule.value == EMPTY_TOO and field.type == "string":
        return "", "Empty"
    return None, "Null"


def _fills_in_zero(field: DtoField) -> bool:
    return field.declared_type in ("decimal", "double", "float", "int", "long", "short")


def _beyond(field: DtoField, rule: DtoRule) -> tuple[Any, Condition] | None:
    if field.type not in NUMERIC:
        return None
    bound = _number(rule.value)
    if bound is None:
        return None
    step = (
        Decimal(1) if field.type == "integer" or bound == bound.to_integral() else Decimal("0.01")
    )
    match rule.kind:
        case "greater_than":
            value = bound
        case "minimum":
            value = bound - step
        case "less_than":
            value = bound
        case _:
            value = bound + step
    if rule.kind in ("less_than", "maximum"):
        return _plain(value), "TooHigh"
    if value == 0:
        return 0, "Zero"
    return _plain(value), "Negative" if value < 0 and bound <= 1 else "TooLow"


def _unmatched(pattern: str) -> tuple[str, Condition] | None:
    for candidate in ("?", "x", "0", ""):
        if _matches(pattern, candidate) is False:
            return candidate, "Malformed" if candidate else "Empty"
    return None


@lru_cache(maxsize=PATTERNS_MAX)
def _matcher(pattern: str) -> jsonschema_rs.Draft202012Validator | None:
    """PATTERN compiled for an engine that does not backtrack without end; None: it is none."""
    try:
        return jsonschema_rs.Draft202012Validator({"type": "string", "pattern": pattern})
    except jsonschema_rs.ValidationError:
        return None


def _matches(pattern: str, value: str) -> bool | None:
    """Whether PATTERN, which somebody else wrote, matches in VALUE; None: it cannot be read."""
    matcher = _matcher(pattern)
    return None if matcher is None else matcher.is_valid(value)


def refused_by(field: DtoField, value: Any) -> tuple[DtoRule, ...]:
    """The rules of FIELD that VALUE breaks, in their order; `custom` ones are never judged."""
    return tuple(rule for rule in field.rules if _breaks(field, rule, value))


def _breaks(field: DtoField, rule: DtoRule, value: Any) -> bool:
    if value is None:
        return rule.kind == "required"
    if rule.kind == "required":
        return rule.value == EMPTY_TOO and value in ("", 0)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return _number_breaks(rule, Decimal(str(value)))
    if isinstance(value, str) and field.type == "string":
        return _text_breaks(rule, value)
    return False


def _number_breaks(rule: DtoRule, value: Decimal) -> bool:
    if rule.kind == "precision":
        scale = int(rule.value.split(",")[1])
        return value != round(value, scale)
    bound = _number(rule.value)
    if bound is None:
        return False
    return {
        "greater_than": value <= bound,
        "minimum": value < bound,
        "less_than": value >= bound,
        "maximum": value > bound,
    }.get(rule.kind, False)


def _text_breaks(rule: DtoRule, value: str) -> bool:
    match rule.kind:
        case "min_length":
            return len(value) < int(rule.value)
        case "max_length":
            return len(value) > int(rule.value)
        case "one_of":
            return value not in rule.value.split("|")
        case "format" if rule.value in _FORMAT_SAMPLES:
            return not re.fullmatch(_FORMAT_SAMPLES[rule.value][1], value)
        case "pattern":
            return _matches(rule.value, value) is False
    return False


def edge_values(field: DtoField) -> tuple[EdgeValue, ...]:
    """Values at and beyond every bound of FIELD, accepted and refused, without duplicates."""
    found: dict[str, EdgeValue] = {}
    for edge in (*_edges_within(field), *(breaking(field, rule) for rule in field.rules)):
        if edge is None:
            continue
        value = json.loads(edge.value) if edge.value else None
        broken = refused_by(field, value)
        rule = edge.rule or (broken[0] if broken else None)
        if rule is not None and not edge.accepted:
            found.setdefault(edge.value, msgspec.structs.replace(edge, rule=rule))
        elif not broken:
            found.setdefault(edge.value, edge)
    return tuple(found.values())


def _edges_within(field: DtoField) -> Iterator[EdgeValue]:
    """The last values that are still accepted."""
    for rule in field.rules:
        value: Any = None
        condition: Condition = "Maximum" if rule.kind in ("maximum", "less_than") else "Minimum"
        if rule.kind in ("minimum", "maximum") and field.type in NUMERIC:
            bound = _number(rule.value)
            value = _plain(bound) if bound is not None else None
        elif rule.kind in ("greater_than", "less_than") and field.type in NUMERIC:
            bound = _number(rule.value)
            step = Decimal(1) if field.type == "integer" else Decimal("0.01")
            if bound is not None:
                value = _plain(bound + step if rule.kind == "greater_than" else bound - step)
        elif rule.kind in ("min_length", "max_length") and field.type == "string":
            plain = not any(r.kind in ("pattern", "format", "one_of") for r in field.rules)
            value = "x" * int(rule.value) if plain and int(rule.value) <= LENGTH_MAX else None
            condition = "Maximum" if rule.kind == "max_length" else "Minimum"
        elif rule.kind == "one_of":
            value, condition = rule.value.split("|")[0], "Valid"
        if value is not None:
            yield EdgeValue(
                field=field.name,
                value=json.dumps(value),
                condition=condition,
                accepted=True,
            )


def valid_value(field: DtoField) -> Any:
    """A value that no rule of FIELD refuses, or None where none can be made for sure."""
    for candidate in _candidates(field):
        if not refused_by(field, candidate):
            return candidate
    return None


def _candidates(field: DtoField) -> Iterator[Any]:
    known = next((r.value for r in field.rules if r.kind == "one_of"), "")
    if known:
        yield known.split("|")[0]
    sample = next((r.value for r in field.rules if r.kind == "format"), "")
    if sample in _FORMAT_SAMPLES:
        yield _FORMAT_SAMPLES[sample][0]
    if field.type in NUMERIC:
        yield 50
        yield from (json.loads(e.value) for e in _edges_within(field))
    elif field.type == "boolean":
        yield True
    elif field.type == "string":
        for rule in field.rules:
            if rule.kind == "pattern":
                yield text_of_pattern(rule.value) or ""
        yield {"currency": "EUR", "country": "DE"}.get((tokens(field.name) or [""])[-1], "sample")
        yield from (json.loads(e.value) for e in _edges_within(field))


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _plain(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral() else float(value)
