"""FluentValidation's `RuleFor` chains -> the rules of a data transfer object.

Source: FluentValidation's built-in validators. What holds only under a condition (`When`,
`Unless`, a rule set) becomes a `custom` rule: nothing is concluded from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from premortem.agent.knowledge.csharp_tree import (
    below,
    children,
    number_text,
    parse_csharp,
    string_value,
    text,
)
from premortem.agent.knowledge.values import EMPTY_TOO
from premortem.domain.proposal import Dto, DtoField, DtoRule

if TYPE_CHECKING:
    from tree_sitter import Node

CALLS_MAX = 100
"""Calls in one chain."""
_BOUNDS = {
    "GreaterThan": ("greater_than",),
    "GreaterThanOrEqualTo": ("minimum",),
    "LessThan": ("less_than",),
    "LessThanOrEqualTo": ("maximum",),
    "InclusiveBetween": ("minimum", "maximum"),
    "ExclusiveBetween": ("greater_than", "less_than"),
    "MinimumLength": ("min_length",),
    "MaximumLength": ("max_length",),
}
_FORMATS = {"EmailAddress": "email", "CreditCard": "credit-card"}
_CUSTOM = frozenset(
    {"Must", "MustAsync", "Custom", "CustomAsync", "Equal", "NotEqual", "SetValidator"}
    | {"Null", "Empty", "ChildRules", "ForEach"}
)
_CONDITIONS = frozenset({"When", "Unless", "WhenAsync", "UnlessAsync"})


class Validator(Struct, frozen=True, kw_only=True):
    """A class derived from AbstractValidator."""

    name: str
    dto: str
    """The type it validates."""
    rules: tuple[tuple[str, DtoRule], ...]
    """Field and rule, in their order."""
    origin: str


class _Call(Struct, frozen=True, kw_only=True):
    name: str
    arguments: tuple[str, ...]
    """Source text; of string literals what they say."""
    literal: bool


def read_validators(sources: Mapping[str, bytes]) -> tuple[Validator, ...]:
    """The validators in SOURCES: C# by file name. Raises InputError for what cannot be read."""
    found: list[Validator] = []
    constants: dict[str, str] = {}
    roots = {name: parse_csharp(source, origin=name) for name, source in sorted(sources.items())}
    for root in roots.values():
        constants.update(_constants(root))
    for name, root in roots.items():
        for node in below(root, "class_declaration"):
            dto = _validated(node)
            if dto:
                rules = tuple(_rules(node, Path(name).name, constants))
                place = f"{Path(name).name}:{node.start_point[0] + 1}"
                declared = text(node.child_by_field_name("name"))
                found.append(Validator(name=declared, dto=dto, rules=rules, origin=place))
    return tuple(found)


def with_validators(dtos: Sequence[Dto], validators: Sequence[Validator]) -> tuple[Dto, ...]:
    """DTOS with the rules of the VALIDATORS that are about them, after those they state."""
    made: list[Dto] = []
    for dto in dtos:
        stated = [rule for v in validators if v.dto == dto.name for rule in v.rules]
        fields = tuple(_joined(field, stated) for field in dto.fields)
        made.append(msgspec.structs.replace(dto, fields=fields))
    return tuple(made)


def _joined(field: DtoField, stated: Sequence[tuple[str, DtoRule]]) -> DtoField:
    added = [rule for name, rule in stated if name == field.name]
    same = {(rule.kind, rule.value) for rule in added if rule.message}
    kept = [r for r in field.rules if (r.kind, r.value) not in same]
    return msgspec.structs.replace(field, rules=(*kept, *added))


def _validated(node: Node) -> str:
    for base in children(node, "base_list"):
        for found in children(base, "generic_name", "qualified_name"):
            match = re.fullmatch(r"(?:\w+\.)*AbstractValidator<(.+)>", text(found))
            if match:
                return match[1].split(".")[-1]
    return ""


def _constants(root: Node) -> Iterator[tuple[str, str]]:
    """`const decimal Most = 500m;` by name, and with the class's name before it."""
    for node in below(root, "field_declaration"):
        if not re.search(r"\bconst\b|\breadonly\b", text(node).split("=")[0]):
            continue
        owner = node.parent.parent if node.parent is not None else None
        for found in below(node, "variable_declarator"):
            value = number_text(text(found.named_children[-1]))
            if value is not None:
                name = text(found.child_by_field_name("name"))
                yield name, value
                if owner is not None:
                    yield f"{text(owner.child_by_field_name('name'))}.{name}", value


