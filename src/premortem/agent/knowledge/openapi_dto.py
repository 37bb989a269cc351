"""OpenAPI documents and JSON Schema -> data transfer objects.

Source: OpenAPI 3.0 and 3.1, Swagger 2.0, JSON Schema 2020-12. Only the keywords that bound one
field by itself are read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from msgspec import Struct

from premortem.agent.knowledge.values import EMPTY_TOO
from premortem.domain.proposal import Dto, DtoField, DtoRule
from premortem.errors import InputError

DOCUMENT_BYTES_MAX = 20 * 1024 * 1024
REFERENCES_MAX = 20
"""References that are followed one after the other."""


def dtos_in_openapi(source: bytes, *, origin: str) -> tuple[Dto, ...]:
    """The named object schemas of an OpenAPI document, those only used in requests inline too.

    ORIGIN names it. Raises InputError when SOURCE is neither JSON nor YAML, or no document.
    """
    document = document_in(source, origin=origin)
    components = document.get("components")
    named = components.get("schemas") if isinstance(components, dict) else None
    schemas: dict[str, Any] = dict(named or document.get("definitions") or {})
    for name, schema in _request_bodies(document):
        if "$ref" not in schema:
            schemas.setdefault(name, schema)
    return tuple(
        _dto(str(name), schema, document, "openapi", origin)
        for name, schema in schemas.items()
        if isinstance(schema, dict) and _flat(schema, document).get("properties")
    )


def dtos_in_json_schema(source: bytes, *, origin: str) -> tuple[Dto, ...]:
    """The object that a JSON Schema describes, and those under `$defs`.

    The first is called as its title says, or as the file is. Raises InputError.
    """
    document = document_in(source, origin=origin)
    title = document.get("title")
    name = title if isinstance(title, str) and title else Path(origin).name.split(".")[0]
    schemas = {name: document, **(document.get("$defs") or document.get("definitions") or {})}
    return tuple(
        _dto(str(key), schema, document, "json_schema", origin)
        for key, schema in schemas.items()
        if isinstance(schema, dict) and _flat(schema, document).get("properties")
    )


class ListedOperation(Struct, frozen=True, kw_only=True):
    """An operation that an OpenAPI document names."""

    name: str
    """Its operationId."""
    method: str
    """In upper case."""
    path: str
    request: str = ""
    """The name of its body's schema, where that has one."""
    roles: tuple[str, ...] = ()
    """`x-roles`."""


def operations_in_openapi(source: bytes, *, origin: str) -> tuple[ListedOperation, ...]:
    """The operations of a document that have an operationId. Raises InputError."""
    document = document_in(source, origin=origin)
    found: list[ListedOperation] = []
    paths = document.get("paths")
    for path, item in (paths if isinstance(paths, dict) else {}).items():
        for method, operation in (item if isinstance(item, dict) else {}).items():
            if not isinstance(operation, dict) or "operationId" not in operation:
                continue
            schemas = [schema for _, schema in _bodies_of(operation)]
            named = str(schemas[0].get("$ref", "")).rsplit("/", 1)[-1] if schemas else ""
            roles = operation.get("x-roles")
            found.append(
                ListedOperation(
                    name=str(operation["operationId"]),
                    method=str(method).upper(),
                    path=str(path),
                    request=named,
                    roles=tuple(map(str, roles)) if isinstance(roles, list) else (),
                )
            )
    return tuple(found)


def is_openapi(source: bytes) -> bool:
    """Whether SOURCE looks like an OpenAPI or Swagger document."""
    head = source[:4000].decode("utf-8", "replace")
    return any(word in head for word in ("openapi:", '"openapi"', "swagger:", '"swagger"'))


def document_in(source: bytes, *, origin: str) -> dict[str, Any]:
    """SOURCE as a JSON or YAML object; ORIGIN names it. Raises InputError when it is none."""
    if len(source) > DOCUMENT_BYTES_MAX:
        raise InputError(f"{origin} has {len(source)} bytes; at most {DOCUMENT_BYTES_MAX} are read")
    try:
        text = source.decode("utf-8-sig")
        found = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{origin} is neither JSON nor YAML: {first}; mend it there") from None
    if not isinstance(found, dict):
        raise InputError(f"{origin} holds no object; name an OpenAPI document or a JSON Schema")
    return found


