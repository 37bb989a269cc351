"""What the code itself says of how a handler refuses something."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct

from premortem.agent.code.names import pascal
from premortem.agent.code.question import CodeQuestion
from premortem.agent.knowledge.csharp import (
    CsClass,
    CsCode,
    CsMethod,
    Refusal,
    ancestors,
)
from premortem.agent.knowledge.values import Condition, refused_by
from premortem.agent.understanding.words import stem, tokens
from premortem.domain.proposal import Dto, DtoRule

_WORDS = {
    "duplicate": r"Duplicate|Already|Exists|Repeated|Twice",
    "unknown_reference": r"NotFound|Unknown|Missing|NoSuch",
    "over_total": r"Exceed|Limit|TooHigh|TooLarge|Insufficient|Over",
    "unit_switch": r"Currency|Unit|Mismatch",
    "stale_change": r"Stale|Version|Concurren|Conflict",
    "others_data": r"Forbidden|NotFound|Denied|Owner",
}
_FLAGS = ("IsSuccess", "Success", "Succeeded", "IsValid", "Ok")


class ResultShape(Struct, frozen=True, kw_only=True):
    """How an answer that is no exception says that it failed."""

    flag: str = "IsSuccess"
    """False where it failed; empty: the answer has no such flag."""
    message: str = "Error.Message"
    """The way to the message; empty: there is none."""
    code: str = ""


class Expectation(Struct, frozen=True, kw_only=True):
    """How a refusal shows."""

    exception: str = ""
    """The type that is thrown; empty: none is known to be."""
    message: str = ""
    code: str = ""
    source: str = ""
    """Where that stands; empty: the code does not say, so only that it fails is expected."""


def result_shape(code: CsCode, method: CsMethod) -> ResultShape:
    """How the answers of METHOD fail; a type that the code does not declare: as `Result` does."""
    declared = method.result_type
    if declared in ("void", "", "bool"):
        return ResultShape(flag="", message="")
    found = code.named(declared)
    if found is None:
        return ResultShape() if "Result" in declared else ResultShape(flag="", message="")
    family = (found, *ancestors(found, code))
    names = {p.name: p.type for owner in reversed(family) for p in owner.properties}
    flag = next((f for f in _FLAGS if names.get(f) == "bool"), "")
    for holder in ("Error", "Failure"):
        inner = code.named(names[holder]) if holder in names else None
        within = {p.name for p in inner.properties} if inner is not None else set()
        if within:
            return ResultShape(
                flag=flag,
                message=f"{holder}.Message" if "Message" in within else "",
                code=f"{holder}.Code" if "Code" in within else "",
            )
    plain = next((n for n in ("Message", "ErrorMessage", "Error") if names.get(n) == "string"), "")
    return ResultShape(flag=flag, message=plain)


def expected_refusal(
    question: CodeQuestion, handler: CsClass | None, dto: Dto | None, value: Any = None
) -> Expectation:
    """How HANDLER refuses what QUESTION asks; VALUE: what its field then holds."""
    if handler is not None:
        found = _named_so(question, handler) or _about_field(question, handler)
        if found is not None:
            return _from(found, handler)
    if question.condition is not None and dto is not None:
        field = dto.field(question.field)
        rule = next(iter(refused_by(field, value)), None) if field is not None else None
        if rule is not None:
            return Expectation(
                exception=_thrown_by_validation(handler), message=rule.message, source=_where(rule)
            )
    return Expectation()


def _where(rule: DtoRule) -> str:
    return rule.source or rule.kind


def _from(found: Refusal, handler: CsClass) -> Expectation:
    place = f"{handler.origin}: {found.name}"
    if found.kind == "exception":
        return Expectation(exception=found.name, source=place)
    return Expectation(message=found.message, code=found.name, source=place)


def _named_so(question: CodeQuestion, handler: CsClass) -> Refusal | None:
    """The refusal whose name says what the question asks."""
    if question.failure_mode == "forbidden_transition" and question.state:
        wanted = stem(question.state.lower())
        for refusal in handler.refusals:
            named = {stem(w) for w in tokens(refusal.name)}
            compared = rf"\.{re.escape(question.state)}\b"
            if wanted in named or re.search(compared, refusal.condition):
                return refusal
        return None
    pattern = _WORDS.get(question.failure_mode, "")
    fitting = [r for r in handler.refusals if pattern and re.search(pattern, r.name)]
    own = pascal(question.entity)
    # `InvoiceNotFound` beside `PaymentNotFound`: the one about the thing asked for.
    return next((r for r in fitting if own and own in r.name), fitting[0] if fitting else None)


_COMPARED: dict[Condition, str] = {
    "Zero": r"\.{0}\s*(?:<=?\s*0|==\s*0)",
    "Negative": r"\.{0}\s*<=?\s*0",
    "Null": r"\.{0}\s*(?:==|is)\s*null|IsNullOr\w+\(\s*\w+\.{0}",
    "Missing": r"\.{0}\s*(?:==|is)\s*null|IsNullOr\w+\(\s*\w+\.{0}",
    "Empty": r"\.{0}\s*==\s*(?:\"\"|string\.Empty)|IsNullOr\w+\(\s*\w+\.{0}",
    "TooHigh": r"\.{0}\s*>",
    "TooLong": r"\.{0}\.Length\s*>",
    "TooShort": r"\.{0}\.Length\s*<",
}
"""How an `if` compares a field ({0}) with what a condition speaks of."""


def _about_field(question: CodeQuestion, handler: CsClass) -> Refusal | None:
    """The refusal in an `if` that compares the question's field with such a value."""
    pattern = _COMPARED.get(question.condition) if question.condition is not None else None
    if not question.known_field or pattern is None:
        return None
    compared = re.compile(pattern.replace("{0}", rf"{re.escape(question.field)}\b"))
    return next((r for r in handler.refusals if compared.search(r.condition)), None)


def _thrown_by_validation(handler: CsClass | None) -> str:
    """The exception that failed validation throws; empty: it becomes a result."""
    for method in handler.methods if handler is not None else ():
        if "ValidateAndThrow" in method.source:
            return "ValidationException"
    return ""