def _rules(node: Node, file: str, constants: Mapping[str, str]) -> Iterator[tuple[str, DtoRule]]:
    for call in below(node, "invocation_expression"):
        function = call.child_by_field_name("function")
        if text(function) != "RuleFor":
            continue
        field = _field(call)
        if not field:
            continue
        place = f"{file}:{call.start_point[0] + 1} RuleFor"
        conditional = _inside_condition(call, node)
        for rule in _chain_rules(_chain(call), field, place, constants, conditional=conditional):
            yield field, rule


def _field(call: Node) -> str:
    """`Amount` of `RuleFor(x => x.Amount)`; of a deeper path: empty."""
    arguments = call.child_by_field_name("arguments")
    found = re.fullmatch(r"\(\s*(\w+)\s*=>\s*\1[!?]?\.(\w+)\s*\)", text(arguments))
    return found[2] if found else ""


def _chain(call: Node) -> list[_Call]:
    """The calls behind RuleFor, in their order."""
    calls: list[_Call] = []
    current = call
    for _ in range(CALLS_MAX):
        member = current.parent
        outer = member.parent if member is not None else None
        if member is None or member.type != "member_access_expression" or outer is None:
            break
        if outer.type != "invocation_expression":
            break
        arguments = children(outer.child_by_field_name("arguments"), "argument")
        values = [a.named_children[-1] for a in arguments]
        said = [string_value(v) for v in values]
        calls.append(
            _Call(
                name=re.sub(r"<.*", "", text(member.child_by_field_name("name"))),
                arguments=tuple(
                    text(v) if s is None else s for v, s in zip(values, said, strict=True)
                ),
                literal=bool(said) and said[0] is not None,
            )
        )
        current = outer
    return calls


def _inside_condition(call: Node, top: Node) -> bool:
    """Whether the RuleFor stands in a block that holds only sometimes."""
    current = call.parent
    while current is not None and current.id != top.id:
        if current.type in ("lambda_expression", "if_statement", "for_statement"):
            return True
        current = current.parent
    return False


def _chain_rules(
    calls: Sequence[_Call],
    field: str,
    place: str,
    constants: Mapping[str, str],
    *,
    conditional: bool,
) -> list[DtoRule]:
    rules: list[DtoRule] = []
    last = 0
    for call in calls:
        if call.name == "WithMessage":
            message = _message(call, field)
            rules[last:] = [msgspec.structs.replace(r, message=message) for r in rules[last:]]
        elif call.name in _CONDITIONS:
            # By default a condition holds for every rule that stands before it in the chain.
            rules = [_custom(r, call) for r in rules]
            last = len(rules)
        else:
            stated = _stated(call, constants, f"{place}.{call.name}")
            last = len(rules) if stated else last
            rules += stated
    return [_custom(r, None) for r in rules] if conditional else rules


def _custom(rule: DtoRule, call: _Call | None) -> DtoRule:
    said = f"{rule.kind} {rule.value}".strip()
    when = f" when {call.arguments[0]}" if call is not None and call.arguments else " sometimes"
    return msgspec.structs.replace(rule, kind="custom", value=(said + when)[:200])


def _stated(call: _Call, constants: Mapping[str, str], place: str) -> list[DtoRule]:
    values = [number_text(constants.get(a, a)) for a in call.arguments]
    if call.name == "NotNull":
        return [DtoRule(kind="required", source=place)]
    if call.name == "NotEmpty":
        return [DtoRule(kind="required", value=EMPTY_TOO, source=place)]
    if call.name in _FORMATS:
        return [DtoRule(kind="format", value=_FORMATS[call.name], source=place)]
    if call.name == "Matches" and call.literal:
        return [DtoRule(kind="pattern", value=call.arguments[0], source=place)]
    if call.name in ("PrecisionScale", "ScalePrecision") and len(values) >= 2:
        first, second = values[0], values[1]
        if call.name == "ScalePrecision":
            first, second = second, first
        if first and second:
            return [DtoRule(kind="precision", value=f"{first},{second}", source=place)]
    kinds: tuple[str, ...] = _BOUNDS.get(call.name, ())
    if call.name == "Length" and values:
        kinds, values = ("min_length", "max_length"), [values[0], values[-1]]
    stated = [
        DtoRule(kind=kind, value=value, source=place)  # type: ignore[arg-type]
        for kind, value in zip(kinds, values, strict=False)
        if value is not None
    ]
    if not stated and (call.name in _CUSTOM or kinds):
        said = f"{call.name}({', '.join(call.arguments)})"
        return [DtoRule(kind="custom", value=said[:200], source=place)]
    return stated


def _message(call: _Call, field: str) -> str:
    if not call.literal:
        return ""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", field)
    said = call.arguments[0].replace("{PropertyName}", spaced)
    return "" if "{" in said else said
