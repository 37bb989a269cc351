"""The rules of a data transfer object -> what it must refuse, and with which message.

A message is the validator's own where it is known; else it is worded by convention, and said to
be, so that no test insists on it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from premortem.agent.knowledge.values import (
    EMPTY_TOO,
    NUMERIC,
    Condition,
    EdgeValue,
    breaking,
    mode_of_condition,
)
from premortem.agent.understanding.words import tokens
from premortem.domain.proposal import Dto, DtoField, DtoRule, FailureModeName

_MONEY = frozenset(
    {"amount", "price", "total", "sum", "cost", "fee", "quantity", "salary", "charge", "deposit"}
)
"""Names of numbers that make no sense at zero or below."""
_CODES = frozenset({"currency", "country", "locale", "language", "code", "email"})
"""Names of texts that make no sense when empty."""


class Assertion(Struct, frozen=True, kw_only=True):
    """A value that must be refused, and how."""

    dto: str
    field: str
    says: str
    """`Amount = 0`, `Reason = 300 chars`."""
    value: str
    """JSON text; left out: empty."""
    condition: Condition
    message: str
    stated: bool
    """Whether MESSAGE is the validator's own; else it is worded by convention."""
    rule: DtoRule | None = None
    source: str = ""
    """Where the rule stands, or by which convention it is expected."""

    @property
    def failure_mode(self) -> FailureModeName:
        """Which way of misuse it is."""
        return mode_of_condition(self.condition)

    @property
    def expects(self) -> str:
        """`IsFailure("Reason too long")`."""
        return f"IsFailure({json.dumps(self.message, ensure_ascii=False)})"


def infer_assertions_from_dto(dto: Dto) -> tuple[Assertion, ...]:
    """What DTO's rules say must be refused: one value for each rule that one can break.

    A required number that cannot be null is 0 when it is left out, so 0 is what must be refused.
    """
    found: dict[tuple[str, str], Assertion] = {}
    for field in dto.fields:
        for rule in field.rules:
            edge = breaking(field, rule)
            if edge is None:
                continue
            made = _assertion(dto.name, edge, field, rule)
            before = found.get((field.name, edge.condition))
            if before is None or (made.stated and not before.stated):
                found[field.name, edge.condition] = made
    return tuple(found.values())


def infer_assertions_from_related_dtos(dto: Dto, related: Sequence[Dto]) -> tuple[Assertion, ...]:
    """What fields of DTO without rules should refuse: as fields of the same name and type do.

    Where no related one has a rule, convention speaks: amounts are positive, codes not empty.
    """
    known: list[Assertion] = []
    for field in dto.fields:
        if field.rules:
            continue
        donors = [(other, other.field(field.name)) for other in related if other.name != dto.name]
        borrowed: Assertion | None = None
        for other, twin in donors:
            if twin is None or twin.type != field.type or borrowed is not None:
                continue
            edge = next((e for r in twin.rules if (e := breaking(twin, r)) is not None), None)
            if edge is not None and edge.rule is not None:
                made = _assertion(dto.name, edge, field, edge.rule)
                borrowed = msgspec.structs.replace(
                    made, stated=False, source=f"{other.name}.{twin.name} ({made.source})"
                )
        made_up = borrowed or _by_convention(dto.name, field)
        if made_up is not None:
            known.append(made_up)
    return tuple(known)


def _by_convention(dto: str, field: DtoField) -> Assertion | None:
    last = (tokens(field.name) or [""])[-1]
    if field.type in NUMERIC and last in _MONEY:
        rule = DtoRule(kind="greater_than", value="0", source="convention: amounts are positive")
    elif field.type == "string" and last in _CODES:
        rule = DtoRule(kind="required", value=EMPTY_TOO, source="convention: codes are not empty")
    else:
        return None
    edge = breaking(field, rule)
    return _assertion(dto, edge, field, rule) if edge is not None else None


def _assertion(dto: str, edge: EdgeValue, field: DtoField, rule: DtoRule) -> Assertion:
    return Assertion(
        dto=dto,
        field=field.name,
        says=f"{field.name} = {_shown(edge)}",
        value=edge.value,
        condition=edge.condition,
        message=rule.message or worded(field, rule, edge.condition),
        stated=bool(rule.message),
        rule=rule,
        source=rule.source,
    )


def _shown(edge: EdgeValue) -> str:
    if not edge.value:
        return "left out"
    value = json.loads(edge.value)
    if isinstance(value, str) and len(value) > 40:
        return f"{len(value)} chars"
    return edge.value


def worded(field: DtoField, rule: DtoRule, condition: Condition) -> str:
    """How a refusal is commonly put into words: `Amount must be greater than 0`."""
    name = field.name
    bound = rule.value
    if condition == "Zero" and rule.kind == "required":
        return f"{name} must be greater than 0"
    match rule.kind:
        case "required":
            return f"{name} must not be null" if condition == "Null" else f"{name} is required"
        case "greater_than":
            return f"{name} must be greater than {bound}"
        case "less_than":
            return f"{name} must be less than {bound}"
        case "minimum":
            return f"{name} must be at least {bound}"
        case "maximum":
            return f"{name} must be at most {bound}"
        case "min_length":
            return f"{name} too short"
        case "max_length":
            return f"{name} too long"
        case "one_of":
            return f"{name} is not one of {', '.join(bound.split('|'))}"
        case "precision":
            return f"{name} has too many digits"
    return f"{name} has an invalid format"


def merge_dtos(sources: Sequence[Dto]) -> tuple[Dto, ...]:
    """One object for each name: the first source's fields with the rules of all of them."""
    merged: dict[str, Dto] = {}
    for dto in sources:
        before = merged.get(dto.name)
        if before is None:
            merged[dto.name] = dto
            continue
        fields = []
        for field in before.fields:
            twin = dto.field(field.name)
            known = {(r.kind, r.value) for r in field.rules}
            added = [r for r in (twin.rules if twin else ()) if (r.kind, r.value) not in known]
            fields.append(msgspec.structs.replace(field, rules=(*field.rules, *added)))
        names = {f.name.replace("_", "").lower() for f in fields}
        fields += [f for f in dto.fields if f.name.replace("_", "").lower() not in names]
        merged[dto.name] = msgspec.structs.replace(before, fields=tuple(fields))
    return tuple(merged.values())
