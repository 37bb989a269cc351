"""How to get to the request in question: production's own way, or one pieced together from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from premortem.agent.inputs import resolved, types_of
from premortem.domain.run import SAFE_METHODS, Binding, Case, Origin
from premortem.domain.template import encode_segment, parameter_names, split_path, split_template
from premortem.domain.traffic import Exchange, OperationProfile, Profile, Recipe, Request
from premortem.generate.replay import recipe_cases

DEPTH_MAX = 4
"""Levels of a body that is made up from a schema."""


class Reached(Struct, frozen=True, kw_only=True):
    """Requests in order; the last one is the operation's own, all before bring its state about."""

    cases: tuple[Case, ...]
    recorded: bool
    """Production went exactly this way."""


def reach(
    operation: OperationProfile, profile: Profile, exchanges: Mapping[str, Exchange]
) -> Reached | str:
    """The way to a request of OPERATION that works, or why there is none."""
    for recipe in _by_success(operation):
        cases = recipe_cases(recipe, exchanges, profile)
        if cases and recipe.status < 300:
            return Reached(cases=cases, recorded=True)
    pieced = _pieced(operation, profile, exchanges)
    if pieced is not None:
        return pieced
    if operation.recipes:
        return "the recorded way to it cannot be repeated"
    return "no captured traffic shows how to get there"


def _by_success(operation: OperationProfile) -> list[Recipe]:
    return sorted(operation.recipes, key=lambda r: (r.status >= 300, len(r.steps)))


def _pieced(
    operation: OperationProfile, profile: Profile, exchanges: Mapping[str, Exchange]
) -> Reached | None:
    """The way to a neighbour that stands on the same things, then a request from the schema."""
    wanted = split_template(operation.operation.template)
    names = parameter_names(operation.operation.template)
    body = _made_up(operation)
    if body is _NOTHING:
        return None
    if not names:
        case = _case(operation, "/" + "/".join(wanted), body, role=_role(operation, profile))
        return Reached(cases=(case,), recorded=False)
    for neighbour in _neighbours(operation, profile):
        for recipe in _by_success(neighbour):
            cases = recipe_cases(recipe, exchanges, profile)
            if not cases or recipe.status >= 300:
                continue
            pieced = _behind(operation, cases, body)
            if pieced is not None:
                return Reached(cases=pieced, recorded=False)
    return None


def _neighbours(operation: OperationProfile, profile: Profile) -> list[OperationProfile]:
    """Operations whose templates begin like OPERATION's up to its last parameter."""
    stem = _upto_last_parameter(operation.operation.template)
    alike = [
        other
        for other in profile.operations
        if other.recipes
        and other.id != operation.id
        and tuple(map(_shape, split_template(other.operation.template)[: len(stem)])) == stem
    ]
    safe = operation.operation.method in SAFE_METHODS

    def likeness(other: OperationProfile) -> tuple[bool, bool, int, int]:
        # Who may read a thing may not change it: its own kind of neighbour knows better who may,
        # and the nearer the better.
        kind = (other.operation.method in SAFE_METHODS) == safe
        shared = _shared(operation.operation.template, other.operation.template)
        return (other.operation.method == "DELETE", not kind, -shared, -other.count)

    return sorted(alike, key=likeness)


def _shared(template: str, other: str) -> int:
    """Segments that the two templates begin with alike."""
    pairs = zip(split_template(template), split_template(other), strict=False)
    same = [_shape(mine) == _shape(theirs) for mine, theirs in pairs]
    return (*same, False).index(False)


def _upto_last_parameter(template: str) -> tuple[str, ...]:
    segments = tuple(map(_shape, split_template(template)))
    last = max(i for i, segment in enumerate(segments) if segment == "{}")
    return segments[: last + 1]


def _shape(segment: str) -> str:
    return "{}" if "{" in segment else segment


def _behind(
    operation: OperationProfile,
    cases: tuple[Case, ...],
    body: bytes,
) -> tuple[Case, ...] | None:
    """The cases before the last of CASES, then one of OPERATION on the same things."""
    last = cases[-1]
    segments = list(split_path(last.request.path))
    wanted = split_template(operation.operation.template)
    length = len(_upto_last_parameter(operation.operation.template))
    if len(segments) < length:
        return None
    # A neighbour that is safe or changes the thing itself need not be sent; its ids matter.
    path = [*map(encode_segment, segments[:length]), *wanted[length:]]
    bindings = tuple(
        Binding(step=b.step, select=b.select, place=b.place, recorded=b.recorded)
        for b in last.bindings
        if b.place.part == "path" and int(b.place.name) < length
    )
    case = _case(operation, "/" + "/".join(path), body, role=last.role, parents=last.origin.parents)
    return (*cases[:-1], msgspec.structs.replace(case, bindings=bindings))


def _case(
    operation: OperationProfile,
    path: str,
    body: bytes,
    *,
    role: str,
    parents: tuple[str, ...] = (),
) -> Case:
    headers = (("content-type", "application/json"),) if body else ()
    return Case(
        request=Request(
            method=operation.operation.method, origin="", path=path, headers=headers, body=body
        ),
        operation_id=operation.id,
        origin=Origin(source="scenario", parents=parents),
        role=role,
    )


def _role(operation: OperationProfile, profile: Profile) -> str:
    """Who was answered well most often, here or else anywhere."""
    for operations in ((operation,), profile.operations):
        good: dict[str, int] = {}
        for one in operations:
            for role, counts in one.roles.items():
                well = sum(n for status, n in counts.items() if status.startswith("2"))
                if well and role != "unknown":
                    good[role] = good.get(role, 0) + well
        if good:
            return max(good, key=lambda r: (bool(r), good[r]))
    return ""


_NOTHING = b"\x00"
"""No body can be made up."""


def _made_up(operation: OperationProfile) -> bytes:
    """A smallest body that the specification's schema allows; empty when it wants none."""
    if not operation.request_schema or operation.operation.method in ("GET", "DELETE", "HEAD"):
        return b""
    root = json.loads(operation.request_schema)
    try:
        return msgspec.json.encode(_instance(root, root, DEPTH_MAX))
    except LookupError:
        return _NOTHING


def _instance(schema: Any, root: Any, depth: int) -> Any:
    """A value SCHEMA allows; raises LookupError where it asks for more than is tried here."""
    schema = resolved(schema, root)
    for key in ("const", "default", "example"):
        if key in schema:
            return schema[key]
    for key in ("examples", "enum"):
        if isinstance(schema.get(key), list) and schema[key]:
            return schema[key][0]
    for key in ("allOf", "anyOf", "oneOf"):
        if schema.get(key):
            return _instance({**schema[key][0], **_without(schema, key)}, root, depth)
    types = types_of(schema, root)
    if "object" in types or "properties" in schema:
        if depth == 0:
            raise LookupError("too deep")
        properties = schema.get("properties", {})
        return {
            name: _instance(properties.get(name, {}), root, depth - 1)
            for name in schema.get("required", ())
        }
    return _scalar(schema, types)


def _scalar(schema: Mapping[str, Any], types: frozenset[str]) -> Any:
    if types & {"integer", "number"}:
        least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        return (least if isinstance(least, int | float) else 0) + 1
    if "boolean" in types:
        return True
    if "array" in types:
        if schema.get("minItems"):
            raise LookupError("an array that must not be empty")
        return []
    if schema.get("pattern") or schema.get("format") not in (None, "password", "binary"):
        raise LookupError("a text of a certain form")
    return "x" * max(1, min(int(schema.get("minLength", 1)), 64))


def _without(schema: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != key}
