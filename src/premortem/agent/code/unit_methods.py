"""MSTest methods for handlers: the lines between a name and its closing brace."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from premortem.agent.code.arrangement import Arrangement, Scene, arranged
from premortem.agent.code.literals import LITERAL_CHARACTERS_MAX, csharp_literal
from premortem.agent.code.names import pascal
from premortem.agent.code.question import CodeQuestion
from premortem.agent.code.refusals import (
    Expectation,
    ResultShape,
    expected_refusal,
    result_shape,
)
from premortem.agent.code.states import placed_beside, placed_in_state
from premortem.agent.knowledge.csharp import VALUE_TYPES, bare_type
from premortem.agent.knowledge.rules import Assertion, infer_assertions_from_dto
from premortem.agent.knowledge.values import Condition, breaking
from premortem.agent.understanding.words import tokens
from premortem.domain.proposal import DtoField
from premortem.errors import InputError

UNIT_MODES = frozenset(
    {
        "duplicate",
        "boundary",
        "missing_value",
        "unknown_value",
        "forbidden_transition",
        "unknown_reference",
        "over_total",
    }
)
"""The failure modes that a unit test of one handler can show."""
_ABSENT = ("unknown_reference",)
_MOCKS = re.compile(r"\bMock<|Substitute\.For<|A\.Fake<|\.Setup\(")
_DENYING = frozenset({"deny", "reject", "refuse", "decline", "block"})
_UNKNOWN = {"integer": 404_404_404}
LARGE_NUMBER = 1_000_000_000
_SAMPLES: dict[Condition, Any] = {
    "Zero": 0,
    "Null": None,
    "Missing": None,
    "Empty": "",
    "TooHigh": LARGE_NUMBER,
    "TooLow": -1,
    "TooLong": "x" * 10_000,
    "TooShort": "x",
    "Unknown": "UNKNOWN",
    "Malformed": "?",
}


_NUMBERS, _TEXTS = ("number", "integer"), ("string",)
_HOLDERS: dict[Condition, tuple[str, ...]] = {
    **dict.fromkeys(("Zero", "Negative", "TooHigh", "TooLow", "TooPrecise"), _NUMBERS),
    **dict.fromkeys(("Empty", "TooLong", "TooShort", "Malformed"), _TEXTS),
}
"""The JSON types whose fields can hold what a condition names; others: any."""


class Body(Struct, frozen=True, kw_only=True):
    """The statements of a test method and what they expect."""

    lines: tuple[str, ...]
    expectation: Expectation
    open_points: tuple[str, ...] = ()


def unit_body(question: CodeQuestion, scene: Scene) -> Body:
    """A test of SCENE's handler for QUESTION.

    Raises InputError for a failure mode that one handler by itself cannot show, and for values
    that its request cannot hold.
    """
    if question.failure_mode not in UNIT_MODES:
        raise InputError(
            f"{question.failure_mode} does not show in a unit test of {scene.handler.name}; "
            f"ask for an integration test or a scenario"
        )
    if question.failure_mode == "forbidden_transition" and not question.state:
        raise InputError(
            "the question does not say in which state it happens; say `after approval`, "
            "`while it is locked`, `already paid`"
        )
    if question.failure_mode == "boundary" and question.condition is None:
        raise InputError(
            "the question does not say which value; say zero, negative, empty, too long, too high"
        )
    changes, value = _changes(question, scene)
    made = arranged(scene, changes)
    before: list[str] = []
    standing = made.lines
    open_points = [*made.open_points, *_forgetting(question, scene, made)]
    if not made.shown and question.failure_mode not in ("forbidden_transition", *_ABSENT):
        before += placed_beside(scene, made)
    if question.failure_mode == "forbidden_transition":
        thing = question.state_of or question.entity
        if question.state:
            placed = placed_in_state(scene, made, thing, question.state)
            standing = placed.arranged
            before += placed.lines
            open_points += placed.open_points
        if question.role and not _role_field(scene):
            open_points.append(f"{scene.method.name} does not take who asks ({question.role})")
    expectation = _expected(question, scene, value)
    shape = result_shape(scene.code, scene.method)
    awaited = scene.method.awaited
    if denied_twice(question) and changes:
        before += [*refused(made.call, expectation, shape, awaited=awaited, result="first"), ""]
    elif question.failure_mode == "duplicate":
        before += _first(made, shape, awaited=awaited)
    lines = [
        *_inconclusive(open_points),
        *standing,
        *before,
        *refused(made.call, expectation, shape, awaited=awaited),
    ]
    return Body(lines=tuple(lines), expectation=expectation, open_points=tuple(open_points))


def _expected(question: CodeQuestion, scene: Scene, value: Any) -> Expectation:
    denied = _denied(scene) if denied_twice(question) else None
    if denied is None:
        return expected_refusal(question, scene.handler, scene.dto, value)
    stated = denied.message if denied.stated else ""
    return Expectation(message=stated, source=denied.source)


def denied_twice(question: CodeQuestion) -> bool:
    """Whether it asks for a refusal that happens again, not for a success that does."""
    return question.failure_mode == "duplicate" and question.verb in _DENYING


def _denied(scene: Scene) -> Assertion | None:
    """Something that the request's rules refuse, with the validator's own message if there is."""
    found = infer_assertions_from_dto(scene.dto) if scene.dto is not None else ()
    plain = [a for a in found if a.value and len(a.value) < LITERAL_CHARACTERS_MAX]
    return max(plain, key=lambda a: a.stated) if plain else None


def _forgetting(question: CodeQuestion, scene: Scene, made: Arrangement) -> list[str]:
    """A mock answers as it was told, whatever was asked before: it remembers nothing."""
    if question.failure_mode not in ("duplicate", "unknown_reference", "over_total"):
        return []
    held = " ".join([*(kind for _, kind in made.stores), *made.lines])
    sources = " ".join(m.source for m in scene.tests.methods) if scene.tests is not None else ""
    if not _MOCKS.search(f"{held} {sources}") or denied_twice(question):
        return []
    return ["what the handler is given is a mock and remembers nothing; use a fake that does"]


def _inconclusive(open_points: Sequence[str]) -> list[str]:
    """A test that could not be arranged neither passes nor fails."""
    said = "; ".join(open_points).replace('"', "'")
    return [f'Assert.Inconclusive("To arrange: {said}");', ""] if open_points else []


def _changes(question: CodeQuestion, scene: Scene) -> tuple[dict[str, str], Any]:
    """What the request differs in from a valid one, and the value that matters."""
    changes: dict[str, str] = {}
    value: Any = None
    denied = _denied(scene) if denied_twice(question) else None
    if denied is not None:
        changes[denied.field] = csharp_literal(json.loads(denied.value), "")
        return changes, json.loads(denied.value)
    if question.condition is not None and question.failure_mode != "over_total":
        field = scene.dto.field(question.field) if scene.dto is not None else None
        if field is None:
            name = question.field or question.entity
            raise InputError(
                f"{scene.dto.name if scene.dto else scene.handler.name} has no field {name!r}; "
                f"it has: {', '.join(f.name for f in scene.dto.fields) if scene.dto else 'none'}"
            )
        value, expression = changed_value(field, question.condition)
        changes[field.name] = expression
    elif question.failure_mode == "over_total":
        field = _amount(scene)
        changes[field.name], value = str(LARGE_NUMBER), LARGE_NUMBER
    elif question.failure_mode == "unknown_reference":
        field = _reference(question, scene)
        value = _UNKNOWN.get(field.type, "unknown-404")
        if bare_type(field.declared_type) == "Guid":
            value = "00000000-0000-4000-8000-000000000404"
        changes[field.name] = csharp_literal(value, field.declared_type)
    role = _role_field(scene)
    if question.role and role is not None:
        changes[role.name] = csharp_literal(question.role)
    return changes, value


def changed_value(field: DtoField, condition: Condition) -> tuple[Any, str]:
    """The value of FIELD that CONDITION names, and its C# expression.

    The one that its rules refuse, where one of them speaks of it. Raises InputError for values
    that C#'s types do not let a request hold.
    """
    bare = bare_type(field.declared_type)
    wanted = _HOLDERS.get(condition, ())
    if wanted and field.type not in wanted:
        raise InputError(f"{field.name} is a {field.declared_type}; it cannot be {condition}")
    if condition in ("Null", "Missing"):
        if bare in VALUE_TYPES and not field.nullable:
            return 0 if field.type in ("number", "integer") else None, f"default({bare})"
        return None, "null"
    if condition == "Negative":
        return (-100, "-100") if field.type == "number" else (-1, "-1")
    edges = [edge for rule in field.rules if (edge := breaking(field, rule)) is not None]
    exact = next((e for e in edges if e.condition == condition), None)
    listed = any(r.kind == "one_of" for r in field.rules)
    if condition == "Unknown" and listed and bare not in ("string", ""):
        return "UNKNOWN", f"({bare})999"
    if condition == "WrongType" or (condition == "Malformed" and field.type != "string"):
        raise InputError(
            f"a {field.declared_type} cannot hold a value of another type in a unit test; "
            f"ask for an integration test of {field.name}"
        )
    value = json.loads(exact.value) if exact is not None else _SAMPLES.get(condition)
    return value, csharp_literal(value, field.declared_type)


def _amount(scene: Scene) -> DtoField:
    numbers = [f for f in scene.dto.fields if f.type == "number"] if scene.dto else []
    if not numbers:
        raise InputError(f"{scene.handler.name}'s request has no amount to exceed a limit with")
    return numbers[0]


def _reference(question: CodeQuestion, scene: Scene) -> DtoField:
    fields = scene.dto.fields if scene.dto is not None else ()
    wanted = f"{pascal(question.entity)}Id".lower()
    named = [f for f in fields if f.name.lower() in (wanted, "id")]
    ids = named or [f for f in fields if f.name.endswith("Id")]
    if not ids:
        raise InputError(f"the request of {scene.handler.name} names nothing by an id")
    return ids[0]


def _role_field(scene: Scene) -> DtoField | None:
    """The field of the request that says who asks."""
    for field in scene.dto.fields if scene.dto is not None else ():
        if field.type == "string" and (tokens(field.name) or [""])[-1] == "role":
            return field
    return None


def _first(made: Arrangement, shape: ResultShape, *, awaited: bool) -> list[str]:
    """The first of two requests, which must succeed, or the second shows nothing."""
    call = f"await {made.call}" if awaited else made.call
    if not shape.flag:
        return [f"{call};", ""]
    if made.shown:
        return [f"var first = {call};", f"Assert.IsTrue(first.{shape.flag});", ""]
    # Nothing shows that this request succeeds; refused, it says nothing of the second.
    return [
        f"var first = {call};",
        f"if (!first.{shape.flag})",
        "{",
        '    Assert.Inconclusive("The first request was refused: arrange what it needs");',
        "}",
        "",
    ]


def refused(
    call: str,
    expectation: Expectation,
    shape: ResultShape,
    *,
    awaited: bool,
    result: str = "result",
) -> list[str]:
    """The call and the assertions that it is refused."""
    if expectation.exception:
        kind = expectation.exception
        if awaited:
            return [f"await Assert.ThrowsExceptionAsync<{kind}>(() => {call});"]
        return [f"Assert.ThrowsException<{kind}>(() => {call});"]
    waited = f"await {call}" if awaited else call
    if not shape.flag:
        return [
            "System.Exception refusal = null;",
            "try",
            "{",
            f"    {waited};",
            "}",
            "catch (System.Exception raised)",
            "{",
            "    refusal = raised;",
            "}",
            "",
            'Assert.IsNotNull(refusal, "It was not refused");',
        ]
    lines = [f"var {result} = {waited};", "", f"Assert.IsFalse({result}.{shape.flag});"]
    if expectation.message and shape.message:
        said = csharp_literal(expectation.message)
        lines.append(f"Assert.AreEqual({said}, {result}.{shape.message});")
    elif expectation.code and shape.code:
        lines.append(f'Assert.AreEqual("{expectation.code}", {result}.{shape.code});')
    return lines
