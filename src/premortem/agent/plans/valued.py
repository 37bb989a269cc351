"""A request with values of its own in some places, and what it should be answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from premortem.agent.outcomes.value import of_value
from premortem.agent.planning.draft import CannotWrite, Draft
from premortem.agent.planning.expectation import Expectation, asks_for_none
from premortem.agent.planning.reach import Reached
from premortem.agent.plans.ground import (
    Ground,
    as_role,
    changed,
    look,
    say_outcome,
    to_scenario,
    witness,
)
from premortem.agent.understanding.boundaries import EdgeValue
from premortem.agent.understanding.inputs import InputField, input_fields, path_fields
from premortem.domain.bodies import at, text_of
from premortem.domain.run import Case
from premortem.domain.scenario import Scenario
from premortem.domain.template import encode_segment, split_template
from premortem.domain.traffic import OperationProfile
from premortem.generate.breaks import read_schema


class Put(Struct, frozen=True, kw_only=True):
    """A value and where it is put."""

    field: InputField
    edge: EdgeValue


More = Callable[[Draft], None]
"""Adds steps to a draft."""


def valued(
    ground: Ground,
    operation: OperationProfile,
    reached: Reached,
    puts: Sequence[Put],
    *,
    title: str,
    expected: Expectation | None = None,
    before: More | None = None,
    after: More | None = None,
) -> Scenario:
    """The request with PUTS in it, the first of them the one asked about.

    EXPECTED: what is asked of the answer, where evidence about the value alone does not decide.
    BEFORE and AFTER: steps right before the request and behind all others. Raises CannotWrite.
    """
    draft = Draft(as_role(reached.cases, ground))
    last = len(reached.cases) - 1
    for index in range(last):
        draft.setup(index)
    expected = expected or expectation(ground, operation, reached, puts)
    seen = witness(draft, operation, ground) if expected.refused else None
    if seen is not None:
        look(draft, seen, before=True)
    if before is not None:
        before(draft)
    ask(draft, operation, puts)
    say_outcome(draft, expected)
    if seen is not None:
        look(draft, seen, before=False)
    if after is not None:
        after(draft)
    return to_scenario(ground, operation, draft, expected, title)


def ask(draft: Draft, operation: OperationProfile, puts: Sequence[Put]) -> None:
    """The request in question as a step."""
    last = len(draft.cases) - 1
    in_body = [put for put in puts if put.field.place.part == "body"]
    query = {
        put.field.place.name: None if put.edge.absent else text_of(put.edge.value)
        for put in puts
        if put.field.place.part == "query"
    }
    path = ""
    for put in puts:
        if put.field.place.part == "path":
            path = _renamed(path or draft.path(last), operation, put)
    body: Any = ...
    if in_body:
        body = _with(draft.body(last), in_body)
    draft.request("When", last, body=body, query=query, path=path)


def expectation(
    ground: Ground, operation: OperationProfile, reached: Reached, puts: Sequence[Put]
) -> Expectation:
    """What the first of PUTS should be answered, by the evidence about such values."""
    put = puts[0]
    found = of_value(
        operation,
        put.field,
        present=not put.edge.absent,
        value=put.edge.value,
        valid=allowed(operation, reached, puts),
        evidence=ground.evidence,
    )
    return as_login(ground, operation, found)


def as_login(ground: Ground, operation: OperationProfile, expected: Expectation) -> Expectation:
    """EXPECTED, or that nobody has such credentials: a login asks for more than what is valid.

    It is open to all and declares 401 all the same.
    """
    asks = asks_for_none(operation, ground.profile) and 401 in operation.declared
    posts = operation.operation.method == "POST" and 403 not in operation.declared
    if expected.refused or expected.source == "captured" or not (asks and posts):
        return expected
    return Expectation(
        status=401,
        because="nobody has such credentials, and the specification declares 401",
        source="specification",
    )


def allowed(operation: OperationProfile, reached: Reached, puts: Sequence[Put]) -> bool | None:
    """Whether specification or learned shape allow the request with PUTS; None: nothing says.

    What the request without them breaks already does not count: captured values are redacted.
    """
    told = [_allowed(operation, put) for put in puts if put.field.place.part != "body"]
    in_body = [put for put in puts if put.field.place.part == "body"]
    schema = read_schema(operation.request_schema) if in_body else None
    if schema is not None:
        plain = Draft(reached.cases).plain_body(len(reached.cases) - 1)
        plain = {} if plain is None else plain
        told.append(not schema.breaks(_with(plain, in_body)) - schema.breaks(plain))
    elif in_body:
        told.append(None)
    if False in told:
        return False
    return None if None in told else True


def _allowed(operation: OperationProfile, put: Put) -> bool | None:
    name = str(put.field.place)
    if put.edge.absent:
        return name not in operation.required
    schema = read_schema(operation.parameter_schemas.get(name, ""))
    return None if schema is None else not schema.parameter_breaks([text_of(put.edge.value)])


def _with(body: Any, puts: Sequence[Put]) -> Any:
    body = {} if body is None else body
    for put in puts:
        body = changed(body, put.field.place.tokens, put.edge)
    return body


def _renamed(path: str, operation: OperationProfile, put: Put) -> str:
    """PATH with the value in the place of its parameter."""
    if not text_of(put.edge.value):
        raise CannotWrite("without a name there is another path")
    segments = list(split_template(path))
    for index, segment in enumerate(split_template(operation.operation.template)):
        if segment == "{" + put.field.place.name + "}" and index < len(segments):
            segments[index] = encode_segment(text_of(put.edge.value))
    return "/" + "/".join(segments)


def takes_body(operation: OperationProfile) -> bool:
    """Whether requests of OPERATION have a body that says something."""
    seen = any(f.place.part == "body" for f in operation.fields)
    return bool(operation.request_schema) or seen


def fields_of(operation: OperationProfile) -> tuple[InputField, ...]:
    """All places of OPERATION's requests that a value can be put into, the path's last."""
    return (*input_fields(operation), *path_fields(operation))


def named_field(ground: Ground, operation: OperationProfile) -> InputField | None:
    """The field that the question names, where OPERATION has it."""
    name = ground.understood.field
    named = [f for f in fields_of(operation) if name and f.name == name]
    return named[0] if named else None


def base_of(case: Case, field: InputField) -> Any:
    """What the request of CASE holds in FIELD, else what is usual there."""
    if field.place.part == "query":
        texts = [text for name, text in case.request.query if name == field.place.name]
        return texts[0] if texts else field.usual
    pointer = tuple("0" if part == "*" else part for part in field.place.tokens)
    try:
        return at(json.loads(case.request.body or b"null"), pointer)
    except (LookupError, TypeError, ValueError):
        return field.usual
