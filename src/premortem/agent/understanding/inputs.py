"""The fields that a request of an operation may carry: from traffic and from the specification."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from premortem.agent.understanding.words import stems
from premortem.domain.places import Place, body_place
from premortem.domain.template import parameter_names
from premortem.domain.traffic import OperationProfile

DEPTH_MAX = 5
"""Levels of a body schema that are looked into."""
FIELDS_MAX = 300
_JSON_TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})


class InputField(Struct, frozen=True, kw_only=True):
    """One place of a request that a value can be put into."""

    place: Place
    """Path places are never among them: they say which thing is meant."""
    types: frozenset[str] = frozenset()
    """JSON types without null; empty: unknown."""
    schema: Mapping[str, Any] = {}
    """The place's own JSON Schema."""
    root: Mapping[str, Any] = {}
    """What references in it point into."""
    declared: bool = False
    """The specification describes it."""
    required: bool = False
    usual: Any = None
    """The value most often seen; None: none was."""
    seen: int = 0

    @property
    def name(self) -> str:
        """The last part of its place: `/customer/email` -> `email`."""
        parts = [part for part in self.place.tokens if part != "*"]
        return parts[-1] if parts else ""

    @property
    def stems(self) -> tuple[str, ...]:
        """Its name's words."""
        return tuple(stems(self.name))

    @property
    def constraints(self) -> Mapping[str, Any]:
        """The schema with the first alternative that is not null merged in."""
        merged = dict(self.schema)
        for part in _combined(self.schema, self.root):
            if part.get("type") != "null":
                return {**part, **merged}
        return merged


def input_fields(operation: OperationProfile) -> tuple[InputField, ...]:
    """The query and body fields of OPERATION: required ones first, then by how often seen."""
    found = {field.place: field for field in _declared(operation)}
    for field in operation.fields:
        place = field.place
        if place.part not in ("query", "body") or not place.name:
            continue
        known = found.get(place)
        types = frozenset(field.types) - {"null"}
        found[place] = InputField(
            place=place,
            types=(known.types if known and known.types else types),
            schema=known.schema if known else {},
            root=known.root if known else {},
            declared=known is not None and known.declared,
            required=known.required if known else field.presence >= 1,
            usual=json.loads(field.values[0][0]) if field.values else None,
            seen=field.seen,
        )
    ordered = sorted(found.values(), key=lambda f: (not f.required, -f.seen, len(f.place.tokens)))
    return tuple(ordered[:FIELDS_MAX])


def path_fields(operation: OperationProfile) -> tuple[InputField, ...]:
    """The parameters in OPERATION's path, the innermost first: they say which thing is meant, and
    what is called so by the client itself."""
    found = []
    for name in reversed(parameter_names(operation.operation.template)):
        place = Place(part="path", name=name)
        document = operation.parameter_schemas.get(str(place), "")
        schema = json.loads(document) if document else {}
        found.append(
            InputField(
                place=place,
                types=types_of(schema, schema) or frozenset({"string"}),
                schema=schema,
                root=schema,
                declared=bool(document),
                required=True,
            )
        )
    return tuple(found)


def _declared(operation: OperationProfile) -> Iterator[InputField]:
    from_spec = operation.request_source == "spec"
    if operation.request_schema:
        root = json.loads(operation.request_schema)
        for tokens, schema, required in _properties(root, root, (), DEPTH_MAX):
            yield InputField(
                place=body_place(*tokens),
                types=types_of(schema, root),
                schema=schema,
                root=root,
                declared=from_spec,
                required=required,
            )
    for text, document in operation.parameter_schemas.items():
        part, _, name = text.partition(":")
        if part == "query":
            schema = json.loads(document)
            yield InputField(
                place=Place(part="query", name=name),
                types=types_of(schema, schema),
                schema=schema,
                root=schema,
                declared=True,
                required=text in operation.required,
            )


def _properties(
    schema: Any, root: Any, tokens: tuple[str, ...], depth: int
) -> Iterator[tuple[tuple[str, ...], Any, bool]]:
    schema = resolved(schema, root)
    if depth == 0:
        return
    for part in (schema, *_combined(schema, root)):
        required = part.get("required", ())
        properties = part.get("properties")
        for name, inner in properties.items() if isinstance(properties, dict) else ():
            yield (*tokens, name), resolved(inner, root), name in required and not len(tokens)
            yield from _properties(inner, root, (*tokens, name), depth - 1)
        if "items" in part:
            yield from _properties(part["items"], root, (*tokens, "*"), depth - 1)


def _combined(schema: Mapping[str, Any], root: Any) -> Iterator[dict[str, Any]]:
    for key in ("allOf", "anyOf", "oneOf"):
        parts = schema.get(key)
        for part in parts if isinstance(parts, list) else ():
            yield resolved(part, root)


def resolved(schema: Any, root: Any) -> dict[str, Any]:
    """SCHEMA with references into ROOT followed, at most DEPTH_MAX of them; `{}` for others."""
    for _ in range(DEPTH_MAX):
        if not isinstance(schema, dict):
            return {}
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return schema
        schema = _pointed(root, reference)
    return {}


def _pointed(root: Any, reference: str) -> Any:
    if not reference.startswith("#"):
        return {}
    value = root
    for token in reference[1:].split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        if not isinstance(value, dict) or token not in value:
            return {}
        value = value[token]
    return value


def types_of(schema: Any, root: Any) -> frozenset[str]:
    """The JSON types SCHEMA allows, null left out; empty: it does not say."""
    schema = resolved(schema, root)
    named = schema.get("type", ())
    found = {named} if isinstance(named, str) else set(named)
    if not found:
        for part in _combined(schema, root):
            found |= types_of(part, root)
    if not found and "enum" in schema:
        found = {_json_type(value) for value in schema["enum"]}
    return frozenset(found & _JSON_TYPES) - {"null"}


def _json_type(value: Any) -> str:
    names = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"))
    return next((name for kind, name in names if isinstance(value, kind)), "object")
