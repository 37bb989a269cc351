"""The values that the asker set (`--set amount=-5`) in the request in question."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from premortem.agent.planning.draft import CannotWrite
from premortem.agent.planning.reach import Reached
from premortem.agent.plans.ground import changed
from premortem.agent.understanding.boundaries import EdgeValue
from premortem.agent.understanding.inputs import InputField, input_fields
from premortem.domain.bodies import is_json, text_of
from premortem.domain.run import Case
from premortem.domain.traffic import OperationProfile


def with_given(
    reached: Reached, operation: OperationProfile, given: Sequence[tuple[str, str]]
) -> Reached:
    """REACHED with the GIVEN values, JSON texts by field, in its last request.

    Raises CannotWrite for a field that the operation does not have, or a body that holds none.
    """
    case = reached.cases[-1]
    for name, text in given:
        field = field_called(input_fields(operation), name)
        if field is None:
            raise CannotWrite(f"it has no field called {name}, which was set")
        case = _put(case, field, json.loads(text))
    if case is reached.cases[-1]:
        return reached
    return msgspec.structs.replace(reached, cases=(*reached.cases[:-1], case))


def value_given(given: Sequence[tuple[str, str]], field: InputField) -> tuple[Any, ...]:
    """The value set for FIELD, alone in a tuple; empty: none was."""
    return tuple(json.loads(text) for name, text in given if _alike(name, field.name))[-1:]


def field_called(inputs: Sequence[InputField], name: str) -> InputField | None:
    """The field NAME among INPUTS, whatever its case and underscores, bodies first."""
    found = [field for field in inputs if _alike(name, field.name)]
    return min(found, key=lambda field: field.place.part != "body", default=None)


def _alike(name: str, other: str) -> bool:
    last = name.rpartition(".")[2].rpartition("/")[2]
    return last.replace("_", "").lower() == other.replace("_", "").lower()


def _put(case: Case, field: InputField, value: Any) -> Case:
    request = case.request
    bindings = tuple(binding for binding in case.bindings if binding.place != field.place)
    if field.place.part == "query":
        kept = tuple(pair for pair in request.query if pair[0] != field.place.name)
        request = msgspec.structs.replace(
            request, query=(*kept, (field.place.name, text_of(value)))
        )
    else:
        if request.body and not is_json(request.media_type):
            raise CannotWrite(f"{field.name} was set, and its body is no JSON")
        body: Mapping[str, Any] = json.loads(request.body or b"{}")
        edge = EdgeValue(boundary="", says="", value=value)
        data = msgspec.json.encode(changed(body, field.place.tokens, edge))
        request = msgspec.structs.replace(request, body=data)
    return msgspec.structs.replace(case, request=request, bindings=bindings)
