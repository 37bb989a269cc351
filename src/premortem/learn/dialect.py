"""Schemas of OpenAPI 3.0, 3.1 and Swagger 2.0 as self-contained JSON Schema 2020-12."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

import jsonschema_rs

from premortem.domain.traffic import Document
from premortem.learn.references import Documents

DEFINITIONS_MAX = 2000
"""Referenced schemas of one document; beyond it they may be anything."""
DEPTH_MAX = 60

Side = Literal["request", "answer"]

_TYPES = frozenset({"string", "integer", "number", "boolean", "null", "object", "array"})
_ONE = ("not", "if", "then", "else", "contains", "propertyNames", "unevaluatedItems")
_MANY = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("properties", "patternProperties", "dependentSchemas")
_NUMBERS = ("minimum", "maximum", "multipleOf")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_AS_IT_IS = (
    *("const", "description", "title", "default", "format", "pattern", "uniqueItems", "readOnly"),
    *("writeOnly", "contentMediaType", "contentEncoding", "dependentRequired"),
)


class SchemaWriter:
    """Writes the schemas of one specification; `legacy`: older than OpenAPI 3.1."""

    def __init__(self, documents: Documents, *, legacy: bool) -> None:
        self._documents = documents
        self._legacy = legacy

    def document(self, schema: Any, file: Path, side: Side) -> Document:
        """SCHEMA, standing in FILE, as it binds one side; empty when it says nothing usable.

        Requests need not hold what is `readOnly`, answers not what is `writeOnly`. Circles stay
        references, into `$defs`. Raises InputError for a reference that leads nowhere.
        """
        writing = _Writing(self._documents, legacy=self._legacy, side=side)
        written = writing.convert(schema, file, 0)
        if not isinstance(written, dict) or not written:
            return ""
        if writing.definitions:
            written = {**written, "$defs": writing.definitions}
        head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
        return _usable(head | written)


def _usable(schema: dict[str, Any]) -> Document:
    """SCHEMA as text; without the patterns our validator cannot read, empty if that is not it."""
    for candidate in (schema, _without_patterns(schema)):
        try:
            jsonschema_rs.Draft202012Validator(candidate)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
            continue
        return json.dumps(candidate, ensure_ascii=False)
    return ""


def _without_patterns(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_patterns(child)
            for key, child in value.items()
            if not (key == "pattern" and isinstance(child, str)) and key != "patternProperties"
        }
    return [_without_patterns(child) for child in value] if isinstance(value, list) else value


class _Writing:
    """The writing of one document: which references it has met."""

    def __init__(self, documents: Documents, *, legacy: bool, side: Side) -> None:
        self._documents = documents
        self._legacy = legacy
        self._side = side
        self._names: dict[tuple[Path, str], str] = {}
        self.definitions: dict[str, Any] = {}

    def convert(self, schema: Any, file: Path, depth: int) -> Any:
        """SCHEMA in 2020-12."""
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict) or depth > DEPTH_MAX:
            return {}
        if "$ref" in schema:
            reference = {"$ref": self._reference(schema["$ref"], file, depth)}
            if self._legacy:
                return _nullable(reference, schema)
            rest = self._keywords({k: v for k, v in schema.items() if k != "$ref"}, file, depth)
            return reference | rest
        return self._keywords(schema, file, depth)

    def _reference(self, text: str, file: Path, depth: int) -> str:
        target, pointer = self._documents.target(text, file)
        found = self._documents.at(target, pointer, reference=text)
        key = (target, pointer)
        if key not in self._names:
            if len(self._names) >= DEFINITIONS_MAX:
                return "#/$defs/anything"
            wanted = re.sub(r"\W", "_", pointer.rsplit("/", 1)[-1]) or target.stem
            name, number = wanted, 2
            while name in self.definitions or name == "anything":
                name, number = f"{wanted}_{number}", number + 1
            self._names[key] = name
            self.definitions[name] = {}
            self.definitions[name] = self.convert(found, target, depth + 1)
            if len(self._names) == DEFINITIONS_MAX:
                self.definitions["anything"] = {}
        return f"#/$defs/{self._names[key]}"

    def _keywords(self, schema: dict[str, Any], file: Path, depth: int) -> dict[str, Any]:
        out = {key: schema[key] for key in _AS_IT_IS if key in schema}
        out |= self._applicators(schema, file, depth + 1)
        for key in _NUMBERS:
            if _is_number(schema.get(key)):
                out[key] = schema[key]
        for key in _COUNTS:
            if isinstance(schema.get(key), int):
                out[key] = schema[key]
        for key, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if _is_number(schema.get(key)):
                out[key] = schema[key]
            elif schema.get(key) is True and bound in out:
                out[key] = out.pop(bound)
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            out["enum"] = list(schema["enum"])
        if "example" in schema:
            out["examples"] = [schema["example"]]
        elif isinstance(schema.get("examples"), list):
            out["examples"] = schema["examples"]
        self._require(schema, out, file)
        _set_type(schema, out)
        return _nullable(out, schema)

    def _applicators(self, schema: dict[str, Any], file: Path, depth: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key in _NAMED:
            if isinstance(schema.get(key), dict):
                out[key] = {n: self.convert(s, file, depth) for n, s in schema[key].items()}
        for key in _MANY:
            if isinstance(schema.get(key), list) and schema[key]:
                out[key] = [self.convert(s, file, depth) for s in schema[key]]
        if "oneOf" in out and "discriminator" in schema:
            # the discriminator chooses; without it, alike alternatives would both match
            out["anyOf"] = [*out.get("anyOf", ()), *out.pop("oneOf")]
        for key in _ONE:
            if key in schema:
                out[key] = self.convert(schema[key], file, depth)
        for key in ("additionalProperties", "unevaluatedProperties"):
            if isinstance(schema.get(key), bool | dict):
                out[key] = self.convert(schema[key], file, depth)
        if isinstance(schema.get("items"), list):
            out["prefixItems"] = [self.convert(s, file, depth) for s in schema["items"]]
        elif "items" in schema:
            out["items"] = self.convert(schema["items"], file, depth)
        return out

    def _require(self, schema: dict[str, Any], out: dict[str, Any], file: Path) -> None:
        """Members that this side must hold."""
        required = schema.get("required")
        if not isinstance(required, list):
            return
        spared = "readOnly" if self._side == "request" else "writeOnly"
        members = schema.get("properties")
        kept = []
        for name in required:
            member = members.get(name) if isinstance(members, dict) else None
            member, _ = self._documents.follow(member, file)
            if not (isinstance(member, dict) and member.get(spared) is True):
                kept.append(name)
        if kept:
            out["required"] = kept


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _set_type(schema: dict[str, Any], out: dict[str, Any]) -> None:
    declared = schema.get("type")
    if declared == "file":
        out["type"] = "string"
        out.setdefault("contentMediaType", "application/octet-stream")
        return
    kinds = declared if isinstance(declared, list) else [declared]
    if kinds and all(isinstance(kind, str) and kind in _TYPES for kind in kinds):
        out["type"] = declared


def _nullable(out: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """OUT allowing null where SCHEMA says `nullable` (3.0) or `x-nullable` (2.0)."""
    if schema.get("nullable") is not True and schema.get("x-nullable") is not True:
        return out
    if isinstance(out.get("type"), str):
        out["type"] = [out["type"], "null"]
        if "enum" in out and None not in out["enum"]:
            out["enum"] = [*out["enum"], None]
        return out
    if out.keys() & {"$ref", "allOf", "anyOf", "oneOf"}:
        return {"anyOf": [out, {"type": "null"}]}
    return out
