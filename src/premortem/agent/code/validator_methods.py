"""Tests for validators, and the rules that they lack."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from premortem.agent.code.arrangement import Scene, request_lines
from premortem.agent.code.literals import csharp_literal
from premortem.agent.code.unit_methods import changed_value
from premortem.agent.emit.files import Change
from premortem.agent.knowledge.csharp import CsClass, CsCode, CsMethod
from premortem.agent.knowledge.csharp_tree import below, children, first_error, parse_csharp, text
from premortem.agent.knowledge.fluent_validation import Validator
from premortem.agent.knowledge.rules import worded
from premortem.agent.knowledge.values import Condition, refused_by
from premortem.domain.proposal import Dto, DtoField, DtoRule
from premortem.errors import InputError

_CALLS: Mapping[str, str] = {
    "Zero": "GreaterThan(0)",
    "Negative": "GreaterThan(0)",
    "Null": "NotNull()",
    "Missing": "NotNull()",
    "Empty": "NotEmpty()",
}
_BOUNDED: Mapping[str, str] = {
    "TooHigh": "LessThanOrEqualTo",
    "TooLow": "GreaterThanOrEqualTo",
    "TooLong": "MaximumLength",
    "TooShort": "MinimumLength",
}
_KINDS: Mapping[str, str] = {
    "Zero": "greater_than",
    "Negative": "greater_than",
    "TooHigh": "maximum",
    "TooLow": "minimum",
    "TooLong": "max_length",
    "TooShort": "min_length",
}


def field_of(dto: Dto, name: str) -> DtoField:
    """The field NAME of DTO. Raises InputError that says which there are."""
    found = dto.field(name)
    if found is None:
        said = ", ".join(f.name for f in dto.fields)
        raise InputError(f"{dto.name} has no field {name!r}; it has {said}")
    return found


def validator_body(
    dto: Dto, field: DtoField, condition: Condition, code: CsCode, validator: Validator | None
) -> tuple[tuple[str, ...], DtoRule | None]:
    """A test that DTO's VALIDATOR refuses FIELD in CONDITION, and the rule that says so.

    Without a validator the attributes are asked, as ASP.NET asks them. Raises InputError for a
    value that the type does not hold.
    """
    value, expression = changed_value(field, condition)
    rule = next(iter(refused_by(field, value)), None)
    scene = Scene(code=code, handler=_NOBODY, method=_NOTHING, dto=dto)
    lines = request_lines(scene, dto, {field.name: expression})
    message = rule.message if rule is not None else ""
    if validator is not None:
        lines = [f"var validator = new {validator.name}();", *lines]
        lines += ["var result = validator.Validate(input);", "", "Assert.IsFalse(result.IsValid);"]
        told = f'e => e.PropertyName == "{field.name}"'
        if message:
            told += f" && e.ErrorMessage == {csharp_literal(message)}"
        lines.append(f"Assert.IsTrue(result.Errors.Any({told}));")
        return tuple(lines), rule
    lines += [
        "var errors = new List<ValidationResult>();",
        "var context = new ValidationContext(input);",
        "var isValid = Validator.TryValidateObject(input, context, errors, true);",
        "",
        "Assert.IsFalse(isValid);",
        f'Assert.IsTrue(errors.Any(e => e.MemberNames.Contains("{field.name}")));',
    ]
    return tuple(lines), rule


_NOTHING = CsMethod(name="Validate", returns="ValidationResult")
_NOBODY = CsClass(name="Validator", kind="class", origin="assumed")


def validator_usings(validator: Validator | None) -> tuple[str, ...]:
    """The namespaces that `validator_body` names, besides the service's own."""
    if validator is not None:
        return ("System.Linq",)
    return (
        "System.Collections.Generic",
        "System.ComponentModel.DataAnnotations",
        "System.Linq",
    )


def propose_validator_rule(
    dto: Dto,
    field_name: str,
    condition: Condition,
    sources: Mapping[str, bytes],
    validators: Sequence[Validator],
    *,
    bound: str = "",
) -> Change:
    """The validator's source with a rule that refuses FIELD_NAME of DTO in CONDITION.

    It is only proposed: nothing is written. Unchanged where a rule refuses that value already.
    BOUND: the limit for what is too high, low, long or short. Raises InputError: DTO has no
    validator or no such field, a bound is missing, or the source does not parse.
    """
    field = field_of(dto, field_name)
    validator = next((v for v in validators if v.dto == dto.name), None)
    if validator is None:
        raise InputError(
            f"{dto.name} ({dto.origin}) has no validator; write a class derived from "
            f"AbstractValidator<{dto.name}> first"
        )
    file = validator.origin.rsplit(":", 1)[0]
    path = next((p for p in sources if Path(p).name == file), "")
    if not path:
        raise InputError(f"{validator.origin} is not among the sources given; name its folder")
    source = sources[path]
    value, _ = changed_value(field, condition)
    if condition not in _BOUNDED and refused_by(field, value):
        return Change(path=path, before=source, after=source, kind="csharp")
    statement = _statement(field, condition, bound)
    after = _with_statement(source, validator.name, statement, path)
    return Change(path=path, before=source, after=after, kind="csharp", names=(statement,))


def _statement(field: DtoField, condition: Condition, bound: str) -> str:
    """`RuleFor(x => x.Amount).GreaterThan(0).WithMessage("...");`"""
    if condition in _BOUNDED:
        if not re.fullmatch(r"-?\d+(?:\.\d+)?", bound):
            raise InputError(
                f"a limit is needed to refuse what is {condition}: bound=1000, for example"
            )
        number = json.loads(bound)
        call = f"{_BOUNDED[condition]}({csharp_literal(number, field.declared_type)})"
    elif condition in _CALLS:
        call = _CALLS[condition]
    else:
        raise InputError(f"no rule is known for a {field.name} that is {condition}; write it")
    kind = _KINDS.get(condition, "required")
    rule = DtoRule(kind=kind, value=bound or "0")  # type: ignore[arg-type]
    message = csharp_literal(worded(field, rule, condition))
    return f"RuleFor(x => x.{field.name}).{call}.WithMessage({message});"


def _with_statement(source: bytes, class_name: str, statement: str, path: str) -> bytes:
    root = parse_csharp(source, origin=path)
    line = first_error(root)
    if line:
        raise InputError(f"{path}:{line} does not parse as C#, so no rule is proposed; mend it")
    for node in below(root, "class_declaration"):
        if text(node.child_by_field_name("name")) != class_name:
            continue
        makers = children(node.child_by_field_name("body"), "constructor_declaration")
        block = makers[0].child_by_field_name("body") if makers else None
        if block is None or not block.named_children:
            break
        last = block.named_children[-1]
        start = source.rfind(b"\n", 0, last.start_byte) + 1
        indent = source[start : last.start_byte]
        newline = b"\r\n" if b"\r\n" in source else b"\n"
        if indent.strip():
            break
        added = newline + indent + statement.encode()
        return source[: last.end_byte] + added + source[last.end_byte :]
    raise InputError(f"{path}: {class_name} has no constructor with rules to add to; write one")
