"""Schemas that are hard on whoever makes values for them, and a profile around any schema."""

from __future__ import annotations

import json
from typing import Any

from premortem.domain.traffic import Operation, OperationProfile, Profile, Timing

NODE = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "minLength": 2, "maxLength": 5},
        "children": {"type": "array", "maxItems": 3, "items": {"$ref": "#/$defs/node"}},
    },
}
ZOO: dict[str, Any] = {
    "recursive": {"$ref": "#/$defs/node", "$defs": {"node": NODE}},
    "nullable": {
        "type": "object",
        "properties": {
            "a": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]},
            "b": {"type": ["integer", "null"], "minimum": 1},
            "c": {"anyOf": [{"type": "integer", "maximum": 9}, {"type": "string", "minLength": 3}]},
        },
        "required": ["a"],
    },
    "discriminated": {
        "oneOf": [
            {
                "type": "object",
                "properties": {"kind": {"const": "card"}, "number": {"pattern": "^[0-9]{16}$"}},
                "required": ["kind", "number"],
            },
            {
                "type": "object",
                "properties": {"kind": {"const": "cash"}, "amount": {"exclusiveMinimum": 0}},
                "required": ["kind", "amount"],
            },
        ]
    },
    "ambiguous": {
        "type": "object",
        "oneOf": [{"required": ["email"]}, {"required": ["phone"]}],
        "properties": {
            "email": {"type": "string", "format": "email"},
            "phone": {"type": "string", "pattern": r"^\+?[0-9]{5,15}$"},
        },
    },
    "merged": {
        "allOf": [
            {"type": "object", "properties": {"n": {"minimum": 3}}, "required": ["n"]},
            {"properties": {"n": {"type": "integer", "maximum": 5}, "m": {"multipleOf": 0.05}}},
        ]
    },
    "numbers": {
        "type": "object",
        "required": ["money", "share", "step", "tight"],
        "properties": {
            "money": {"type": "number", "exclusiveMinimum": 0, "maximum": 1e6, "multipleOf": 0.01},
            "share": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
            "step": {"type": "integer", "multipleOf": 7, "minimum": -14, "maximum": 14},
            "tight": {"type": "integer", "minimum": 4, "maximum": 4},
        },
    },
    "texts": {
        "type": "object",
        "required": ["code", "day", "id", "free"],
        "properties": {
            "code": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{2,4}$", "maxLength": 8},
            "day": {"type": "string", "format": "date"},
            "id": {"type": "string", "format": "uuid"},
            "free": {"type": "string", "minLength": 3, "maxLength": 60},
            "mail": {"type": "string", "format": "email", "maxLength": 40},
            "when": {"type": "string", "format": "date-time"},
            "site": {"type": "string", "format": "uri", "minLength": 12},
            "host": {"type": "string", "format": "hostname"},
            "either": {"type": "string", "pattern": "^(on|off|a(b|c){1,3})$"},
        },
    },
    "arrays": {
        "type": "object",
        "required": ["tags", "rows"],
        "properties": {
            "tags": {
                "type": "array",
                "items": {"enum": ["a", "b", "c", "d"]},
                "uniqueItems": True,
                "minItems": 1,
                "maxItems": 3,
            },
            "rows": {
                "type": "array",
                "minItems": 2,
                "items": {
                    "type": "object",
                    "required": ["n"],
                    "properties": {"n": {"type": "integer", "minimum": 1}},
                },
            },
            "pair": {
                "type": "array",
                "prefixItems": [{"type": "string"}, {"type": "integer", "maximum": 3}],
                "items": False,
                "minItems": 2,
            },
        },
    },
    "objects": {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 3,
        "additionalProperties": {"type": "integer", "maximum": 10},
        "propertyNames": {"pattern": "^[a-z0-9]+$"},
    },
    "dependent": {
        "type": "object",
        "properties": {
            "card": {"type": "string"},
            "address": {"type": "string"},
            "city": {"type": "string"},
        },
        "required": ["city"],
        "dependentRequired": {"card": ["address"]},
    },
    "closed": {
        "type": "object",
        "additionalProperties": False,
        "required": ["level", "on", "fixed"],
        "properties": {
            "level": {"enum": [1, 2, 3]},
            "on": {"const": True},
            "fixed": {"const": "v1"},
            "mode": {"type": "string", "enum": ["fast", "slow", ""]},
            "made_at": {"type": "string", "format": "date-time", "readOnly": True},
            "nested": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"deep": {"type": "object", "required": ["x"], "properties": {}}},
            },
        },
    },
    "conditional": {
        "type": "object",
        "properties": {"country": {"enum": ["US", "DE"]}, "zip": {"type": "string"}},
        "required": ["country"],
        "if": {"properties": {"country": {"const": "US"}}},
        "then": {"properties": {"zip": {"pattern": "^[0-9]{5}$"}}, "required": ["zip"]},
    },
    "a list": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
    "a text": {"type": "string", "minLength": 1, "maxLength": 4},
    "anything": {},
    "nothing": {"not": {}},
    "impossible": {"type": "integer", "minimum": 5, "maximum": 4},
    "unreadable pattern": {
        "type": "object",
        "properties": {"p": {"type": "string", "pattern": r"^(?=.*\d)(?=.*[a-z]).{8,}$"}},
        "required": ["p"],
    },
}


def operation(schema: Any, **changes: object) -> OperationProfile:
    """An operation whose body the specification declares as SCHEMA."""
    values: dict[str, object] = {
        "operation": Operation(method="POST", template="/things"),
        "count": 0,
        "in_spec": True,
        "request_schema": json.dumps(schema),
        "request_source": "spec",
        "required": ("body:",),
        **changes,
    }
    return OperationProfile(**values)  # type: ignore[arg-type]


def profile(*operations: OperationProfile) -> Profile:
    return Profile(
        version="0" * 12,
        created_at=0.0,
        exchanges=0,
        sessions=0,
        origins=(),
        operations=operations,
        timing=Timing(first_at=0.0, last_at=0.0, rate_per_second=0.0, hours=(0,) * 24),
    )
