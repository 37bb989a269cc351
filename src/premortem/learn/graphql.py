"""What GraphQL says of its own operations: variables with types, a schema with all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from premortem.domain.graphql import parsed, variant_of_query
from premortem.domain.traffic import Document, Operation, OperationProfile
from premortem.errors import InputError
from premortem.learn.openapi import Spec, SpecOperation

PATH = "/graphql"
"""Where a service answers, unless the configuration says otherwise."""
QUERIES_MAX = 5
"""Spellings of one operation that are kept."""
FIELDS_DEEP_MAX = 2
"""Objects within objects that a made query selects."""
FIELDS_WIDE_MAX = 40
"""Fields of one object that a made query selects."""
INPUT_DEEP_MAX = 5
SUFFIXES = (".graphql", ".graphqls", ".gql")

_SCALARS: Mapping[str, dict[str, Any]] = {
    "Int": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "Float": {"type": "number"},
    "String": {"type": "string"},
    "Boolean": {"type": "boolean"},
    "ID": {"type": ["string", "integer"]},
    "Date": {"type": "string", "format": "date"},
    "DateTime": {"type": "string", "format": "date-time"},
    "UUID": {"type": "string", "format": "uuid"},
}
"""Built in (GraphQL October 2021, 3.5), then customary ones; of others nothing is known."""


def typed(operation: OperationProfile, queries: tuple[str, ...]) -> OperationProfile:
    """OPERATION, of GraphQL, with what its documents QUERIES declare: only these, and variables
    of their types."""
    if not operation.request_schema or not queries:
        return operation
    document = msgspec.json.decode(operation.request_schema)
    found = parsed(queries[0])
    properties = document.setdefault("properties", {})
    properties["query"] = _one_of(queries)
    document["required"] = sorted({*document.get("required", ()), "query"})
    if found is not None and found[0].variable_definitions:
        learned = properties.get("variables", {})
        properties["variables"] = _variables(found[0].variable_definitions, learned)
    schema = msgspec.json.encode(document, order="deterministic").decode()
    return replace(operation, request_schema=schema)


def _variables(definitions: Any, learned: Any) -> dict[str, Any]:
    """The schema of an operation's variables; LEARNED knows what input objects look like."""
    seen = learned.get("properties", {}) if isinstance(learned, dict) else {}
    properties: dict[str, Any] = {}
    required: list[str] = []
    for definition in definitions:
        name = definition.variable.name.value
        declared = _of_reference(definition.type)
        properties[name] = declared if declared else seen.get(name, {})
        if definition.type.kind == "non_null_type" and definition.default_value is None:
            required.append(name)
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    return {**schema, "required": sorted(required)} if required else schema


def _of_reference(node: Any) -> dict[str, Any]:
    """The JSON Schema of a type as a document names it; empty for types it only names."""
    if node.kind == "non_null_type":
        return _without_null(_of_reference(node.type))
    if node.kind == "list_type":
        return _list_of(_of_reference(node.type))
    return _nullable(dict(_SCALARS.get(node.name.value, {})))


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    types = schema.get("type")
    if types is None:
        return schema
    return {**schema, "type": [*(types if isinstance(types, list) else [types]), "null"]}


def _one_of(queries: tuple[str, ...]) -> dict[str, Any]:
    """A document is what makes the operation, so it is no value to be varied."""
    if len(queries) == 1:
        return {"type": "string", "const": queries[0]}
    return {"type": "string", "enum": list(queries)}


def _list_of(item: dict[str, Any]) -> dict[str, Any]:
    """A single value stands for a list of it (GraphQL October 2021, 3.11)."""
    return {"anyOf": [{"type": ["array", "null"], "items": item}, item]}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in schema:
        return {**schema, "anyOf": [_without_null(branch) for branch in schema["anyOf"]]}
    types = schema.get("type")
    if isinstance(types, list):
        left = [name for name in types if name != "null"]
        schema = {**schema, "type": left if len(left) > 1 else left[0]}
    if "enum" in schema:
        schema = {**schema, "enum": [value for value in schema["enum"] if value is not None]}
    return schema


def load_graphql(path: Path, text: str, *, at: str = PATH) -> Spec:
    """The schema TEXT (SDL or an introspection's answer) as operations on the path AT: one for
    each field of Query and Mutation, asking for all it can of one level. Raises InputError."""
    from graphql import GraphQLError, GraphQLSchema, build_client_schema, build_schema

    try:
        if path.suffix in SUFFIXES:
            schema: GraphQLSchema = build_schema(text)
        else:
            value = msgspec.json.decode(text)
            schema = build_client_schema(value.get("data", value))
    except (GraphQLError, TypeError, AttributeError, msgspec.DecodeError, RecursionError) as error:
        reason = str(error).split("\n")[0]
        raise InputError(
            f"{path} is no GraphQL schema: {reason}; give SDL or an introspection's answer"
        ) from None
    return Spec(title=f"GraphQL {path.name}", operations=tuple(_operations(schema, at)))


