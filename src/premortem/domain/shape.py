"""A JSON Schema at one point, seen through references and combinations.

Draft 2020-12 as far as it says what single values look like: `$ref`, `allOf`, `anyOf`, `oneOf`,
types, bounds, lengths, patterns, enumerations, properties and items. Conditions (`if`, `not`)
are left to the validator.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import msgspec

from premortem.domain.traffic import Document

BRANCHES_MAX = 16
"""Alternatives looked at of one schema."""
MEMBERS_MAX = 1000
"""Properties of one shape that are remembered."""
REFERENCES_MAX = 32
"""References followed in a row."""

TYPES = ("string", "integer", "number", "boolean", "null", "object", "array")
Branch = Mapping[str, Any]
"""One alternative, flat: no references and no combinations at its top."""


class Shape:
    """What a schema says about the value at one place."""

    def __init__(self, schema: Any, root: Any) -> None:
        self._schema = schema
        self._root = root
        self._members: dict[str, Shape | None] = {}

    @cached_property
    def branches(self) -> tuple[Branch, ...]:
        """The alternatives; empty when nothing is allowed here."""
        return tuple(_flatten(self._schema, self._root, REFERENCES_MAX)[:BRANCHES_MAX])

    def branch(self, kind: str) -> Branch | None:
        """The first alternative that allows the JSON type KIND (a number may be an integer)."""
        for branch in self.branches:
            allowed = types_of(branch)
            if kind in allowed or (kind == "integer" and "number" in allowed):
                return branch
        return None

    @cached_property
    def types(self) -> frozenset[str]:
        """JSON types allowed here."""
        return frozenset(kind for branch in self.branches for kind in types_of(branch))

    @property
    def required(self) -> frozenset[str]:
        """Properties that every alternative which is an object requires."""
        sets = [frozenset(b.get("required", ())) for b in self._objects]
        return frozenset.intersection(*sets) if sets else frozenset()

    @property
    def closed(self) -> bool:
        """No property beyond the declared ones is allowed."""
        objects = self._objects
        return bool(objects) and all(b.get("additionalProperties") is False for b in objects)

    @property
    def names(self) -> tuple[str, ...]:
        """Declared properties, in order."""
        return tuple(dict.fromkeys(n for b in self._objects for n in b.get("properties", ())))

    @property
    def _objects(self) -> list[Branch]:
        return [branch for branch in self.branches if "object" in types_of(branch)]

    def alternatives(self, kind: str) -> tuple[Shape, ...]:
        """Every alternative that allows the JSON type KIND, as a shape of its own."""
        return tuple(Shape(b, self._root) for b in self.branches if kind in types_of(b))

    def member(self, name: str) -> Shape | None:
        """What is declared for the property NAME; None when nothing is."""
        if name not in self._members:
            if len(self._members) >= MEMBERS_MAX:
                return self._member(name)
            self._members[name] = self._member(name)
        return self._members[name]

    def _member(self, name: str) -> Shape | None:
        found = [b["properties"][name] for b in self._objects if name in b.get("properties", {})]
        if not found:
            found = [
                b["additionalProperties"]
                for b in self._objects
                if isinstance(b.get("additionalProperties"), dict)
            ]
        if not found:
            return None
        return Shape(found[0] if len(found) == 1 else {"anyOf": found}, self._root)

    @property
    def items(self) -> Shape | None:
        """What is declared for the items of an array; None when nothing is."""
        for branch in self.branches:
            if isinstance(branch.get("items"), dict):
                return Shape(branch["items"], self._root)
        return None

    def at(self, tokens: Iterable[str]) -> Shape | None:
        """What is declared at the pointer TOKENS below here; `*` and indexes are items."""
        shape: Shape | None = self
        for key in tokens:
            if shape is None:
                return None
            inner = shape.member(key)
            if inner is None and (key == "*" or key.isdigit()):
                inner = shape.items
            shape = inner
        return shape


def read_shape(document: Document) -> Shape | None:
    """DOCUMENT's schema as a shape; None when it is empty."""
    if not document:
        return None
    schema = msgspec.json.decode(document)
    return Shape(schema, schema)


def types_of(branch: Branch) -> tuple[str, ...]:
    """JSON types BRANCH allows, from `type` or else from what its other keywords speak of."""
    declared = branch.get("type")
    if isinstance(declared, str):
        return (declared,)
    if isinstance(declared, list):
        return tuple(declared)
    if "const" in branch:
        return (type_of(branch["const"]),)
    if "enum" in branch:
        return tuple(dict.fromkeys(type_of(value) for value in branch["enum"]))
    if "properties" in branch:
        return ("object",)
    if "items" in branch:
        return ("array",)
    return TYPES


def type_of(value: Any) -> str:
    """The JSON type of VALUE; `integer` apart from `number`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _flatten(schema: Any, root: Any, left: int) -> list[dict[str, Any]]:
    if schema is True or schema is None:
        return [{}]
    if schema is False or left <= 0 or not isinstance(schema, dict):
        return []
    base = {k: v for k, v in schema.items() if k not in ("$ref", "allOf", "anyOf", "oneOf")}
    branches = [base]
    parts: list[list[dict[str, Any]]] = []
    if "$ref" in schema:
        parts.append(_flatten(_resolve(schema["$ref"], root), root, left - 1))
    parts += [_flatten(part, root, left - 1) for part in schema.get("allOf", ())]
    for combination in ("anyOf", "oneOf"):
        if combination in schema:
            parts.append([b for p in schema[combination] for b in _flatten(p, root, left - 1)])
    for part in parts:
        merged = (_merge(a, b) for a in branches for b in part)
        branches = [branch for branch in merged if branch is not None][:BRANCHES_MAX]
    return branches


def _resolve(reference: str, root: Any) -> Any:
    if not reference.startswith("#"):
        return True
    found = root
    for token in reference[1:].split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdigit() and int(name) < len(found):
            found = found[int(name)]
        else:
            return True
    return found


_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


def _merge(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any] | None:
    """What satisfies A and B; None when their types have nothing in common."""
    merged = {**a, **b}
    for key in a.keys() & b.keys():
        if key in _LOWER:
            merged[key] = max(a[key], b[key])
        elif key in _UPPER:
            merged[key] = min(a[key], b[key])
        elif key == "required":
            merged[key] = list(dict.fromkeys([*a[key], *b[key]]))
        elif key == "enum":
            merged[key] = [value for value in a[key] if value in b[key]]
        elif key == "properties":
            merged[key] = _merge_properties(a[key], b[key])
        elif key == "type":
            allowed = [kind for kind in types_of(a) if kind in types_of(b)]
            if not allowed:
                return None
            merged[key] = allowed
    return merged


def _merge_properties(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    both = {name: {"allOf": [a[name], b[name]]} for name in a.keys() & b.keys()}
    return {**a, **b, **both}