def _request_bodies(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    paths = document.get("paths")
    for path in (paths if isinstance(paths, dict) else {}).values():
        for operation in (path if isinstance(path, dict) else {}).values():
            if isinstance(operation, dict) and "operationId" in operation:
                yield from _bodies_of(operation)


def _bodies_of(operation: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    body = operation.get("requestBody")
    content = body.get("content") if isinstance(body, dict) else None
    for media, value in (content if isinstance(content, dict) else {}).items():
        schema = value.get("schema") if isinstance(value, dict) else None
        if "json" in str(media) and isinstance(schema, dict):
            yield f"{operation['operationId']}Request", schema


def _dto(
    name: str,
    schema: dict[str, Any],
    document: dict[str, Any],
    language: Literal["openapi", "json_schema"],
    origin: str,
) -> Dto:
    flat = _flat(schema, document)
    required = flat.get("required")
    wanted = set(required) if isinstance(required, list) else set()
    fields = tuple(
        _field(key, _flat(value, document), origin=f"{origin} {name}.{key}", wanted=key in wanted)
        for key, value in flat["properties"].items()
        if isinstance(value, dict)
    )
    return Dto(name=name, fields=fields, language=language, origin=origin)


def _flat(schema: Any, document: Mapping[str, Any]) -> dict[str, Any]:
    """SCHEMA with its references followed and its `allOf` parts put together."""
    waiting, made = [schema], dict[str, Any]()
    for _ in range(REFERENCES_MAX):
        if not waiting:
            break
        current = waiting.pop(0)
        if not isinstance(current, dict):
            continue
        reference = current.get("$ref")
        if isinstance(reference, str):
            waiting.append(_resolved(reference, document))
        waiting.extend(current.get("allOf") or [])
        for key, value in current.items():
            if key == "properties" and isinstance(value, dict):
                made[key] = {**value, **made.get(key, {})}
            elif key == "required" and isinstance(value, list):
                made[key] = [*made.get(key, []), *value]
            elif key not in ("$ref", "allOf"):
                made.setdefault(key, value)
    return _not_null(made, document)


def _not_null(schema: dict[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """`anyOf: [X, null]` as X that may be null."""
    for key in ("anyOf", "oneOf"):
        choices = schema.get(key)
        if isinstance(choices, list) and len(choices) == 2 and {"type": "null"} in choices:
            other: Any = next((c for c in choices if c != {"type": "null"}), {})
            rest = {k: v for k, v in schema.items() if k != key}
            return {**_flat(other, document), **rest, "nullable": True}
    return schema


def _resolved(reference: str, document: Mapping[str, Any]) -> Any:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _field(name: str, schema: Mapping[str, Any], *, origin: str, wanted: bool) -> DtoField:
    declared = schema.get("type")
    types = [t for t in (declared if isinstance(declared, list) else [declared]) if t]
    plain = next((str(t) for t in types if t != "null"), "object")
    rules = [DtoRule(kind="required", source=f"{origin} required")] if wanted else []
    rules += _rules(schema, origin)
    if wanted and any(r.kind == "min_length" and r.value == "1" for r in rules):
        rules = [r for r in rules if r.kind not in ("required", "min_length")]
        rules.insert(0, DtoRule(kind="required", value=EMPTY_TOO, source=f"{origin} required"))
    said = schema.get("format")
    return DtoField(
        name=name,
        type=plain,
        declared_type=f"{plain}({said})" if said else plain,
        nullable="null" in types or schema.get("nullable") is True,
        rules=tuple(rules),
    )


def _rules(schema: Mapping[str, Any], origin: str) -> list[DtoRule]:
    found: list[tuple[str, Any]] = []
    low, high = schema.get("minimum"), schema.get("maximum")
    # 3.0 marks a bound as exclusive, 3.1 states an exclusive bound.
    below, above = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None:
        found.append(("greater_than" if below is True else "minimum", low))
    if below is not None and not isinstance(below, bool):
        found.append(("greater_than", below))
    if high is not None:
        found.append(("less_than" if above is True else "maximum", high))
    if above is not None and not isinstance(above, bool):
        found.append(("less_than", above))
    for key, kind in (
        ("minLength", "min_length"),
        ("maxLength", "max_length"),
        ("pattern", "pattern"),
        ("format", "format"),
    ):
        if schema.get(key) is not None:
            found.append((kind, schema[key]))
    values = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    if values and all(isinstance(v, str | int | float) for v in values):
        found.append(("one_of", "|".join(str(v) for v in values)))
    return [
        DtoRule(kind=kind, value=str(value), source=f"{origin} {kind}")  # type: ignore[arg-type]
        for kind, value in found
    ]