def _operations(schema: Any, at: str) -> Iterator[SpecOperation]:
    for kind, root in (("query", schema.query_type), ("mutation", schema.mutation_type)):
        for name, field in (root.fields if root is not None else {}).items():
            text = _query(kind, name, field)
            variables = _arguments(field)
            needed = "required" in variables
            body = {
                "type": "object",
                "properties": {
                    "query": _one_of((text,)),
                    "variables": variables if needed else _nullable(variables),
                },
                "required": ["query", "variables"] if needed else ["query"],
            }
            answer = {
                "type": "object",
                "properties": {
                    "data": {
                        "type": ["object", "null"],
                        "properties": {name: _answer(field.type, FIELDS_DEEP_MAX)},
                    },
                    "errors": {"type": "array", "items": {"type": "object"}},
                },
            }
            yield SpecOperation(
                operation=Operation(method="POST", template=at, variant=variant_of_query(text)),
                summary=(field.description or "").split("\n")[0],
                request_schemas={"application/json": _text(body)},
                request_required=True,
                answers={200: _text(answer), -4: ""},
            )


def _query(kind: str, name: str, field: Any) -> str:
    defined = ", ".join(f"${arg}: {argument.type}" for arg, argument in field.args.items())
    given = ", ".join(f"{arg}: ${arg}" for arg in field.args)
    head = f"{kind} {name}({defined})" if defined else f"{kind} {name}"
    call = f"{name}({given})" if given else name
    return f"{head} {{ {call}{_selection(field.type, FIELDS_DEEP_MAX)} }}"


def _selection(type_: Any, deep: int) -> str:
    """` { id total lines { amount } }`, what can be had without arguments."""
    from graphql import get_named_type, is_leaf_type, is_object_type, is_required_argument

    named = get_named_type(type_)
    if is_leaf_type(named):
        return ""
    parts = []
    if is_object_type(named):
        for name, field in list(named.fields.items())[:FIELDS_WIDE_MAX]:
            if any(is_required_argument(argument) for argument in field.args.values()):
                continue
            if is_leaf_type(get_named_type(field.type)):
                parts.append(name)
            elif deep > 0 and (inner := _selection(field.type, deep - 1)):
                parts.append(name + inner)
    return f" {{ {' '.join(parts or ['__typename'])} }}"


def _arguments(field: Any) -> dict[str, Any]:
    from graphql import is_required_argument

    required = sorted(n for n, argument in field.args.items() if is_required_argument(argument))
    properties = {n: _input(argument.type, INPUT_DEEP_MAX) for n, argument in field.args.items()}
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    return {**schema, "required": required} if required else schema


def _input(type_: Any, deep: int) -> dict[str, Any]:
    """The JSON Schema of an input type (GraphQL October 2021, 3.10)."""
    from graphql import (
        is_enum_type,
        is_input_object_type,
        is_list_type,
        is_non_null_type,
        is_required_input_field,
    )

    if is_non_null_type(type_):
        return _without_null(_input(type_.of_type, deep))
    if is_list_type(type_):
        return _list_of(_input(type_.of_type, deep))
    if is_enum_type(type_):
        return {"enum": [*type_.values, None], "type": ["string", "null"]}
    if is_input_object_type(type_):
        if deep <= 0:
            return {"type": ["object", "null"]}
        fields = type_.fields
        required = sorted(n for n, field in fields.items() if is_required_input_field(field))
        return {
            "type": ["object", "null"],
            "properties": {name: _input(field.type, deep - 1) for name, field in fields.items()},
            "additionalProperties": False,
            **({"required": required} if required else {}),
        }
    return _nullable(dict(_SCALARS.get(type_.name, {})))


def _answer(type_: Any, deep: int) -> dict[str, Any]:
    """The JSON Schema of what `_selection` asks of a type."""
    from graphql import is_enum_type, is_list_type, is_non_null_type, is_object_type

    if is_non_null_type(type_):
        return _without_null(_answer(type_.of_type, deep))
    if is_list_type(type_):
        return {"type": ["array", "null"], "items": _answer(type_.of_type, deep)}
    if is_enum_type(type_):
        return {"type": ["string", "null"]}
    if is_object_type(type_):
        properties = {
            name: _answer(field.type, deep - 1) for name, field in type_.fields.items() if deep >= 0
        }
        return {"type": ["object", "null"], "properties": properties}
    return _nullable(dict(_SCALARS.get(type_.name, {})))


def _text(schema: dict[str, Any]) -> Document:
    return msgspec.json.encode(schema, order="deterministic").decode()
