"""The request with one value that is beyond its edge, not there, of another type, or on no list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import msgspec

from premortem.agent.planning import titles
from premortem.agent.planning.expectation import Expectation, captured, invalid_status
from premortem.agent.planning.reach import Reached
from premortem.agent.plans.edges import Aim, asked_names, closed_list, edges
from premortem.agent.plans.ground import Ground
from premortem.agent.plans.things import on_large_thing
from premortem.agent.plans.valued import (
    Put,
    allowed,
    base_of,
    expectation,
    fields_of,
    named_field,
    valued,
)
from premortem.agent.understanding.boundaries import EdgeValue
from premortem.agent.understanding.fields_meant import main_field
from premortem.agent.understanding.inputs import InputField, path_fields
from premortem.agent.understanding.words import stems
from premortem.domain.proposal import FailureModeName
from premortem.domain.scenario import Scenario
from premortem.domain.traffic import OperationProfile

_NAMED = re.compile(r"\b(?:names?|called|ids?|identifiers?|keys?)\b")
EDGES_MAX = 4
"""Values of one field that one question is planned for."""
_CLOSED = frozenset(
    stems("currency status state kind type method role locale language country category unit mode")
)
"""Words of fields that hardly ever take any text."""
_PROSE = frozenset(stems("name title description reason comment note message text subject"))
"""Words of fields that take any text, however few were seen."""
_FREE = 3
"""Rank of fields that hold any text, among those for values that are on no list."""
_IDENTITY = frozenset(stems("id uuid key identifier"))


def boundary(ground: Ground, operation: OperationProfile, reached: Reached) -> Iterator[Scenario]:
    """A value at or beyond the edge of its range or length, or a thing that holds one."""
    found = list(_each(ground, operation, reached, "boundary"))
    yield from found or on_large_thing(ground, operation, reached)


def missing_value(
    ground: Ground, operation: OperationProfile, reached: Reached
) -> Iterator[Scenario]:
    """A field that is null, empty or left out."""
    yield from _each(ground, operation, reached, "missing_value")


def wrong_type(ground: Ground, operation: OperationProfile, reached: Reached) -> Iterator[Scenario]:
    """A value of another type, or not of its format."""
    yield from _each(ground, operation, reached, "wrong_type")


def unknown_value(
    ground: Ground, operation: OperationProfile, reached: Reached
) -> Iterator[Scenario]:
    """A value outside a closed list."""
    yield from _each(ground, operation, reached, "unknown_value")


def _each(
    ground: Ground, operation: OperationProfile, reached: Reached, mode: FailureModeName
) -> Iterator[Scenario]:
    for field in (named_field(ground, operation), _field(ground, operation, mode)):
        if field is None:
            continue
        aim = Aim(
            ground=ground,
            operation=operation,
            field=field,
            base=base_of(reached.cases[-1], field),
        )
        found = [
            scenario
            for edge in islice(edges(mode, aim), EDGES_MAX)
            if (scenario := one_value(ground, operation, reached, field, edge)) is not None
        ]
        yield from found
        if found:
            return


def one_value(
    ground: Ground,
    operation: OperationProfile,
    reached: Reached,
    field: InputField,
    edge: EdgeValue,
    *,
    title: str = "",
) -> Scenario | None:
    """The request with EDGE in FIELD; None where nobody can tell what is right."""
    put = Put(field=field, edge=edge)
    expected = _expected(ground, operation, reached, put)
    if _is_doubtful(operation, field, edge, expected):
        return None
    title = title or titles.with_value(operation, field.name, edge.says)
    return valued(ground, operation, reached, [put], title=title, expected=expected)


def _expected(
    ground: Ground, operation: OperationProfile, reached: Reached, put: Put
) -> Expectation:
    if put.field.place.part == "path":
        return _named_by_path(ground, operation, reached, put)
    expected = expectation(ground, operation, reached, [put])
    presumed = put.edge.boundary == "unknown_value" and not expected.refused
    if presumed and expected.source != "captured" and not closed_list(put.field):
        # The question itself says that there is a list; nothing else does.
        status, how = invalid_status(operation, ground.profile)
        return Expectation(
            status=status,
            because=f"convention: the question takes {put.field.name} for a closed list; {how}",
            source="convention",
            certain=False,
        )
    return expected


def _named_by_path(
    ground: Ground, operation: OperationProfile, reached: Reached, put: Put
) -> Expectation:
    """A name that nothing has, or can have."""
    status, how = invalid_status(operation, ground.profile)
    if allowed(operation, reached, [put]) is False:
        because = f"the specification forbids it; {how}"
        return Expectation(status=status, because=because, source="specification")
    if operation.operation.method == "PUT":
        because = f"convention: no thing is called like that; {how}"
        return Expectation(status=status, because=because, source="convention", certain=False)
    seen = captured(operation, 404)
    if seen or 404 in operation.declared:
        return Expectation(
            status=404,
            because=f"production answered 404 to this operation ({seen} captured)"
            if seen
            else "the specification declares 404",
            source="captured" if seen else "specification",
        )
    because = "convention: nothing is called like that (RFC 9110, 15.5.5)"
    return Expectation(status=404, because=because, source="convention", certain=False)


def _is_doubtful(
    operation: OperationProfile, field: InputField, edge: EdgeValue, expected: Expectation
) -> bool:
    """A number far above all that was seen, which only the schema allows, where state decides.

    A specification says what an amount may be, not how much is left of it. What a request makes
    that goes into nothing else takes from nothing.
    """
    if expected.refused or expected.source != "specification":
        return False
    if not isinstance(edge.value, int | float) or isinstance(edge.value, bool):
        return False
    seen = [
        f.numbers.quantiles[-1] for f in operation.fields if f.place == field.place and f.numbers
    ]
    conflicts = 409 in operation.declared or any(a.status == 409 for a in operation.answers)
    part = "{" in operation.operation.template and edge.boundary != "minimum"
    return part and conflicts and (not seen or edge.value > seen[0])


def _field(ground: Ground, operation: OperationProfile, mode: FailureModeName) -> InputField | None:
    """The field that is meant where none is named."""
    inputs = [f for f in fields_of(operation) if f.place.part != "path"]
    if mode == "boundary":
        # What a client calls a thing itself stands in the path.
        called = path_fields(operation) if operation.operation.method == "PUT" else ()
        scalar = [f for f in inputs if f.types & {"string", "number", "integer"}]
        if called and (not scalar or _NAMED.search(ground.understood.prompt.lower())):
            return called[0]
        main = main_field(scalar, asked_names(ground, mode) or ("too_large",))
        if main is not None:
            return main
        inputs = scalar
    body = [f for f in inputs if f.place.part == "body" and not _IDENTITY & set(f.stems)]
    ranked = sorted(body or inputs, key=lambda f: _rank(operation, f, mode))
    if mode == "unknown_value":
        # Where people write what they like, nothing is unknown.
        ranked = [f for f in ranked if _rank(operation, f, mode)[0] < _FREE]
    return ranked[0] if ranked else None


def _rank(operation: OperationProfile, field: InputField, mode: FailureModeName) -> tuple[int, int]:
    """How well FIELD suits MODE, 0 best; then how deep it lies."""
    depth = len(field.place.tokens)
    schema = field.constraints
    nested = bool(field.types & {"object", "array"})
    if mode == "missing_value":
        return (2 * (not field.required) + nested, depth)
    if mode == "unknown_value":
        prose = bool(_PROSE & set(field.stems))
        learned = any(f.enumeration for f in operation.fields if f.place == field.place)
        learned = learned and not prose
        closed = bool(closed_list(field))
        return (
            0 if closed else 1 if learned else 2 if _CLOSED & set(field.stems) else _FREE,
            depth,
        )
    if mode == "wrong_type":
        numeric = bool(field.types & {"number", "integer"})
        formed = bool({"format", "pattern"} & schema.keys())
        return (0 if numeric else 1 if "boolean" in field.types or formed else 2 + nested, depth)
    return (0 if {"maxLength", "minLength"} & schema.keys() else 1 + nested, depth)


def with_mode(ground: Ground, mode: FailureModeName, *values: str) -> Ground:
    """GROUND as if the question had named MODE and VALUES."""
    understood = msgspec.structs.replace(ground.understood, failure_mode=mode, values=values)
    return msgspec.structs.replace(ground, understood=understood)
